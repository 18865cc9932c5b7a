"""What the pictures of usual patterns show."""

from typing import Literal

from pydantic import Field

from sereno.settings.branch import Branch

__all__ = ["PatternSettings", "Statistic"]

Statistic = Literal["mean", "median", "std", "min", "max", "p5", "p95", "sum"]


class PatternSettings(Branch):
    """Usual patterns of a signal, with the band in which normal values lie."""

    months: int = Field(
        default=6, ge=1, le=120, description="Months before the end of the period that say what is usual."
    )
    band: float = Field(
        default=1.5, gt=0, le=10, description="Half width of the normal band [standard deviations]."
    )
    statistics: list[Statistic] = Field(
        default=["mean", "median", "std", "min", "p5", "p95", "max"],
        min_length=1,
        description="Figures shown of each signal.",
    )
