"""Columns that learning from an export needs: calendar with its cycles, amount of gas, scale, partition."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sereno.domain.atmosphere import STANDARD_ATMOSPHERE_BAR
from sereno.domain.calendar import local_time
from sereno.domain.cleaning import Normalization
from sereno.domain.errors import SettingsError
from sereno.domain.facts import AssetFacts
from sereno.domain.readings import FloatArray, TimeArray
from sereno.prepare.gas import (
    absolute_pressure,
    amount_of_gas,
    compressibility,
)

__all__ = ["Partition", "amount_of_gas_mol", "calendar_features", "normalized", "partition_rows"]

_MOL_PER_KMOL = 1000.0
_HOURS, _WEEKDAYS, _MONTHS = 24, 7, 12
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; weeks begin on Monday, 0."""
_FIRST_WEEKEND_DAY = 5


def calendar_features(time: TimeArray, zone: str) -> dict[str, npt.NDArray[np.float64 | np.int64]]:
    """Calendar of each row by the clock of its site, and its day, week and year as points of a circle.

    An instant `x` of a cycle of length `p` is (sin 2πx/p, cos 2πx/p): midnight is beside eleven at night.

    Args:
        time: UTC starts, shape (rows,).
        zone: IANA name.

    Returns:
        By column name, shape (rows,) each: hour 0-23, weekday 0-6 from Monday, day of the month and of the
        year from 1, ISO week, month 1-12, quarter, year, weekend (1 or 0), and sine and cosine of hour,
        weekday and month.
    """
    local = local_time(time, zone)
    day = local.astype("datetime64[D]")
    hour = (local - day).astype("timedelta64[h]").astype(np.int64)
    weekday = (day.astype(np.int64) + _EPOCH_WEEKDAY) % _WEEKDAYS
    month = local.astype("datetime64[M]").astype(np.int64) % _MONTHS + 1
    year = local.astype("datetime64[Y]")
    plain = {
        "hora_dia": hour,
        "dia_semana": weekday,
        "dia_mes": (day - day.astype("datetime64[M]")).astype(np.int64) + 1,
        "dia_anio": (day - year.astype("datetime64[D]")).astype(np.int64) + 1,
        "semana_anio": _iso_week(day, weekday),
        "mes": month,
        "trimestre": (month - 1) // 3 + 1,
        "anio": year.astype(np.int64) + 1970,
        "es_findesemana": (weekday >= _FIRST_WEEKEND_DAY).astype(np.int64),
    }
    cycles = {"hora": (hour, _HOURS), "dia_semana": (weekday, _WEEKDAYS), "mes": (month, _MONTHS)}
    found: dict[str, npt.NDArray[np.float64 | np.int64]] = dict(plain)
    for name, (place, length) in cycles.items():
        angle = 2 * np.pi * place / length
        found |= {f"{name}_sin": np.sin(angle), f"{name}_cos": np.cos(angle)}
    return found


def amount_of_gas_mol(
    pressure_bar: FloatArray, temperature_c: FloatArray, volume_m3: FloatArray, facts: AssetFacts, asset: str
) -> FloatArray:
    """Amount of gas n = P V / (Z R T) [mol], shape (rows,); NaN where any input is.

    Z comes from the declared composition, else from the declared constant, else it is 1. A volume declared
    as corrected is taken at its base conditions, where Z is nearly 1.

    Args:
        pressure_bar: As read, gauge or absolute as declared.

    Raises:
        SettingsError: What the pressure or the volume is was not declared: the amount could be wrong a
            hundredfold.
    """
    if facts.volume is None:
        raise _undeclared(asset, "volume", "line|corrected")
    if facts.volume == "corrected":
        if facts.base_temperature_c is None:
            raise _undeclared(asset, "base_temperature_c", "0|15")
        pressure = np.full(len(volume_m3), facts.base_pressure_bar or STANDARD_ATMOSPHERE_BAR)
        base_c = np.full(len(volume_m3), facts.base_temperature_c)
        return amount_of_gas(pressure, base_c, volume_m3, 1.0) * _MOL_PER_KMOL
    pressure = absolute_pressure(pressure_bar, facts, asset)
    z: FloatArray | float = facts.compressibility or 1.0
    if facts.composition:
        z = compressibility(pressure, temperature_c, facts.composition, asset)
    return amount_of_gas(pressure, temperature_c, volume_m3, z) * _MOL_PER_KMOL


@dataclass(frozen=True, slots=True)
class Partition:
    """An asset's rows in time order: [0, n_train) to learn, then to validate, the rest to test."""

    n_train: int
    n_validation: int
    n_test: int

    def labels(self) -> list[str]:
        """`train`, `validation` or `test` for each row."""
        counts = {"train": self.n_train, "validation": self.n_validation, "test": self.n_test}
        return [name for name, n_rows in counts.items() for _ in range(n_rows)]


def partition_rows(n_rows: int, *, test_size: float, validation_size: float) -> Partition:
    """The last rows for testing; of the remaining ones, the last for validation.

    Args:
        test_size: Share of all rows.
        validation_size: Share of those that are not for testing.
    """
    n_test = int(n_rows * test_size)
    n_validation = int((n_rows - n_test) * validation_size)
    return Partition(n_rows - n_test - n_validation, n_validation, n_test)


def normalized(values: FloatArray, method: Normalization, *, learn_rows: int) -> FloatArray:
    """The values on the scale of the training rows, shape (rows,); only shifted where those are all equal.

    Nothing of the rows after them is used, so that a test on those is one.

    Args:
        values: Shape (rows,); NaN stays NaN.
        learn_rows: Number of training rows, the first ones.
    """
    learnt = values[:learn_rows]
    learnt = learnt[np.isfinite(learnt)]
    if not len(learnt):
        return np.full(len(values), np.nan)
    if method is Normalization.MIN_MAX:
        center, spread = float(learnt.min()), float(np.ptp(learnt))
    else:
        center, spread = float(learnt.mean()), float(learnt.std())
    scaled: FloatArray = (values - center) / (spread if spread > 0 else 1.0)
    return scaled


def _iso_week(day: TimeArray, weekday: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """ISO 8601: a week belongs to the year of its Thursday."""
    thursday = day + (_EPOCH_WEEKDAY - weekday).astype("timedelta64[D]")
    first = thursday.astype("datetime64[Y]").astype("datetime64[D]")
    week: npt.NDArray[np.int64] = (thursday - first).astype(np.int64) // _WEEKDAYS + 1
    return week


def _undeclared(asset: str, fact: str, choices: str) -> SettingsError:
    return SettingsError(
        where=f"assets.{asset}",
        detail=f"'{fact}' is not declared, and the amount of gas depends on it",
        hint=f"Write `{fact}: {choices}` under it in sereno.yaml, whichever is true.",
    )
