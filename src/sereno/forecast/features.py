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
from sereno.forecast.rolling import sums_of

__all__ = [
    "LOOKBACK_DAYS",
    "WEEK",
    "Design",
    "Single",
    "by_slot",
    "design",
    "feature_names",
    "in_order",
    "told_features",
]

Single = npt.NDArray[np.float32]

WEEK = 7
LOOKBACK_DAYS = 15
"""Days before a value that its features reach back, when it is one day ahead; more by each further day."""
_LAGS = (WEEK, 2 * WEEK)
_RELATIVE = (DAY_COLUMNS.index("holiday"), DAY_COLUMNS.index("ramadan"))
"""Day types that are also told of the days referred to."""
_MEASURED = (
    *("last_day", "day_before", "last_week", "two_weeks"),
    *("mean_last_day", "mean_last_week", "mean_week_before", "shape"),
)
"""Features that are made of values."""
_LEAST_DAYS_OF_LEVEL = 1.0
_CLIP = 5.0
"""Most that a value or feature may deviate, in mean sizes: a spike in the history must not rule the fit."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Design:
    """Features of a stretch of whole days, by time of day.

    Attributes:
        table: The features, and a last row that is free for the targets, shape (meters, slots of a day,
            features + 1, days), each feature of all meters in one piece; 0 where something is unknown: as in
            the week before.
        values: What was, shape (meters, slots of a day, days); NaN where unknown.
        profile: Mean of the seven reference days at that time of day, in the shape of `values`; NaN where
            unknown.
        scale: Mean absolute value of the week before, in the shape of `values`; NaN where less than a day of
            it is known.
    """

    table: Single
    values: Single
    profile: Single
    scale: Single

    @property
    def features(self) -> Single:
        """Shape (meters, slots of a day, features, days)."""
        return self.table[:, :, :-1]

    def deviations(self) -> Single:
        """Values as deviations from the profile in mean sizes, in their shape; NaN where unknown."""
        deviation: Single = self.values - self.profile
        deviation /= self.scale
        return deviation

    def targets(self) -> Single:
        """Deviations, as far as they teach."""
        return np.clip(self.deviations(), -_CLIP, _CLIP)


def by_slot(values: np.ndarray, per_day: int) -> np.ndarray:
    """Whole days (meters, slots) by time of day, (meters, slots of a day, days)."""
    return values.reshape(len(values), -1, per_day).swapaxes(1, 2)


def in_order(values: np.ndarray) -> np.ndarray:
    """What is by time of day in the order of time again, shape (meters, slots)."""
    return values.swapaxes(1, 2).reshape(len(values), -1)


def feature_names(covariates: tuple[str, ...]) -> tuple[str, ...]:
    """The features that there are; a design has those of them that are told."""
    relative = tuple(f"{DAY_COLUMNS[column]}_{place}" for column in _RELATIVE for place in ("then", "week"))
    return (*_MEASURED, *DAY_COLUMNS, *relative, *covariates, "constant")


def told_features(panel: Panel) -> npt.NDArray[np.int64]:
    """Features, as places in their names, that say something in a panel: not Ramadan in Spain.

    The last is always the constant.
    """
    is_set: BoolArray = np.logical_or.reduce(panel.day_types, axis=(0, 1))
    return np.flatnonzero(
        np.concatenate(
            [
                np.ones(len(_MEASURED), dtype=bool),
                is_set,
                np.repeat(is_set[list(_RELATIVE)], 2),
                np.ones(len(panel.covariates) + 1, dtype=bool),
            ]
        )
    )


def design(panel: Panel, days: int, start: int, stop: int, told: npt.NDArray[np.int64]) -> Design:
    """Features of the slots [start, stop) of a panel, whole days, predicted so many days ahead.

    Args:
        told: Which features; see `told_features`.
    """
    per_day, reach = panel.per_day, max(_LAGS[-1], days + WEEK) + 1
    known_days = _Stretch(_piece(panel.values, start - reach * per_day, stop), per_day, reach)
    profile, (mean, scale) = known_days.profile(days), known_days.level(days)
    scale = np.maximum(scale, _TINY)
    inverse = np.reciprocal(scale)
    table = np.empty((len(told) + 1, *profile.shape), dtype=np.float32)
    rows = iter(table)
    for series, centre, lags in (
        (known_days.values, profile, (days, days + 1, *_LAGS)),
        (known_days.day_means(), mean, (days, WEEK, WEEK + 1)),
    ):
        for lag in lags:
            _write_deviation(known_days.back(series, lag), centre, inverse, out=next(rows))
    _write_deviation(profile, mean, inverse, out=next(rows))
    _write_calendar(panel, days, np.arange(start // per_day, stop // per_day), told, out=rows)
    for covariate in panel.covariates.values():
        one = _Stretch(_piece(covariate, start - reach * per_day, stop), per_day, reach)
        inverse = np.reciprocal(np.maximum(one.level(days)[1], _TINY))
        _write_deviation(one.back(one.values, 0), one.profile(days), inverse, out=next(rows))
    next(rows)[:] = 1.0
    return Design(table.transpose(1, 2, 0, 3), known_days.back(known_days.values, 0), profile, scale)


def _write_deviation(values: Single, centre: Single, inverse: Single, *, out: Single) -> None:
    """How far values are from a centre, in mean sizes; 0 where unknown."""
    np.subtract(values, centre, out=out)
    out *= inverse
    np.clip(out, -_CLIP, _CLIP, out=out)
    if not np.isfinite(np.vdot(out, out)):  # one pass; clipped values cannot overflow
        out[np.isnan(out)] = 0.0


class _Stretch:
    """Lags and means of whole days, the first of them only referred to.

    Args:
        values: Shape (meters, slots).
        n_before: Days that are only referred to.

    Attributes:
        values: Shape (meters, slots of a day, days); NaN where unknown.
    """

    def __init__(self, values: FloatArray, per_day: int, n_before: int) -> None:
        self.values: Single = np.ascontiguousarray(by_slot(values, per_day), dtype=np.float32)
        self._per_day, self._n_before = per_day, n_before
        known = np.isfinite(self.values)
        self._known = None if known.all() else known.astype(np.float32)
        self._filled = self.values if self._known is None else np.where(known, self.values, np.float32(0.0))
        self._day_sums = _day_sums(self._filled)
        self._day_counts = None if self._known is None else _day_sums(self._known)

    def back(self, series: Single, days: int) -> Single:
        """What a series was so many days before."""
        first = self._n_before - days
        return series[:, :, first : series.shape[2] - days]

    def profile(self, days: int) -> Single:
        """Mean at the same time of day over the seven days that end so many days before."""
        count = None if self._known is None else self._week(self._known, days)
        return _ratio(self._week(self._filled, days), WEEK, count)

    def level(self, days: int) -> tuple[Single, Single]:
        """Mean and mean absolute value of the week that ends so many days before."""
        count = None
        if self._day_counts is not None:
            count = self._week(self._day_counts, days)
            count[count < _LEAST_DAYS_OF_LEVEL * self._per_day] = 0.0
        n_slots = WEEK * self._per_day
        mean = _ratio(self._week(self._day_sums, days), n_slots, count)
        if not (self._filled < 0.0).any():
            return mean, mean
        return mean, _ratio(self._week(_day_sums(np.abs(self._filled)), days), n_slots, count)

    def day_means(self) -> Single:
        """Mean of the 24 hours that end with each slot, in the shape of `values`."""
        return _ratio(self._day_sums, self._per_day, self._day_counts)

    def _week(self, series: Single, days: int) -> Single:
        """Sums over the seven days that end so many days before."""
        back = series[:, :, self._n_before - days - WEEK + 1 : series.shape[2] - days]
        return sums_of(back.swapaxes(1, 2), WEEK).swapaxes(1, 2)


def _day_sums(values: Single) -> Single:
    """Sums over the 24 hours that end with each slot, in the shape of values; nothing is before the first."""
    both = np.empty((len(values), 2 * values.shape[1] - 1, values.shape[2]), dtype=np.float32)
    before, now = np.split(both, [values.shape[1] - 1], axis=1)
    now[:] = values
    before[:, :, 0] = 0.0
    before[:, :, 1:] = values[:, 1:, :-1]
    return sums_of(both, values.shape[1])


def _write_calendar(
    panel: Panel, days: int, day: np.ndarray, told: npt.NDArray[np.int64], *, out: Iterator[Single]
) -> None:
    """What day it is, and was on the days referred to, into one array (meters, slots of a day, days) each."""
    wanted = [(day, column) for column in range(len(DAY_COLUMNS))]
    for column in _RELATIVE:
        wanted += [(np.clip(day - back, 0, None), column) for back in (days, WEEK)]
    for place, (of, column) in enumerate(wanted, start=len(_MEASURED)):
        if place in told:
            next(out)[:] = panel.day_types[:, of, column].astype(np.float32)[:, None]


def _piece(values: FloatArray, start: int, stop: int) -> FloatArray:
    """Slots [start, stop), NaN beyond the ends of the panel."""
    n_slots = values.shape[1]
    if start >= 0 and stop <= n_slots:
        return values[:, start:stop]
    piece = np.full((len(values), stop - start), np.nan, values.dtype)
    low, high = max(start, 0), min(max(stop, 0), n_slots)
    if high > low:
        piece[:, low - start : high - start] = values[:, low:high]
    return piece


def _ratio(total: Single, times: int, count: Single | None) -> Single:
    """Total over so many, or over counts; NaN where nothing was counted."""
    if count is None:
        return total * np.float32(1.0 / times)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, np.float32(np.nan))
