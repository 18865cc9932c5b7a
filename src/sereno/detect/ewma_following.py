"""Row by row: the fast average of each signal, and the level that follows it only while it is calm."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["Bands", "Follower", "Following"]

Bands = Sequence[tuple[float, float]]
"""Lowest and highest of each level that a signal settles at."""
_Track = tuple[float, float, Bands]
"""Limit, bound and bands of a signal."""
_HOLD = 1.4
"""Strangeness from which the level stands still: the fault must not become the level."""
_CALM_AGAIN = 0.5
"""Strangeness below which a signal is back, and the level follows again."""
_BACK = 0.3
"""A signal that has come back by all but this share of its farthest is over, if not where it was before."""
_HASTE = 0.05
"""Weight of a row in the level of a signal that is back elsewhere: it is soon found where it is now."""
_WARM_ROWS = 20
"""Rows before the averages are worth a score."""
_RUN_IN = 2
"""Time constants of the level for which a line that has begun anew runs in: its level is not held before."""
_SETTLED_ROWS = 5
"""Rows in a run within another band that make a regime: fewer are passing through."""
_STRETCH_ROWS = 1_000
"""Rows that are followed again, at most, because a regime began among them."""

_SEEN, _FAST, _LEVEL, _MARK, _AWAY, _SETTLED, _HAS_FORMER, _FORMER, _FIGURES = range(9)


@dataclass(frozen=True, slots=True)
class Following:
    """What following a window gives, in the unit of each signal.

    Attributes:
        gaps: Fast average minus level, shape (rows, signals); NaN where nothing was read, the averages are
            too young, or a signal is on its way to another of its levels.
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
        tracks = list(zip(limits.tolist(), bounds.tolist(), bands or [()] * len(limits), strict=True))
        regimes: list[int] = []
        start = 0
        while start < len(values):
            signals = self._until_regime(values[start : start + _STRETCH_ROWS], tracks, state)
            stop = start + signals[0].n_rows
            for s, signal in enumerate(signals):
                gaps[start:stop, s], levels[start:stop, s] = signal.gaps, signal.levels
                state[s] = signal.figures
            is_regime = any(signal.is_regime for signal in signals)
            gaps[start:stop][np.any([signal.passing for signal in signals], axis=0)] = np.nan
            if is_regime:
                regimes.append(stop - 1)
                state[:] = [signal.begun_anew() for signal in signals]
            start = stop
        return Following(gaps, levels, tuple(regimes), state)

    def _until_regime(
        self, values: FloatArray, tracks: Sequence[_Track], state: FloatArray
    ) -> list["_Signal"]:
        """All signals, followed up to the first row in which one changes its regime, or through all rows."""
        signals = []
        for track, figures, column in zip(tracks, state, values.T, strict=True):
            signals.append(_Signal(self, *track, figures.tolist()))
            values = values[: signals[-1].follow(column[: len(values)].tolist())]
        if all(signal.n_rows == len(values) for signal in signals):
            return signals
        return self._until_regime(values, tracks, state)


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
        self.passing: list[bool] = []
        self.is_regime = False

    @property
    def n_rows(self) -> int:
        """Rows followed."""
        return len(self.gaps)

    def follow(self, column: list[float]) -> int:
        """Follow the rows up to the first in which the signal changes its regime; returns how many."""
        start = 0
        while start < len(column) and not self.is_regime:
            start = self._follow_calm(column, start)
            if start < len(column):
                self._follow_row(column[start])
                start += 1
        return self.n_rows

    def _follow_calm(self, column: list[float], start: int) -> int:
        """As `_follow_row` for rows that nothing is to be said of; returns the first of which there may be.

        Most rows are such, and it takes a third of the time.
        """
        figures, bound, weight = self.figures, self._bound, self._follower.weight
        seen, fast, level = figures[_SEEN], figures[_FAST], figures[_LEVEL]
        if figures[_MARK] != 0.0 or seen <= max(_RUN_IN * self._follower.level_rows, 1.0 / weight):
            return start
        pace, alarming = 1.0 / self._follower.level_rows, _HOLD * self._limit
        first = start
        for value in column[start:]:
            error = value - fast
            if not -bound <= error <= bound:  # NaN too
                break
            now = fast + weight * error
            gap = now - level
            if not -alarming < gap < alarming:
                break
            fast = now
            self.gaps.append(gap)
            self.levels.append(level)
            level += pace * min(bound, max(-bound, value - level))
            start += 1
        self.passing += [False] * (start - first)
        figures[_SEEN], figures[_FAST], figures[_LEVEL] = seen + start - first, fast, level
        return start

    def _follow_row(self, value: float) -> None:
        figures = self.figures
        if isnan(value):
            self._note(nan, figures[_LEVEL] if figures[_SEEN] else nan, is_passing=False)
            return
        self._average(value)
        level = figures[_LEVEL]
        gap = figures[_FAST] - level
        is_warm = figures[_SEEN] > _WARM_ROWS
        if is_warm:
            self._guard(abs(gap) / self._limit, value)
        self._note(gap if is_warm else nan, level, is_passing=figures[_SETTLED] > 0)
        if figures[_MARK] <= 0.0:
            error = min(self._bound, max(-self._bound, value - level))
            haste = _HASTE if figures[_MARK] < 0.0 else 1.0 / figures[_SEEN]
            figures[_LEVEL] += max(1.0 / self._follower.level_rows, haste) * error

    def begun_anew(self) -> list[float]:
        """State of a signal whose line runs otherwise now; where it was is a level that it knows."""
        fresh = [0.0] * _FIGURES
        is_away = self.figures[_MARK] > 0.0
        fresh[_HAS_FORMER] = 1.0 if is_away else self.figures[_HAS_FORMER]
        fresh[_FORMER] = self.figures[_LEVEL if is_away else _FORMER]
        return fresh

    def _note(self, gap: float, level: float, *, is_passing: bool) -> None:
        self.gaps.append(gap)
        self.levels.append(level)
        self.passing.append(is_passing)

    def _average(self, value: float) -> None:
        figures, weight = self.figures, self._follower.weight
        if not figures[_SEEN]:
            figures[_FAST] = figures[_LEVEL] = value
        figures[_SEEN] += 1.0
        error = value - figures[_FAST]
        if abs(error) <= self._bound:
            figures[_FAST] += max(weight, 1.0 / figures[_SEEN]) * error
        elif figures[_MARK] > 0 and (error > 0) == (figures[_LEVEL] > figures[_FAST]):  # on its way back
            figures[_FAST] = value
        else:  # followed at once, but for the part that may be noise
            kept = (1.0 - weight) * self._bound
            figures[_FAST] = value - kept if error > 0 else value + kept

    def _guard(self, strangeness: float, value: float) -> None:
        """Whether the level may follow.

        `_MARK` is 0 while calm, the farthest while away, and on the way back minus the strangeness from which
        the signal is away once more.
        """
        figures = self.figures
        if figures[_MARK] <= 0.0:
            is_settled = figures[_SEEN] > _RUN_IN * self._follower.level_rows
            if strangeness >= max(_HOLD, -figures[_MARK]) and is_settled:
                figures[_MARK], figures[_AWAY] = strangeness, 0.0
                self._settle(value)
            elif strangeness < _CALM_AGAIN:
                figures[_MARK] = 0.0
            return
        figures[_MARK] = max(figures[_MARK], strangeness)
        figures[_AWAY] += 1.0
        self._settle(value)
        if strangeness < max(_CALM_AGAIN, _BACK * figures[_MARK]):
            self._come_back(strangeness)
        elif figures[_SETTLED] >= _SETTLED_ROWS or figures[_AWAY] >= self._follower.patience_rows:
            self.is_regime = True

    def _come_back(self, strangeness: float) -> None:
        figures = self.figures
        figures[_SETTLED] = 0.0
        if strangeness < _CALM_AGAIN:
            figures[_MARK] = 0.0
            return
        figures[_MARK] = -max(_HOLD, _BACK * figures[_MARK])

    def _settle(self, value: float) -> None:
        """Count the rows at another of the signal's levels than it was."""
        now, level = self._band(value), self.figures[_LEVEL]
        is_elsewhere = now is not None and now != self._band(level)
        is_elsewhere |= self._is_former(value) and not self._is_former(level)
        self.figures[_SETTLED] = self.figures[_SETTLED] + 1.0 if is_elsewhere else 0.0

    def _is_former(self, value: float) -> bool:
        figures = self.figures
        return bool(figures[_HAS_FORMER]) and abs(value - figures[_FORMER]) <= self._bound

    def _band(self, value: float) -> int | None:
        for i, (low, high) in enumerate(self._bands):
            if low <= value <= high:
                return i
        return None
