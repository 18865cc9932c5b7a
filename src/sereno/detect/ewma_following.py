"""Row by row: the fast average of each signal, and the level that follows it only while the signal is calm."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["Bands", "Follower", "Following"]

Bands = Sequence[tuple[float, float]]
"""Lowest and highest of each level that a signal settles at."""
_HOLD = 1.4
"""Strangeness from which the level stands still: the fault must not become the level."""
_CALM_AGAIN = 0.5
"""Strangeness below which a signal is back, and the level follows again."""
_BACK = 0.3
"""A signal that has come back by all but this share of its farthest is over, if not where it was before."""
_WARM_ROWS = 20
"""Rows before the averages are worth a score."""
_SETTLED_ROWS = 5
"""Rows in a run within another band that make a regime: less is passing through."""
_STRETCH_ROWS = 1_000
"""Rows that are followed again, at most, because a regime began among them."""

_SEEN, _FAST, _LEVEL, _MARK, _AWAY, _SETTLED, _FIGURES = range(7)


@dataclass(frozen=True, slots=True)
class Following:
    """What following a window gives, in the unit of each signal.

    Attributes:
        gaps: Fast average minus level, shape (rows, signals); NaN where nothing was read or the averages are
            too young.
        levels: Level that each row was held against, shape (rows, signals).
        regimes: Rows after which all signals begin anew, because one came to another of its levels.
        state: What the next window goes on from, shape (signals, figures).
    """

    gaps: FloatArray
    levels: FloatArray
    regimes: tuple[int, ...]
    state: FloatArray


@dataclass(frozen=True, slots=True)
class Follower:
    """How fast the two averages follow; see `EwmaDetector`."""

    weight: float
    level_rows: int
    patience_rows: int

    def follow(
        self,
        values: FloatArray,
        limits: FloatArray,
        bounds: FloatArray,
        *,
        bands: Sequence[Bands] | None = None,
        state: FloatArray | None = None,
    ) -> Following:
        """All signals of a window, from the state that the row before left.

        Args:
            values: Shape (rows, signals); a NaN leaves its signal's state as it is.
            limits: Calm extent of the gap, shape (signals,); infinite never holds the level.
            bounds: Error from which a reading is followed at once, shape (signals,).
            bands: Levels that each signal settles at.
            state: None at the start of the history.
        """
        gaps, levels = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
        state = np.zeros((values.shape[1], _FIGURES)) if state is None else state.copy()
        settings = list(zip(limits.tolist(), bounds.tolist(), bands or [()] * len(limits), strict=True))
        regimes, start = [], 0
        while start < len(values):
            signals = [_Signal(self, *each, row.tolist()) for each, row in zip(settings, state, strict=True)]
            stop, is_regime = start + _STRETCH_ROWS, False
            for s, signal in enumerate(signals):
                n_rows = signal.follow(values[start:stop, s].tolist())
                is_regime = signal.is_regime or (is_regime and start + n_rows == stop)
                stop = min(stop, start + n_rows)
            for s, signal in enumerate(signals):
                n_rows = stop - start
                if signal.n_rows > n_rows:
                    signal = _Signal(self, *settings[s], state[s].tolist())
                    signal.follow(values[start:stop, s].tolist())
                gaps[start:stop, s], levels[start:stop, s] = signal.gaps, signal.levels
                if is_regime:
                    signal.begin_anew()
                state[s] = signal.figures
            if is_regime:
                regimes.append(stop - 1)
            start = stop
        return Following(gaps, levels, tuple(regimes), state)


class _Signal:
    """The averages of one signal. Plain floats, one after the other: the same in any cutting of the rows."""

    def __init__(
        self, follower: Follower, limit: float, bound: float, bands: Bands, figures: list[float]
    ) -> None:
        self._follower = follower
        self._limit = limit
        self._bound = bound
        self._bands = bands
        self.figures = figures
        self.gaps: list[float] = []
        self.levels: list[float] = []
        self.is_regime = False

    @property
    def n_rows(self) -> int:
        """Rows followed."""
        return len(self.gaps)

    def follow(self, column: list[float]) -> int:
        """Follow the rows up to the first in which the signal changes its regime; returns how many."""
        figures, pace = self.figures, 1.0 / self._follower.level_rows
        for value in column:
            if isnan(value):
                self._note(nan, figures[_LEVEL] if figures[_SEEN] else nan)
                continue
            self._average(value)
            gap = figures[_FAST] - figures[_LEVEL]
            is_warm = figures[_SEEN] > _WARM_ROWS
            self._note(gap if is_warm else nan, figures[_LEVEL])
            if is_warm:
                self._guard(abs(gap) / self._limit)
            if self.is_regime:
                break
            if figures[_MARK] <= 0.0:
                error = min(self._bound, max(-self._bound, value - figures[_LEVEL]))
                figures[_LEVEL] += max(pace, 1.0 / figures[_SEEN]) * error
        return self.n_rows

    def begin_anew(self) -> None:
        """The line runs otherwise now: the level is where the signal is, and is soon found."""
        figures = self.figures
        figures[_LEVEL], figures[_MARK] = figures[_FAST], 0.0
        figures[_SEEN] = min(figures[_SEEN], _WARM_ROWS + 1.0)

    def _note(self, gap: float, level: float) -> None:
        self.gaps.append(gap)
        self.levels.append(level)

    def _average(self, value: float) -> None:
        figures, weight = self.figures, self._follower.weight
        if not figures[_SEEN]:
            figures[_FAST] = figures[_LEVEL] = value
        figures[_SEEN] += 1.0
        error = value - figures[_FAST]
        if abs(error) <= self._bound:
            figures[_FAST] += max(weight, 1.0 / figures[_SEEN]) * error
        else:  # followed at once, but for the part that may be noise
            kept = (1.0 - weight) * self._bound
            figures[_FAST] = value - kept if error > 0 else value + kept

    def _guard(self, strangeness: float) -> None:
        """Whether the level may follow.

        `_MARK` is 0 while calm, the farthest while away, and on the way back minus the strangeness from which
        the signal is away once more.
        """
        figures = self.figures
        mark = figures[_MARK]
        if mark <= 0.0:
            if strangeness >= max(_HOLD, -mark):
                figures[_MARK], figures[_AWAY], figures[_SETTLED] = strangeness, 0.0, 0.0
            elif strangeness < _CALM_AGAIN:
                figures[_MARK] = 0.0
            return
        figures[_MARK] = mark = max(mark, strangeness)
        figures[_AWAY] += 1.0
        figures[_SETTLED] = figures[_SETTLED] + 1.0 if self._is_elsewhere() else 0.0
        if strangeness < _CALM_AGAIN:
            figures[_MARK] = 0.0
        elif strangeness < _BACK * mark:
            figures[_MARK] = -max(_HOLD, _BACK * mark)
        elif figures[_SETTLED] >= _SETTLED_ROWS or figures[_AWAY] >= self._follower.patience_rows:
            self.is_regime = True

    def _is_elsewhere(self) -> bool:
        """Whether the signal is at another of its levels than it was."""
        now = self._band(self.figures[_FAST])
        return now is not None and now != self._band(self.figures[_LEVEL])

    def _band(self, value: float) -> int | None:
        for i, (low, high) in enumerate(self._bands):
            if low <= value <= high:
                return i
        return None
