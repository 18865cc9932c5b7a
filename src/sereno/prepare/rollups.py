"""Figures of the hours and days of signals, of their readings."""

import numpy as np

from sereno.domain.calendar import local_time, to_utc
from sereno.domain.readings import FloatArray, QualityArray, TimeArray
from sereno.domain.rollups import UNFIT, RollUp, Span

__all__ = ["roll_up", "span_starts"]


def span_starts(time: TimeArray, zone: str, span: Span) -> TimeArray:
    """The first instant of the hour or day that each instant lies in, UTC, shape (rows,).

    Hours begin where the site's clock shows a whole one, days at its midnight.
    """
    local = local_time(time, zone)
    if span is Span.HOUR:
        hours: TimeArray = time - (local - local.astype("datetime64[h]"))
        return hours
    days, place = np.unique(local.astype("datetime64[D]"), return_inverse=True)
    found: TimeArray = to_utc(days.astype("datetime64[us]"), zone)[place]
    return found


def roll_up(starts: TimeArray, values: FloatArray, quality: QualityArray) -> RollUp:
    """The figures of one signal.

    Args:
        starts: As `span_starts` gives them, of ascending instants, shape (rows,).
        values: NaN where nothing was read, shape (rows,).
        quality: Bits of `Quality`, shape (rows,).
    """
    is_there = ~np.isnan(values)
    starts, values = starts[is_there], values[is_there]
    is_fit = (quality[is_there] & int(UNFIT)) == 0
    edges = np.flatnonzero(np.r_[True, starts[1:] != starts[:-1]]) if len(starts) else np.zeros(0, np.intp)
    n_values = np.diff(np.r_[edges, len(starts)])
    if not len(edges):
        nothing = np.zeros(0)
        return RollUp(starts, n_values, n_values, nothing, nothing, nothing, nothing)
    n_fit = np.add.reduceat(is_fit.astype(np.int64), edges)
    fit = np.where(is_fit, values, np.nan)
    last = np.maximum.reduceat(np.where(is_fit, np.arange(len(values)), -1), edges)
    return RollUp(
        start=starts[edges],
        n_values=n_values,
        n_bad=n_values - n_fit,
        total=np.where(n_fit, np.add.reduceat(np.where(is_fit, values, 0.0), edges), np.nan),
        low=np.fmin.reduceat(fit, edges),
        high=np.fmax.reduceat(fit, edges),
        last=np.where(last >= 0, values[last], np.nan),
    )
