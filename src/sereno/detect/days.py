"""Figures of whole days, kept from window to window, and what they say of the rows that follow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

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
    local = local_time(window.time, window.zone).astype(np.int64) // _DAY_US
    values = window.values[:, columns]
    before = memory.arrays.get(rows_name, np.empty((0, 1 + n_columns)))
    rows = np.concatenate((before, np.column_stack((local.astype(float), values))))
    known = memory.arrays.get(days_name, np.empty((0, n_columns, rule.n_figures)))
    last = float(memory.arrays.get(last_name, np.full(1, rows[0, 0] - 1))[0])
    cuts = [0, *(np.flatnonzero(np.diff(rows[:, 0])) + 1).tolist(), len(rows)]
    excess, seen = np.full(values.shape, np.nan), np.zeros((*values.shape, rule.n_seen))
    step = window.step or _DAY
    least, is_complete = WHOLE_SHARE * (_DAY / step), step >= _DAY
    is_news = f"episode/{rule.check}" in memory.arrays
    for start, stop in pairwise(cuts):
        here = slice(max(start - len(before), 0), max(stop - len(before), 0))
        day = float(rows[start, 0])
        if is_complete:
            known, last = _with_day(rule, known, rows[start:stop, 1:], int(day - last) - 1, least), day
        if len(known):
            said = [rule.judge(known[:, column]) for column in range(n_columns)]
            excess[here] = said
            is_news = is_news or any(one >= 1.0 for one in said)
            if is_news:
                seen[here] = [rule.see(known[:, column]) for column in range(n_columns)]
        if stop < len(rows) and not is_complete:
            known, last = _with_day(rule, known, rows[start:stop, 1:], int(day - last) - 1, least), day
    pending = rows[len(rows) if is_complete else cuts[-2] :]
    excess[np.isnan(values)] = np.nan
    is_news = f"episode/{rule.check}" in memory.arrays or some(excess >= 1.0)
    kept = Memory({rows_name: pending, days_name: known, last_name: np.array([last])})
    return Followed(rule, columns, excess, seen, kept, is_news)


def _with_day(
    rule: DayRule, known: FloatArray, readings: FloatArray, n_missing: int, least: float
) -> FloatArray:
    """The known days, shape (days, columns, figures), and one more behind those that are missing between."""
    n_columns = readings.shape[1]
    days = np.full((min(max(n_missing, 0), rule.n_kept) + 1, n_columns, rule.n_figures), np.nan)
    for column, one in enumerate(readings.T):
        read = one[~np.isnan(one)]
        if len(read) >= least:
            days[-1, column, :-1] = rule.measure(read)
    result = np.concatenate((known, days))[-rule.n_kept :]
    for column in range(n_columns):
        result[-1, column, -1] = rule.compare(result[:, column])
    return result
