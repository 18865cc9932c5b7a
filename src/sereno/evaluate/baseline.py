"""The baseline of savings: daily energy by kind of day and degree days, with a statement of how well it fits.

Source:
    ASHRAE Guideline 14-2014, Measurement of Energy, Demand, and Water Savings: change-point models of the
    whole building, R², CV(RMSE), net mean bias error. IPMVP Core Concepts, option C.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sereno.domain.readings import BoolArray, FloatArray

__all__ = ["HELD_OUT_PARTS", "KINDS", "Baseline", "DailyEnergy", "Fit", "fit_baseline"]

KINDS = ("workday", "saturday", "sunday")
"""Kinds of day; a public holiday is a Sunday."""
_HEATING_BASES = np.arange(8.0, 22.1, 1.0)
_COOLING_BASES = np.arange(14.0, 28.1, 1.0)
_LEAST_DAYS_BEYOND = 10
"""Days that a degree day must be told from."""
HELD_OUT_PARTS = 10
_BALANCE_POINT = 1
"""Parameters that a searched base counts as, beside its slope."""
_MOST_AUTOCORRELATION = 0.99
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class DailyEnergy:
    """A meter by local day.

    Attributes:
        day: Local day, from 1970-01-01, ascending, shape (days,).
        energy: Unit of the meter per day; NaN where the day is not sound.
        temperature: Mean of the day outside [°C]; NaN where unknown, everywhere where nobody measures it.
        kind: Place in `KINDS`.
    """

    day: np.ndarray
    energy: FloatArray
    temperature: FloatArray
    kind: np.ndarray

    def __len__(self) -> int:
        return len(self.day)

    def take(self, rows: BoolArray) -> "DailyEnergy":
        """Some of the days."""
        return DailyEnergy(self.day[rows], self.energy[rows], self.temperature[rows], self.kind[rows])


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a day would have taken.

    Attributes:
        by_kind: Of each of `KINDS`, at a temperature that asks for neither heating nor cooling.
        heating_base, cooling_base: [°C]; NaN where the temperature does not explain.
        heating, cooling: Per degree day.
    """

    by_kind: tuple[float, float, float]
    heating_base: float = float("nan")
    cooling_base: float = float("nan")
    heating: float = 0.0
    cooling: float = 0.0

    @property
    def knows_weather(self) -> bool:
        """Whether the temperature explains."""
        return bool(self.heating or self.cooling)

    def expected(self, days: DailyEnergy) -> FloatArray:
        """Energy of each day, shape (days,); NaN where the temperature is needed and not known."""
        expected: FloatArray = np.array(self.by_kind)[days.kind]
        if self.heating:
            expected = expected + self.heating * np.maximum(self.heating_base - days.temperature, 0.0)
        if self.cooling:
            expected = expected + self.cooling * np.maximum(days.temperature - self.cooling_base, 0.0)
        return expected

    def to_json(self) -> dict[str, object]:
        """The model as people check it."""
        return {
            "per_day": dict(zip(KINDS, self.by_kind, strict=True)),
            "heating_base_c": self.heating_base if self.heating else None,
            "heating_per_degree_day": self.heating or None,
            "cooling_base_c": self.cooling_base if self.cooling else None,
            "cooling_per_degree_day": self.cooling or None,
        }


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a baseline fits its own period.

    Attributes:
        n_days: Sound days that it was learnt from.
        n_parameters: Searched bases included.
        r2: Share of the variance that it explains.
        cv_rmse: Root mean squared error over the mean, with n - p degrees of freedom.
        nmbe: Net mean bias error over the mean.
        nmbe_held_out: Root mean square of the biases of tenths of the days, in a row, that the others
            foretold; over the mean.
        autocorrelation: Of errors of neighbouring days.
    """

    n_days: int
    n_parameters: int
    r2: float
    cv_rmse: float
    nmbe: float
    nmbe_held_out: float
    autocorrelation: float

    @property
    def n_effective(self) -> float:
        """Days that as many independent errors would make.

        Source:
            ASHRAE Guideline 14-2014, annex B.
        """
        return self.n_days * (1.0 - self.autocorrelation) / (1.0 + self.autocorrelation)

    def to_json(self) -> dict[str, object]:
        """The statement of fit."""
        return {
            "days": self.n_days,
            "parameters": self.n_parameters,
            "r2": self.r2,
            "cv_rmse": self.cv_rmse,
            "nmbe": self.nmbe,
            "nmbe_held_out": self.nmbe_held_out,
            "autocorrelation": self.autocorrelation,
            "effective_days": self.n_effective,
        }


def fit_baseline(days: DailyEnergy) -> tuple[Baseline, Fit]:
    """The change-point model with the least Bayesian information criterion; slopes are never negative.

    Args:
        days: At least as many sound ones as parameters: ten will do.
    """
    sound = days.take(np.isfinite(days.energy))
    baseline, n_parameters = _chosen(sound)
    return baseline, _fit(sound, baseline, n_parameters)


def _chosen(days: DailyEnergy) -> tuple[Baseline, int]:
    """Least criterion; where the weather explains, days without temperature are left out."""
    plain = _solved(days, {})
    best, least = (plain, _n_kinds(days)), _criterion(days, plain, _n_kinds(days))
    known = np.isfinite(days.temperature)
    if not known.any():
        return best
    days = days.take(known)
    plain = _solved(days, {})
    best, least = (plain, _n_kinds(days)), _criterion(days, plain, _n_kinds(days))
    for bases in _candidates(days):
        found = _solved(days, bases)
        if min([found.heating] * ("heating" in bases) + [found.cooling] * ("cooling" in bases)) <= 0.0:
            continue
        n_parameters = _n_kinds(days) + len(bases) * (1 + _BALANCE_POINT)
        criterion = _criterion(days, found, n_parameters)
        if criterion < least:
            best, least = (found, n_parameters), criterion
    return best


def _candidates(days: DailyEnergy) -> Iterator[Mapping[str, float]]:
    heating = [one for one in _HEATING_BASES if _tells(days.temperature < one)]
    cooling = [one for one in _COOLING_BASES if _tells(days.temperature > one)]
    yield from ({"heating": one} for one in heating)
    yield from ({"cooling": one} for one in cooling)
    yield from ({"heating": low, "cooling": high} for low in heating for high in cooling if low <= high)


def _tells(beyond: BoolArray) -> bool:
    return int(beyond.sum()) >= _LEAST_DAYS_BEYOND


def _n_kinds(days: DailyEnergy) -> int:
    return len(np.unique(days.kind))


def _solved(days: DailyEnergy, bases: Mapping[str, float]) -> Baseline:
    """Least squares; a kind of day that is not there is as the mean of the others."""
    columns = [(days.kind == place).astype(float) for place in range(len(KINDS))]
    if "heating" in bases:
        columns.append(np.maximum(bases["heating"] - days.temperature, 0.0))
    if "cooling" in bases:
        columns.append(np.maximum(days.temperature - bases["cooling"], 0.0))
    table = np.stack(columns, axis=1)
    gram = table.T @ table
    weights = np.linalg.solve(gram + _TINY * np.eye(len(gram)), table.T @ days.energy)
    present = np.unique(days.kind)
    by_kind = [float(weights[place] if place in present else weights[present].mean()) for place in range(3)]
    slopes = dict(zip(bases, weights[len(KINDS) :].tolist(), strict=True))
    return Baseline(
        (by_kind[0], by_kind[1], by_kind[2]),
        bases.get("heating", float("nan")),
        bases.get("cooling", float("nan")),
        slopes.get("heating", 0.0),
        slopes.get("cooling", 0.0),
    )


def _criterion(days: DailyEnergy, baseline: Baseline, n_parameters: int) -> float:
    """Bayesian information criterion of normal errors."""
    n_days = len(days)
    mean_square = float(np.mean((days.energy - baseline.expected(days)) ** 2))
    return n_days * float(np.log(max(mean_square, _TINY))) + n_parameters * float(np.log(n_days))


def _fit(days: DailyEnergy, baseline: Baseline, n_parameters: int) -> Fit:
    expected = baseline.expected(days)
    known = np.isfinite(expected)
    days, expected = days.take(known), expected[known]
    left = days.energy - expected
    n_days, mean = len(days), float(days.energy.mean())
    freedom = max(n_days - n_parameters, 1)
    scatter = float(np.sum((days.energy - mean) ** 2))
    size = max(abs(mean), _TINY)
    return Fit(
        n_days=n_days,
        n_parameters=n_parameters,
        r2=1.0 - float(np.sum(left**2)) / max(scatter, _TINY),
        cv_rmse=float(np.sqrt(np.sum(left**2) / freedom)) / size,
        nmbe=float(left.sum()) / freedom / size,
        nmbe_held_out=_held_out_bias(days, baseline) / size,
        autocorrelation=_autocorrelation(days.day, left),
    )


def _held_out_bias(days: DailyEnergy, baseline: Baseline) -> float:
    """Root mean square of the biases of tenths of the days, each foretold by the others [per day]."""
    bases = {}
    if baseline.heating:
        bases["heating"] = baseline.heating_base
    if baseline.cooling:
        bases["cooling"] = baseline.cooling_base
    block = np.arange(len(days)) * HELD_OUT_PARTS // max(len(days), 1)
    biases = []
    for fold in np.unique(block):
        rest, part = days.take(block != fold), days.take(block == fold)
        if len(rest):
            biases.append(float(np.mean(part.energy - _solved(rest, bases).expected(part))))
    return float(np.sqrt(np.mean(np.square(biases)))) if biases else float("nan")


def _autocorrelation(day: np.ndarray, left: FloatArray) -> float:
    """Of errors of days that follow each other; never below 0, for that would promise too much."""
    follows = np.diff(day) == 1
    if follows.sum() < 2 or float(left.std()) < _TINY:
        return 0.0
    found = float(np.mean(left[1:][follows] * left[:-1][follows])) / float(np.mean(left**2))
    return min(max(found, 0.0), _MOST_AUTOCORRELATION)
