"""Counts of rows: said abnormal or not, so or not; and the figures that follow."""

from dataclasses import dataclass

import numpy as np

from sereno.domain.readings import BoolArray

__all__ = ["Confusion"]


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many rows were said to be abnormal, and how many were.

    A figure is NaN where nothing could be counted: no abnormal row has no recall.
    """

    tp: int = 0
    fp: int = 0
    tn: int = 0
    fn: int = 0

    @classmethod
    def of(cls, said: BoolArray, true: BoolArray) -> "Confusion":
        """Counts of rows, shape (rows,) both."""
        tp = int(np.count_nonzero(said & true))
        fp = int(np.count_nonzero(said)) - tp
        fn = int(np.count_nonzero(true)) - tp
        return cls(tp, fp, len(said) - tp - fp - fn, fn)

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(self.tp + other.tp, self.fp + other.fp, self.tn + other.tn, self.fn + other.fn)

    @property
    def n_rows(self) -> int:
        """All rows."""
        return self.tp + self.fp + self.tn + self.fn

    @property
    def precision(self) -> float:
        """Share of the rows said abnormal that were."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """Share of the abnormal rows that were said so."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def false_positive_rate(self) -> float:
        """Share of the normal rows that were said to be abnormal."""
        return _share(self.fp, self.fp + self.tn)

    @property
    def specificity(self) -> float:
        """Share of the normal rows that were left alone."""
        return _share(self.tn, self.fp + self.tn)

    @property
    def accuracy(self) -> float:
        """Share of all rows of which the right thing was said."""
        return _share(self.tp + self.tn, self.n_rows)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
