"""The points that a chart is drawn from: readings, and figures of hours and days where they say more.

Where readings have gone, and where there are more of them than a screen could ever show, the lowest and the
highest value of each hour or day stand for all of them: both are readings, in the unit of readings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from sereno.domain.readings import FloatArray, TimeArray
from sereno.domain.rollups import RollUp, Span
from sereno.domain.time import from_numpy, to_numpy
from sereno.prepare.rollups import span_starts
from sereno.store import StoredAsset, Transaction

__all__ = ["Points", "find_points"]

MOST_READ = 100_000
"""Readings of a signal that are read for a chart; of more, only those that have no figures yet."""
_MOST_HOURS = timedelta(days=800)
"""Of a longer stretch days are enough: a screen has no more points."""
_HOUR = np.timedelta64(3_600_000_000, "us")
_INTO_NEXT_DAY = np.timedelta64(26, "h")
"""From midnight, this is in the next day, whether it has 23, 24 or 25 hours."""


@dataclass(frozen=True, slots=True)
class Points:
    """Points of one signal.

    Attributes:
        time: Ascending, UTC, shape (points,).
        n_values: Readings that each stands for.
        reach: How long after it the next one is due; NaT where nobody knows.
    """

    time: TimeArray
    values: FloatArray
    n_values: np.ndarray
    reach: np.ndarray

    def take(self, which: np.ndarray) -> "Points":
        """Some of them."""
        return Points(self.time[which], self.values[which], self.n_values[which], self.reach[which])


def find_points(
    tx: Transaction, asset: StoredAsset, signals: Sequence[str], *, start: datetime, end: datetime
) -> list[Points]:
    """The points of each signal in [start, end)."""
    first, stop = _whole_days(start, end, asset.zone)
    days = tx.rollups(asset.id, Span.DAY, signals, start=first, end=stop)
    if not any(map(len, days.values())):
        return _read(tx, asset, signals, start, end)
    n_values = max(int(one.n_values.sum()) for one in days.values())
    is_long = end - start > _MOST_HOURS
    hours = {} if is_long else tx.rollups(asset.id, Span.HOUR, signals, start=first, end=stop)
    rolled = tx.rolled_until(asset.id) or first
    read_from = first if n_values <= MOST_READ else _whole_days(max(rolled, first), stop, asset.zone)[0]
    found = []
    for name, read in zip(signals, _read(tx, asset, signals, read_from, stop), strict=True):
        by_hour = _filled(read, hours[name], hours[name].start + _HOUR) if hours else read
        day_ends = span_starts(days[name].start + _INTO_NEXT_DAY, asset.zone, Span.DAY)
        points = _filled(by_hour, days[name], day_ends)
        found.append(points.take((points.time >= to_numpy(start)) & (points.time < to_numpy(end))))
    return found


def _read(
    tx: Transaction, asset: StoredAsset, signals: Sequence[str], start: datetime, end: datetime
) -> list[Points]:
    """The readings themselves."""
    time, values = tx.values(asset.id, asset.profile, signals, start=start, end=end)
    step = np.timedelta64("NaT", "us") if asset.step is None else np.timedelta64(asset.step)
    reach = np.full(len(time), step, dtype="timedelta64[us]")
    n_values = (~np.isnan(values)).astype(np.int64)
    return [Points(time, values[:, place], n_values[:, place], reach) for place in range(len(signals))]


def _filled(points: Points, rolled: RollUp, ends: TimeArray) -> Points:
    """Points with the figures of those spans of which they do not hold every value."""
    held = np.r_[0, np.cumsum(points.n_values)]
    first, last = np.searchsorted(points.time, rolled.start), np.searchsorted(points.time, ends)
    fills = rolled.n_values > held[last] - held[first]
    if not fills.any():
        return points
    inside = np.zeros(len(points.time) + 1, dtype=np.int64)
    np.add.at(inside, first[fills], 1)
    np.add.at(inside, last[fills], -1)
    kept = points.take(np.cumsum(inside[:-1]) == 0)
    start, half, count = rolled.start[fills], (ends - rolled.start)[fills] // 2, rolled.n_values[fills]
    joined = Points(
        np.concatenate([kept.time, start, start + half]),
        np.concatenate([kept.values, rolled.low[fills], rolled.high[fills]]),
        np.concatenate([kept.n_values, count, np.zeros_like(count)]),
        np.concatenate([kept.reach, half, half]),
    )
    return joined.take(np.argsort(joined.time, kind="stable"))


def _whole_days(start: datetime, end: datetime, zone: str) -> tuple[datetime, datetime]:
    """The days of the site's calendar that hold a stretch."""
    edges = span_starts(np.array([to_numpy(start), to_numpy(end)]), zone, Span.DAY)
    after = span_starts(edges[1:] + _INTO_NEXT_DAY, zone, Span.DAY)[0]
    return from_numpy(edges[0]), from_numpy(after)
