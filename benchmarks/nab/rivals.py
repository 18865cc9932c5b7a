"""What ours must be better than: detectors that look at nothing or little, and a published simple one."""

from math import erfc

import numpy as np

from benchmarks.nab.corpus import Stream

__all__ = ["always_on", "clock", "nothing", "perfect", "random", "windowed_gaussian"]

_CLOCK_ROWS = 500
_WINDOW_ROWS = 6_400
_STEP_ROWS = 100
_LEAST_DEVIATION = 1e-6
_ROOT_TWO = 1.4142
"""As the published detector rounds it: its highest scores differ in the last digits, and so its ranks."""


def nothing(stream: Stream) -> np.ndarray:
    """Never an alarm."""
    return np.full(len(stream.values), np.nan)


def perfect(stream: Stream) -> np.ndarray:
    """The first row of each labelled window: it knows the labels."""
    scores = np.full(len(stream.values), np.nan)
    scores[[first for first, _ in stream.windows]] = 1.0
    return scores


def always_on(stream: Stream) -> np.ndarray:
    """Every row is an alarm."""
    return np.ones(len(stream.values))


def clock(stream: Stream) -> np.ndarray:
    """An alarm every so many rows."""
    return np.where(np.arange(len(stream.values)) % _CLOCK_ROWS == 0, 1.0, np.nan)


def random(stream: Stream, seed: int) -> np.ndarray:
    """Uniform scores."""
    return np.random.default_rng([seed, *stream.name.encode()]).random(len(stream.values))


def windowed_gaussian(stream: Stream) -> np.ndarray:
    """One minus the upper tail of a normal variable with the moments of a window of the past.

    Source:
        The benchmark's own `windowedGaussian`: a window of 6,400 rows that moves by 100, every row of a
        younger stream, both tails folded onto the upper one.
    """
    window, waiting = np.empty(0), []
    mean, deviation = 0.0, 1.0
    scores = np.zeros(len(stream.values))
    for row, value in enumerate(stream.values.tolist()):
        if len(window):
            scores[row] = 1.0 - 0.5 * erfc(abs(value - mean) / deviation / _ROOT_TWO)
        waiting.append(value)
        is_young = len(window) < _WINDOW_ROWS
        if is_young or len(waiting) == _STEP_ROWS:
            kept = window if is_young else window[_STEP_ROWS:]
            window, waiting = np.concatenate([kept, waiting]), []
            mean, deviation = float(window.mean()), float(window.std()) or _LEAST_DEVIATION
    return scores
