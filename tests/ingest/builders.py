"""Files and profiles for the reader's tests."""

import gzip
from pathlib import Path

import numpy as np

from sereno.domain.readings import Readings
from sereno.domain.signals import Profile
from sereno.ingest import Batch, FilePlan, FileReport, ReadOptions, inspect_file, read_batches
from sereno.settings.profiles import load_profiles

MADRID = ReadOptions(timezone="Europe/Madrid")
UTC = ReadOptions(timezone="UTC")
SOLAR_HEADER = (
    "Fecha y hora;Generación total (kWh);Consumo total (kWh);Autoconsumo (kWh);"
    "Energía suministrada a la red (kWh);Energía obtenida de la red (kWh);Empresa"
)


def profiles() -> dict[str, Profile]:
    return dict(load_profiles())


def write(folder: Path, text: str, *, name: str = "datos.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def write_gzip(folder: Path, data: bytes, *, name: str = "datos.csv.gz") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(data))
    return path


def hours(count: int, *, start: str = "2023-06-01T00", form: str = "%d.%m.%Y %H:%M") -> list[str]:
    first = np.datetime64(start, "h")
    return [
        (first + np.timedelta64(i, "h")).astype("datetime64[s]").item().strftime(form) for i in range(count)
    ]


def number(value: float, *, decimal: str = ",") -> str:
    return f"{value:.3f}".replace(".", decimal)


def solar_line(stamp: str, generation: float, consumption: float, *, site: str = "PLANTA NORTE") -> str:
    own = min(generation, consumption)
    values = (generation, consumption, own, generation - own, consumption - own)
    return ";".join([stamp, *(number(v) for v in values), site])


def solar_lines(count: int, *, site: str = "PLANTA NORTE", start: str = "2023-06-01T00") -> list[str]:
    random = np.random.default_rng(7)
    return [
        solar_line(stamp, round(float(g), 3), round(float(c), 3), site=site)
        for stamp, g, c in zip(
            hours(count, start=start), random.random(count) * 5, random.random(count) * 3, strict=True
        )
    ]


def solar_text(lines: list[str], *, header: str = SOLAR_HEADER, end: str = "\r\n") -> str:
    return end.join([header, *lines]) + end


def read(path: Path, options: ReadOptions = MADRID) -> tuple[FilePlan, FileReport, list[Batch]]:
    plan = inspect_file(path, profiles(), options)
    report = FileReport.start(plan)
    batches = list(read_batches(plan))
    for batch in batches:
        report.add(batch)
    return plan, report, batches


def joined(batches: list[Batch]) -> dict[tuple[str, str], tuple[float, ...]]:
    """Every row of all batches by (asset, instant); order and batch borders leave no trace."""
    found: dict[tuple[str, str], tuple[float, ...]] = {}
    for batch in batches:
        readings: Readings = batch.readings
        for i, row in enumerate(readings.values.tolist()):
            key = (str(readings.assets[readings.asset_index[i]]), str(readings.time[i]))
            assert key not in found
            found[key] = tuple(row)
    return found


def codes(report: FileReport) -> dict[str, int]:
    found: dict[str, int] = {}
    for issue in report.issues:
        found[issue.code] = found.get(issue.code, 0) + issue.count
    return found
