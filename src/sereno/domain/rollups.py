"""Figures of the hours and days of a signal: for long charts, and to stay where old readings go.

They are beside the readings, never in place of one: nothing that judges or learns reads them.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sereno.domain.readings import FloatArray, Quality, TimeArray

__all__ = ["FIGURES", "UNFIT", "RollUp", "Span"]

UNFIT = (
    Quality.BAD
    | Quality.SENTINEL
    | Quality.OUT_OF_RANGE
    | Quality.FROZEN
    | Quality.SPIKE
    | Quality.UNIT_CHANGE
)
"""Values that say nothing of the thing itself: they are counted, and are in no figure."""

FIGURES = ("total", "low", "high", "last")


class Span(StrEnum):
    """What figures are of: an hour, or a day of the site's calendar, which may have 23 or 25 hours."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class RollUp:
    """Figures of one signal, in its unit; NaN where no value was fit.

    Attributes:
        start: First instant of each span with a value, UTC, ascending, shape (spans,).
        n_values: Values of the span; n_bad of them are unfit.
        total: Sum of the fit ones: what an `interval` signal asks for. Over their number it is the mean.
        last: The last fit one: what a register asks for.
    """

    start: TimeArray
    n_values: np.ndarray
    n_bad: np.ndarray
    total: FloatArray
    low: FloatArray
    high: FloatArray
    last: FloatArray

    def __len__(self) -> int:
        return len(self.start)
