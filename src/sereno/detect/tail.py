"""How often scores rise beyond what was seen: the generalised Pareto distribution of what lies above a level.

Source:
    Pickands, "Statistical inference using extreme order statistics", Annals of Statistics 3(1), 1975, on why
    it is that distribution; Hosking, Wallis, "Parameter and quantile estimation for the generalized Pareto
    distribution", Technometrics 29(3), 1987, on its probability-weighted moments.
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["ParetoTail", "fit_tail"]

_PLOT = 0.35
"""Plotting position (i - 0.35) / n of the i-th smallest, as the paper uses."""
_EXPONENTIAL = 1e-6
_SHAPES = (-0.5, 0.5)
"""From 0.5 on the estimates have no variance; what ends more abruptly than -0.5 is a bounded score."""


@dataclass(frozen=True, slots=True)
class ParetoTail:
    """P(excess > x) = (1 + shape x / scale)^(-1/shape), an exponential where shape is 0."""

    shape: float
    scale: float

    def excess(self, probability: float) -> float:
        """The excess that is exceeded with a probability in (0, 1]."""
        if abs(self.shape) < _EXPONENTIAL:
            return -self.scale * log(probability)
        return self.scale / self.shape * (exp(-self.shape * log(probability)) - 1.0)


def fit_tail(excesses: FloatArray) -> ParetoTail:
    """The tail that positive excesses (n,) come from; the shape is kept within (-0.5, 0.5).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> tail = fit_tail(rng.exponential(2.0, size=100_000))
        >>> round(tail.shape, 1) + 0.0, round(tail.scale, 1)
        (0.0, 2.0)
    """
    ordered = np.sort(excesses)
    position = (np.arange(1, len(ordered) + 1) - _PLOT) / len(ordered)
    mean = float(ordered.mean())
    weighted = float((ordered * (1.0 - position)).mean())
    difference = mean - 2.0 * weighted
    if difference <= 0.0:
        return ParetoTail(0.0, mean)
    shape = 2.0 - mean / difference
    if _SHAPES[0] < shape < _SHAPES[1]:
        return ParetoTail(shape, 2.0 * mean * weighted / difference)
    shape = min(max(shape, _SHAPES[0]), _SHAPES[1])
    return ParetoTail(shape, mean * (1.0 - shape))
