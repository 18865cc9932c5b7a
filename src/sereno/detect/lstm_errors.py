"""The errors of an LSTM autoencoder: what it makes of a row, how far off that is, what is usual of it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sereno.detect.lstm_network import Float32Array, Network
from sereno.detect.pca import sum_in_order
from sereno.domain.readings import BoolArray, FloatArray

__all__ = [
    "HIGHEST_MEDIAN",
    "Index",
    "bounded",
    "from_median",
    "largest",
    "limits_of",
    "shares_of",
    "smoothed",
    "spread_of",
    "told_by",
    "wander_of",
]

Index = npt.NDArray[np.intp]
_CALM_QUANTILE = 0.99
_BODY_QUANTILE = 0.95
_TAIL_CAP = 1.5
"""The 99 % quantile of a statistic is at most this many times its 95 % one: a fault in the history."""
_NORMAL_95 = 1.959964
"""95 % quantile of the size of a standard normal variable."""
_MIN_SPREAD = 0.05
"""Least spread of the errors [spreads of the signal]: what repeats itself exactly is no reason for alarm."""
_LEAST_LIMITS = np.array([0.3, 0.5])
HIGHEST_MEDIAN = 0.8
_DRIFT_BLOCKS = 8
_USUAL_DRIFTS = 2.0
"""Times the drift of the middle signal beyond which one weighs less: in proportion, and never nothing."""
_MAX_ERROR = 1e6


def told_by(network: Network, inputs: Float32Array, ends: Index, length: int) -> FloatArray:
    """What the network makes of the rows that end a sequence, NaN for the others, shape (rows, signals)."""
    told = np.full((len(inputs), len(network.output_bias)), np.nan)
    if len(ends):
        told[ends] = network.reconstruct(inputs, ends, length)
    return told


def spread_of(errors: Sequence[FloatArray]) -> FloatArray:
    """Spread of the errors of each signal, the middle one of the members, shape (signals,).

    Pooling the rows instead would let one member in trouble hide the signal for all.
    """
    own = [[_own_spread(column[~np.isnan(column)]) for column in error.T] for error in errors]
    columns = [[one for one in column if one > 0] for column in zip(*own, strict=True)]
    spread: FloatArray = np.array([np.median(column) if column else 1.0 for column in columns])
    return spread


def _own_spread(errors: FloatArray) -> float:
    """Deviation of a normal variable with the same 95 % quantile of its size; 0 of nothing."""
    if not len(errors):
        return 0.0
    return max(float(np.quantile(np.abs(errors), _BODY_QUANTILE)) / _NORMAL_95, _MIN_SPREAD)


def wander_of(values: Sequence[FloatArray]) -> FloatArray:
    """How much less a signal weighs because it drifts more than the others, 1 for most, shape (signals,).

    Drift is how far the means of blocks lie apart, over how far noise alone would bring them; the middle one
    of the members.
    """
    drifts = np.array([_drift(one) for one in values if len(one) >= _DRIFT_BLOCKS * 2])
    if not len(drifts):
        return np.ones(values[0].shape[1])
    drift = np.median(drifts, axis=0)
    usual = max(float(np.median(drift)), 1.0)
    wander: FloatArray = np.maximum(drift / (_USUAL_DRIFTS * usual), 1.0)
    return wander


def _drift(values: FloatArray) -> FloatArray:
    known = np.nan_to_num(values)
    blocks = np.array_split(known, _DRIFT_BLOCKS)
    means = np.array([block.mean(axis=0) for block in blocks])
    within = np.mean([block.std(axis=0) for block in blocks], axis=0)
    noise = within / np.sqrt(len(known) / _DRIFT_BLOCKS)
    drift: FloatArray = means.std(axis=0) / np.where(noise > 0, noise, np.inf)
    return drift


def bounded(errors: FloatArray, spread: FloatArray) -> FloatArray:
    """Errors in units of their spread, bounded so that their squares stay numbers."""
    return np.clip(errors / spread, -_MAX_ERROR, _MAX_ERROR)


def smoothed(errors: FloatArray, n_rows: int) -> tuple[FloatArray, FloatArray]:
    """Mean and root mean square of the errors of the last rows, unknown ones as none, (rows, signals) both.

    NaN where the row itself is unknown.
    """
    known = np.nan_to_num(errors)
    total, squares = known.copy(), known * known
    for back in range(1, n_rows):
        earlier = known[: max(len(known) - back, 0)]
        total[back:] += earlier
        squares[back:] += earlier * earlier
    nothing = np.where(np.isnan(errors), np.nan, 0.0)
    return total / n_rows + nothing, np.sqrt(squares / n_rows) + nothing


def largest(errors: FloatArray) -> FloatArray:
    """Size of the largest error of each row; NaN where none is known."""
    sizes = np.where(np.isnan(errors), -1.0, np.abs(errors)).max(axis=1, initial=-1.0)
    return np.where(sizes < 0, np.nan, sizes)


def shares_of(errors: FloatArray) -> FloatArray:
    """Share of each signal in the squared errors of a row; NaN where nothing was judged."""
    squares = np.nan_to_num(errors) ** 2
    total = sum_in_order(squares)[:, None]
    shares = squares / np.where(total > 0, total, 1.0)
    is_unknown: BoolArray = np.asarray(np.isnan(errors).all(axis=1))
    return np.where(is_unknown[:, None], np.nan, shares)


def limits_of(errors: FloatArray, smoothing: int, rows: Index) -> FloatArray:
    """What the statistics are divided by so that the calm 99 % quantile of the larger is 1, and its median.

    Held down where a fault sits among those rows.
    """
    parts = [largest(part)[rows] for part in smoothed(errors, smoothing)]
    each = np.maximum([_calm_limit(part) for part in parts], _LEAST_LIMITS)
    together = np.max([part / limit for part, limit in zip(parts, each, strict=True)], axis=0)
    joint = max(_calm_limit(together), 1.0)
    return np.array([*(each * joint), min(float(np.median(together)) / joint, HIGHEST_MEDIAN)])


def from_median(statistic: FloatArray, median: float) -> FloatArray:
    """0 up to the calm median, still 1 at the calm 99 % quantile."""
    return np.maximum((statistic - median) / (1.0 - median), 0.0)


def _calm_limit(values: FloatArray) -> float:
    return float(min(np.quantile(values, _CALM_QUANTILE), _TAIL_CAP * np.quantile(values, _BODY_QUANTILE)))
