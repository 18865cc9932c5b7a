"""A window by local weeks: what of each week drift is looked for in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey

__all__ = ["FAULTS", "Weeks", "build_weeks", "monday_of"]

FAULTS = ("missing", "standing", "repeated")
"""Shares of the values of a week that are missing, stand still in one run, or are one and the same value."""
_DAYS = 7
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; weeks begin on Monday."""
_N_QUANTILES = 50
_LEAST_SHARE = 0.5
"""Of the values of a week that must be there for it to be judged."""


@dataclass(frozen=True, slots=True)
class Weeks:
    """Whole local weeks of one asset.

    Attributes:
        target: The signal that is forecast.
        inputs: Signals that it may depend on.
        first: Number of the first week; week 0 holds 1970-01-01.
        level: Mean of the target without holidays and the effect of weekdays, shape (weeks,); its natural
            logarithm where deviations are judged as ratios.
        means: Of the inputs, shape (weeks, inputs).
        degrees: How far the inputs are above, and below, their middle on average, shape (weeks, 2 · inputs):
            as degree days, for heat and cold do not act alike.
        quantiles: Of the inputs, ascending, shape (weeks, inputs, quantiles).
        faults: Shape (weeks, signals, `FAULTS`), of the target first, then the inputs.
        errors: Mean error of the forecasts of the week over the level of the target, shape (weeks,); NaN
            where nothing was forecast.
    """

    asset: AssetKey
    target: str
    inputs: tuple[str, ...]
    first: int
    level: FloatArray
    means: FloatArray
    degrees: FloatArray
    quantiles: FloatArray
    faults: FloatArray
    errors: FloatArray

    def __len__(self) -> int:
        return len(self.level)

    @property
    def signals(self) -> tuple[str, ...]:
        """The target, then the inputs."""
        return (self.target, *self.inputs)


def monday_of(week: int) -> str:
    """First day of a week, ISO 8601.

    Example:
        >>> monday_of(0), monday_of(1)
        ('1969-12-29', '1970-01-05')
    """
    return str(np.datetime64(week * _DAYS - _EPOCH_WEEKDAY, "D"))


def build_weeks(
    window: Window,
    target: str,
    *,
    is_ratio: bool,
    special_days: Callable[[int, int], BoolArray],
    daily_errors: Mapping[int, float],
) -> Weeks:
    """The whole weeks of a window; one that begins or ends within the window's rows is left out.

    Args:
        special_days: Which of so many days from a local day (counted from 1970-01-01) are no usual ones.
        daily_errors: Mean absolute error of what was forecast [unit of the target], by local day.
    """
    inputs = tuple(name for name in window.signals if name != target)
    columns = [window.signals.index(name) for name in (target, *inputs)]
    days = local_time(window.time, window.zone).astype("datetime64[D]").astype(np.int64)
    number = (days + _EPOCH_WEEKDAY) // _DAYS
    first, last = _whole(window, number)
    n_weeks = max(0, last - first + 1)
    values = window.values[:, columns]
    cuts = np.searchsorted(number, np.arange(first, first + n_weeks + 1))
    per_week = _rows_per_week(window)
    quantiles = np.full((n_weeks, len(inputs), _N_QUANTILES), np.nan)
    means = np.full((n_weeks, len(inputs)), np.nan)
    degrees = np.full((n_weeks, 2 * len(inputs)), np.nan)
    faults = np.zeros((n_weeks, len(columns), len(FAULTS)))
    middles = [_middle(column) for column in values.T]
    floors = np.nanmin(values, axis=0, initial=np.inf) if len(values) else np.zeros(len(columns))
    for week in range(n_weeks):
        rows = values[cuts[week] : cuts[week + 1]]
        for column in range(len(columns)):
            known = rows[:, column][~np.isnan(rows[:, column])]
            faults[week, column] = _faults(known, floors[column], per_week)
            if column and len(known) >= _LEAST_SHARE * per_week:
                means[week, column - 1] = known.mean()
                apart = known - middles[column]
                above, below = np.maximum(apart, 0.0).mean(), np.maximum(-apart, 0.0).mean()
                degrees[week, 2 * column - 2 : 2 * column] = above, below
                levels = (np.arange(_N_QUANTILES) + 0.5) / _N_QUANTILES
                quantiles[week, column - 1] = np.quantile(known, levels)
    is_special = special_days(first * _DAYS - _EPOCH_WEEKDAY, n_weeks * _DAYS)
    by_day = _by_day(days, values[:, 0], first * _DAYS - _EPOCH_WEEKDAY, n_weeks * _DAYS, per_week // _DAYS)
    usual = np.where(is_special, np.nan, by_day)
    return Weeks(
        asset=window.asset,
        target=target,
        inputs=inputs,
        first=first,
        level=_levels(usual.reshape(n_weeks, _DAYS), is_ratio=is_ratio),
        means=means,
        degrees=degrees,
        quantiles=quantiles,
        faults=faults,
        errors=_errors(by_day, is_special, daily_errors, first),
    )


def _whole(window: Window, number: np.ndarray) -> tuple[int, int]:
    """The first and the last week whose every step the window reaches over."""
    if not len(window):
        return 0, -1
    ends = np.array(
        [window.time[0] - np.timedelta64(_step(window)), window.time[-1] + np.timedelta64(_step(window))]
    )
    days = local_time(ends, window.zone).astype("datetime64[D]").astype(np.int64)
    before, after = ((days + _EPOCH_WEEKDAY) // _DAYS).tolist()
    return int(number[0]) + int(before == number[0]), int(number[-1]) - int(after == number[-1])


def _middle(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0


def _rows_per_week(window: Window) -> int:
    return max(_DAYS, timedelta(days=_DAYS) // _step(window))


def _step(window: Window) -> timedelta:
    return window.step or timedelta(hours=1)


def _faults(known: FloatArray, floor: float, per_week: int) -> tuple[float, float, float]:
    """What is missing; the longest run of one value; the most common value: but for the signal's floor.

    Radiation at night and a machine at rest repeat their floor by nature.
    """
    missing = max(0.0, 1.0 - len(known) / per_week)
    above = known > floor
    if not above.any():
        return missing, 0.0, 0.0
    changes = np.flatnonzero(np.diff(known) != 0.0)
    edges = np.concatenate([[-1], changes, [len(known) - 1]])
    runs = np.diff(edges)
    longest = runs[known[edges[1:]] > floor].max(initial=0)
    _, counts = np.unique(known[above], return_counts=True)
    return missing, float(longest) / per_week, float(counts.max()) / per_week


def _by_day(days: np.ndarray, values: FloatArray, first_day: int, n_days: int, per_day: int) -> FloatArray:
    """Mean of each local day that is half there, shape (days,)."""
    place = days - first_day
    inside = (place >= 0) & (place < n_days) & ~np.isnan(values)
    sums = np.bincount(place[inside], values[inside], minlength=n_days)
    counts = np.bincount(place[inside], minlength=n_days)
    return np.where(counts >= max(1.0, _LEAST_SHARE * per_day), sums / np.maximum(counts, 1), np.nan)


def _levels(days: FloatArray, *, is_ratio: bool) -> FloatArray:
    """Of each week, from its days without what is usual for the weekday, shape (weeks,)."""
    if is_ratio:
        days = np.log(np.where(days > 0.0, days, np.nan))
    known = ~np.isnan(days)
    middle = np.where(known, days, 0.0).sum(axis=1, keepdims=True) / np.maximum(
        known.sum(1, keepdims=True), 1
    )
    apart = days - middle
    usual = np.array(
        [np.median(column[~np.isnan(column)]) if (~np.isnan(column)).any() else 0.0 for column in apart.T]
    )
    rest = np.where(known, days - usual, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known.sum(axis=1) >= _LEAST_SHARE * _DAYS, rest, np.nan)


def _errors(by_day: FloatArray, is_special: BoolArray, found: Mapping[int, float], first: int) -> FloatArray:
    first_day = first * _DAYS - _EPOCH_WEEKDAY
    errors = np.array([found.get(first_day + one, np.nan) for one in range(len(by_day))])
    errors[is_special] = np.nan
    relative = (errors / np.abs(by_day)).reshape(-1, _DAYS)
    known = ~np.isnan(relative)
    mean = np.where(known, relative, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known.sum(axis=1) >= _LEAST_SHARE * _DAYS, mean, np.nan)
