"""What a signal usually does: figures by hour, weekday and month, spread, and what goes with what.

All of it is by the clock of the site. Values that are NaN count for nothing; a figure without values is NaN.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from sereno.domain.calendar import local_time
from sereno.domain.readings import FloatArray, TimeArray
from sereno.domain.signals import SignalKind

__all__ = [
    "HOURS",
    "MONTHS",
    "STATISTICS",
    "WEEKDAYS",
    "Course",
    "Spread",
    "calendar_of",
    "carpet_of",
    "correlation_of",
    "course_of",
    "duration_of",
    "histogram_of",
    "hour_of",
    "month_of",
    "response_of",
    "spread_by",
    "week_of",
    "weekday_of",
]

HOURS, WEEKDAYS, MONTHS = 24, 7, 12
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; weeks begin on Monday, 0."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_LEAST_SHARE = 0.5
"""Of the steps of an hour or a day below which its total is not known."""
_LEAST_PAIRS = 3
_LEAST_IN_BIN = 2
IntArray = npt.NDArray[np.int64]

STATISTICS: Mapping[str, Callable[[FloatArray], float]] = {
    "mean": lambda values: float(values.mean()),
    "median": lambda values: float(np.median(values)),
    "std": lambda values: float(values.std()),
    "min": lambda values: float(values.min()),
    "max": lambda values: float(values.max()),
    "p5": lambda values: float(np.quantile(values, 0.05)),
    "p95": lambda values: float(np.quantile(values, 0.95)),
    "sum": lambda values: float(values.sum()),
}
"""Figures of values of which none is NaN."""


@dataclass(frozen=True, slots=True)
class Course:
    """A signal by the hour, or by the day where it has no finer step.

    Attributes:
        at: Local begin of each hour or day that has a row, ascending, datetime64[h], shape (parts,).
        values: Mean, or total of what counts, shape (parts,).
        is_daily: Parts are days.
    """

    at: npt.NDArray[np.datetime64]
    values: FloatArray
    is_daily: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean, standard deviation and number of the values of each of several kinds, shape (kinds,) each."""

    mean: FloatArray
    std: FloatArray
    count: IntArray

    def band(self, factor: float) -> tuple[FloatArray, FloatArray]:
        """Mean less and plus so many standard deviations."""
        return self.mean - factor * self.std, self.mean + factor * self.std


def course_of(
    time: TimeArray, values: FloatArray, *, zone: str, kind: SignalKind, step: timedelta | None
) -> Course:
    """A signal by the hour, or by the day where its steps are as long.

    What counts over steps is added up; where up to half of the steps of an hour are missing, the others stand
    for them. The hour that an autumn day has twice is one, with the mean of both.

    Args:
        time: UTC starts, ascending, shape (rows,).
        values: Shape (rows,).
    """
    is_daily = step is not None and step >= _DAY
    part = local_time(time, zone).astype("datetime64[D]" if is_daily else "datetime64[h]")
    at, place = np.unique(part, return_inverse=True)
    is_known = np.isfinite(values)
    count = np.bincount(place[is_known], minlength=len(at))
    total = np.bincount(place[is_known], weights=values[is_known], minlength=len(at))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
    if kind is SignalKind.INTERVAL and step is not None and not is_daily:
        steps = max(_HOUR / step, 1.0)
        mean = np.where(count >= _LEAST_SHARE * steps, mean * steps, np.nan)
    return Course(at.astype("datetime64[h]"), mean, is_daily)


def hour_of(course: Course) -> IntArray:
    """Hour of the day of each part."""
    return course.at.astype(np.int64) % HOURS


def weekday_of(course: Course) -> IntArray:
    """Day of the week of each part, 0 for Monday."""
    return (course.at.astype("datetime64[D]").astype(np.int64) + _EPOCH_WEEKDAY) % WEEKDAYS


def month_of(course: Course) -> IntArray:
    """Month of each part, 0 for January."""
    return course.at.astype("datetime64[M]").astype(np.int64) % MONTHS


def spread_by(kind: IntArray, values: FloatArray, n_kinds: int) -> Spread:
    """The spread of values of each kind, shape (n_kinds,).

    Example:
        >>> spread_by(np.array([0, 0, 1]), np.array([1.0, 3.0, np.nan]), 2).mean.tolist()
        [2.0, nan]
    """
    is_known = np.isfinite(values)
    kind, values = kind[is_known], values[is_known]
    count = np.bincount(kind, minlength=n_kinds)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(kind, weights=values, minlength=n_kinds) / count
        square = np.bincount(kind, weights=(values - mean[kind]) ** 2, minlength=n_kinds) / count
    return Spread(mean, np.sqrt(square), count)


def week_of(course: Course) -> FloatArray:
    """Mean of each hour of the week, shape (7, 24)."""
    kind = weekday_of(course) * HOURS + hour_of(course)
    return spread_by(kind, course.values, WEEKDAYS * HOURS).mean.reshape(WEEKDAYS, HOURS)


def carpet_of(course: Course) -> tuple[npt.NDArray[np.datetime64], FloatArray]:
    """Every day from the first to the last, shape (days,), and each of its hours, shape (24, days)."""
    days = course.at.astype("datetime64[D]")
    if not len(days):
        return days, np.empty((HOURS, 0))
    every = np.arange(days[0], days[-1] + np.timedelta64(1, "D"))
    found = np.full((HOURS, len(every)), np.nan)
    found[hour_of(course), (days - days[0]).astype(np.int64)] = course.values
    return every, found


def calendar_of(course: Course, *, is_added: bool) -> tuple[npt.NDArray[np.datetime64], FloatArray]:
    """The Monday of every week, shape (weeks,), and each of its days, shape (7, weeks).

    Args:
        is_added: A day is the total of its hours rather than their mean; unknown with half of them missing.
    """
    days, place = np.unique(course.at.astype("datetime64[D]"), return_inverse=True)
    if not len(days):
        return days, np.empty((WEEKDAYS, 0))
    spread = spread_by(place, course.values, len(days))
    values = spread.mean
    if is_added and not course.is_daily:
        is_whole = spread.count >= _LEAST_SHARE * HOURS
        values = np.where(is_whole, spread.mean * HOURS, np.nan)
    number = days.astype(np.int64) + _EPOCH_WEEKDAY
    week = number // WEEKDAYS
    found = np.full((WEEKDAYS, int(week[-1] - week[0]) + 1), np.nan)
    found[number % WEEKDAYS, week - week[0]] = values
    mondays = (np.arange(week[0], week[-1] + 1) * WEEKDAYS - _EPOCH_WEEKDAY).astype("datetime64[D]")
    return mondays, found


def duration_of(values: FloatArray, *, points: int = 201) -> tuple[FloatArray, FloatArray]:
    """Share of the time [%] and the value that is reached or passed in it, shape (points,) each."""
    known = values[np.isfinite(values)]
    share = np.linspace(0.0, 1.0, points)
    if not len(known):
        return 100.0 * share, np.full(points, np.nan)
    return 100.0 * share, np.quantile(known, 1.0 - share)


def histogram_of(values: FloatArray, *, bins: int = 40) -> tuple[FloatArray, IntArray]:
    """Edges, shape (bins + 1,), and number of values between them, shape (bins,)."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.empty(0), np.empty(0, dtype=np.int64)
    counts, edges = np.histogram(known, bins=bins)
    return edges, counts


def correlation_of(values: FloatArray) -> FloatArray:
    """Pearson's correlation of each pair of columns over the rows that have both, shape (columns, columns).

    NaN where fewer than three rows have both, or where one of them does not change.
    """
    n_columns = values.shape[1]
    found = np.full((n_columns, n_columns), np.nan)
    for one in range(n_columns):
        for other in range(one, n_columns):
            found[one, other] = found[other, one] = _correlation(values[:, one], values[:, other])
    return found


def response_of(
    temperature: FloatArray, values: FloatArray, *, width: float = 2.0
) -> tuple[FloatArray, FloatArray]:
    """Middle of each stretch of temperature and the mean of the values in it, shape (stretches,) each.

    Args:
        width: Of a stretch, in the unit of the temperature; those with fewer than two values are left out.
    """
    is_known = np.isfinite(temperature) & np.isfinite(values)
    place = np.floor(temperature[is_known] / width).astype(np.int64)
    kinds, kind = np.unique(place, return_inverse=True)
    spread = spread_by(kind, values[is_known], len(kinds))
    is_enough = spread.count >= _LEAST_IN_BIN
    middle: FloatArray = (kinds[is_enough].astype(np.float64) + 0.5) * width
    return middle, spread.mean[is_enough]


def _correlation(one: FloatArray, other: FloatArray) -> float:
    is_known = np.isfinite(one) & np.isfinite(other)
    first, second = one[is_known], other[is_known]
    if len(first) < _LEAST_PAIRS or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
