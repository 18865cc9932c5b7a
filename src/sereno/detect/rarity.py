"""How rare a size is among all that a stream has shown, in decades: 2 is one row in a hundred.

Counts in logarithmic bins hold the tail of any stream in a few hundred bytes, whatever its unit and shape. A
size beyond the largest seen gains one decade per octave, so what has never happened outranks what has.

Source:
    The tail probability of a prediction error as score: Ahmad, Lavin, Purdy, Agha, "Unsupervised real-time
    anomaly detection for streaming data", Neurocomputing 262, 2017, section 3.2. Theirs is of a normal
    variable over a recent window; ours is the stream's own empirical tail.
"""

from math import floor, log2, log10

import numpy as np

__all__ = ["N_BINS", "Rarity"]

N_BINS = 160
_BINS_PER_OCTAVE = 6
_MAX_COUNT = 16_384
"""Rows after which all counts are halved: what a stream did long ago fades."""


class Rarity:
    """The counts of one stream of sizes; `to_array` and back is exact, so a stream may be cut anywhere.

    The highest bin is never empty: a larger size moves the bins up, and the lowest ones merge.
    """

    __slots__ = ("_counts", "_n", "_top")

    def __init__(self, state: np.ndarray) -> None:
        self._top = int(state[0])
        self._counts: list[int] = state[1:].tolist()
        self._n: int = sum(self._counts)

    @staticmethod
    def blank() -> np.ndarray:
        """The state of a stream that has shown nothing, int32, shape (1 + bins,)."""
        return np.zeros(1 + N_BINS, dtype=np.int32)

    def to_array(self) -> np.ndarray:
        """The state: number of the highest bin, and the counts."""
        return np.array([self._top, *self._counts], dtype=np.int32)

    @property
    def n_rows(self) -> int:
        """Sizes that were counted and have not faded."""
        return self._n

    def decades(self, size: float) -> float:
        """Rarity of a positive size: -log10 of the share of rows as large, and one per octave beyond all."""
        place = log2(size) * _BINS_PER_OCTAVE
        whole = floor(place)
        index = whole - self._top + N_BINS - 1
        if index >= N_BINS:
            return log10(self._n + 1.0) + (place - self._top - 1.0) / _BINS_PER_OCTAVE
        if index < 0:
            return 0.0
        larger = sum(self._counts[index + 1 :]) + self._counts[index] * (1.0 - (place - whole))
        return log10((self._n + 1.0) / (larger + 1.0))

    def learn(self, size: float) -> None:
        """Count a positive size."""
        whole = floor(log2(size) * _BINS_PER_OCTAVE)
        if not self._n:
            self._top = whole
        elif whole > self._top:
            self._move_up(whole - self._top)
        self._counts[max(whole - self._top + N_BINS - 1, 0)] += 1
        self._n += 1
        if self._n >= _MAX_COUNT:
            self._fade()

    def _move_up(self, n_bins: int) -> None:
        kept = min(n_bins, N_BINS - 1)
        merged = sum(self._counts[: kept + 1])
        self._counts = [merged, *self._counts[kept + 1 :], *([0] * kept)]
        self._top += n_bins

    def _fade(self) -> None:
        """Halve the counts; the highest bin that still holds any becomes the top."""
        self._counts = [count // 2 for count in self._counts]
        self._n = sum(self._counts)
        n_empty = next(i for i, count in enumerate(reversed(self._counts)) if count)
        self._counts = [0] * n_empty + self._counts[: N_BINS - n_empty]
        self._top -= n_empty
