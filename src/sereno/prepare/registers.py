"""Meter registers: the differences of cumulative readings, and what happened to the register on the way.

A difference stands at the reading that closes it. What a register normally does - its largest step, how long
it stands still, how high it has counted - is learnt from the readings before each one, so that a stream and a
batch find the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache

import numpy as np

from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import BoolArray, FloatArray, Quality, QualityArray, Window
from sereno.domain.signals import metered_name

__all__ = ["CATCH_UP", "FROZEN", "RESET", "ROLLOVER", "STEP_BACK", "ReadRegisters", "read_registers"]

ROLLOVER = "quality.register_rollover"
RESET = "quality.register_reset"
STEP_BACK = "quality.step"
FROZEN = "quality.frozen"
CATCH_UP = "quality.catch_up"
_FLAGS = {
    ROLLOVER: Quality.ROLLOVER,
    RESET: Quality.RESET,
    STEP_BACK: Quality.STEP,
    CATCH_UP: Quality.CATCH_UP,
    FROZEN: Quality.FROZEN,
}

HUGE_STEPS = 50.0
"""A step this many times the largest so far is another register, not consumption."""
MIN_MOVES = 24
"""Movements from which a register's own largest step and longest rest say something."""
NEAR_END = 0.05
"""Share of the capacity around its end within which a fall may be a roll-over."""
CATCH_UP_STEPS = 2.0
"""A step this many times the largest so far, after the longest rest so far, is what the rest kept back."""
REST_MARGIN = 3.0
"""A rest this much longer than the longest so far is not natural, whatever comes after it."""
LEAST_REST = timedelta(days=3)
LEAST_REST_STEPS = 7
"""Shorter rests are natural until a catch-up proves otherwise: three days, a week of daily readings."""
GAP = 1.5
"""Steps between two readings from which one is missing; days vary by an hour."""
DECIMALS = 6
"""Differences are rounded below the resolution of any register, against the noise of binary fractions."""
_BLOCK_ROWS = 4_096
_STATE = "register/state"
_LAST, _AT, _MOVED, _HIGH, _STEP, _REST, _MOVES, _SIZE = range(8)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = timedelta(days=1) / _MICROSECOND


@dataclass(frozen=True, slots=True)
class ReadRegisters:
    """A window whose registers have become differences.

    Attributes:
        window: Interval signals in the place of their registers.
        evidence: What happened to the registers; that of `FROZEN` is to be joined to other evidence of it.
        read: Cells with a reading, even where it gives no difference, shape (rows, signals).
        bad: Cells that are no consumption of their step, shape (rows, signals).
        flags: Quality bits of what happened, shape (rows, signals).
        memory: For the next window.
    """

    window: Window
    evidence: Sequence[Evidence]
    read: BoolArray
    bad: BoolArray
    flags: QualityArray
    memory: Memory


@lru_cache(maxsize=1_024)
def _registers_in(signals: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(i for i, name in enumerate(signals) if metered_name(name) != name)


def read_registers(window: Window, memory: Memory) -> ReadRegisters | None:
    """The window with `<signal>_register` columns turned into `<signal>`; None where it has no register.

    Where the source gives the signal itself too, its own value stays and the difference only fills its gaps.
    A difference across missing readings is no value of one step and is not judged.

    Args:
        memory: What `read_registers` of the rows before left.
    """
    columns = _registers_in(window.signals)
    if not columns:
        return None
    before = memory.arrays.get(_STATE)
    state = np.full((len(columns), _SIZE), np.nan) if before is None else before.copy()
    found = [_read(window, column, state[i]) for i, column in enumerate(columns)]
    judged, places = _as_intervals(window, columns, found)
    bad = np.zeros(judged.values.shape, dtype=bool)
    flags = np.zeros(judged.values.shape, dtype=np.int32)
    read = np.zeros(judged.values.shape, dtype=bool)
    for place, one in zip(places, found, strict=True):
        read[:, place] |= one.is_known
        bad[:, place] |= one.is_bad
        for name, flag in _FLAGS.items():
            flags[one.events[name], place] |= int(flag)
        flags[one.is_across, place] |= int(Quality.CATCH_UP)
    evidence = [_evidence(name, judged, places, found) for name in _FLAGS]
    return ReadRegisters(judged, evidence, read, bad, flags, Memory({_STATE: state}))


@dataclass(slots=True)
class _Found:
    """What one register did, row by row, shape (rows,) each.

    Attributes:
        is_across: The difference spans missing readings.
        rest: Time without movement over what is natural.
        since: Instant of the last movement [µs].
    """

    steps: FloatArray
    is_bad: BoolArray
    is_known: BoolArray
    is_across: BoolArray
    events: dict[str, BoolArray]
    rest: FloatArray
    since: FloatArray


def _read(window: Window, column: int, state: FloatArray) -> _Found:
    """The differences of one register; its state is carried on in place."""
    n_rows = len(window)
    found = _Found(
        steps=np.full(n_rows, np.nan),
        is_bad=np.zeros(n_rows, dtype=bool),
        is_known=~np.isnan(window.values[:, column]),
        is_across=np.zeros(n_rows, dtype=bool),
        events={name: np.zeros(n_rows, dtype=bool) for name in _FLAGS},
        rest=np.zeros(n_rows),
        since=np.zeros(n_rows),
    )
    known = np.flatnonzero(found.is_known)
    values = window.values[known, column]
    micros = window.micros[known].astype(float)
    step = 0.0 if window.step is None else window.step / _MICROSECOND
    least = max(LEAST_REST / _MICROSECOND, LEAST_REST_STEPS * step if step >= _DAY_US else 0.0)
    follower = _Follower(state, step or np.inf, least)
    start = 0
    while start < len(known):
        stop = min(start + _BLOCK_ROWS, len(known))
        n_done = follower.follow(found, known[start:stop], values[start:stop], micros[start:stop])
        start += n_done
    return found


class _Follower:
    """Follows one register: ordinary readings in stretches, the others one by one."""

    def __init__(self, state: FloatArray, step: float, least_rest: float) -> None:
        self._state = state
        self._step = step
        self._least_rest = least_rest

    def follow(self, found: _Found, rows: np.ndarray, values: FloatArray, micros: FloatArray) -> int:
        """Ordinary readings up to the first other one, and that one; returns how many were followed."""
        state = self._state
        if np.isnan(state[_LAST]):
            self._begin(values[0], micros[0])
            state[_STEP] = state[_REST] = state[_MOVES] = 0.0
            found.since[rows[0]] = micros[0]
            return 1
        steps = np.diff(values, prepend=state[_LAST])
        gaps = np.diff(micros, prepend=state[_AT])
        is_gap = gaps > GAP * self._step
        is_move = steps > 0
        moved = _latest(micros, is_move | is_gap, state[_MOVED])
        rest = micros - moved
        is_plain = is_move & ~is_gap
        largest = _before(np.where(is_plain, steps, 0.0), state[_STEP])
        longest = _before(np.where(is_plain, rest, 0.0), state[_REST])
        moves = _count_before(is_plain, state[_MOVES])
        limit = np.where(moves >= MIN_MOVES, np.maximum(self._least_rest, REST_MARGIN * longest), np.inf)
        is_stuck = (rest > limit) & ~is_gap
        is_huge = self._is_huge(steps, rest, largest, longest) & (moves >= MIN_MOVES)
        strange = (steps < 0) | is_gap | (is_move & (is_stuck | is_huge))
        n_plain = int(strange.argmax()) if strange.any() else len(rows)
        part = slice(0, n_plain)
        found.steps[rows[part]] = np.round(steps[part], DECIMALS)
        found.since[rows[part]] = moved[part]
        found.rest[rows[part]] = rest[part] / limit[part]
        stuck = rows[part][is_stuck[part]]
        found.events[FROZEN][stuck] = found.is_bad[stuck] = True
        if n_plain:
            last = n_plain - 1
            self._remember(values[last], micros[last])
            state[_MOVED] = micros[last] if is_move[last] else moved[last]
            state[_STEP] = max(largest[last], steps[last] if is_plain[last] else 0.0)
            state[_REST] = max(longest[last], rest[last] if is_plain[last] else 0.0)
            state[_MOVES] = moves[last] + is_plain[last]
            state[_HIGH] = max(state[_HIGH], values[part].max())
        if n_plain == len(rows):
            return n_plain
        self._single(found, int(rows[n_plain]), float(values[n_plain]), float(micros[n_plain]))
        return n_plain + 1

    def _is_huge(
        self, steps: FloatArray, rest: FloatArray, largest: FloatArray, longest: FloatArray
    ) -> BoolArray:
        """Steps that the register's own cannot explain, or that hand in what a long rest kept back."""
        n_steps = np.maximum(rest / self._step, 1.0)
        is_handed_in = (rest > longest) & (steps > CATCH_UP_STEPS * largest)
        huge: BoolArray = is_handed_in | (steps > HUGE_STEPS * largest * n_steps)
        return huge

    def _single(self, found: _Found, row: int, value: float, at: float) -> None:
        """One reading that is not ordinary: which of the events, its difference, and how to go on."""
        state = self._state
        step, rest = value - state[_LAST], at - state[_MOVED]
        n_steps = max((at - state[_AT]) / self._step, rest / self._step, 1.0)
        is_gap = at - state[_AT] > GAP * self._step
        found.since[row] = state[_AT] if is_gap else state[_MOVED]
        name, difference = self._name(step, value, rest, n_steps, is_gap=is_gap)
        found.steps[row] = np.nan if np.isnan(difference) else round(difference, DECIMALS)
        if name:
            found.events[name][row] = True
        if name == CATCH_UP:
            found.events[FROZEN][row] = True
        found.is_across[row] = is_gap and step > 0
        found.is_bad[row] = is_gap or name in (RESET, STEP_BACK, CATCH_UP)
        if name == STEP_BACK:
            state[_AT] = at
            return
        if not name and not is_gap:  # moved on as usual after a rest that was natural after all
            state[_REST], state[_MOVES] = max(state[_REST], rest), state[_MOVES] + 1
            state[_STEP] = max(state[_STEP], step)
        if name == RESET:
            self._begin(value, at)
            return
        self._remember(value, at)
        state[_MOVED], state[_HIGH] = at, max(state[_HIGH], value)

    def _name(
        self, step: float, value: float, rest: float, n_steps: float, *, is_gap: bool
    ) -> tuple[str, float]:
        """The event, empty for none, and the difference; NaN where it cannot be known."""
        state = self._state
        is_known = state[_MOVES] >= MIN_MOVES
        most = HUGE_STEPS * state[_STEP] * n_steps if is_known else np.inf
        if step >= 0:
            if step > most:
                return RESET, np.nan
            kept_back = is_known and rest > state[_REST] and step > CATCH_UP_STEPS * state[_STEP]
            return (CATCH_UP if kept_back and not is_gap else ""), step
        capacity = 10.0 ** (np.floor(np.log10(state[_HIGH])) + 1.0) if state[_HIGH] > 0 else 0.0
        around = step + capacity
        is_near = state[_LAST] >= (1.0 - NEAR_END) * capacity and value <= NEAR_END * capacity
        if capacity and value >= 0 and is_near and around <= min(most, NEAR_END * capacity):
            return ROLLOVER, around
        is_small = value >= 0.5 * state[_LAST] and -step <= max(state[_STEP], 0.0)
        return (STEP_BACK if is_small else RESET), np.nan

    def _begin(self, value: float, at: float) -> None:
        self._remember(value, at)
        self._state[_MOVED], self._state[_HIGH] = at, value

    def _remember(self, value: float, at: float) -> None:
        self._state[_LAST], self._state[_AT] = value, at


def _before(values: FloatArray, carried: float) -> FloatArray:
    """The largest value before each row, shape (rows,)."""
    largest: FloatArray = np.maximum.accumulate(np.concatenate((np.array([carried]), values)))[:-1]
    return largest


def _count_before(is_counted: BoolArray, carried: float) -> FloatArray:
    counts: FloatArray = carried + np.cumsum(is_counted, dtype=np.float64) - is_counted
    return counts


def _latest(micros: FloatArray, is_mark: BoolArray, carried: float) -> FloatArray:
    """Instant of the latest mark before each row, shape (rows,)."""
    marks: FloatArray = np.where(is_mark, micros, -np.inf)
    return _before(marks, carried)


def _as_intervals(
    window: Window, columns: Sequence[int], found: Sequence[_Found]
) -> tuple[Window, list[int]]:
    """The judged window, and the column of each register's signal in it."""
    names = tuple(dict.fromkeys(metered_name(name) for name in window.signals))
    values = np.full((len(window), len(names)), np.nan)
    quality: QualityArray = np.zeros(values.shape, dtype=np.int32)
    for column, name in enumerate(window.signals):
        if column not in columns:
            place = names.index(name)
            values[:, place], quality[:, place] = window.values[:, column], window.quality[:, column]
    places = [names.index(metered_name(window.signals[column])) for column in columns]
    for place, column, one in zip(places, columns, found, strict=True):
        empty = np.isnan(values[:, place])
        values[empty, place] = one.steps[empty]
        quality[empty, place] = window.quality[empty, column]
        one.is_bad &= empty
    return replace(window, signals=names, values=values, quality=quality), places


def _evidence(name: str, window: Window, places: Sequence[int], found: Sequence[_Found]) -> Evidence:
    """Evidence of one event; a row without any reading says nothing."""
    guilty = np.zeros(window.values.shape)
    is_known = np.any([one.is_known for one in found], axis=0)
    ratio = np.where(is_known, 0.0, np.nan)
    expected = np.full(window.values.shape, np.nan)
    since = window.micros.astype(float)
    for place, one in zip(places, found, strict=True):
        is_here = one.events[name]
        guilty[is_here, place] = 1.0
        ratio[is_here] = np.maximum(ratio[is_here], np.maximum(one.rest[is_here], 1.0))
        expected[is_here, place] = window.values[is_here, place] if name == FROZEN else np.nan
        if name in (FROZEN, CATCH_UP):
            since[is_here] = np.minimum(since[is_here], one.since[is_here])
    shares = guilty / np.maximum(guilty.sum(axis=1, keepdims=True), 1.0)
    return Evidence(
        check=name,
        kind=IncidentKind.DATA,
        exceedance=ratio,
        threshold=1.0,
        contributions=shares,
        expected=expected,
        since=since.astype(np.int64).astype("datetime64[us]"),
    )
