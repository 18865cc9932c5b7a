"""Two assets of one flow: which one another names as its twin, and what that read at the same instants."""

from collections.abc import Mapping, Sequence

import numpy as np

from sereno.domain.readings import FloatArray, Quality, TimeArray, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy
from sereno.store import StoredAsset, StoredRows, Transaction

__all__ = ["find_twin", "has_twins", "touched_with_twins", "twin_key", "twin_volumes", "volumes_at"]

_VOLUME = "volume"
_UNFIT = int(Quality.BAD | Quality.SENTINEL | Quality.OUT_OF_RANGE | Quality.FROZEN | Quality.UNIT_CHANGE)


def find_twin(asset: StoredAsset, profile: Profile, known: Sequence[StoredAsset]) -> StoredAsset | None:
    """The asset that the facts of one declare as its twin; None where none is declared or known."""
    key = twin_key(asset.key, profile, [one.key for one in known])
    return None if key is None else next(one for one in known if one.key == key)


def twin_key(asset: AssetKey, profile: Profile, known: Sequence[AssetKey]) -> AssetKey | None:
    """As `find_twin`, by name."""
    name = profile.facts_of(asset).twin
    if name is None:
        return None
    return next((one for one in known if name in (str(one), one.asset) and one != asset), None)


def has_twins(profile: Profile) -> bool:
    """Whether any asset has a declared twin."""
    return any(facts.twin is not None for facts in profile.facts.values())


def twin_volumes(tx: Transaction, asset: StoredAsset, profile: Profile, time: TimeArray) -> FloatArray | None:
    """What the declared twin of an asset read at some instants, shape (rows,); None where there is no twin.

    NaN where it read nothing, or nothing that may be compared.
    """
    if not len(time) or not has_twins(profile):
        return None
    twin = find_twin(asset, profile, tx.assets(profile.name))
    if twin is None:
        return None
    return volumes_at(time, tx.rows(twin.id, twin.profile, start=from_numpy(time[0])))


def volumes_at(time: TimeArray, rows: StoredRows | Window) -> FloatArray:
    """What a twin read at some instants, shape (rows,); NaN where it read nothing that may be compared."""
    read = np.full(len(time), np.nan)
    if _VOLUME in rows.signals:
        column = rows.signals.index(_VOLUME)
        is_fit = (rows.quality[:, column] & _UNFIT) == 0
        _, here, there = np.intersect1d(time, rows.time, return_indices=True)
        read[here] = np.where(is_fit, rows.values[:, column], np.nan)[there]
    return read


def touched_with_twins(
    touched: Mapping[int, np.datetime64], profile: Profile, known: Sequence[StoredAsset]
) -> dict[int, np.datetime64]:
    """The assets that a batch touched, and those whose twin it touched, each with the first instant."""
    first = dict(touched)
    for asset in known:
        twin = find_twin(asset, profile, known)
        if twin is not None and twin.id in touched:
            first[asset.id] = min(touched[twin.id], first.get(asset.id, touched[twin.id]))
    return first
