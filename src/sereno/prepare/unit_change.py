"""A stretch of readings in another unit: Wh among kWh, ft³ among m³, the power of a step for its energy.

Each amount is compared with its usual level at that time of day (of the week's days where a step is a day),
in decades. A factor of hundreds is taken for a unit after a few readings, sooner where several signals move
by the same factor at once; a smaller one only when several signals agree on it, or when the steps in which
the meter counts have changed by it as well, for heating that begins is a lasting factor of 12. The level is
learnt from the readings before, in the first unit, so that a stream and a batch find the same.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sereno.domain.arrays import some
from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import BoolArray, FloatArray, Quality, QualityArray, TimeArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.balance import PLAIN, balances_of
from sereno.prepare.resolution import Resolution
from sereno.prepare.witness import EXCEEDANCE, nothing, shares_of, unknown

IntArray = npt.NDArray[np.int64]

__all__ = ["UNIT_CHANGE", "UnitChange", "check_units"]

UNIT_CHANGE = "quality.unit_change"
FACTORS = (1e6, 1e3, 35.3147, 12.0, 11.63, 4.0, 3.6)
"""MWh-Wh, kWh-Wh, m³-ft³ (ISO 80000-3), kW-kWh of 5 min, m³-kWh of natural gas, kW-kWh of 15 min, MJ-kWh."""
_DECADES = np.array([sign * np.log10(one) for one in FACTORS for sign in (1.0, -1.0)])
_ASCENDING = np.argsort(_DECADES)
_MIDDLES = (_DECADES[_ASCENDING][1:] + _DECADES[_ASCENDING][:-1]) / 2
_SIZES = np.abs(_DECADES)
_LEAST_DECADES = float(_SIZES.min())
_IS_LARGE = _SIZES >= 1.5
MIN_VISITS_KNOWN = 3
MIN_DAYS_KNOWN = 5
"""Earlier days at a time of day, or days where they are the step, from which the level is known."""
LEAP_SIGNALS = 3
"""Signals that must all leap by one large factor where fewer days are known: chance does not."""
LEAST_SPREAD = 0.05
OWN_VARIATION = 4.0
"""A factor must exceed the usual deviation so many times."""
STEPS_VARIATION = 3.0
"""As `OWN_VARIATION` where a reading stands on the steps of the other unit."""
LARGE_TOLERANCE = 0.25
"""Deviation from a large factor, over its decades, that a reading may have."""
_REACH = np.where(_IS_LARGE, LARGE_TOLERANCE * _SIZES, np.inf)
MEAN_TOLERANCE = 0.06
"""Deviation of the mean of a stretch of one signal from its factor, over the factor's decades."""
KEPT_DEVIATIONS = 3.0
"""Usual deviations from a stretch's factor within which a reading belongs to it."""
JOINT_SHARE = 0.8
"""Share of the telling signals that must agree to speak for all."""
JOINT_ROWS = 2
SINGLE_ROWS, SINGLE_DAILY_ROWS = 12, 5
"""Readings in a run that one signal needs alone: half a day, or most of a week."""
LARGE_ALONE = 2.0
"""Decades of a factor that one signal alone may show: heating that begins is a lasting factor of 12, too."""
_IS_SMALL = _SIZES < LARGE_ALONE
_SMALL = [(one, float(_DECADES[one])) for one in np.flatnonzero(_IS_SMALL).tolist()]
SMALL_DAYS = 3
SMALL_DAILY_ROWS = 7
"""Days, or daily readings, that a small factor needs."""
GIVEN_UP = 4.0
"""A run that is not sure after this many times the readings that it needs is how the plant runs now."""
JOINT_CREDIT = 0.25
"""Credit by other signals, over the readings of a small factor, without which its own steps must speak."""
SCATTER = 2.0
"""Deviation of one signal's readings from its factor, over the usual one: in a new unit the shape stays."""
OFF_ROWS = 3
"""Ordinary readings in a run that end a stretch."""
ACCEPTED_AFTER = timedelta(days=60)
"""A stretch that lasts longer is how the asset reads now: its level is learnt anew."""
REMEMBERED_VISITS = 7.0
CLIP_DECADES = 1.0
_SLOTS = 24
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000
_MICROSECOND = timedelta(microseconds=1)
_MEAN, _SQUARE, _ROWS = range(3)
_FACTOR, _COUNT, _SUM, _SQUARES, _SPREAD, _SINCE, _IS_OPEN, _PLAIN, _CREDIT, _RUN = range(10)
_NONE = -1


@dataclass(frozen=True, slots=True)
class UnitChange:
    """What `check_units` found.

    Attributes:
        evidence: One event per stretch.
        bad: Cells in another unit, certainly or apparently, shape (rows, signals). What only appears to be is
            left to other checks where a balance is broken with it, and where it is less than usual: what soon
            comes back is never certain, and nothing else would tell of it.
        sure: Those that certainly are.
        flags: Quality bits, shape (rows, signals).
        memory: For the next window.
    """

    evidence: Evidence
    bad: BoolArray
    sure: BoolArray
    flags: QualityArray
    memory: Memory


def check_units(
    window: Window,
    profile: Profile,
    memory: Memory,
    *,
    bad: BoolArray,
    vouched: BoolArray,
    proven: FloatArray,
) -> UnitChange | None:
    """Stretches whose level is a known factor away from what was before; None where no signal is an amount.

    Args:
        memory: What the check of the rows before left.
        bad: Cells that say nothing of the level, shape (rows, signals).
        vouched: Cells of balances that close, shape (rows, signals): one alone is in no other unit.
        proven: Factors with which alone the balances close, shape (rows, signals); 0 where there is none.
    """
    n_amounts, columns = _amounts_of(window.signals, profile)
    if not n_amounts:
        return None
    values = np.where(bad, np.nan, window.values)[:, columns]
    decades = np.log10(values, out=np.full(values.shape, np.nan), where=values > 0)
    follower = _Follower(window.step, n_amounts, memory)
    numbers = _factor_numbers(proven[:, columns])
    cells = follower.follow(window, values, decades, vouched[:, columns], numbers)
    told = _told(window, columns, cells, follower.memory())
    suspected = told.bad & ~told.sure
    if not some(suspected):
        return told
    is_less = np.zeros(window.values.shape, dtype=bool)
    is_less[:, columns] = cells.factors < 0
    return replace(told, bad=told.bad & ~(suspected & (is_less | _contradicted(window, profile))))


def _contradicted(window: Window, profile: Profile) -> BoolArray:
    """Cells of balances that are broken as they are read, shape (rows, signals)."""
    balances = balances_of(window.signals, profile)
    if balances is None:
        return np.zeros(window.values.shape, dtype=bool)
    contradicted: BoolArray = (balances.measure(window.values).exceedance > PLAIN) @ balances.members
    return contradicted


@lru_cache(maxsize=1_024)
def _amounts_of(signals: tuple[str, ...], profile: Profile) -> tuple[int, list[int] | slice]:
    """How many signals are amounts, and their columns."""
    columns = [i for i, name in enumerate(signals) if profile.signal(name).is_ratio_scaled]
    return len(columns), columns if len(columns) < len(signals) else slice(None)


@lru_cache(maxsize=256)
def _pace(step: timedelta | None) -> tuple[bool, float, float, float, float]:
    """Whether a step is a day, the credit of a row on which signals agree, and rows that are needed."""
    if step is not None and step >= _DAY:
        return True, 1.0, SMALL_DAILY_ROWS, SINGLE_DAILY_ROWS, MIN_DAYS_KNOWN
    per_visit = 1.0 if step is None else max(_HOUR / step, 1.0)
    small_rows = SMALL_DAILY_ROWS if step is None else SMALL_DAYS * _DAY / step
    return False, 1.0 / JOINT_ROWS, small_rows, SINGLE_ROWS, MIN_VISITS_KNOWN * per_visit


class _Cells:
    """What is found of the cells of a window, of shape (rows, amounts).

    Attributes:
        decades: What was read.
        is_changed, is_sure: Whether the unit seems another, and whether it surely is.
        factors: By how many decades.
        since: Since when [µs].
        is_telling: Whether the usual level is known.
    """

    def __init__(self, decades: FloatArray) -> None:
        shape = decades.shape
        self.decades = decades
        self.is_changed, self.is_sure = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        self.factors, self.since = np.zeros(shape), np.zeros(shape)
        self.is_telling = np.zeros(shape, dtype=bool)


class _Follower:
    """Follows the levels of one asset from day to day (from week to week where a step is a day)."""

    def __init__(self, step: timedelta | None, n_signals: int, memory: Memory) -> None:
        self._is_daily, self._joint_credit, self._small_rows, self._single_rows, self._min_rows = _pace(step)
        arrays = memory.arrays
        n_slots = 1 if self._is_daily else _SLOTS
        if "unit/level" in arrays:
            self._level = arrays["unit/level"].copy()
            self._visit, self._open = int(arrays["unit/visit"][0]), arrays["unit/open"].copy()
            self._run = arrays["unit/run"].copy()
        else:
            self._level = np.zeros((3, n_slots, n_signals))
            self._visit, self._open = -1, np.zeros((3, n_signals))
            self._run = np.zeros((_RUN, n_signals))
            self._run[_FACTOR] = _NONE
        self._resolution = Resolution(n_signals, arrays)

    def memory(self) -> Memory:
        return Memory(
            {
                "unit/level": self._level,
                "unit/visit": np.array([self._visit]),
                "unit/open": self._open,
                "unit/run": self._run,
                **self._resolution.arrays(),
            }
        )

    def follow(
        self, window: Window, values: FloatArray, decades: FloatArray, vouched: BoolArray, proven: IntArray
    ) -> _Cells:
        """What is found of each cell."""
        micros = window.micros
        visits = micros // (7 * _DAY_US if self._is_daily else _HOUR_US)
        passes = visits if self._is_daily else micros // _DAY_US
        cuts = [0, *(np.flatnonzero(passes[1:] != passes[:-1]) + 1).tolist(), len(micros)]
        self._values, self._vouched, self._proven = values, vouched, proven
        self._cells = _Cells(decades)
        for start, stop in pairwise(cuts):
            if stop > start:
                self._pass(slice(start, stop), decades[start:stop], visits[start:stop], micros[start:stop])
        return self._cells

    def _pass(self, rows: slice, decades: FloatArray, visits: np.ndarray, micros: np.ndarray) -> None:
        """Rows of which no two of one time of day belong to different days."""
        if visits[0] != self._visit:
            self._close_visit()
        if self._day_of(visits[0]) != self._day_of(self._visit):
            self._accept(float(micros[0]))
        mean, square, known = self._levels_at(visits)
        away = decades - mean
        is_known = known >= self._min_rows
        size = np.abs(away)
        if np.count_nonzero(is_known) < is_known.size:
            is_known = is_known | _is_leap(away, known)[:, None]
        is_telling = ~np.isnan(away) & is_known
        spread = np.maximum(np.sqrt(square), LEAST_SPREAD)
        self._cells.is_telling[rows] = is_telling
        normal = decades
        variation = OWN_VARIATION if self._is_daily else STEPS_VARIATION
        is_odd = is_known & (size > np.maximum(_LEAST_DECADES / 2, variation / 2 * spread))
        if some(is_odd) or self._is_running():
            spread = np.broadcast_to(spread, away.shape)
            normal = decades - self._judge(rows, away, is_telling, spread, micros)
        if not self._is_daily:
            self._resolution.learn(self._values[rows], normal == decades, float(micros[0]))
        if some(size > CLIP_DECADES):
            clipped = np.minimum(np.maximum(normal, mean - CLIP_DECADES), mean + CLIP_DECADES)
            normal = np.where(known > 0, clipped, normal)
        self._learn(normal, visits)

    def _levels_at(self, visits: np.ndarray) -> FloatArray:
        """Mean, mean square deviation and rows of the levels of some visits, shape (3, visits, signals)."""
        if self._is_daily:
            return self._level
        levels: FloatArray = self._level[:, visits % _SLOTS]
        return levels

    def _day_of(self, visit: int) -> int:
        return visit if self._is_daily else visit // _SLOTS

    def _accept(self, at: float) -> None:
        """A stretch that has lasted for months is the new normal: its signals begin anew."""
        run = self._run
        if not some(run[_IS_OPEN]):
            return
        is_old = (run[_IS_OPEN] > 0) & (at - run[_SINCE] > ACCEPTED_AFTER / _MICROSECOND)
        self._level[:, :, is_old] = 0.0
        self._open[:, is_old] = 0.0
        run[:, is_old] = 0.0
        run[_FACTOR, is_old] = _NONE

    def _judge(
        self,
        rows: slice,
        away: FloatArray,
        is_telling: BoolArray,
        spread: FloatArray,
        micros: np.ndarray,
    ) -> FloatArray:
        """Follows the runs row by row; returns the decades to take off each cell before learning from it."""
        nearest = _nearest(away)
        factor, size = _DECADES[nearest], np.abs(away)
        miss = np.abs(away - factor)
        is_match = is_telling & (miss < size) & (miss <= _REACH[nearest])
        is_match &= _SIZES[nearest] >= OWN_VARIATION * spread
        if self._is_daily:  # a day's amount is too seldom to be told by its steps
            is_odd = np.zeros(away.shape, dtype=bool)
        else:
            is_odd = is_telling & (size > np.maximum(_LEAST_DECADES, STEPS_VARIATION * spread) / 2)
        taken_off, proven = np.zeros(away.shape), self._proven[rows]
        is_quiet = (~(is_match | is_odd).any(axis=1)).tolist()
        if all(is_quiet) and not self._is_running():
            return taken_off
        is_own = is_match & (np.abs(factor) >= LARGE_ALONE) & ~self._vouched[rows]
        is_closer_to = np.abs(away - _DECADES[proven]) < size / 2
        for row in range(len(away)):
            if is_quiet[row] and not self._is_running():
                continue
            agreed = _agreed(nearest[row], is_match[row], is_telling[row])
            is_news = is_match[row] | is_odd[row] | (proven[row] >= 0) | (self._run[_FACTOR] >= 0)
            for signal in np.flatnonzero(is_telling[row] & (is_news | (agreed >= 0))).tolist():
                found = int(nearest[row, signal]) if is_own[row, signal] else _NONE
                found = agreed if agreed >= 0 else found
                is_proven = proven[row, signal] >= 0 and is_closer_to[row, signal]
                found = int(proven[row, signal]) if is_proven else found
                here = float(away[row, signal]), float(spread[row, signal])
                found = self._kept(signal, found, *here)
                is_bare = found < 0 and is_odd[row, signal] and not self._vouched[rows.start + row, signal]
                if is_bare and not self._run[_IS_OPEN, signal]:
                    found = self._on_its_steps(rows.start + row, signal, *here)
                elif found != self._run[_FACTOR, signal]:
                    self._resolution.forget(signal)
                credit = 1.0 if is_proven else self._joint_credit * (agreed >= 0)
                self._step(signal, found, *here, float(micros[row]), credit=credit)
                if found >= 0:
                    self._note(rows.start + row, signal, taken_off, row)
        return taken_off

    def _on_its_steps(self, place: int, signal: int, away: float, spread: float) -> int:
        """The factor on whose steps a reading stands: that of its run, else the nearest; `_NONE` for none."""
        value, own = float(self._values[place, signal]), int(self._run[_FACTOR, signal])
        least = STEPS_VARIATION * spread
        likely = [
            (one != own, abs(away - decades), one)
            for one, decades in _SMALL
            if abs(away - decades) < abs(away) and abs(decades) >= least
        ]
        for _, _, found in sorted(likely):
            if self._resolution.fits(signal, value, 10.0 ** _DECADES[found]):
                if own not in (_NONE, found):
                    self._resolution.forget(signal)
                self._resolution.note(signal, value)
                return found
        self._resolution.forget(signal)
        return _NONE

    def _is_running(self) -> bool:
        return some(self._run[_FACTOR] >= 0)

    def _kept(self, signal: int, found: int, away: float, spread: float) -> int:
        """In a stretch, a reading nearer its factor than the usual level belongs to it."""
        own, is_open = int(self._run[_FACTOR, signal]), bool(self._run[_IS_OPEN, signal])
        if own < 0 or own == found or (not is_open and self._resolution.is_followed(signal)):
            return found
        size = abs(_DECADES[own])
        reach = size / 2 if is_open else max(LARGE_TOLERANCE * size, KEPT_DEVIATIONS * spread)
        return own if abs(away - _DECADES[own]) < min(abs(away), reach) else found

    def _step(self, signal: int, found: int, away: float, spread: float, at: float, *, credit: float) -> None:
        """One telling reading more of a signal."""
        run = self._run[:, signal]
        if found < 0:
            run[_PLAIN] += 1
            if not run[_IS_OPEN] or run[_PLAIN] >= OFF_ROWS:
                run[:] = 0.0
                run[_FACTOR] = _NONE
            return
        if run[_FACTOR] != found:
            run[:] = 0.0
            run[_FACTOR], run[_SINCE] = found, at
        run[_COUNT] += 1
        run[_SUM] += away
        run[_SQUARES] += away**2
        run[_SPREAD] += spread
        run[_PLAIN] = 0.0
        run[_CREDIT] += credit
        if not run[_IS_OPEN]:
            run[_IS_OPEN] = float(self._is_sure(run, signal))

    def _is_sure(self, run: FloatArray, signal: int) -> bool:
        """Whether a run is a unit; its factor becomes the nearest to its mean."""
        count = run[_COUNT]
        mean = run[_SUM] / count
        if self._resolution.is_followed(signal):
            own = int(run[_FACTOR])
            is_close = abs(mean - _DECADES[own]) <= LARGE_TOLERANCE * abs(_DECADES[own])
            is_long = count >= self._needed(own)
            return bool(is_long and is_close and self._resolution.is_sure(signal, 10.0 ** _DECADES[own]))
        found = int(_nearest(mean))
        if found != run[_FACTOR]:  # what spoke for another factor says nothing of this one
            run[_FACTOR], run[_CREDIT] = found, 0.0
        if _IS_LARGE[found] and run[_CREDIT] >= 1.0:
            return True
        if count > GIVEN_UP * self._needed(found):
            return False
        scatter = np.sqrt(max(run[_SQUARES] / count - mean**2, 0.0))
        is_alike = scatter <= SCATTER * run[_SPREAD] / count
        is_close = abs(mean - _DECADES[found]) <= MEAN_TOLERANCE * abs(_DECADES[found])
        is_told = abs(_DECADES[found]) >= LARGE_ALONE or run[_CREDIT] >= JOINT_CREDIT * count
        return bool(count >= self._needed(found) and is_alike and is_close and is_told)

    def _needed(self, found: int) -> float:
        return self._single_rows if abs(_DECADES[found]) >= LARGE_ALONE else self._small_rows

    def _note(self, place: int, signal: int, taken_off: FloatArray, row: int) -> None:
        """One cell of a run: it teaches nothing until the run is sure, or too long to become so."""
        run = self._run[:, signal]
        is_open, found = bool(run[_IS_OPEN]), int(run[_FACTOR])
        if not is_open and run[_COUNT] > GIVEN_UP * self._needed(found):
            return
        taken_off[row, signal] = _DECADES[found] if is_open else np.nan
        is_apparent = _IS_LARGE[found] and not self._resolution.is_followed(signal)
        if not (is_open or is_apparent):
            return
        cells = self._cells
        cells.is_changed[place, signal], cells.is_sure[place, signal] = True, is_open
        cells.factors[place, signal], cells.since[place, signal] = _DECADES[found], run[_SINCE]

    def _learn(self, decades: FloatArray, visits: np.ndarray) -> None:
        """Adds the rows to their visits and closes all but the last."""
        if visits[0] == visits[-1]:
            known = ~np.isnan(decades)
            filled = np.where(known, decades, 0.0)
            parts = filled, filled**2, known
            self._open = self._open + np.array([np.add.reduce(part, axis=0, dtype=float) for part in parts])
            self._visit = int(visits[0])
            return
        starts = np.concatenate(([0], np.flatnonzero(np.diff(visits)) + 1))
        known = ~np.isnan(decades)
        filled = np.where(known, decades, 0.0)
        sums = np.stack([np.add.reduceat(part, starts, axis=0) for part in (filled, filled**2, known * 1.0)])
        sums[:, 0] += self._open
        if len(starts) > 1:
            slots = visits[starts[:-1]] % _SLOTS
            self._level[:, slots] = _updated(self._level[:, slots], sums[:, :-1])
        self._open, self._visit = sums[:, -1].copy(), int(visits[-1])

    def _close_visit(self) -> None:
        if self._visit >= 0:
            slot = 0 if self._is_daily else self._visit % _SLOTS
            self._level[:, slot] = _updated(self._level[:, slot], self._open)
        self._open = np.zeros(self._open.shape)


def _updated(level: FloatArray, sums: FloatArray) -> FloatArray:
    """Mean, mean square deviation and rows of a level after a visit with sums of values, squares and rows."""
    total, squares, rows = sums
    n = np.maximum(rows, 1.0)
    known = np.minimum(level[_ROWS], (REMEMBERED_VISITS - 1.0) * n)
    share = rows / np.maximum(known + rows, 1.0)
    now, before = total / n, level[_MEAN]
    mean = before + share * (now - before)
    around = np.maximum(squares / n - (2 * now - mean) * mean, 0.0)
    updated = np.empty(level.shape)
    updated[_MEAN], updated[_ROWS] = mean, level[_ROWS] + rows
    updated[_SQUARE] = level[_SQUARE] + share * (around - level[_SQUARE])
    return updated


def _factor_numbers(factors: FloatArray) -> IntArray:
    """Where each factor stands in the table; `_NONE` for 0."""
    if not np.count_nonzero(factors):
        return np.full(factors.shape, _NONE)
    with np.errstate(divide="ignore"):
        decades = np.where(factors > 0, np.log10(factors), np.inf)
    numbers: IntArray = np.where(factors > 0, _nearest(decades), _NONE)
    return numbers


def _nearest(decades: FloatArray) -> IntArray:
    """The number of the factor nearest to each distance."""
    numbers: IntArray = _ASCENDING[np.searchsorted(_MIDDLES, decades)]
    return numbers


def _agreed(nearest: np.ndarray, is_match: BoolArray, is_telling: BoolArray) -> int:
    """The factor on which several signals agree; `_NONE` where they do not."""
    if np.count_nonzero(is_match) < 2:
        return _NONE
    votes = np.bincount(nearest[is_match], minlength=len(_DECADES))
    best = int(votes.argmax())
    is_majority = votes[best] >= 2 and votes[best] >= JOINT_SHARE * np.count_nonzero(is_telling)
    return best if is_majority else _NONE


def _is_leap(away: FloatArray, known: FloatArray) -> BoolArray:
    """Rows on which all signals that have been seen before moved by the same large factor, shape (rows,)."""
    if not some(np.abs(away) >= (1.0 - LARGE_TOLERANCE) * LARGE_ALONE):
        return np.zeros(len(away), dtype=bool)
    is_seen = ~np.isnan(away) & (known > 0)
    decades = np.where(is_seen, away, 0.0)
    factor = _DECADES[_nearest(decades)]
    is_large = (np.abs(factor) >= LARGE_ALONE) & (
        np.abs(decades - factor) <= LARGE_TOLERANCE * np.abs(factor)
    )
    highest = np.where(is_seen, factor, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(is_seen, factor, np.inf).min(axis=1, initial=np.inf)
    is_all = ~(is_seen & ~is_large).any(axis=1) & (highest == lowest)
    leaps: BoolArray = is_all & (is_seen.sum(axis=1) >= LEAP_SIGNALS)
    return leaps


def _told(window: Window, columns: list[int] | slice, cells: _Cells, memory: Memory) -> UnitChange:
    shape = window.values.shape
    bad = np.zeros(shape, dtype=bool)
    bad[:, columns] = cells.is_changed
    silence = np.where(cells.is_telling.any(axis=1), 0.0, np.nan)
    if not some(cells.is_sure):
        calm = _evidence(silence, nothing(shape), unknown(shape))
        return UnitChange(calm, bad, np.zeros(shape, dtype=bool), np.zeros(shape, dtype=np.int32), memory)
    sure, expected = np.zeros(shape, dtype=bool), np.full(shape, np.nan)
    sure[:, columns] = cells.is_sure
    expected[:, columns] = np.where(cells.is_sure, 10.0 ** (cells.decades - cells.factors), np.nan)
    is_sure = cells.is_sure.any(axis=1)
    since = np.where(cells.is_sure, cells.since, np.inf).min(axis=1, initial=np.inf)
    begun = np.where(is_sure, since, window.micros).astype(np.int64).view("datetime64[us]")
    evidence = _evidence(np.where(is_sure, EXCEEDANCE, silence), shares_of(sure), expected, begun)
    flags = np.where(sure, int(Quality.UNIT_CHANGE), 0).astype(np.int32)
    return UnitChange(evidence, bad, sure, flags, memory)


def _evidence(
    exceedance: FloatArray, shares: FloatArray, expected: FloatArray, since: TimeArray | None = None
) -> Evidence:
    return Evidence(
        check=UNIT_CHANGE,
        kind=IncidentKind.DATA,
        exceedance=exceedance,
        threshold=1.0,
        contributions=shares,
        expected=expected,
        since=since,
        off_delay=OFF_ROWS,
    )
