"""Evidence of checks that point at cells and know no degree."""

from functools import lru_cache

import numpy as np

from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window

__all__ = ["EXCEEDANCE", "Witness", "nothing", "shares_of", "unknown"]

EXCEEDANCE = 2.0
"""Of a check that knows no degree."""


@lru_cache(maxsize=256)
def unknown(shape: tuple[int, ...]) -> FloatArray:
    """An array of NaN that many may share: it cannot be written to."""
    return _shared(np.full(shape, np.nan))


@lru_cache(maxsize=256)
def nothing(shape: tuple[int, ...]) -> FloatArray:
    """An array of zeros that many may share."""
    return _shared(np.zeros(shape))


def shares_of(cells: BoolArray | FloatArray) -> FloatArray:
    """The share of each signal in the weight of its row, rows sum to 1 or to 0."""
    total = cells.sum(axis=1, keepdims=True, dtype=float)
    shares: FloatArray = np.divide(cells, total, out=np.zeros(cells.shape), where=total > 0)
    return shares


def _shared(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array


class Witness:
    """Speaks for one window.

    Attributes:
        absent: Rows without any value, shape (rows,).
        silent: Cells for which nothing was read, shape (rows, signals).
    """

    def __init__(self, window: Window, memory: Memory, *, read: BoolArray | None = None) -> None:
        """As the memory of the rows before has it.

        Args:
            read: Cells with a reading of which no value could be made, shape (rows, signals).
        """
        self._memory = memory
        self._shape = window.values.shape
        is_unknown = np.isnan(window.values)
        self.absent: BoolArray = np.asarray(is_unknown.all(axis=1))
        self.silent: BoolArray = is_unknown if read is None else is_unknown & ~read
        self._calm = np.where(self.absent, np.nan, 0.0)

    def hears(
        self,
        check: str,
        cells: BoolArray | FloatArray,
        *,
        expected: FloatArray | None = None,
        since: TimeArray | None = None,
        on_delay: int = 1,
        off_delay: int = 1,
    ) -> list[Evidence]:
        """As `says`, but nothing at all where nothing is guilty and no episode is under way."""
        if not np.count_nonzero(cells) and f"episode/{check}" not in self._memory.arrays:
            return []
        delays = {"on_delay": on_delay, "off_delay": off_delay}
        return [self.says(check, cells, expected=expected, since=since, **delays)]

    def says(
        self,
        check: str,
        cells: BoolArray | FloatArray,
        *,
        expected: FloatArray | None = None,
        since: TimeArray | None = None,
        on_delay: int = 1,
        off_delay: int = 1,
    ) -> Evidence:
        """The evidence of a check; rows without any value say nothing.

        Args:
            cells: The guilty cells, or their weights, shape (rows, signals).
            expected: See `Evidence`; no opinion when None.
        """
        exceedance, shares = self._calm, nothing(self._shape)
        if np.count_nonzero(cells):
            shares = shares_of(cells)
            exceedance = np.where(shares.any(axis=1), EXCEEDANCE, self._calm)
        return Evidence(
            check=check,
            kind=IncidentKind.DATA,
            exceedance=exceedance,
            threshold=1.0,
            contributions=shares,
            expected=unknown(self._shape) if expected is None else expected,
            since=since,
            on_delay=on_delay,
            off_delay=off_delay,
        )
