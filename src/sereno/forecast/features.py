"""What a value is predicted from: how it deviated from its week some days before, and the day.

Everything is relative to the mean size of the week before, so that meters of any size are one fleet and a
season
is no extrapolation. Features of a value `days` ahead use nothing younger than `days` days before it: they
are the
same whatever the origin, which `following` then adds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sereno.calendars.days import DAY_COLUMNS
from sereno.domain.readings import BoolArray, FloatArray
from sereno.forecast.panel import Panel

__all__ = ["LOOKBACK_DAYS", "WEEK", "Design", "Single", "by_slot", "design", "feature_names", "in_order"]

Single = npt.NDArray[np.float32]

WEEK = 7
LOOKBACK_DAYS = 15
"""Days before a value that its features reach back, when it is one day ahead; more by each further day."""
_LAGS = (WEEK, 2 * WEEK)
_RELATIVE = (DAY_COLUMNS.index("holiday"), DAY_COLUMNS.index("ramadan"))
"""Day types that are also told of the days referred to."""
_LEAST_DAYS_OF_LEVEL = 1.0
_CLIP = 5.0
"""Most that a value or feature may deviate, in mean sizes: a spike in the history must not rule the fit."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Design:
    """Features of a stretch of whole days.

    Attributes:
        table: The features by time of day, and a last row that is free for the targets, shape (meters, slots
            of a day, features + 1, days), each feature of all meters in one piece; 0 where something is
            unknown: as in the week before.
        profile: Mean of the seven reference days at that time of day, shape (meters, slots).
        scale: Mean absolute value of the week before, shape (meters, slots).
        known: Where profile and scale are known, shape (meters, slots).
    """

    table: Single
    profile: FloatArray
    scale: FloatArray
    known: BoolArray

    @property
    def features(self) -> Single:
        """Shape (meters, slots of a day, features, days)."""
        return self.table[:, :, :-1]

    def targets(self, values: FloatArray) -> Single:
        """Values as deviations from the profile in mean sizes, shape (meters, slots); NaN where unknown."""
        deviation = (values - self.profile) / self.scale
        deviation[~self.known] = np.nan
        return np.clip(deviation, -_CLIP, _CLIP).astype(np.float32)


def by_slot(values: np.ndarray, per_day: int) -> np.ndarray:
    """Whole days (meters, slots) by time of day, (meters, slots of a day, days)."""
    return values.reshape(len(values), -1, per_day).swapaxes(1, 2)


def in_order(values: np.ndarray) -> np.ndarray:
    """What is by time of day in the order of time again, shape (meters, slots)."""
    return values.swapaxes(1, 2).reshape(len(values), -1)


def feature_names(covariates: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of `Design.features`."""
    lags = ("last_day", "day_before", "last_week", "two_weeks")
    means = ("mean_last_day", "mean_last_week", "mean_week_before", "shape")
    relative = tuple(f"{DAY_COLUMNS[column]}_{place}" for column in _RELATIVE for place in ("then", "week"))
    return (*lags, *means, *DAY_COLUMNS, *relative, *covariates, "constant")


def design(panel: Panel, days: int, start: int, stop: int) -> Design:
    """Features of the slots [start, stop) of a panel, whole days, predicted so many days ahead."""
    per_day, reach = panel.per_day, max(_LAGS[-1], days + WEEK) + 1
    known_days = _Stretch(_piece(panel.values, start - reach * per_day, stop), per_day, reach)
    profile, (mean, scale) = known_days.profile(days), known_days.level(days)
    known = np.isfinite(profile) & np.isfinite(scale)
    safe = np.maximum(np.where(known, scale, 1.0), _TINY)
    n_features = len(feature_names(tuple(panel.covariates)))
    n_days = (stop - start) // per_day
    table = np.empty((n_features + 1, len(panel.values), per_day, n_days), dtype=np.float32)
    rows = iter(table)
    base, centre, inverse = (_single_by_slot(one, per_day) for one in (profile, mean, 1.0 / safe))
    values, means = (_single_by_slot(one, per_day) for one in (known_days.values, known_days.day_means()))
    for series, middle, lags in (
        (values, base, (days, days + 1, *_LAGS)),
        (means, centre, (days, WEEK, WEEK + 1)),
    ):
        for lag in lags:
            first = reach - lag
            _write_deviation(series[:, :, first : first + n_days], middle, inverse, out=next(rows))
    _write_deviation(base, centre, inverse, out=next(rows))
    _write_calendar(panel, days, np.arange(start // per_day, stop // per_day), out=rows)
    for covariate in panel.covariates.values():
        one = _Stretch(_piece(covariate, start - reach * per_day, stop), per_day, reach)
        spread = np.maximum(one.level(days)[1], _TINY)
        now, middle, inverse = (
            _single_by_slot(some, per_day) for some in (one.back(0), one.profile(days), 1.0 / spread)
        )
        _write_deviation(now, middle, inverse, out=next(rows))
    next(rows)[:] = 1.0
    return Design(table.transpose(1, 2, 0, 3), profile, safe, known)


def _single_by_slot(values: FloatArray, per_day: int) -> Single:
    return np.ascontiguousarray(by_slot(values, per_day), dtype=np.float32)


def _write_deviation(values: Single, centre: Single, inverse: Single, *, out: Single) -> None:
    """How far values are from a centre, in mean sizes; 0 where unknown."""
    np.subtract(values, centre, out=out)
    out *= inverse
    np.clip(out, -_CLIP, _CLIP, out=out)
    if not np.isfinite(out.sum()):  # one pass; clipped values cannot overflow
        out[np.isnan(out)] = 0.0


class _Stretch:
    """Lags and means of whole days, the first of them only referred to.

    Args:
        values: Shape (meters, slots).
        n_before: Days that are only referred to.
    """

    def __init__(self, values: FloatArray, per_day: int, n_before: int) -> None:
        self.values, self._per_day, self._n_before = values, per_day, n_before
        known = ~np.isnan(values)
        self._known = None if known.all() else known
        self._filled = values if self._known is None else np.where(known, values, 0.0)
        self._sums = _accumulated(self._filled)
        self._counts = None if self._known is None else _accumulated(self._known)

    def back(self, days: int) -> FloatArray:
        """Values so many days before."""
        return self._back(self.values, days)

    def profile(self, days: int) -> FloatArray:
        """Mean at the same time of day over the seven days that end so many days before."""
        lags = range(days, days + WEEK)
        total = self._back(self._filled, days).copy()
        for lag in lags[1:]:
            total += self._back(self._filled, lag)
        if self._known is None:
            total /= WEEK
            return total
        count = np.zeros_like(total)
        for lag in lags:
            count += self._back(self._known, lag)
        return _ratio(total, count)

    def level(self, days: int) -> tuple[FloatArray, FloatArray]:
        """Mean and mean absolute value of the week that ends so many days before."""
        n_slots = WEEK * self._per_day
        count: FloatArray | float = float(n_slots)
        if self._counts is not None:
            count = self._window(self._counts, days, n_slots)
            count = np.where(count < _LEAST_DAYS_OF_LEVEL * self._per_day, 0.0, count)
        mean = _ratio(self._window(self._sums, days, n_slots), count)
        if not (self._filled < 0.0).any():
            return mean, mean
        return mean, _ratio(self._window(_accumulated(np.abs(self._filled)), days, n_slots), count)

    def day_means(self) -> FloatArray:
        """Mean of the 24 hours that end with each slot, shape (meters, slots)."""
        n_slots = self._per_day
        total = self._sums[:, 1:].copy()
        total[:, n_slots:] -= self._sums[:, 1:-n_slots]
        if self._counts is None:
            total /= n_slots
            return total
        count = self._counts[:, 1:].copy()
        count[:, n_slots:] -= self._counts[:, 1:-n_slots]
        return _ratio(total, count)

    def _back(self, series: np.ndarray, days: int) -> np.ndarray:
        first = (self._n_before - days) * self._per_day
        return series[:, first : series.shape[1] - days * self._per_day]

    def _window(self, accumulated: FloatArray, days: int, n_slots: int) -> FloatArray:
        """Sums over so many slots that end with that so many days before."""
        first = (self._n_before - days) * self._per_day + 1
        last = accumulated.shape[1] - days * self._per_day
        inside: FloatArray = accumulated[:, first:last] - accumulated[:, first - n_slots : last - n_slots]
        return inside


def _write_calendar(panel: Panel, days: int, day: np.ndarray, *, out: Iterator[Single]) -> None:
    """What day it is, and was on the days referred to, into one array (meters, slots of a day, days) each."""
    types = panel.day_types.astype(np.float32)
    wanted = [(day, column) for column in range(len(DAY_COLUMNS))]
    for column in _RELATIVE:
        wanted += [(np.clip(day - back, 0, None), column) for back in (days, WEEK)]
    for of, column in wanted:
        next(out)[:] = types[:, None, of, column]


def _piece(values: FloatArray, start: int, stop: int) -> FloatArray:
    """Slots [start, stop), NaN beyond the ends of the panel."""
    n_slots = values.shape[1]
    if start >= 0 and stop <= n_slots:
        return values[:, start:stop]
    piece = np.full((len(values), stop - start), np.nan)
    low, high = max(start, 0), min(max(stop, 0), n_slots)
    if high > low:
        piece[:, low - start : high - start] = values[:, low:high]
    return piece


def _accumulated(values: np.ndarray) -> FloatArray:
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _ratio(total: FloatArray, count: FloatArray | float) -> FloatArray:
    """Total over count; NaN where nothing was counted."""
    if isinstance(count, float):
        return total / count
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: FloatArray = np.where(count > 0, total / count, np.nan)
    return ratio
