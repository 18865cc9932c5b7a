"""Where half-day faults are put, and what the meter shows there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sereno.domain.readings import FloatArray, Window

__all__ = ["FAULTS", "Place", "find_places"]

HALF_DAY = timedelta(hours=12)
APART = timedelta(days=7)
_FACTORS = {"low": 0.6, "high": 1.4}
FAULTS = ("shifted", "held", *_FACTORS)
_MIN_CHANGE = 0.25
"""A fault that changes the values by less, on average, in deviations of the history, is none."""


@dataclass(frozen=True, slots=True)
class Place:
    """Rows [start, stop) of the judged half, and the values of each fault that would be seen in them."""

    start: int
    stop: int
    wrong: dict[str, FloatArray]


def find_places(history: Window, rest: Window, seed: int) -> Sequence[Place]:
    """One half day in each week of the judged rows."""
    rng = np.random.default_rng([seed, *rest.asset.site.encode()])
    step = rest.step or timedelta(hours=1)
    length, apart = int(HALF_DAY / step), int(APART / step)
    middle, deviation = float(np.nanmedian(history.values)), float(np.nanstd(history.values))
    places = []
    for week in range(length, len(rest) - apart, apart):
        start = week + int(rng.integers(0, apart - length))
        own = rest.values[start : start + length, 0]
        before = rest.values[start - length : start, 0]
        wrong = {
            fault: np.where(np.isnan(own), np.nan, _wrong(fault, own, before, middle)) for fault in FAULTS
        }
        telling = {fault: w for fault, w in wrong.items() if _change(w, own) >= _MIN_CHANGE * deviation}
        places.append(Place(start, start + length, telling))
    return places


def _wrong(fault: str, own: FloatArray, before: FloatArray, middle: float) -> FloatArray:
    """What the meter shows instead of half a day's own values."""
    if fault == "shifted":
        return before
    if fault == "held":
        return np.full(len(own), middle)
    return _FACTORS[fault] * own


def _change(wrong: FloatArray, own: FloatArray) -> float:
    change = np.abs(wrong - own)
    return float(np.nanmean(change)) if np.isfinite(change).any() else 0.0
