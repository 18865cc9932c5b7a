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

__all__ = ["LOOKBACK_DAYS", "WEEK", "Design", "Single", "design", "feature_names"]

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
    """Features of a stretch of slots.

    Attributes:
        features: Shape (features, meters, slots); 0 where something is unknown: as in the week before.
        profile: Mean of the seven reference days at that time of day, shape (meters, slots).
        scale: Mean absolute value of the week before, shape (meters, slots).
        known: Where profile and scale are known, shape (meters, slots).
    """

    features: Single
    profile: FloatArray
    scale: FloatArray
    known: BoolArray

    def targets(self, values: FloatArray) -> Single:
        """Values as deviations from the profile in mean sizes, shape (meters, slots); NaN where unknown."""
        deviation = (values - self.profile) / self.scale
        return np.clip(np.where(self.known, deviation, np.nan), -_CLIP, _CLIP).astype(np.float32)


def feature_names(covariates: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of `Design.features`."""
    lags = ("last_day", "day_before", "last_week", "two_weeks")
    means = ("mean_last_day", "mean_last_week", "mean_week_before", "shape")
    relative = tuple(f"{DAY_COLUMNS[column]}_{place}" for column in _RELATIVE for place in ("then", "week"))
    return (*lags, *means, *DAY_COLUMNS, *relative, *covariates, "constant")


def design(panel: Panel, days: int, start: int, stop: int) -> Design:
    """Features of the slots [start, stop) of a panel, predicted so many days ahead."""
    values, per_day = panel.values, panel.per_day
    day = _Stretch(values, per_day, start, stop)
    profile = day.profile(days)
    mean, scale = day.level(days)
    known = np.isfinite(profile) & np.isfinite(scale)
    safe = np.maximum(np.where(known, scale, 1.0), _TINY)
    inverse = (1.0 / safe).astype(np.float32)
    base, centre = profile.astype(np.float32), mean.astype(np.float32)
    n_features = len(feature_names(tuple(panel.covariates)))
    features = np.empty((n_features, len(values), stop - start), dtype=np.float32)
    rows = iter(features)
    for lag in (days, days + 1, *_LAGS):
        _write_deviation(day.lag(lag), base, inverse, out=next(rows))
    for lag in (days, WEEK, WEEK + 1):
        _write_deviation(day.mean(lag), centre, inverse, out=next(rows))
    _write_deviation(profile, centre, inverse, out=next(rows))
    _write_calendar(panel, days, start, stop, out=rows)
    for covariate in panel.covariates.values():
        one = _Stretch(covariate, per_day, start, stop)
        spread = np.maximum(one.level(days)[1], _TINY)
        _write_deviation(one.lag(0), one.profile(days), 1.0 / spread, out=next(rows))
    next(rows)[:] = 1.0
    return Design(features, profile, safe, known)


def _write_deviation(values: FloatArray, centre: np.ndarray, inverse: np.ndarray, *, out: Single) -> None:
    """How far values are from a centre, in mean sizes; 0 where unknown."""
    deviation = out
    deviation[:] = values
    deviation -= centre
    deviation *= inverse
    np.clip(deviation, -_CLIP, _CLIP, out=deviation)
    deviation[np.isnan(deviation)] = 0.0


class _Stretch:
    """Lags and means of a stretch of slots, without looking at anything else twice."""

    def __init__(self, values: FloatArray, per_day: int, start: int, stop: int) -> None:
        self._values, self._per_day, self._start, self._stop = values, per_day, start, stop
        self._first = max(0, start - (2 * WEEK + 2) * per_day)
        part = values[:, self._first : stop]
        is_known = ~np.isnan(part)
        self._part = np.where(is_known, part, 0.0)
        self._known = is_known
        self._sums = _accumulated(self._part)
        self._sizes = _accumulated(np.abs(self._part))
        self._counts = _accumulated(is_known.astype(np.float64))

    def lag(self, days: int) -> FloatArray:
        """Values so many days before."""
        return _piece(self._values, self._start - days * self._per_day, self._stop - days * self._per_day)

    def profile(self, days: int) -> FloatArray:
        """Mean at the same time of day over the seven days that end so many days before."""
        total = np.zeros((len(self._values), self._stop - self._start))
        count = np.zeros_like(total)
        for lag in range(days, days + WEEK):
            one = self.lag(lag)
            is_known = ~np.isnan(one)
            total += np.where(is_known, one, 0.0)
            count += is_known
        return _ratio(total, count)

    def level(self, days: int) -> tuple[FloatArray, FloatArray]:
        """Mean and mean absolute value of the week that ends so many days before."""
        n_slots = WEEK * self._per_day
        count = self._window(self._counts, days, n_slots)
        count = np.where(count < _LEAST_DAYS_OF_LEVEL * self._per_day, 0.0, count)
        return (
            _ratio(self._window(self._sums, days, n_slots), count),
            _ratio(self._window(self._sizes, days, n_slots), count),
        )

    def mean(self, days: int) -> FloatArray:
        """Mean of the 24 hours that end so many days before."""
        count = self._window(self._counts, days, self._per_day)
        return _ratio(self._window(self._sums, days, self._per_day), count)

    def _window(self, accumulated: FloatArray, days: int, n_slots: int) -> FloatArray:
        last = self._start - days * self._per_day - self._first + 1
        n_rows = self._stop - self._start
        inside: FloatArray = _held(accumulated, last, n_rows) - _held(accumulated, last - n_slots, n_rows)
        return inside


def _held(accumulated: FloatArray, start: int, n_rows: int) -> FloatArray:
    """Columns from `start` on; the first, or the last, for those beyond the ends."""
    n_columns = accumulated.shape[1]
    if start >= 0 and start + n_rows <= n_columns:
        return accumulated[:, start : start + n_rows]
    return accumulated[:, np.clip(np.arange(start, start + n_rows), 0, n_columns - 1)]


def _write_calendar(panel: Panel, days: int, start: int, stop: int, *, out: Iterator[Single]) -> None:
    """What day it is, and was on the days referred to, into one array (meters, slots) each."""
    per_day = panel.per_day
    day = np.arange(start // per_day, -(-stop // per_day))
    types = panel.day_types.astype(np.float32)
    wanted = [(day, column) for column in range(len(DAY_COLUMNS))]
    for column in _RELATIVE:
        wanted += [(np.clip(day - back, 0, None), column) for back in (days, WEEK)]
    cut = slice(start - int(day[0]) * per_day, stop - int(day[0]) * per_day)
    for of, column in wanted:
        next(out)[:] = np.repeat(types[:, of, column], per_day, axis=1)[:, cut]


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


def _accumulated(values: FloatArray) -> FloatArray:
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _ratio(total: FloatArray, count: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: FloatArray = np.where(count > 0, total / count, np.nan)
    return ratio
