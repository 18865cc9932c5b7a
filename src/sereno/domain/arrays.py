"""Small questions to arrays that every stage asks, and that must be cheap on a few rows."""

import numpy as np
import numpy.typing as npt

__all__ = ["micros_of", "some"]


def micros_of(time: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Instants as microseconds since 1970; shares the memory of an array that is in them already."""
    micros: npt.NDArray[np.int64] = time.astype("datetime64[us]", copy=False).view(np.int64)
    return micros


def some(mask: npt.NDArray[np.bool_]) -> bool:
    """Whether any cell is set; on a few cells ten times faster than `mask.any()`."""
    return bool(np.count_nonzero(mask))
