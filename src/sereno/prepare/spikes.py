"""Single values far beyond anything the signal has shown: the meter's word, not the plant's."""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

import numpy as np

from sereno.domain.arrays import some
from sereno.domain.judgement import Memory
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.grid import forward_filled
from sereno.prepare.witness import nothing, unknown

__all__ = ["Spikes", "find_spikes"]

_STATE = "spikes"

FACTOR = 5.0
"""A value this many times beyond the largest so far is no plant's, once half a year has been seen."""
EARLY_FACTOR = 10.0
"""The same while less is known of the signal."""
LONGEST = 2
"""Values in a row that may be a spike; what lasts longer is a new level, for others to judge."""
_NINES = tuple(10.0**digits - 1 for digits in range(3, 11))
_WORDS = (
    *(32_767.0, 32_768.0, 65_534.0, 65_535.0),
    *(2_147_483_647.0, 2_147_483_648.0, 4_294_967_294.0, 4_294_967_295.0),
)
CODES = np.array((*_NINES, *_WORDS))
"""What meters and gateways send for "no value": nines, and the ends of words of 16 and 32 bits."""
_LEAST_ROWS = 30.0
_LEAST_SPAN = timedelta(days=14) / timedelta(microseconds=1)
_HALF_YEAR = timedelta(days=180) / timedelta(microseconds=1)


_PEAK, _ROWS, _SINCE, _LAST, _RUN, _BEGUN = range(6)
_BLANK = (0.0, 0.0, np.inf, np.nan, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Spikes:
    """What the sizes of the values say; arrays of shape (rows, signals).

    Attributes:
        beyond: Size over the limit where a cell is a spike or a code, else 0.
        codes: Cells that are as far away and read what instruments send for "no value": never a level.
        expected: What a spike or a new level should have been at most; NaN elsewhere.
        steps: Cells in which values as far away as spikes have lasted: a new level.
        begun: When the values of such a cell began [µs]; 0 elsewhere.
        sound: The values of ratio-scaled signals that are no spike, 0 elsewhere.
        largest: Of them before the window, shape (signals,).
        memory: For the next window.
    """

    beyond: FloatArray
    codes: BoolArray
    expected: FloatArray
    steps: BoolArray
    begun: FloatArray
    sound: FloatArray
    largest: FloatArray
    memory: Memory

    @property
    def usual(self) -> FloatArray:
        """Largest value before each row of ratio-scaled signals, 0 for others, shape (rows, signals)."""
        return np.maximum.accumulate(np.vstack((self.largest, self.sound)), axis=0)[:-1]


def find_spikes(
    window: Window, profile: Profile, vouched: BoolArray, suspected: BoolArray, memory: Memory
) -> Spikes:
    """Single values far beyond what their signal has shown.

    The size of an energy, a volume or another ratio-scaled value is the value itself, compared with the
    largest so far; of others it is the distance from the value before. A signal is only judged after two
    weeks and 30 values. After `LONGEST` values in a row the next one counts as a new level.

    Args:
        vouched: Cells that other meters confirm, shape (rows, signals): whatever their size, no spikes.
        suspected: Cells that may be in another unit, shape (rows, signals): nothing is learnt from them.
    """
    is_infinite = np.isinf(window.values)
    values = np.where(is_infinite, np.nan, window.values) if some(is_infinite) else window.values
    states = _states(memory, len(window.signals))
    is_ratio = _are_ratio_scaled(window.signals, profile)
    largest = np.where(is_ratio, states[:, _PEAK], 0.0)
    micros = window.micros.astype(float)
    beyond, expected = np.zeros(values.shape), unknown(values.shape)
    steps, begun = np.zeros(values.shape, dtype=bool), nothing(values.shape)
    slow = np.flatnonzero(_pass_over(values, micros, is_ratio, vouched, suspected, states)).tolist()
    is_code = np.isin(np.abs(values), CODES) if slow else steps
    if slow:
        expected, begun = expected.copy(), begun.copy()
    for column in slow:
        scan = _Scan(states[column], is_ratio=bool(is_ratio[column]))
        for row in np.flatnonzero(~np.isnan(values[:, column])).tolist():
            cell = row, column
            usual = scan.usual
            beyond[cell] = scan.judge(
                values[cell],
                micros[row],
                is_vouched=vouched[cell],
                is_suspected=suspected[cell],
                is_code=is_code[cell],
            )
            steps[cell], begun[cell] = scan.has_stepped, scan.begun * scan.has_stepped
            expected[cell] = usual if beyond[cell] or scan.has_stepped else np.nan
        states[column] = scan.state
    codes = is_code & (beyond > 0)
    sound = np.where((beyond > 0) | np.isnan(values) | suspected | ~is_ratio, 0.0, values)
    return Spikes(beyond, codes, expected, steps, begun, sound, largest, Memory({_STATE: states}))


@lru_cache(maxsize=1_024)
def _are_ratio_scaled(signals: tuple[str, ...], profile: Profile) -> BoolArray:
    return np.array([profile.signal(name).is_ratio_scaled for name in signals], dtype=bool)


def _pass_over(
    values: FloatArray,
    micros: FloatArray,
    is_ratio: BoolArray,
    vouched: BoolArray,
    suspected: BoolArray,
    states: FloatArray,
) -> BoolArray:
    """Which signals must be followed row by row; the others hold no spike and go into `states` at once."""
    last = forward_filled(values, states[:, _LAST])
    sizes = np.fmax(np.where(is_ratio, values, np.abs(values - last[:-1])), 0.0)
    peak, top = states[:, _PEAK], np.maximum.reduce(sizes, axis=0, initial=0.0)
    is_slow: BoolArray = states[:, _RUN] > 0
    if some(suspected):
        is_slow |= suspected.any(axis=0)
    if some(top > FACTOR * peak):
        peaks = np.maximum.accumulate(np.vstack((peak, sizes)), axis=0)[:-1]
        is_slow |= ((sizes > FACTOR * peaks) & (peaks > 0) & ~vouched).any(axis=0)
    seen = sizes > 0
    fast = ~is_slow if some(is_slow) else slice(None)
    states[fast, _PEAK] = np.maximum(peak, top)[fast]
    states[fast, _LAST] = last[-1, fast]
    states[fast, _ROWS] += np.add.reduce(seen, axis=0, dtype=float)[fast]
    if some(np.isinf(states[:, _SINCE])) and len(micros):
        firsts = np.where(seen.any(axis=0), micros[seen.argmax(axis=0)], np.inf)
        states[fast, _SINCE] = np.minimum(states[fast, _SINCE], firsts[fast])
    return is_slow


class _Scan:
    """One signal in time order: largest size, sizes seen, since when [µs], last good value, run of spikes.

    Attributes:
        has_stepped: Whether the row judged last confirmed a new level.
    """

    def __init__(self, state: FloatArray, *, is_ratio: bool) -> None:
        self.state = state.tolist()
        self._is_ratio = is_ratio
        self.has_stepped = False

    @property
    def usual(self) -> float:
        """What the next value is compared with: the largest so far, or the one before."""
        return float(self.state[_PEAK if self._is_ratio else _LAST])

    @property
    def begun(self) -> float:
        """When the run of spikes began [µs]."""
        return float(self.state[_BEGUN])

    def judge(self, value: float, at: float, *, is_vouched: bool, is_suspected: bool, is_code: bool) -> float:
        """How far a value is beyond the limit, 0 where it is no spike."""
        state = self.state
        size = value if self._is_ratio else abs(value - state[_LAST])
        limit = self._limit(at)
        is_beyond = size > limit and not is_vouched
        if is_beyond and is_code:
            self.has_stepped = False
            return float(size / limit)
        self.has_stepped = is_beyond and not is_suspected and state[_RUN] >= LONGEST
        if is_beyond and state[_RUN] < LONGEST:
            state[_BEGUN] = state[_BEGUN] if state[_RUN] else at
            state[_RUN] += 1
            return float(size / limit)
        if is_suspected:
            return 0.0
        state[_RUN], state[_LAST] = 0.0, value
        if size > 0:
            state[_PEAK] = max(state[_PEAK], size)
            state[_ROWS] += 1
            state[_SINCE] = min(state[_SINCE], at)
        return 0.0

    def _limit(self, at: float) -> float:
        span = at - self.state[_SINCE]
        if self.state[_ROWS] < _LEAST_ROWS or not span >= _LEAST_SPAN:
            return np.inf
        return float(self.state[_PEAK]) * (FACTOR if span >= _HALF_YEAR else EARLY_FACTOR)


def _states(memory: Memory, n_signals: int) -> FloatArray:
    states = memory.arrays.get(_STATE)
    if states is not None and len(states) == n_signals:
        return np.array(states)
    return np.tile(_BLANK, (n_signals, 1))
