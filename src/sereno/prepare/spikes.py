"""Single values far beyond anything the signal has shown: the meter's word, not the plant's."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sereno.domain.judgement import Memory
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import Profile

__all__ = ["Spikes", "find_spikes"]

_STATE = "spikes"

FACTOR = 5.0
"""A value this many times beyond the largest so far is no plant's, once half a year has been seen."""
EARLY_FACTOR = 10.0
"""The same while less is known of the signal."""
LONGEST = 2
"""Values in a row that may be a spike; what lasts longer is a new level, for others to judge."""
_LEAST_ROWS = 30.0
_LEAST_SPAN = timedelta(days=14) / timedelta(microseconds=1)
_HALF_YEAR = timedelta(days=180) / timedelta(microseconds=1)

_FEW_ROWS = 8
"""Up to so many rows one after the other is faster than arrays."""

_PEAK, _ROWS, _SINCE, _LAST, _RUN = range(5)
_BLANK = (0.0, 0.0, np.inf, np.nan, 0.0)


@dataclass(frozen=True, slots=True)
class Spikes:
    """What the sizes of the values say; arrays of shape (rows, signals).

    Attributes:
        beyond: Size over the limit where a cell is a spike, else 0.
        expected: What a spike should have been at most; NaN elsewhere.
        usual: Largest value before each row of ratio-scaled signals, 0 for others.
        memory: For the next window.
    """

    beyond: FloatArray
    expected: FloatArray
    usual: FloatArray
    memory: Memory


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
    values = np.where(np.isfinite(window.values), window.values, np.nan)
    micros = window.time.astype("datetime64[us]").astype(np.int64).astype(float)
    states = _states(memory, len(window.signals))
    beyond, expected = np.zeros(values.shape), np.full(values.shape, np.nan)
    is_ratio = np.array([profile.signal(name).is_ratio_scaled for name in window.signals])
    before = np.where(is_ratio, states[:, _PEAK], 0.0)
    for column in range(len(window.signals)):
        scan = _Scan(states[column], is_ratio=bool(is_ratio[column]))
        known = np.flatnonzero(~np.isnan(values[:, column]))
        is_long = len(known) > _FEW_ROWS
        doubts = vouched[known, column], suspected[known, column]
        start = scan.pass_over(values[known, column], micros[known], *doubts) if is_long else 0
        for row in known[start:].tolist():
            cell = row, column
            beyond[cell], expected[cell] = scan.judge(
                values[cell], micros[row], is_vouched=vouched[cell], is_suspected=suspected[cell]
            )
        states[column] = scan.state
    sound = np.where((beyond > 0) | np.isnan(values) | suspected | ~is_ratio, 0.0, values)
    usual = np.maximum.accumulate(np.vstack((before, sound)), axis=0)[:-1]
    return Spikes(beyond, expected, usual, Memory({_STATE: states}))


class _Scan:
    """One signal in time order: largest size, sizes seen, since when [µs], last good value, run of spikes."""

    def __init__(self, state: FloatArray, *, is_ratio: bool) -> None:
        self.state = state.tolist()
        self._is_ratio = is_ratio

    def judge(self, value: float, at: float, *, is_vouched: bool, is_suspected: bool) -> tuple[float, float]:
        """How far a value is beyond the limit, 0 where it is no spike, and the most it should have been."""
        state = self.state
        size = value if self._is_ratio else abs(value - state[_LAST])
        limit = self._limit(at)
        if size > limit and not is_vouched and state[_RUN] < LONGEST:
            state[_RUN] += 1
            return size / limit, state[_PEAK if self._is_ratio else _LAST]
        if is_suspected:
            return 0.0, np.nan
        state[_RUN], state[_LAST] = 0.0, value
        if size > 0:
            state[_PEAK] = max(state[_PEAK], size)
            state[_ROWS] += 1
            state[_SINCE] = min(state[_SINCE], at)
        return 0.0, np.nan

    def pass_over(
        self, values: FloatArray, micros: FloatArray, vouched: BoolArray, suspected: BoolArray
    ) -> int:
        """Rows at the start of which none can be a spike, taken into the state at once."""
        state = self.state
        if not len(values) or state[_RUN]:
            return 0
        sizes = values if self._is_ratio else np.abs(np.diff(values, prepend=state[_LAST]))
        sizes = np.where(np.isnan(sizes), 0.0, sizes)
        peaks = np.maximum.accumulate(np.concatenate(([state[_PEAK]], sizes)))
        is_beyond = (sizes > FACTOR * peaks[:-1]) & (peaks[:-1] > 0) & ~vouched
        beyond = np.flatnonzero(is_beyond | suspected)
        stop = int(beyond[0]) if len(beyond) else len(values)
        seen = sizes[:stop] > 0
        if stop:
            state[_LAST], state[_PEAK] = float(values[stop - 1]), float(peaks[stop])
        if seen.any():
            state[_ROWS] += int(seen.sum())
            state[_SINCE] = min(state[_SINCE], float(micros[:stop][seen][0]))
        return stop

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
