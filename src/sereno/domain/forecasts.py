"""Forecasts: quantiles and steps ahead, made at an origin from what was known at a cut-off."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np

from sereno.domain.readings import FloatArray, TimeArray
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy, isoformat

__all__ = ["QUANTILES", "Forecast", "Tier", "quantile_name"]

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Levels that every forecast holds: the bands of 90, 80 and 50 % and the median."""
_BAND = (0.05, 0.95)
_MEDIAN = 0.5


class Tier(StrEnum):
    """What a forecast rests on, best first: each steps in where the data do not carry the one before."""

    HIERARCHICAL = "hierarchical"
    """The meter's own model, drawn towards the fleet."""
    POOLED = "pooled"
    """The model of the fleet, applied to the meter: its own history is short."""
    SEASONAL_NAIVE = "seasonal_naive"
    """The last value of the same time of day or week."""
    CONSTANT = "constant"
    """Quantiles of whatever values there are."""

    @property
    def rank(self) -> int:
        """0 is best."""
        return list(Tier).index(self)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one signal of one asset will be.

    Attributes:
        origin: When it was made, UTC: nothing later was used.
        cut_off: End of the last step whose value was used, UTC; not after the origin.
        time: UTC start of each step, shape (steps,); the first is not before the origin.
        levels: Of the quantiles, ascending.
        quantiles: Unit of the signal, ascending along the second axis, shape (steps, levels).
        tier: The lowest that any of its steps rests on.
        model: What made it, by name.
    """

    asset: AssetKey
    signal: str
    origin: datetime
    cut_off: datetime
    step: timedelta
    time: TimeArray
    levels: tuple[float, ...]
    quantiles: FloatArray
    tier: Tier
    model: str

    def at(self, level: float) -> FloatArray:
        """One quantile, shape (steps,).

        Raises:
            ValueError: It is not among the levels.
        """
        values: FloatArray = self.quantiles[:, self.levels.index(level)]
        return values

    @property
    def median(self) -> FloatArray:
        """The middle of the distribution, shape (steps,)."""
        return self.at(_MEDIAN)

    @property
    def band(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of the 90 % band, shape (steps,) each."""
        return self.at(_BAND[0]), self.at(_BAND[1])

    def to_json(self) -> dict[str, object]:
        """The forecast as every door shows it."""
        starts = [isoformat(from_numpy(one)) for one in self.time]
        rows: list[Mapping[str, object]] = [
            {
                "time": start,
                **{
                    quantile_name(level): _number(value)
                    for level, value in zip(self.levels, row, strict=True)
                },
            }
            for start, row in zip(starts, self.quantiles.tolist(), strict=True)
        ]
        return {
            "site": self.asset.site,
            "asset": self.asset.asset,
            "signal": self.signal,
            "origin": isoformat(self.origin),
            "cut_off": isoformat(self.cut_off),
            "step_s": self.step.total_seconds(),
            "tier": self.tier.value,
            "model": self.model,
            "steps": rows,
        }


def quantile_name(level: float) -> str:
    """A quantile as documents name it, as `p05`."""
    return f"p{100 * level:02.0f}"


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
