"""What is usual for a week of the year: the weeks nearest to it in season, and a line through them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sereno.domain.readings import FloatArray

__all__ = ["Pool", "Season", "anomaly", "nearest"]

IntArray = npt.NDArray[np.int64]
_YEAR_WEEKS = 365.2425 / 7
_INDEPENDENT_WEEKS = 2
"""From here on weeks share no spell of weather; those that touch do, and lie closer together than others."""
_LEAST = 3
"""Weeks that a line through a season needs."""


class Pool:
    """Weeks that others are compared with.

    A week may be compared with weeks on both sides of it in the season, or, while there is less than a year,
    only with earlier ones. A replay is made as a new week is: with the same gap before it where there are
    only earlier ones.

    Attributes:
        weeks: Their numbers, ascending.
    """

    def __init__(self, weeks: IntArray) -> None:
        self.weeks = weeks

    def gap(self, week: int, count: int) -> int:
        """Weeks since the last one of the pool where the nearest in season are all earlier, otherwise 0."""
        near, offsets = nearest(week, self.weeks, count)
        is_recent = len(near) > 0 and bool((offsets < 0).all()) and week > int(self.weeks.max())
        return week - int(self.weeks.max()) if is_recent else 0

    def apart(self, week: int, count: int) -> int:
        """Weeks to the closest of those nearest in season, at most so many as share no weather with it."""
        near, _ = nearest(week, self.weeks, count)
        return min(int(np.abs(near - week).min(initial=_INDEPENDENT_WEEKS)), _INDEPENDENT_WEEKS)

    def replays(self, gap: int, count: int, apart: int = 1) -> list[tuple[int, IntArray]]:
        """Weeks of the pool, and what each is compared with in a replay.

        One at the edge of the pool has its season on one side only, and says nothing of weeks that have it
        on both.

        Args:
            apart: Weeks that lie between it and the others, where it is compared with both sides.
        """
        found = []
        for week in self.weeks.tolist():
            others = self.weeks[self.weeks <= week - gap if gap else np.abs(self.weeks - week) >= apart]
            _, offsets = nearest(week, others, count)
            if gap or (len(offsets) and offsets.min() < 0.0 < offsets.max()):
                found.append((week, others))
        return found

    def runs(self, judged: IntArray, count: int) -> list[tuple[IntArray, IntArray]]:
        """Stretches of the pool as long as the judged one, and what each is compared with as a whole.

        None where judged weeks have weeks of the pool between them or after them. Weeks that follow one
        another are compared with the same ones, and share what those say wrongly.
        """
        follows = len(judged) > 1 and int(judged[-1] - judged[0]) == len(judged) - 1
        if not follows or not len(self.weeks) or judged[0] < self.weeks.max():
            return []
        found = []
        for start in self.weeks.tolist():
            run = np.arange(start, start + len(judged))
            if np.isin(run, self.weeks).all():
                apart = self.apart(int(judged[-1]), count)
                is_beside = (self.weeks > start - apart) & (self.weeks < run[-1] + apart)
                is_other = self.weeks < start if self.gap(int(judged[0]), count) else ~is_beside
                found.append((run, self.weeks[is_other]))
        return found


def nearest(week: int, weeks: IntArray, count: int) -> tuple[IntArray, FloatArray]:
    """The weeks nearest in season, the later ones first among equals, and how far off each is [weeks].

    Example:
        >>> nearest(60, np.array([2, 7, 8, 30]), 2)
        (array([8, 7]), array([ 0.1775, -0.8225]))
    """
    apart = (weeks - week).astype(float)
    offsets = apart - np.round(apart / _YEAR_WEEKS) * _YEAR_WEEKS
    order = np.lexsort((-weeks, np.abs(offsets)))[:count]
    return weeks[order], offsets[order]


def anomaly(value: FloatArray, week: int, values: FloatArray, weeks: IntArray, count: int) -> FloatArray:
    """A week's values less those of a line through the nearest weeks, shape (columns,); NaN without three.

    Args:
        value: Of the week, shape (columns,).
        values: Of `weeks`, shape (weeks, columns).
    """
    found = np.full(len(value), np.nan)
    for column in range(len(value)):
        known = ~np.isnan(values[:, column])
        near, offsets = nearest(week, weeks[known], count)
        if len(near) >= _LEAST:
            rows = np.searchsorted(weeks, near)
            centre = offsets - offsets.mean()
            spread = float(centre @ centre)
            y = values[rows, column]
            slope = float(centre @ y) / spread if spread else 0.0
            found[column] = value[column] - (y.mean() - slope * offsets.mean())
    return found


@dataclass(frozen=True, slots=True)
class Season:
    """How far weeks lie from a line through their season.

    Attributes:
        values: Of all weeks, shape (weeks,); NaN where unknown.
        count: Weeks that a season is told by.
    """

    values: FloatArray
    count: int

    def usual(self, replays: Sequence[tuple[int, IntArray]]) -> float:
        """Mean square over all replays; see `Pool.replays`."""
        parts = [self._squares(week, others) for week, others in replays]
        return sum(squares for squares, _ in parts) / max(1, sum(freedom for _, freedom in parts))

    def spread(self, week: int, others: IntArray, usual: float, shrinkage: float) -> float:
        """Standard deviation around the line of a week's season, drawn towards the usual mean square.

        Args:
            shrinkage: Weeks that the usual one counts as.
        """
        squares, freedom = self._squares(week, others)
        return float(np.sqrt((squares + shrinkage * usual) / (freedom + shrinkage)))

    def _squares(self, week: int, others: IntArray) -> tuple[float, int]:
        """Sum of squares around the line through the weeks nearest to one, and degrees of freedom."""
        known = others[~np.isnan(self.values[others])]
        near, offsets = nearest(week, known, self.count)
        if len(near) < _LEAST:
            return 0.0, 0
        apart = self.values[near] - self.values[near].mean()
        centre = offsets - offsets.mean()
        spread = float(centre @ centre)
        explained = float(centre @ apart) ** 2 / spread if spread else 0.0
        return max(0.0, float(apart @ apart) - explained), len(near) - 2
