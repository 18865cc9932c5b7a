"""Whether a deviation grows, eases or stays: a robust slope that is told only when it is clear.

Source:
    Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968: slope and interval.
    Bayley, Hammersley, "The effective number of independent observations in an autocorrelated time series",
    Suppl. J. R. Stat. Soc. 8(2), 1946: the variance of the rank statistic grows by (1 + r) / (1 - r), r being
    the correlation of neighbouring residuals, here corrected for its bias in short series (Kendall, 1954).
"""

from dataclasses import dataclass
from math import ceil, floor, inf, sqrt

import numpy as np

from sereno.domain.outlook import Course
from sereno.domain.readings import FloatArray

__all__ = ["MIN_BLOCKS", "Trend", "find_trend"]

MIN_BLOCKS = 10
"""Blocks below which no slope is clear."""
_MOVING, _STAYING = 3.0, 2.0
"""Half-width of the intervals in standard deviations: correlated noise must not look like a course, and to
call a course steady does less harm."""
_WORTH = 0.25
"""Share of the deviation by which it must have moved to be told ..."""
_STILL = 0.4
"""... and by which it has not moved where it is steady."""
_MOST_CORRELATED = 0.95
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Trend:
    """A course that is clear.

    Attributes:
        slope: Movement of the deviation per block.
        now: The deviation at the last block, by the slope.
    """

    course: Course
    slope: float
    now: float


def find_trend(deviations: FloatArray, *, least: float = 0.0) -> Trend | None:
    """The course of a deviation; None where none is clear.

    Args:
        deviations: From what was expected, positive in the direction of the trouble, of blocks of equal
            length, shape (blocks,); NaN where nothing is known.
        least: Movement per block below which it may be the season.
    """
    known = np.flatnonzero(~np.isnan(deviations))
    if len(known) < MIN_BLOCKS:
        return None
    values = deviations[known]
    slopes, scale = _slopes(known.astype(float), values)
    slope = float(np.median(slopes))
    low, high = _interval(slopes, _MOVING * scale)
    usual = float(np.median(values))
    now = float(np.median(values - slope * known)) + slope * float(known[-1])
    if usual <= 0:
        return None
    length = float(known[-1] - known[0])
    worth = max(_WORTH * usual / length, least)
    if low > 0 and slope >= worth:
        return Trend(Course.WORSENING, slope, now)
    if high < 0 and slope <= -worth:
        return Trend(Course.EASING, slope, now)
    low, high = _interval(slopes, _STAYING * scale)
    still = _STILL * usual / length
    return Trend(Course.STEADY, slope, now) if -still < low and high < still else None


def _slopes(at: FloatArray, values: FloatArray) -> tuple[FloatArray, float]:
    """The slopes between all pairs, ascending, and the standard deviation of their rank statistic."""
    n = len(values)
    first, second = np.triu_indices(n, 1)
    slopes = np.sort((values[second] - values[first]) / (at[second] - at[first]))
    residuals = values - float(np.median(slopes)) * at
    is_exact = np.ptp(residuals) <= _ROUNDING * np.abs(values).max()
    inflation = 1.0 if is_exact else _inflation(residuals)
    return slopes, sqrt(n * (n - 1) * (2 * n + 5) / 18 * inflation)


def _interval(slopes: FloatArray, reach: float) -> tuple[float, float]:
    low, high = floor((len(slopes) - reach) / 2), ceil((len(slopes) + reach) / 2)
    return (float(slopes[low]), float(slopes[high])) if low >= 0 and high < len(slopes) else (-inf, inf)


def _inflation(residuals: FloatArray) -> float:
    """How much more a slope varies than that of independent values."""
    centred = residuals - residuals.mean()
    correlation = float(centred[1:] @ centred[:-1]) / float(centred @ centred)
    correlation += (1.0 + 4.0 * correlation) / len(residuals)
    correlation = min(max(correlation, 0.0), _MOST_CORRELATED)
    return (1.0 + correlation) / (1.0 - correlation)
