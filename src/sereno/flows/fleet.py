"""What the peers of an asset read, brought from the store; and whom a late reading of a peer concerns."""

from collections.abc import Mapping, Sequence

import numpy as np

from sereno.detect.peering import NO_REFERENCE, Reference
from sereno.domain.readings import Quality, TimeArray, Window
from sereno.domain.time import from_numpy
from sereno.flows.models import TrainedModel
from sereno.store import StoredAsset, StoredRows, Transaction

__all__ = ["peer_reference", "touched_with_peers"]

_UNFIT = int(Quality.BAD | Quality.SENTINEL)
"""What the source says of itself; what judging found depends on who was judged first."""


def peer_reference(
    tx: Transaction, asset: StoredAsset, model: TrainedModel | None, time: TimeArray
) -> Reference:
    """What the peers of an asset show at its instants; nothing without a model or peers."""
    peers = frozenset() if model is None else model.peers.peering.peers_of(asset.key)
    if model is None or not peers or not len(time):
        return NO_REFERENCE
    start = from_numpy(time[0])
    others = {
        one.key: _as_window(one, tx.rows(one.id, one.profile, start=start))
        for one in tx.assets(asset.profile, sites={key.site for key in peers})
        if one.key in peers
    }
    return model.peers.peering.reference(asset.key, time, others)


def touched_with_peers(
    touched: Mapping[int, np.datetime64], model: TrainedModel | None, known: Sequence[StoredAsset]
) -> dict[int, np.datetime64]:
    """The assets that a batch touched, and those that ask one of them, each with the first instant."""
    first = dict(touched)
    if model is None:
        return first
    keys = {asset.id: asset.key for asset in known}
    ids = {asset.key: asset.id for asset in known}
    for touched_id, instant in touched.items():
        for key in model.peers.peering.those_asking(keys[touched_id]):
            if key in ids:
                first[ids[key]] = min(instant, first.get(ids[key], instant))
    return first


def _as_window(asset: StoredAsset, rows: StoredRows) -> Window:
    values = np.where((rows.quality & _UNFIT) == 0, rows.values, np.nan)
    return Window(
        asset.key, asset.profile, rows.signals, rows.time, values, rows.quality, asset.step, asset.zone
    )
