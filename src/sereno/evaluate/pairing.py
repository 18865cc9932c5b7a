"""Whether one of two is better, from losses of the same days: the difference, and how sure it is."""

from dataclasses import dataclass

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.domain.registry import Opinion

__all__ = ["CONFIDENCE", "MIN_DAYS", "Pairing", "pair_days"]

CONFIDENCE = 0.95
MIN_DAYS = 7
"""Fewer days hold no whole week, and their bootstrap interval is too narrow."""
_NORMAL = 1.96
"""Quantile of the normal distribution for `CONFIDENCE`."""
_RESAMPLES = 4_000
_SEED = 0


@dataclass(frozen=True, slots=True)
class Pairing:
    """The mean difference of two losses per day, challenger minus champion.

    Attributes:
        low, high: Interval of `CONFIDENCE` by block bootstrap; NaN where there are too few days.
    """

    opinion: Opinion
    difference: float
    low: float
    high: float
    n_days: int


def pair_days(champion: FloatArray, challenger: FloatArray) -> Pairing:
    """Compare the losses of the same days; smaller is better.

    Values within a day depend on each other, so whole days are drawn, always both losses of a day together.

    Args:
        champion, challenger: Loss of each day, shape (days,); days where either is NaN are left out.

    Source:
        Künsch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics
        17(3), 1989 (blocks). The percentile interval is too narrow for few days: it is widened as Student's t
        is wider than the normal, Abramowitz and Stegun, 26.7.5, and by sqrt(n / (n - 1)).
    """
    differences = challenger - champion
    differences = differences[np.isfinite(differences)]
    n_days = len(differences)
    mean = float(differences.mean()) if n_days else float("nan")
    if n_days < MIN_DAYS:
        return Pairing(Opinion.TOO_FEW_DAYS, mean, float("nan"), float("nan"), n_days)
    draws = np.random.default_rng(_SEED).integers(n_days, size=(_RESAMPLES, n_days))
    means = differences[draws].mean(axis=1)
    tail = (1.0 - CONFIDENCE) / 2.0
    spread = np.quantile(means, (tail, 1.0 - tail)) - mean
    few = (1.0 + (_NORMAL**2 + 1.0) / (4.0 * (n_days - 1))) * np.sqrt(n_days / (n_days - 1))
    low, high = (mean + spread * few).tolist()
    return Pairing(_opinion(low, high), mean, low, high, n_days)


def _opinion(low: float, high: float) -> Opinion:
    if high < 0.0:
        return Opinion.BETTER
    return Opinion.WORSE if low > 0.0 else Opinion.ALIKE
