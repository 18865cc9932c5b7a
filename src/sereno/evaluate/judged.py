"""What one asset's rows were said to be, and what they were: the input of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from sereno.domain.readings import BoolArray, TimeArray

__all__ = ["Event", "JudgedAsset"]


@dataclass(frozen=True, slots=True)
class Event:
    """An abnormal stretch of an asset: rows [first, stop)."""

    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class JudgedAsset:
    """The rows of an asset on its grid.

    Attributes:
        step: Length of a row; None where the source has no rhythm.
        time: UTC starts, shape (rows,).
        local_hour: Hour of the day by the clock of the site, shape (rows,).
        is_read: Rows with a reading, shape (rows,); the others can be in an event and are no false alarm.
        is_said: Rows of which an alarm spoke when they were judged, shape (rows,). A row that became part of
            an anomaly only later, when more rows had come, does not count: nobody was told in time.
        named: Rows in which the alarm named a variable, by variable, shape (rows,) each.
        level: Criticality said, int8, shape (rows,).
        is_true: Rows that were abnormal, shape (rows,).
        affected: Rows in which a variable was, by variable, shape (rows,) each.
        true_level: Criticality of the truth, int8, shape (rows,); -1 where it says none.
        events: Abnormal stretches, each once.
    """

    name: str
    step: timedelta | None
    time: TimeArray
    local_hour: npt.NDArray[np.int64]
    is_read: BoolArray
    is_said: BoolArray
    named: Mapping[str, BoolArray]
    level: npt.NDArray[np.int8]
    is_true: BoolArray
    affected: Mapping[str, BoolArray]
    true_level: npt.NDArray[np.int8]
    events: Sequence[Event]
