"""Local time of arrays of instants: people and the sun follow it, storage does not."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from sereno.domain.arrays import micros_of
from sereno.domain.readings import TimeArray

__all__ = ["DAY", "local_time", "step_end", "to_utc"]

DAY = timedelta(days=1)

_HOUR_US = 3_600_000_000
_FEW_ROWS = 32
"""Up to so many rows a look-up for each is faster than sorting them."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local_time(time: TimeArray, zone: str) -> TimeArray:
    """Wall-clock time of each UTC instant, as naive datetime64[us], shape (rows,).

    Clock changes happen on whole UTC hours everywhere that matters here, so one offset per hour is exact.
    """
    micros = micros_of(time)
    if zone == "UTC" or not len(time):
        return micros.astype("datetime64[us]")
    if len(micros) == 1:
        return _local_start(zone, int(micros[0]))
    hours = micros // _HOUR_US
    if len(hours) <= _FEW_ROWS:
        offsets = [_offset_us(zone, hour) for hour in hours.tolist()]
        few: TimeArray = (micros + np.array(offsets)).astype("datetime64[us]")
        return few
    distinct, inverse = np.unique(hours, return_inverse=True)
    local: TimeArray = (micros + _offsets(zone, distinct)[inverse]).astype("datetime64[us]")
    return local


def to_utc(local: TimeArray, zone: str) -> TimeArray:
    """UTC instant of naive local times, the earlier one where an hour repeats, shape (rows,)."""
    if zone == "UTC":
        return local.astype("datetime64[us]")
    info = ZoneInfo(zone)
    moments = local.astype("datetime64[us]").tolist()
    utc = [m.replace(tzinfo=info).astimezone(UTC).replace(tzinfo=None) for m in moments]
    return np.array(utc, dtype="datetime64[us]")


def step_end(start: np.datetime64, step: timedelta | None, zone: str) -> np.datetime64:
    """End of the step that starts at an instant; whole days are calendar days of the zone."""
    if step is None:
        return start
    if step % DAY == timedelta(0):
        return _day_end(start, step.days, zone)
    return start + np.timedelta64(round(step / timedelta(microseconds=1)), "us")


@lru_cache(maxsize=4_096)
def _day_end(start: np.datetime64, days: int, zone: str) -> np.datetime64:
    local = local_time(np.array([start]), zone) + np.timedelta64(days, "D")
    end: np.datetime64 = to_utc(local, zone)[0]
    return end


@lru_cache(maxsize=4_096)
def _local_start(zone: str, micros: int) -> TimeArray:
    """Of a single row: every check of a record asks for it; nobody may write to it."""
    local: TimeArray = np.array([micros + _offset_us(zone, micros // _HOUR_US)]).view("datetime64[us]")
    local.setflags(write=False)
    return local


def _offsets(zone: str, hours: np.ndarray) -> np.ndarray:
    """Offsets [µs] of sorted hours: days without a clock change cost one look-up."""
    offsets = np.empty(len(hours), dtype=np.int64)
    days = hours // 24
    cuts = np.flatnonzero(days[1:] != days[:-1]) + 1
    for start, stop in pairwise([0, *cuts.tolist(), len(hours)]):
        first, last = int(hours[start]), int(hours[stop - 1])
        if _offset_us(zone, first) == _offset_us(zone, last):
            offsets[start:stop] = _offset_us(zone, first)
        else:
            offsets[start:stop] = [_offset_us(zone, int(hour)) for hour in hours[start:stop]]
    return offsets


@lru_cache(maxsize=65_536)
def _offset_us(zone: str, hour: int) -> int:
    offset = (_EPOCH + timedelta(hours=hour)).astimezone(ZoneInfo(zone)).utcoffset()
    return 0 if offset is None else int(offset / timedelta(microseconds=1))
