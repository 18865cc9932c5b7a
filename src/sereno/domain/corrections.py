"""Corrections: a value beside the raw one, with author, time and reason; the raw one never changes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["NEEDS_AMOUNT", "Correction", "CorrectionKind"]


class CorrectionKind(StrEnum):
    """What a correction says of the raw values."""

    FACTOR = "factor"
    """They are to be multiplied."""
    OFFSET = "offset"
    """Something is to be added to them."""
    MISSING = "missing"
    """They are no measurements."""
    INTERPOLATE = "interpolate"
    """The straight line between the values on both sides stands for them."""
    VALUE = "value"
    """One value, at one instant."""


NEEDS_AMOUNT = frozenset({CorrectionKind.FACTOR, CorrectionKind.OFFSET, CorrectionKind.VALUE})
"""Kinds that say how much."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody knows better than the meter.

    Attributes:
        started_at, ended_at: The stretch [start, end), UTC; equal for a single value.
        amount: Factor, offset or value in the signal's unit; None where the kind has none.
        author: Who made it.
        at: When it was made.
        undone_at: When it was taken back; None while it is in force.
    """

    id: str
    asset_id: int
    signal: str
    kind: CorrectionKind
    started_at: datetime
    ended_at: datetime
    amount: float | None
    author: str
    reason: str
    at: datetime
    undone_at: datetime | None = None
    undone_by: str | None = None
    undone_reason: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it is in force."""
        return self.undone_at is None
