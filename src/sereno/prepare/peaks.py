"""The highest value so far, slowly forgotten: the size of a plant or a machine, learnt as rows come."""

from datetime import timedelta

import numpy as np

from sereno.domain.arrays import micros_of
from sereno.domain.judgement import Memory
from sereno.domain.readings import FloatArray, TimeArray

__all__ = ["PEAK_MEMORY", "forgotten_peaks"]

PEAK_MEMORY = timedelta(days=60)
"""Time in which a peak is forgotten to a third: longer than bad weather, shorter than a season."""
_MICROSECOND = timedelta(microseconds=1)


def forgotten_peaks(
    time: TimeArray, values: FloatArray, memory: Memory, name: str
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """The highest value up to each row, its own included; 0 before any positive one, shape (rows,).

    Args:
        time: UTC instants of the rows.
        values: Shape (rows,); NaN says nothing.
        memory: What the rows before left under `name`.

    Returns:
        The peaks, and what to keep in the memory under `name`.
    """
    before = float(memory.arrays[name][0]) if name in memory.arrays else -np.inf
    ages: FloatArray = micros_of(time) / (PEAK_MEMORY / _MICROSECOND)
    known = values > 0
    logs = np.full(len(time), -np.inf)
    # With each row's age added, the logarithm of a forgotten peak never falls.
    logs[known] = np.log(values[known]) + ages[known]
    logs = np.maximum(np.maximum.accumulate(logs), before)
    return np.exp(logs - ages), {name: logs[-1:] if len(time) else np.array([before])}
