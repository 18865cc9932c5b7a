"""Small questions to arrays and numbers that every stage asks, and that must be cheap on a few rows."""

from math import ceil, floor, log10

import numpy as np
import numpy.typing as npt

__all__ = ["known_or_zero", "median", "micros_of", "quantile", "round_values", "some"]


def micros_of(time: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Instants as microseconds since 1970; shares the memory of an array that is in them already."""
    micros: npt.NDArray[np.int64] = time.astype("datetime64[us]", copy=False).view(np.int64)
    return micros


def some(mask: npt.NDArray[np.bool_]) -> bool:
    """Whether any cell is set; on a few cells ten times faster than `mask.any()`."""
    return bool(np.count_nonzero(mask))


def quantile(values: npt.NDArray[np.float64], share: float) -> float:
    """What `np.quantile` gives of known values, to the last bit; of a few of them ten times faster.

    Args:
        values: At least one, none of them NaN, shape (values,).
        share: From 0 to 1.

    Example:
        >>> quantile(np.array([4.0, 1.0, 3.0, 2.0]), 0.5)
        2.5
    """
    place = (len(values) - 1) * share
    low = floor(place)
    if low + 1 >= len(values):
        return float(values.max())
    ranked = np.partition(values, (low, low + 1))
    before, after, part = float(ranked[low]), float(ranked[low + 1]), place - low
    width = after - before
    return after - width * (1.0 - part) if part >= 1.0 / 2 else before + width * part


def median(values: npt.NDArray[np.float64]) -> float:
    """What `np.median` gives of known values, to the last bit; of a few of them ten times faster.

    Args:
        values: At least one, none of them NaN, shape (values,).
    """
    half, is_odd = divmod(len(values), 2)
    if is_odd:
        return float(np.partition(values, half)[half])
    ranked = np.partition(values, (half - 1, half))
    return (float(ranked[half - 1]) + float(ranked[half])) / 2


def known_or_zero(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The values with 0 for NaN; on a few five times faster than `np.nan_to_num`."""
    return np.where(np.isnan(values), 0.0, values)


def round_values(low: float, high: float, *, at_most: int) -> list[float]:
    """A few values between two others, multiples of 1, 2 or 5 times a power of ten; what an axis shows.

    Example:
        >>> round_values(-3.0, 42.0, at_most=5)
        [0.0, 10.0, 20.0, 30.0, 40.0]
    """
    rough = (high - low) / at_most
    power = 10.0 ** floor(log10(rough))
    step = next((one * power for one in (1.0, 2.0, 5.0) if one * power >= rough), 10.0 * power)
    return [place * step for place in range(ceil(low / step), floor(high / step) + 1)]
