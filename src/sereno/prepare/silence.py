"""Signals that stop while others of the asset go on.

Only a signal that came with nearly every row is missed, and only when it is absent for longer than ever
before; both are learnt from the rows before each one, so that a stream and a batch find the same. Rows in
which nothing came at all neither lengthen an absence nor end it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sereno.domain.arrays import some
from sereno.domain.judgement import Memory
from sereno.domain.readings import BoolArray, FloatArray, Quality, TimeArray, Window

__all__ = ["Silence", "follow_silence"]

_USUAL_SHARE = 0.95
"""Of the rows, from which a signal is missed when it does not come."""
_KNOWN_ROWS = 30
"""Rows before which nobody knows what is usual."""
_LEAST_ROWS = 3
"""A column of another file may come some rows later than the others."""
_MOST_LEARNT = 2.0
"""An absence that was told is no habit: it counts as this many times what it took to tell it, at most."""
_NAMED_OTHERWISE = int(Quality.SENTINEL | Quality.BAD)
_STATE = "silence/state"
_TOTAL, _CAME, _RUN, _LONGEST, _SINCE, _LAST, _FIGURES = range(7)


@dataclass(frozen=True, slots=True)
class Silence:
    """Which signals are missed.

    Attributes:
        cells: Where a signal has been absent for longer than ever before, shape (rows, signals).
        since: Beginning of the absence that each row speaks of; of other rows their own time.
        last: Value of each signal before its absence, NaN elsewhere, shape (rows, signals).
        memory: For the next window.
    """

    cells: BoolArray
    since: TimeArray
    last: FloatArray
    memory: Memory


def follow_silence(window: Window, silent: BoolArray, delay: int, memory: Memory) -> Silence | Memory:
    """What a window says of signals that have stopped; only the memory where no signal is absent.

    Args:
        silent: Cells without a reading, shape (rows, signals).
        delay: Rows for which a signal must be missed before that is told; it is never told before three.
        memory: What the rows before left.
    """
    before = memory.arrays.get(_STATE)
    state = np.zeros((silent.shape[1], _FIGURES)) if before is None else before.copy()
    if not some(silent) and not some(state[:, _RUN] > 0):
        state[:, : _CAME + 1] += len(window)
        if len(window):
            state[:, _LAST] = window.values[-1]
        return Memory({_STATE: state})
    silent = silent & ((window.quality & _NAMED_OTHERWISE) == 0)
    heard = np.flatnonzero(~silent.all(axis=1))
    cells, since = np.zeros(silent.shape, dtype=bool), window.micros.astype(float)
    micros = since[heard]
    last = np.full(silent.shape, np.nan)
    for s in range(silent.shape[1]):
        signal = _Signal(state[s].tolist(), delay)
        for absence in signal.follow(silent[heard, s], micros, window.values[heard, s]):
            rows = heard[absence.first : absence.stop]
            cells[rows, s], last[rows, s] = True, absence.last
            since[rows] = np.minimum(since[rows], absence.since)
        state[s] = signal.figures
    return Silence(cells, since.astype(np.int64).view("datetime64[us]"), last, Memory({_STATE: state}))


class _Absence(NamedTuple):
    """Rows [first, stop) of the heard ones in which a signal is missed."""

    first: int
    stop: int
    since: float
    last: float


class _Signal:
    """One signal, absence by absence; its figures are those of a row of the state."""

    def __init__(self, figures: list[float], delay: int) -> None:
        self.figures = figures
        self._delay = delay

    def follow(self, gone: BoolArray, micros: FloatArray, values: FloatArray) -> Iterator[_Absence]:
        """Its absences that are longer than natural, of the rows in which anything came."""
        edges = np.flatnonzero(np.diff(gone)) + 1
        for first, stop in pairwise([0, *edges.tolist(), len(gone)]):
            if first == stop:
                continue
            if not gone[first]:
                self._come(stop - first, float(values[stop - 1]))
            elif self.figures[_TOTAL]:
                yield from self._stay_away(first, stop, float(micros[first]))

    def _stay_away(self, first: int, stop: int, at: float) -> Iterator[_Absence]:
        figures = self.figures
        if not figures[_RUN]:
            figures[_SINCE] = at
        begun = first + max(0, int(self._natural - figures[_RUN]))
        figures[_RUN] += stop - first
        if self._is_usual and begun < stop:
            yield _Absence(begun, stop, figures[_SINCE], figures[_LAST])

    def _come(self, n_rows: int, last: float) -> None:
        figures = self.figures
        absent = figures[_RUN]
        if self._is_usual:
            absent = min(absent, _MOST_LEARNT * (self._natural + self._delay))
        figures[_LONGEST] = max(figures[_LONGEST], absent)
        figures[_TOTAL] += absent + n_rows
        figures[_CAME] += n_rows
        figures[_RUN] = figures[_SINCE] = 0.0
        figures[_LAST] = last

    @property
    def _natural(self) -> float:
        """Rows for which it may be absent before it is missed."""
        return max(self.figures[_LONGEST], float(_LEAST_ROWS - self._delay))

    @property
    def _is_usual(self) -> bool:
        total, came = self.figures[_TOTAL], self.figures[_CAME]
        return total >= _KNOWN_ROWS and came >= _USUAL_SHARE * total
