"""Missing values filled by a named method, for profiles and exports: what is judged is never filled."""

from datetime import timedelta

import numpy as np

from sereno.domain.arrays import micros_of
from sereno.domain.cleaning import Imputation
from sereno.domain.readings import BoolArray, FloatArray, TimeArray
from sereno.domain.signals import SignalKind

__all__ = ["impute", "interpolate_at"]

_MICROSECOND = timedelta(microseconds=1)


def impute(
    time: TimeArray,
    values: FloatArray,
    method: Imputation,
    *,
    max_gap: timedelta | None = None,
    kind: SignalKind = SignalKind.INSTANT,
    learn_rows: int | None = None,
) -> FloatArray:
    """The values with their gaps filled, shape (rows,); a gap without a value to fill from stays one.

    Args:
        time: UTC, ascending, shape (rows,).
        values: NaN where missing, shape (rows,).
        max_gap: Longest gap that is filled, from its first missing row to the next value; None fills any.
        kind: A register has no mean: it stays missing by that method.
        learn_rows: The mean is that of the first so many rows; None takes all.
    """
    missing = np.isnan(values)
    if method is Imputation.NONE or not missing.any() or missing.all():
        return values
    filler = _filler(time, values, method, kind, learn_rows)
    is_filled = missing if max_gap is None else missing & _is_short(time, missing, max_gap)
    return np.where(is_filled, filler, values)


def interpolate_at(time: TimeArray, values: FloatArray, chosen: BoolArray) -> FloatArray:
    """The values with the chosen rows on the line between those around them; NaN beyond the first and last.

    Args:
        chosen: Shape (rows,); their own values are not used.
    """
    known = np.flatnonzero(~np.isnan(values) & ~chosen)
    if not len(known):
        return np.where(chosen, np.nan, values)
    micros = micros_of(time).astype(np.float64)
    line = np.interp(micros, micros[known], values[known], left=np.nan, right=np.nan)
    return np.where(chosen, line, values)


def _filler(
    time: TimeArray, values: FloatArray, method: Imputation, kind: SignalKind, learn_rows: int | None
) -> FloatArray:
    """What would stand in each row if it were missing."""
    if method is Imputation.INTERPOLATION:
        return interpolate_at(time, values, np.isnan(values))
    if method is Imputation.MEAN:
        learnt = values[:learn_rows]
        has_mean = kind is not SignalKind.CUMULATIVE and not np.isnan(learnt).all()
        return np.full(len(values), np.nanmean(learnt) if has_mean else np.nan)
    if method is Imputation.BFILL:
        return _carried(values[::-1])[::-1]
    return _carried(values)


def _carried(values: FloatArray) -> FloatArray:
    """The last value up to each row."""
    rows = np.where(np.isnan(values), -1, np.arange(len(values)))
    last = np.maximum.accumulate(rows)
    carried: FloatArray = np.where(last >= 0, values[last], np.nan)
    return carried


def _is_short(time: TimeArray, missing: BoolArray, max_gap: timedelta) -> BoolArray:
    """Rows of gaps that are not longer than allowed."""
    first, stop = _gap_runs(missing)
    micros = micros_of(time)
    length = micros[np.minimum(stop, len(time) - 1)] - micros[first]
    is_short = length <= max_gap // _MICROSECOND
    rows = np.zeros(len(missing), dtype=bool)
    for start, end in zip(first[is_short].tolist(), stop[is_short].tolist(), strict=True):
        rows[start:end] = True
    return rows


def _gap_runs(missing: BoolArray) -> tuple[np.ndarray, np.ndarray]:
    """First row of each run of missing rows, and the row after it."""
    edges = np.diff(np.concatenate(([0], missing.astype(np.int8), [0])))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
