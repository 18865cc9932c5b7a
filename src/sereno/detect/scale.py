"""Rows in standard deviations of their own signal: what detectors of single rows work on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sereno.detect.baseline import KNEE_OF_OWN, SCALE_FLOOR_RATIO, SCALE_FLOOR_SHARE
from sereno.domain.readings import FloatArray
from sereno.domain.signals import Profile

__all__ = ["Scale", "fit_scale", "pooled_scale"]

_NORMAL_IQR = 1.349
"""Interquartile range of a normal variable in standard deviations."""
_LEAST = 1e-9
_MOST = 50.0
"""asinh of the largest value that is restored."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Centre and spread of each signal; ratio-scaled ones pass through asinh(x / knee) first.

    Attributes:
        knee: In the signal's unit; 0 for signals judged as differences, shape (signals,).
        centre, spread: Of the transformed values, shape (signals,).
    """

    knee: FloatArray
    centre: FloatArray
    spread: FloatArray

    def standardise(self, values: FloatArray) -> FloatArray:
        """Deviations from the centre in standard deviations, shape (rows, signals); NaN stays."""
        standardised: FloatArray = (_transform(values, self.knee) - self.centre) / self.spread
        return standardised

    def restore(self, standardised: FloatArray) -> FloatArray:
        """The values that have such deviations, in the signals' units."""
        plain = self.centre + standardised * self.spread
        back = np.sinh(np.minimum(np.maximum(plain, -_MOST), _MOST)) * self.knee
        return np.where(self.knee > 0, back, plain)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All that `from_arrays` needs."""
        return {"knee": self.knee, "centre": self.centre, "spread": self.spread}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Scale":
        """The scale that `to_arrays` described."""
        return cls(arrays["knee"], arrays["centre"], arrays["spread"])


def fit_scale(values: FloatArray, signals: Sequence[str], profile: Profile) -> Scale:
    """Median and interquartile range of each signal; the standard deviation where most values are equal.

    Args:
        values: Shape (rows, signals); NaN teaches nothing.
    """
    knee, centre, spread = (np.zeros(len(signals)) for _ in range(3))
    for s, name in enumerate(signals):
        known = values[~np.isnan(values[:, s]), s]
        is_ratio = profile.signal(name).is_ratio_scaled
        knee[s] = max(KNEE_OF_OWN * _typical(known), _LEAST) if is_ratio else 0.0
        centre[s], spread[s] = _middle(_transform(known, knee[s]), is_ratio=is_ratio)
    return Scale(knee, centre, spread)


def pooled_scale(members: Sequence[Scale]) -> Scale:
    """The middle of a fleet, as wide as its members and the differences between them."""
    knees, centres, spreads = (
        np.stack([getattr(one, name) for one in members]) for name in ("knee", "centre", "spread")
    )
    knee = np.median(knees, axis=0)
    is_ratio = knee > 0
    shift = np.where(is_ratio, np.log(np.where(is_ratio, knees, 1.0)), centres)
    return Scale(knee, np.median(centres, axis=0), np.hypot(np.median(spreads, axis=0), shift.std(axis=0)))


def _transform(values: FloatArray, knee: FloatArray | float) -> FloatArray:
    is_ratio = np.asarray(knee) > 0
    if not is_ratio.any():
        return values
    return np.where(is_ratio, np.arcsinh(values / np.where(is_ratio, knee, 1.0)), values)


def _typical(known: FloatArray) -> float:
    magnitude = np.abs(known[known != 0])
    return float(np.median(magnitude)) if len(magnitude) else 0.0


def _middle(known: FloatArray, *, is_ratio: bool) -> tuple[float, float]:
    if not len(known):
        return 0.0, 1.0
    low, centre, high = np.quantile(known, [0.25, 0.5, 0.75])
    spread = (high - low) / _NORMAL_IQR or known.std()
    floor = SCALE_FLOOR_RATIO if is_ratio else SCALE_FLOOR_SHARE * np.median(np.abs(known)) + _LEAST
    return float(centre), float(max(spread, floor))
