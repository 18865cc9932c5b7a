"""Thresholds that people moved by their verdicts: beside the model, and taken back when they say so."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Adjustment"]


@dataclass(frozen=True, slots=True)
class Adjustment:
    """The threshold of one check of one asset, multiplied.

    Attributes:
        check: As of a detection, e.g. `behaviour` or `physics.night_flow`.
        factor: What multiplies it; several in force multiply one another.
        incident_id: Whose verdict moved it.
    """

    id: str
    asset_id: int
    check: str
    factor: float
    incident_id: str
    author: str
    at: datetime
    undone_at: datetime | None = None
    undone_by: str | None = None
