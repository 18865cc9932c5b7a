"""How long a signal may repeat its value: a coarse sensor does so every calm night, a stuck one once.

What is natural is learnt from the runs before, so that a stream and a batch find the same.
"""

import numpy as np

from sereno.domain.judgement import Memory
from sereno.domain.readings import BoolArray, FloatArray

__all__ = ["FEW_REPEATS", "REPEAT_MARGIN", "after_moves", "ends_long", "natural_runs"]

REPEAT_MARGIN = 1.5
"""A run this much longer than a natural one is not natural any more."""
FEW_REPEATS = 3.0
"""Repeats, within a run as long as the least that is suspect, up to which a signal is no coarse one."""
_N_LONGEST = 3
"""Runs of a length that a signal has shown so often are its own; a sensor is seldom stuck so often."""
_STATE = "frozen/natural"
_VALUES, _REPEATS, _LIMIT, _LONGEST = 0, 1, 2, slice(3, 3 + _N_LONGEST)


def natural_runs(
    runs: FloatArray, breaks: BoolArray, before: FloatArray, least: FloatArray, memory: Memory
) -> tuple[FloatArray, Memory]:
    """Rows of equal values in a run that are natural at each row, shape (rows, signals); `least` at least.

    Longer runs than `least` become natural once three of them have ended, of a signal that repeats itself
    often in its short runs too: what a stuck sensor repeats does not count.

    Args:
        runs: Repeats so far in the run of each row, shape (rows, signals).
        breaks: Where a run begins, shape (rows, signals).
        before: Repeats in the run before the first row, shape (signals,).
        least: Rows in a run that are always natural, shape (signals,).
        memory: What the rows before left.
    """
    state = _state(memory, runs.shape[1])
    limits = np.repeat(state[_LIMIT][None], len(runs), axis=0)
    lengths = np.vstack((before, runs))
    is_repeat = lengths[1:] > lengths[:-1]
    is_short = (is_repeat | breaks) & (lengths[1:] < least)
    ended = breaks & ends_long(lengths[:-1], least)
    for column in np.flatnonzero(ended.any(axis=0)).tolist():
        values = state[_VALUES, column] + np.cumsum(is_short[:, column])
        repeats = state[_REPEATS, column] + np.cumsum(is_short[:, column] & is_repeat[:, column])
        for row in np.flatnonzero(ended[:, column]).tolist():
            length = lengths[row, column] + 1.0
            state[_LONGEST, column] = np.sort(np.append(state[_LONGEST, column], length))[1:]
            is_coarse = repeats[row] * least[column] > FEW_REPEATS * values[row]
            state[_LIMIT, column] = REPEAT_MARGIN * state[_LONGEST, column][0] if is_coarse else 0.0
            limits[row:, column] = state[_LIMIT, column]
    state[_VALUES] += is_short.sum(axis=0)
    state[_REPEATS] += (is_short & is_repeat).sum(axis=0)
    return np.maximum(limits, least), Memory({_STATE: state})


def ends_long(repeats: FloatArray, least: FloatArray) -> BoolArray:
    """Whether a run of so many repeats is long enough to be learnt from when it ends."""
    is_long: BoolArray = repeats + 1.0 > least / REPEAT_MARGIN
    return is_long


def after_moves(memory: Memory, shape: tuple[int, ...]) -> Memory:
    """What `natural_runs` keeps after rows in which every signal moved and no long run ended."""
    n_rows, n_signals = shape
    state = _state(memory, n_signals)
    state[_VALUES] += n_rows
    return Memory({_STATE: state})


def _state(memory: Memory, n_signals: int) -> FloatArray:
    blank = np.zeros((_LONGEST.stop, n_signals))
    return memory.arrays[_STATE].copy() if _STATE in memory.arrays else blank
