"""Single faults of a rooftop's export, each as it comes in a file, and what must be said of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.readings import FloatArray, Window
from sereno.domain.time import from_numpy
from tests.support.builders import HOUR, SOLAR_SIGNALS, a_roof

ZONE = "Europe/Madrid"
HISTORY_DAYS = 60
FIRST = 24 * (HISTORY_DAYS + 5)
"""First row of every fault: midnight of the sixth day after what was learnt."""
HEADER = (
    "Fecha;Generación (kWh);Consumo (kWh);Autoconsumo (kWh);Energía vertida (kWh);Energía importada (kWh)"
)
GENERATION, CONSUMPTION, SELF, EXPORT, IMPORT = range(5)
Cells = Callable[[FloatArray, int, int], None]


@dataclass(frozen=True, slots=True)
class Case:
    """A fault and its one incident.

    Attributes:
        disturb: Changes the rows [first, stop) of the values in place.
        rows: First row, and the row after the last one.
        causes: Any of them is right; several where physics alone cannot tell more.
        signals: Any of them may be named first.
        early, late: Rows by which the incident may begin before or after the fault.
    """

    disturb: Cells
    rows: tuple[int, int]
    causes: tuple[str, ...]
    signals: tuple[str, ...]
    early: int = 0
    late: int = 0


def roof(days: int = HISTORY_DAYS + 21) -> Window:
    """A sound rooftop of hours, in the months in which days hardly change."""
    return a_roof("Norte", rows=24 * days, step=HOUR, start="2024-05-15T00", zone=ZONE, size=40.0, seed=7)


def _stuck(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop, CONSUMPTION] = values[first - 1, CONSUMPTION]


def _spike(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop, CONSUMPTION] *= 60.0


def _scaled(signal: int | slice, factor: float) -> Cells:
    def disturb(values: FloatArray, first: int, stop: int) -> None:
        values[first:stop, signal] *= factor

    return disturb


def _swap(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop, [GENERATION, CONSUMPTION]] = values[first:stop, [CONSUMPTION, GENERATION]]


def _shift(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop] = values[first - 2 : stop - 2].copy()


def _night(values: FloatArray, first: int, stop: int) -> None:
    dark = values[first:stop, GENERATION] == 0
    values[first:stop, GENERATION] += np.where(dark, 0.6, 0.0)


def _absent(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop] = np.nan


def _dead(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop, IMPORT] += values[first:stop, SELF]
    values[first:stop, [GENERATION, SELF, EXPORT]] = 0.0


def _sentinel(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop, EXPORT] = -999.0


_ALL = SOLAR_SIGNALS
CASES: Mapping[str, Case] = {
    "stuck": Case(_stuck, (FIRST, FIRST + 60), ("quality.frozen",), ("consumption",), early=1),
    "spike": Case(_spike, (FIRST + 12, FIRST + 13), ("quality.spike",), ("consumption",)),
    "one signal x1000": Case(
        _scaled(IMPORT, 1000.0), (FIRST, FIRST + 72), ("quality.unit_change",), ("import",)
    ),
    "all x1000": Case(
        _scaled(slice(None), 1000.0), (FIRST, FIRST + 72), ("quality.unit_change",), _ALL, late=1
    ),
    "all /1000": Case(
        _scaled(slice(None), 0.001), (FIRST, FIRST + 72), ("quality.unit_change",), _ALL, late=1
    ),
    "swapped sign": Case(_scaled(IMPORT, -1.0), (FIRST, FIRST + 72), ("quality.swapped_sign",), ("import",)),
    "swapped channels": Case(
        _swap, (FIRST, FIRST + 96), ("quality.swapped_channels",), ("generation", "consumption")
    ),
    "clock two hours late": Case(
        _shift, (FIRST, FIRST + 24 * 10), ("quality.clock_shift",), ("generation",), late=24
    ),
    "night generation": Case(
        _night, (FIRST, FIRST + 24 * 5), ("physics.night_generation",), ("generation",), late=24
    ),
    "missing": Case(_absent, (FIRST, FIRST + 48), ("quality.missing",), _ALL),
    "dead plant": Case(_dead, (FIRST, FIRST + 24 * 6), ("behaviour.low",), ("generation",), late=24),
    "sentinel": Case(_sentinel, (FIRST + 5, FIRST + 9), ("quality.sentinel",), ("export",)),
}


def disturbed(case: Case) -> FloatArray:
    """The values of the rooftop with the fault in them, shape (rows, 5)."""
    values = roof().values.copy()
    case.disturb(values, *case.rows)
    return values


def write(path: Path, values: FloatArray) -> Path:
    """The first rows of the roof with these values, as an export; those without any value are absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [HEADER]
    for stamp, row in zip(local_time(roof().time[: len(values)], ZONE), values.tolist(), strict=True):
        if not np.isnan(row).all():
            lines.append(";".join([f"{stamp.astype('M8[m]')}".replace("T", " "), *(f"{v:.3f}" for v in row)]))
    path.write_text("\n".join([*lines, ""]), "utf-8")
    return path


def instant(row: int) -> datetime:
    """Start of a row."""
    return from_numpy(roof().time[row])
