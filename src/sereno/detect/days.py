"""Figures of whole days, kept from window to window, and what they say of the rows that follow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, pairwise

import numpy as np

from sereno.domain.arrays import some
from sereno.domain.calendar import local_time
from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import FloatArray, TimeArray, Window

__all__ = ["DayRule", "Followed", "follow_days"]

WHOLE_SHARE = 0.75
"""Share of a day's steps that must be known."""
_DAY = timedelta(days=1)
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class DayRule:
    """What is kept of a day, and what the days kept so far say of the next row.

    Attributes:
        check: Name of the check; the memory's arrays begin with its last part.
        n_kept: Days that are kept.
        n_figures: Figures kept of a day, the comparison among them.
        measure: Figures of a day from its known readings.
        compare: One more figure, from the days of a signal up to that day, shape (days, figures + 1).
        judge: Excess over the limit, NaN where unknown.
        see: Figures of what is seen, `n_seen` of them.
        release: Excess below which it is over.
    """

    check: str
    n_kept: int
    n_figures: int
    measure: Callable[[FloatArray], Sequence[float]]
    compare: Callable[[FloatArray], float]
    judge: Callable[[FloatArray], float]
    see: Callable[[FloatArray], Sequence[float]]
    n_seen: int
    release: float


@dataclass(frozen=True, slots=True)
class Followed:
    """What a rule says of a window.

    Attributes:
        excess: Over the limit, NaN where unknown, shape (rows, columns).
        seen: Figures of what is seen, 0 before there is news, shape (rows, columns, figures).
        memory: For the next window.
        is_news: Whether there is something to tell, or an episode is under way.
    """

    rule: DayRule
    columns: Sequence[int]
    excess: FloatArray
    seen: FloatArray
    memory: Memory
    is_news: bool

    def evidence(self, window: Window, expected: FloatArray, since: TimeArray) -> Evidence:
        """As evidence.

        Args:
            expected: What each row would show if all were well, shape (rows, columns).
            since: When what a row shows had begun, shape (rows,).
        """
        shares, wide = np.zeros(window.values.shape), np.full(window.values.shape, np.nan)
        shares[:, self.columns] = self.excess >= 1.0
        wide[:, self.columns] = expected
        return Evidence(
            check=self.rule.check,
            kind=IncidentKind.BEHAVIOUR,
            exceedance=np.fmax.reduce(self.excess, axis=1),
            threshold=1.0,
            contributions=shares / np.maximum(shares.sum(axis=1, keepdims=True), 1.0),
            expected=wide,
            since=since,
            release=self.rule.release,
        )


def follow_days(rule: DayRule, window: Window, columns: Sequence[int], memory: Memory) -> Followed:
    """What the days before each row say of it.

    A day counts for the rows of the days after it; where a row is a day it is complete and counts for itself.
    """
    rows_name, days_name, last_name = (f"{rule.check}/{part}" for part in ("rows", "days", "last"))
    n_columns = len(columns)
    if not len(window):
        names = (rows_name, days_name, last_name)
        kept = Memory({name: memory.arrays[name] for name in names if name in memory.arrays})
        blank = np.empty((0, n_columns))
        return Followed(rule, columns, blank, np.empty((0, n_columns, rule.n_seen)), kept, is_news=False)
    values = window.values[:, columns]
    before = memory.arrays.get(rows_name, np.empty((0, 1 + n_columns)))
    day_of = (local_time(window.time, window.zone).astype(np.int64) // _DAY_US).astype(float)
    cells = values
    if len(before):
        day_of, cells = np.concatenate((before[:, 0], day_of)), np.concatenate((before[:, 1:], values))
    known = memory.arrays.get(days_name, np.empty((0, n_columns, rule.n_figures)))
    last = float(memory.arrays[last_name][0]) if last_name in memory.arrays else float(day_of[0]) - 1.0
    cuts = [0, *(np.flatnonzero(np.diff(day_of)) + 1).tolist(), len(cells)]
    step = window.step or _DAY
    is_complete = step >= _DAY
    whole = cuts if is_complete else cuts[:-1]
    numbers = [last, *day_of[whole[:-1]].tolist()]
    days, ends = _followed_by(rule, known, cells, whole, numbers, least=WHOLE_SHARE * (_DAY / step))
    excess, seen = np.full(values.shape, np.nan), np.zeros((*values.shape, rule.n_seen))
    is_news = f"episode/{rule.check}" in memory.arrays
    for (start, stop), end in zip(pairwise(cuts), ends[1:] if is_complete else ends, strict=True):
        if not end:
            continue
        so_far = days[max(end - rule.n_kept, 0) : end]
        here = slice(max(start - len(before), 0), max(stop - len(before), 0))
        said = [rule.judge(so_far[:, column]) for column in range(n_columns)]
        excess[here] = said
        is_news = is_news or any(one >= 1.0 for one in said)
        if is_news:
            seen[here] = [rule.see(so_far[:, column]) for column in range(n_columns)]
    pending = np.column_stack((day_of[whole[-1] :], cells[whole[-1] :]))
    excess[np.isnan(values)] = np.nan
    is_news = f"episode/{rule.check}" in memory.arrays or some(excess >= 1.0)
    after = Memory({rows_name: pending, days_name: days[-rule.n_kept :], last_name: np.array(numbers[-1:])})
    return Followed(rule, columns, excess, seen, after, is_news)


def _followed_by(
    rule: DayRule,
    known: FloatArray,
    cells: FloatArray,
    cuts: Sequence[int],
    numbers: Sequence[float],
    *,
    least: float,
) -> tuple[FloatArray, list[int]]:
    """The known days, shape (days, columns, figures), and behind them those of more rows.

    Args:
        cells: Readings, shape (rows, columns).
        cuts: Where each day of the rows begins, and the last one ends.
        numbers: Of the last known day, and of each day of the rows; those between are unknown.
        least: Readings that a day needs.

    Returns:
        The days; and how many were known before the rows, and after each of their days.
    """
    n_missing = (min(max(int(after - before) - 1, 0), rule.n_kept) for before, after in pairwise(numbers))
    ends = list(accumulate((n + 1 for n in n_missing), initial=len(known)))
    days = np.full((ends[-1], *known.shape[1:]), np.nan)
    days[: len(known)] = known
    for (start, stop), end in zip(pairwise(cuts), ends[1:], strict=True):
        so_far = days[max(end - rule.n_kept, 0) : end]
        for column, one in enumerate(cells[start:stop].T):
            read = one[~np.isnan(one)]
            if len(read) >= least:
                so_far[-1, column, :-1] = rule.measure(read)
            so_far[-1, column, -1] = rule.compare(so_far[:, column])
    return days, ends
