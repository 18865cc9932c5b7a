"""A small fleet of plants in files as the guide has them, and records in its words."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from sereno.compat import SistemaAlertasTiempoReal

HEADER = (
    "Fecha",
    "Generación total",
    "Consumo total",
    "Autoconsumo",
    "Energía suministrada a la red",
    "Energía obtenida de la red",
)
UNITS = ("[dd.MM.yyyy]", *["[Wh]"] * 5)
PLANTS = {"NEUROCIENCIAS": 40_000.0, "PLANTA_02": 90_000.0, "PLANTA_03": 20_000.0}
"""Usual generation of a day [Wh]."""
FIRST_DAY = date(2024, 1, 1)
N_DAYS = 366
NEXT_DAY = FIRST_DAY + timedelta(days=N_DAYS)


class Recorder(SistemaAlertasTiempoReal):
    """The guide's class with its hook overridden, as the guide says to."""

    def __init__(self, model_path: str | Path) -> None:
        super().__init__(model_path)
        self.sent: list[dict[str, object]] = []

    def _enviar_alerta(self, alerta: dict[str, object]) -> None:
        self.sent.append(alerta)


def a_record(day: date = NEXT_DAY, *, company: str | None = "NEUROCIENCIAS", factor: float = 1.0) -> dict:
    """A balanced, usual day of a plant; `factor` multiplies its consumption."""
    record = dict(zip(HEADER, _usual_row(day, PLANTS.get(company or "", 40_000.0), factor), strict=True))
    named = {"Empresa": company} if company else {}
    return {"Fecha y hora": record.pop("Fecha"), **record, **named}


def write_plant(folder: Path, name: str, *, seed: int) -> Path:
    """A year of a plant, with the file name and the unit row of the guide's files."""
    rng = np.random.default_rng(seed)
    season = 1.0 + 0.3 * np.cos(2 * np.pi * (np.arange(N_DAYS) - 172) / N_DAYS)
    generation = PLANTS[name] * season * rng.uniform(0.6, 1.2, N_DAYS)
    consumption = 2.0 * PLANTS[name] * rng.normal(1.0, 0.08, N_DAYS)
    days = [FIRST_DAY + timedelta(days=n) for n in range(N_DAYS)]
    rows = [_row(*each) for each in zip(days, generation.tolist(), consumption.tolist(), strict=True)]
    return write_csv(folder / f"22_10_{name}_01012024-31122024.csv", rows)


def write_csv(path: Path, rows: list[tuple], *, has_units: bool = True, header: tuple = HEADER) -> Path:
    """A file of the guide: comma, decimal point, unit row under the header."""
    lines = [header, *([UNITS] if has_units else []), *rows]
    path.write_text("".join(",".join(str(cell) for cell in line) + "\n" for line in lines), "utf-8")
    return path


def days_of(plant: str, count: int, *, factors: dict[int, float] | None = None) -> list[tuple]:
    """Usual days after the history; `factors` multiplies the consumption of some."""
    chosen = factors or {}
    days = [NEXT_DAY + timedelta(days=n) for n in range(count)]
    return [_usual_row(day, PLANTS[plant], chosen.get(n, 1.0)) for n, day in enumerate(days)]


def _usual_row(day: date, usual: float, factor: float) -> tuple:
    n = (day - FIRST_DAY).days
    generation = usual * (1.0 + 0.3 * np.cos(2 * np.pi * (n - 172) / N_DAYS)) * (0.84 + 0.01 * (n * 7 % 11))
    return _row(day, generation, factor * 2.0 * usual * (0.97 + 0.01 * (n * 5 % 7)))


def _row(day: date, generation: float, consumption: float) -> tuple:
    own = min(0.7 * generation, consumption)
    cells = [generation, consumption, own, generation - own, consumption - own]
    return (day.strftime("%d.%m.%Y"), *[round(float(cell), 1) for cell in cells])
