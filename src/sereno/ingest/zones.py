"""Naive local times to UTC: the repeated hour is two hours, the missing one is moved forward."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

__all__ = ["LocalTimes", "to_utc"]

Instants = npt.NDArray[np.datetime64]
US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class LocalTimes:
    """Local times as instants.

    Attributes:
        utc: datetime64[us], shape (rows,).
        is_repeated: The clock showed this time twice, shape (rows,).
        is_skipped: The clock never showed this time; it was moved forward, shape (rows,).
    """

    utc: Instants
    is_repeated: npt.NDArray[np.bool_]
    is_skipped: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Transitions:
    """Changes of a zone's offset: UTC instants [us] and the offsets [us] before the first and after each."""

    at: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]


def to_utc(local: Instants, zone: str, second: npt.NDArray[np.bool_] | None = None) -> LocalTimes:
    """Local times of a zone as UTC.

    Args:
        local: Naive times, datetime64[us], shape (rows,); NaT stays NaT.
        zone: IANA name.
        second: Where a repeated time means its second occurrence, shape (rows,); none by default.
    """
    result = local.astype("datetime64[us]", copy=True)
    is_there = ~np.isnat(result)
    is_repeated = np.zeros(len(local), dtype=np.bool_)
    is_skipped = np.zeros(len(local), dtype=np.bool_)
    if not is_there.any():
        return LocalTimes(result, is_repeated, is_skipped)
    wall = result[is_there].astype(np.int64)
    changes = _transitions(zone, *_years(result[is_there]))
    # A repeated time lies in [at + after, at + before) of a change, a skipped one the other way round.
    before, after = changes.offsets[:-1], changes.offsets[1:]
    early = np.searchsorted(changes.at + np.maximum(before, after), wall, side="right")
    late = np.searchsorted(changes.at + np.minimum(before, after), wall, side="right")
    is_odd = early != late
    is_back = np.zeros(len(wall), dtype=np.bool_)
    if is_odd.any():
        is_back[is_odd] = after[late[is_odd] - 1] < before[late[is_odd] - 1]
    chosen = early.copy()
    if second is not None:
        chosen = np.where(is_odd & is_back & second[is_there], late, early)
    result[is_there] = (wall - changes.offsets[chosen]).astype("datetime64[us]")
    is_repeated[is_there] = is_odd & is_back
    is_skipped[is_there] = is_odd & ~is_back
    return LocalTimes(result, is_repeated, is_skipped)


def _years(local: Instants) -> tuple[int, int]:
    bounds = np.array([local.min(), local.max()]).astype("datetime64[Y]").astype(int) + 1970
    return int(bounds[0]), int(bounds[1])


@lru_cache(maxsize=256)
def _transitions(zone: str, first_year: int, last_year: int) -> _Transitions:
    """Offset changes from a day before `first_year` to a day after `last_year`, to the second."""
    tz = ZoneInfo(zone)
    moment = datetime(first_year, 1, 1, tzinfo=UTC) - timedelta(days=2)
    end = datetime(last_year + 1, 1, 1, tzinfo=UTC) + timedelta(days=2)
    at: list[int] = []
    offsets = [_offset(tz, moment)]
    while moment < end:
        following = moment + timedelta(days=1)
        offset = _offset(tz, following)
        if offset != offsets[-1]:
            at.append(_bisect(tz, moment, following, offsets[-1]))
            offsets.append(offset)
        moment = following
    return _Transitions(np.array(at, dtype=np.int64), np.array(offsets, dtype=np.int64))


def _bisect(tz: ZoneInfo, low: datetime, high: datetime, offset: int) -> int:
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds() // 2))
        if _offset(tz, middle) == offset:
            low = middle
        else:
            high = middle
    return int(high.timestamp()) * US_PER_S


def _offset(tz: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(tz).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * US_PER_S
