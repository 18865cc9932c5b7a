"""Rows of one asset and instant that come more than once.

Equal rows collapse into one. Of rows that differ exactly one is kept, by a rule in which the order of the
rows plays no part: first the one with fewest values outside the profile's ranges, broken identities and
missing values; then the one nearest to the asset's medians; then the one with the smallest values.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sereno.domain.readings import FloatArray, TimeArray
from sereno.domain.signals import Profile

__all__ = ["Resolution", "implausibility", "resolve_duplicates"]

IDENTITY_SHARE_TOLERANCE = 0.01
IDENTITY_TOLERANCE = 1e-3
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What becomes of each row.

    Attributes:
        kept: Rows that stay, by group and instant.
        losers: Rows that contradict the one that was kept.
        n_identical: Rows that repeat another one to the last digit.
        differs: For each kept row, the signals in which a loser differs, shape (kept, signals).
    """

    kept: IntArray
    losers: IntArray
    n_identical: int
    differs: npt.NDArray[np.bool_]


def implausibility(values: FloatArray, signals: tuple[str, ...], profile: Profile) -> IntArray:
    """Values out of range, identities broken and values missing in each row, shape (rows,)."""
    points: IntArray = np.isnan(values).sum(axis=1, dtype=np.int64)
    with np.errstate(invalid="ignore"):
        for j, name in enumerate(signals):
            signal = profile.signal(name)
            if signal.minimum is not None:
                points += values[:, j] < signal.minimum
            if signal.maximum is not None:
                points += values[:, j] > signal.maximum
        at = {name: j for j, name in enumerate(signals)}
        for identity in profile.identities:
            if all(name in at for name in identity.signals):
                total = values[:, at[identity.total]]
                parts = values[:, [at[p] for p in identity.parts]].sum(axis=1)
                allowed = IDENTITY_TOLERANCE + IDENTITY_SHARE_TOLERANCE * np.abs(parts)
                points += np.abs(total - parts) > allowed
    return points


def resolve_duplicates(
    group: IntArray, time: TimeArray, values: FloatArray, points: IntArray | None = None
) -> Resolution:
    """One row for each group and instant.

    Args:
        group: What must be unique per instant (asset, or asset and register), shape (rows,).
        time: Instants, shape (rows,).
        values: Shape (rows, signals).
        points: Implausibility of each row, shape (rows,).
    """
    stamps = time.astype(np.int64)
    order = _sorted_order(group, stamps)
    same = (group[order][1:] == group[order][:-1]) & (stamps[order][1:] == stamps[order][:-1])
    if not same.any():
        none = np.empty(0, dtype=np.int64)
        return Resolution(order, none, 0, np.zeros((len(order), values.shape[1]), dtype=np.bool_))
    is_first = np.concatenate(([True], ~same))
    instance = np.cumsum(is_first) - 1
    is_repeated = np.concatenate((same, [False])) | np.concatenate(([False], same))
    rows, sets = order[is_repeated], instance[is_repeated]
    ranked = _rank(rows, sets, group, values, points)
    rows, sets = rows[ranked], sets[ranked]
    filled = np.nan_to_num(values[rows], nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    leads = np.concatenate(([True], sets[1:] != sets[:-1]))
    repeats = ~leads & np.concatenate(([False], (filled[1:] == filled[:-1]).all(axis=1)))
    kept = order[is_first].copy()
    kept[sets[leads]] = rows[leads]
    differs = np.zeros((len(kept), values.shape[1]), dtype=np.bool_)
    is_loser = ~leads & ~repeats
    lead_row = np.maximum.accumulate(np.where(leads, np.arange(len(rows)), 0))
    np.logical_or.at(differs, sets[is_loser], filled[is_loser] != filled[lead_row[is_loser]])
    return Resolution(kept, rows[is_loser], int(repeats.sum()), differs)


def _sorted_order(group: IntArray, stamps: IntArray) -> IntArray:
    """Rows by group and instant; no sorting where they come like that."""
    if len(group) > 1:
        step = np.diff(group)
        if not ((step > 0) | ((step == 0) & (np.diff(stamps) >= 0))).all():
            return np.lexsort((stamps, group))
    return np.arange(len(group))


def _rank(
    rows: IntArray, sets: IntArray, group: IntArray, values: FloatArray, points: IntArray | None
) -> IntArray:
    """Order that puts the best row of each set first and equal rows side by side."""
    distance = np.zeros(len(rows))
    for one in np.unique(group[rows]).tolist():
        own = group == one
        with np.errstate(all="ignore"):
            present = values[own]
            median = _nan_median(present)
            scale = (
                np.nanmean(np.abs(np.where(np.isnan(present), 0.0, present)), axis=0) + np.finfo(float).tiny
            )
            mine = group[rows] == one
            distance[mine] = np.nansum(np.abs(values[rows[mine]] - median) / scale, axis=1)
    filled = np.nan_to_num(values[rows], nan=-np.inf)
    keys = [filled[:, j] for j in reversed(range(filled.shape[1]))]
    worth = np.zeros(len(rows), dtype=np.int64) if points is None else points[rows]
    return np.lexsort((*keys, distance, worth, sets))


def _nan_median(values: FloatArray) -> FloatArray:
    """Median of each column without its NaN; 0 for a column of nothing but NaN."""
    ordered = np.sort(values, axis=0)
    n_there = np.count_nonzero(~np.isnan(values), axis=0)
    middle = np.maximum(n_there - 1, 0)
    columns = np.arange(values.shape[1])
    result = (ordered[middle // 2, columns] + ordered[(middle + 1) // 2, columns]) / 2
    return np.where(n_there > 0, result, 0.0)
