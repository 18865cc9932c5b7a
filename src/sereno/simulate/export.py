"""Worlds as the files of the field: one CSV per site, and the truth apart."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl

from sereno.domain.errors import UsageError
from sereno.domain.readings import FloatArray, Readings
from sereno.domain.time import isoformat
from sereno.simulate.trial import Trial
from sereno.simulate.world import Fault, World

__all__ = ["neutralised", "write_trial", "write_world"]

WH_PER_KWH = 1000.0
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for a formula (OWASP, CSV injection)."""
UNSAFE_IN_NAMES = frozenset('/\\:*?"<>|\0\n\r\t')
TRUTH_FOLDER = "truth"
"""A folder of its own: whoever ingests the world's folder must not meet the answers as data."""

HEADERS: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("solar", "es"): (
            "Fecha y hora",
            "Generación total",
            "Consumo total",
            "Autoconsumo",
            "Energía suministrada a la red",
            "Energía obtenida de la red",
        ),
        ("solar", "en"): (
            "Date and time",
            "Total generation",
            "Total consumption",
            "Self consumption",
            "Exported energy",
            "Imported energy",
        ),
        ("gas", "es"): ("Fecha", "Presión (bar)", "Temperatura (°C)", "Volumen (m³)"),
        ("gas", "en"): ("Date", "Pressure (bar)", "Temperature (°C)", "Volume (m³)"),
        ("motor", "es"): (
            "Fecha y hora",
            "Corriente (A)",
            "Voltaje (V)",
            "Potencia activa (kW)",
            "Temperatura motor (°C)",
            "Factor de potencia",
        ),
        ("motor", "en"): (
            "Timestamp",
            "Current (A)",
            "Voltage (V)",
            "Active power (kW)",
            "Motor temperature (°C)",
            "Power factor",
        ),
        ("load", "es"): ("Fecha y hora", "Potencia (kW)", "Temperatura (°C)"),
        ("load", "en"): ("Timestamp", "Power (kW)", "Temperature (°C)"),
        # Open profile: a column keeps the name it has in the file, so it is the signal's name itself.
        ("process", "es"): ("timestamp", "temperature", "pressure", "flowrate"),
        ("process", "en"): ("timestamp", "temperature", "pressure", "flowrate"),
    }
)
TIME_FORMATS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "es": ("%d.%m.%Y %H:%M:%S", "[dd.MM.yyyy HH:mm:ss]"),
        "en": ("%Y-%m-%d %H:%M:%S", "[yyyy-MM-dd HH:mm:ss]"),
    }
)


def write_world(world: World, folder: Path, *, language: str = "es") -> list[Path]:
    """One CSV per site named `SITE_ddMMyyyy-ddMMyyyy.csv`, then `truth/PROFILE.csv`.

    Times are local to the world's zone without an offset, as the field's exporters write them; solar
    files have a unit row and energies in Wh. Files of the same name are replaced.

    Returns:
        The files, the truth last.

    Raises:
        UsageError: The language has no headers.
    """
    if language not in TIME_FORMATS:
        raise UsageError(detail=f"There are no headers in language '{language}'", command="simulate")
    written = _write_sites(world.readings, world.zone, folder, language)
    return [*written, _write_truth(world, folder / TRUTH_FOLDER)]


def write_trial(trial: Trial, folder: Path, *, language: str = "es") -> list[Path]:
    """As `write_world`, its parts in folders `train`, `test` and `live`, the truth about all beside them.

    Returns:
        The files, the truth last.

    Raises:
        UsageError: The language has no headers.
    """
    if language not in TIME_FORMATS:
        raise UsageError(detail=f"There are no headers in language '{language}'", command="simulate")
    written = []
    for name, rows in trial.parts.items():
        part = trial.world.readings.take(np.arange(rows.start, rows.stop))
        written += _write_sites(part, trial.world.zone, folder / name, language)
    return [*written, _write_truth(trial.world, folder / TRUTH_FOLDER)]


def neutralised(text: str) -> str:
    """Text that no spreadsheet runs: a leading quote where it would begin a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _write_sites(readings: Readings, zone: str, folder: Path, language: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    each = (readings.of_asset(i) for i in range(len(readings.assets)))
    return [_write_site(own, zone, folder, language) for own in each if len(own)]


def _write_site(own: Readings, zone: str, folder: Path, language: str) -> Path:
    local = pl.Series("time", own.time).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    time_format, time_unit = TIME_FORMATS[language]
    headers = HEADERS[own.profile, language]
    columns = [local.dt.strftime(time_format).alias(headers[0])]
    for header, values in zip(headers[1:], _in_file_units(own).T, strict=False):
        columns.append(pl.Series(header, values))
    path = folder / _file_name(own, local)
    units = [time_unit, *["[Wh]"] * len(own.signals)] if own.profile == "solar" else None
    _write_csv(path, pl.DataFrame(columns), units)
    return path


def _in_file_units(own: Readings) -> FloatArray:
    # The meters of the solar world count whole Wh: rounding undoes the float of the kWh, nothing else.
    return (own.values * WH_PER_KWH).round() if own.profile == "solar" else own.values


def _file_name(own: Readings, local: pl.Series) -> str:
    first, last = (local[i].strftime("%d%m%Y") for i in (0, -1))
    site = "".join("-" if c in UNSAFE_IN_NAMES else c for c in own.assets[0].site).lstrip(".=+-@ ") or "site"
    return f"{site}_{first}-{last}.csv"


def _write_csv(path: Path, frame: pl.DataFrame, units: list[str] | None) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(frame.columns) + "\n")
        if units is not None:
            file.write(",".join(units) + "\n")
        file.write(frame.write_csv(include_header=False))


def _write_truth(world: World, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_truth_row(fault) for fault in world.faults]
    names = ("site", "asset", "fault", "kind", "signals", "start", "end")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    path = folder / f"{world.readings.profile}.csv"
    _write_csv(path, frame, None)
    return path


def _truth_row(fault: Fault) -> tuple[str, ...]:
    start, end = (isoformat(instant) or "" for instant in (fault.started_at, fault.ended_at))
    signals = " ".join(fault.signals)
    texts = (fault.asset.site, fault.asset.asset, fault.name, fault.kind.value, signals, start, end)
    return tuple(neutralised(text) for text in texts)
