"""What an asset has lately done at this hour of the week is no news: weekly stops, deliveries, cleaning.

A shape learnt in training knows last year's weeks; people change theirs. A deviation counts only by what it
is beyond its precedent: what at least `LEAST_WEEKS` of the last `WEEKS` weeks showed in the same direction,
at that hour or `TOLERANCE` from it.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from sereno.domain.judgement import Memory
from sereno.domain.readings import BoolArray, FloatArray, TimeArray
from sereno.domain.signals import Profile

__all__ = ["are_habitual", "beyond_precedent"]

WEEKS, LEAST_WEEKS = 5, 2
TOLERANCE = timedelta(hours=2)
USUAL = 1.0
"""Standard deviations that are no habit: calm rows have precedents of that size by chance."""
SHORTEST_STEP, LONGEST_STEP = timedelta(minutes=15), timedelta(hours=1)
_WEEK = timedelta(weeks=1)
_MICROSECOND = timedelta(microseconds=1)
_ROWS, _UNTIL = "precedent/rows", "precedent/until"


def are_habitual(signals: Sequence[str], profile: Profile, step: timedelta | None) -> BoolArray:
    """Which signals may have habits of the week: those of profiles that say so, where steps are hours."""
    is_hourly = step is not None and SHORTEST_STEP <= step <= LONGEST_STEP and not _WEEK % step
    return np.full(len(signals), is_hourly and profile.has_weekly_habits)


def beyond_precedent(
    deviations: FloatArray, time: TimeArray, step: timedelta | None, is_habitual: BoolArray, memory: Memory
) -> tuple[FloatArray, Memory]:
    """Deviations by what they are beyond their precedent, and the memory after the last row.

    Args:
        deviations: In standard deviations, NaN where unknown, shape (rows, signals).
        time: Ascending, shape (rows,).
        is_habitual: Signals that have habits, shape (signals,); the others stay as they are.
        memory: The deviations of the weeks before, as the row before left them.
    """
    if step is None or not is_habitual.any():
        return deviations, Memory()
    if not len(time):
        return deviations, Memory(
            {name: memory.arrays[name] for name in (_ROWS, _UNTIL) if name in memory.arrays}
        )
    n_week, reach = round(_WEEK / step), max(round(TOLERANCE / step), 1)
    kept = WEEKS * n_week + reach
    places = time.astype("datetime64[us]").astype(np.int64) // round(step / _MICROSECOND)
    own = deviations[:, is_habitual]
    rows = _joined(own, places, kept, memory)
    centres = kept + places - places[0]
    high, low = (_habit(sign * rows, centres, n_week, reach) for sign in (1.0, -1.0))
    usual = np.maximum(np.where(own > 0, high, low) - USUAL, 0.0)
    beyond = deviations.copy()
    beyond[:, is_habitual] = np.sign(own) * np.maximum(np.abs(own) - usual, 0.0)
    return beyond, Memory({_ROWS: rows[-kept:], _UNTIL: places[-1:]})


def _joined(own: FloatArray, places: np.ndarray, kept: int, memory: Memory) -> FloatArray:
    """The last `kept` steps before the rows and every step since, shape (kept + steps, signals)."""
    rows = np.full((kept + int(places[-1] - places[0]) + 1, own.shape[1]), np.nan)
    before = memory.arrays.get(_ROWS)
    if before is not None and before.shape[1] == own.shape[1]:
        gap = int(places[0] - memory.arrays[_UNTIL][0]) - 1
        if 0 <= gap < kept:
            rows[: kept - gap] = before[gap:]
    rows[kept + places - places[0]] = own
    return rows


def _habit(rows: FloatArray, centres: np.ndarray, n_week: int, reach: int) -> FloatArray:
    """The deviation that `LEAST_WEEKS` of the weeks before reached near that hour, shape (rows, signals)."""
    weeks = np.full((WEEKS, len(centres), rows.shape[1]), -np.inf)
    for week in range(WEEKS):
        for by in range(-reach, reach + 1):
            np.fmax(weeks[week], rows[centres - (week + 1) * n_week + by], out=weeks[week])
    habit: FloatArray = np.sort(weeks, axis=0)[-LEAST_WEEKS]
    return habit
