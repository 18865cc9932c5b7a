"""Corrections laid over raw values: a copy, with a mark on each value that is not the raw one."""

from collections.abc import Sequence

import numpy as np

from sereno.domain.corrections import Correction, CorrectionKind
from sereno.domain.readings import BoolArray, FloatArray, TimeArray
from sereno.domain.time import to_numpy
from sereno.prepare.imputation import interpolate_at

__all__ = ["corrected"]


def corrected(
    time: TimeArray, values: FloatArray, corrections: Sequence[Correction]
) -> tuple[FloatArray, BoolArray]:
    """One signal with its corrections, in the order in which they were made, and which rows they changed.

    Args:
        time: UTC, ascending, shape (rows,).
        values: Raw, shape (rows,); it stays as it is.
        corrections: Of this signal; those that were undone are left out.

    Returns:
        Corrected values and whether each differs from the raw one, shape (rows,) both.
    """
    found = values
    for one in sorted((c for c in corrections if c.is_active), key=lambda c: (c.at, c.id)):
        found = _with(time, found, one)
    return found, ~((found == values) | (np.isnan(found) & np.isnan(values)))


def _with(time: TimeArray, values: FloatArray, one: Correction) -> FloatArray:
    rows = _rows(time, one)
    amount = np.nan if one.amount is None else one.amount
    if one.kind is CorrectionKind.INTERPOLATE:
        return interpolate_at(time, values, rows)
    if one.kind is CorrectionKind.MISSING:
        return np.where(rows, np.nan, values)
    if one.kind is CorrectionKind.FACTOR:
        return np.where(rows, values * amount, values)
    if one.kind is CorrectionKind.OFFSET:
        return np.where(rows, values + amount, values)
    return np.where(rows, amount, values)


def _rows(time: TimeArray, one: Correction) -> BoolArray:
    start, end = to_numpy(one.started_at), to_numpy(one.ended_at)
    if one.kind is CorrectionKind.VALUE:
        return np.asarray(time == start)
    return np.asarray((time >= start) & (time < end))
