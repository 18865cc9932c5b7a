"""The regular window: readings on a grid, a gap as rows of NaN."""

from datetime import timedelta

import numpy as np

from sereno.domain.arrays import micros_of
from sereno.domain.calendar import DAY, local_time, to_utc
from sereno.domain.readings import FloatArray, Quality, QualityArray, TimeArray, Window
from sereno.domain.signals import AssetKey

__all__ = ["build_window", "forward_filled", "infer_step"]

_MICROSECOND = timedelta(microseconds=1)
_SHARE_ON_RHYTHM = 0.5
"""Share of the intervals that must repeat before a source counts as regular."""
_MAX_GRID_ROWS = 2_000_000
"""Beyond this a grid would be all gap: scattered stamps, not a rhythm (23 days of seconds)."""


def infer_step(time: TimeArray) -> timedelta | None:
    """The most common interval between sorted instants, days as calendar days; None if there is none."""
    if len(time) < 3:
        return None
    intervals: np.ndarray = np.diff(micros_of(time))
    intervals = intervals[intervals > 0]
    if not len(intervals):
        return None
    seconds: np.ndarray = np.round(intervals / 1e6).astype(np.int64)
    seconds[(seconds >= 23 * 3600) & (seconds <= 25 * 3600)] = 86_400
    common, counts = np.unique(seconds, return_counts=True)
    if not common[np.argmax(counts)] or counts.max() < _SHARE_ON_RHYTHM * len(seconds):
        return None
    return timedelta(seconds=int(common[np.argmax(counts)]))


def build_window(
    asset: AssetKey,
    profile: str,
    signals: tuple[str, ...],
    readings: tuple[TimeArray, FloatArray, QualityArray],
    step: timedelta | None,
    *,
    zone: str = "UTC",
    after: np.datetime64 | None = None,
) -> Window:
    """The window of one asset.

    Args:
        readings: Sorted UTC instants (rows,), values and quality (rows, signals).
        step: Rhythm of the grid; None keeps the rows as they came.
        zone: Where whole days begin.
        after: Instant of the last row judged before: the grid starts one step after it, so that a gap
            between batches is a gap.
    """
    time, values, quality = readings
    if step is None or not len(time):
        return Window(asset, profile, signals, time, values, quality, step, zone)
    anchor = time[0] if after is None else after
    position = _positions(time, anchor, step, zone)
    first = 0 if after is None else 1
    n_rows = int(position[-1]) - first + 1
    if n_rows > _MAX_GRID_ROWS:
        return Window(asset, profile, signals, time, values, quality, step, zone)
    if n_rows == len(time) and position[0] == first and bool(np.all(np.diff(position) == 1)):
        return Window(asset, profile, signals, time, values, quality, step, zone)
    return _spread(Window(asset, profile, signals, time, values, quality, step, zone), position, first)


def forward_filled(values: FloatArray, last: FloatArray) -> FloatArray:
    """The last values and those of each row after them, gaps filled forward, shape (rows + 1, signals)."""
    values = np.concatenate((last[None], values))
    absent = np.isnan(values)
    if not absent.any():
        return values
    rows = np.where(absent, 0, np.arange(len(values))[:, None])
    np.maximum.accumulate(rows, axis=0, out=rows)
    return np.take_along_axis(values, rows, axis=0)


def _positions(time: TimeArray, anchor: np.datetime64, step: timedelta, zone: str) -> np.ndarray:
    if step % DAY == timedelta(0):
        days = local_time(time, zone).astype("datetime64[D]").astype(np.int64)
        origin = local_time(np.array([anchor]), zone).astype("datetime64[D]").astype(np.int64)[0]
        passed: np.ndarray = (days - origin) // step.days
        return passed
    micros = (time - anchor).astype("timedelta64[us]").astype(np.int64)
    places: np.ndarray = np.round(micros / (step / _MICROSECOND)).astype(np.int64)
    return places


def _spread(rows: Window, position: np.ndarray, first: int) -> Window:
    """Rows set on their places of the grid; of several on one place the last stays."""
    n_rows = int(position[-1]) - first + 1
    values = np.full((n_rows, len(rows.signals)), np.nan)
    quality = np.full((n_rows, len(rows.signals)), int(Quality.MISSING), dtype=np.int32)
    keep = position >= first
    place = position[keep] - first
    values[place] = rows.values[keep]
    quality[place] = rows.quality[keep]
    time = _grid_times(rows, position, first, n_rows)
    time[place] = rows.time[keep]
    return Window(rows.asset, rows.profile, rows.signals, time, values, quality, rows.step, rows.zone)


def _grid_times(rows: Window, position: np.ndarray, first: int, n_rows: int) -> TimeArray:
    assert rows.step is not None
    last, last_position = rows.time[-1:], int(position[-1])
    offsets = np.arange(first, first + n_rows) - last_position
    if rows.step % DAY == timedelta(0):
        local = local_time(last, rows.zone) + offsets * np.timedelta64(rows.step.days, "D")
        return to_utc(local, rows.zone)
    return last + offsets * np.timedelta64(round(rows.step / _MICROSECOND), "us")
