"""What the peers of an asset read, brought from the store; and whom a late reading of a peer concerns."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

import numpy as np

from sereno.detect.peering import NO_REFERENCE, Peering, Reference
from sereno.domain.readings import FloatArray, Quality, TimeArray, Window
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy, to_numpy
from sereno.flows.models import TrainedModel
from sereno.store import StoredAsset, StoredRows, Transaction

__all__ = ["BlockNeighbours", "Movements", "Neighbours", "peer_reference", "touched_with_peers"]

_UNFIT = int(Quality.BAD | Quality.SENTINEL)
"""What the source says of itself; what judging found depends on who was judged first."""


_MOST_SHOWN = 10_000
"""Instants of which what peers show is kept: a group's, not those of years."""
_MOST_HELD = 64
"""The same, from one transaction to the next."""
_NOTHING: Mapping[str, FloatArray] = MappingProxyType({})


class Movements:
    """What assets show at some instants, as their peers ask it: many ask the same asset of the same ones."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, bytes], dict[AssetKey, Mapping[str, FloatArray]]] = {}
        self._said_by: dict[str, Peering] = {}
        self._n_instants = 0

    def at(self, profile: str, peering: Peering, time: TimeArray) -> dict[AssetKey, Mapping[str, FloatArray]]:
        """What is known of these instants so far, to be added to; of too many others nothing is kept."""
        if self._said_by.setdefault(profile, peering) is not peering:
            self.clear()
            self._said_by[profile] = peering
        place = (profile, time.tobytes())
        if place not in self._at:
            if self._n_instants > _MOST_SHOWN:
                self.clear()
            self._at[place] = {}
            self._n_instants += len(time)
        return self._at[place]

    def let_go(self, assets: Collection[AssetKey]) -> None:
        """Rows of these are other than they were; what is kept of the others is for another transaction."""
        if self._n_instants > _MOST_HELD:
            self.clear()
        for known in self._at.values():
            for key in assets:
                known.pop(key, None)

    def clear(self) -> None:
        """Any row may be other than it was."""
        self._at.clear()
        self._said_by.clear()
        self._n_instants = 0


class Neighbours:
    """The readings that assets ask their peers for, each read once in a transaction.

    Args:
        tx: One that stores no more readings.
        known: Assets that need not be looked up.
        movements: What is known of what assets show, kept up to date by its owner; nothing by default.
    """

    def __init__(
        self, tx: Transaction, known: Sequence[StoredAsset] = (), movements: Movements | None = None
    ) -> None:
        self._tx = tx
        self._assets: dict[tuple[str, AssetKey], StoredAsset | None] = {
            (one.profile, one.key): one for one in known
        }
        self._windows: dict[int, tuple[datetime, Window]] = {}
        self._movements = movements or Movements()

    def expect(self, asked: Sequence[tuple[StoredAsset, TimeArray]], model: TrainedModel | None) -> None:
        """Read at once what `reference` will need of the peers of several assets of one profile."""
        if model is None:
            return
        peering, starts = model.peers.peering, dict[AssetKey, np.datetime64]()
        for asset, time in asked:
            for key in peering.peers_of(asset.key) - self._movements.at(asset.profile, peering, time).keys():
                starts[key] = min(time[0], starts.get(key, time[0]))
        if starts:
            profile = asked[0][0].profile
            wanted = [(one, from_numpy(starts[one.key])) for one in self._stored(profile, frozenset(starts))]
            self._read([(one, start) for one, start in wanted if not self._has(one, start)], profile)

    def reference(self, asset: StoredAsset, model: TrainedModel | None, time: TimeArray) -> Reference:
        """What the peers of an asset show at its instants; nothing without a model or peers."""
        peers = frozenset() if model is None else model.peers.peering.peers_of(asset.key)
        if model is None or not peers or not len(time):
            return NO_REFERENCE
        peering = model.peers.peering
        shown = self._movements.at(asset.profile, peering, time)
        unasked = peers - shown.keys()
        if unasked:
            others = self._windows_of(self._stored(asset.profile, unasked), from_numpy(time[0]))
            shown |= dict.fromkeys(unasked, _NOTHING)
            shown |= {key: peering.movement_at(time, window) for key, window in others.items()}
        return peering.reference_of(asset.key, shown, len(time))

    def _stored(self, profile: str, keys: frozenset[AssetKey]) -> list[StoredAsset]:
        unknown = [key for key in keys if (profile, key) not in self._assets]
        if unknown:
            found = self._tx.assets(profile, sites={key.site for key in unknown})
            self._assets |= dict.fromkeys([(profile, key) for key in unknown])
            self._assets |= {(profile, one.key): one for one in found}
        return [one for key in keys if (one := self._assets[profile, key]) is not None]

    def _windows_of(self, assets: Sequence[StoredAsset], start: datetime) -> dict[AssetKey, Window]:
        """What these assets read from an instant on."""
        unread = [(one, start) for one in assets if not self._has(one, start)]
        if unread:
            self._read(unread, unread[0][0].profile)
        return {one.key: self._from(one, start) for one in assets if one.id in self._windows}

    def _read(self, unread: Sequence[tuple[StoredAsset, datetime]], profile: str) -> None:
        """Keep what these assets of a profile read, each from an instant of its own on."""
        found = self._tx.rows_since({one.id: start for one, start in unread}, profile)
        for one, start in unread:
            if one.id in found:
                self._windows[one.id] = start, _as_window(one, found[one.id])

    def _has(self, asset: StoredAsset, start: datetime) -> bool:
        return asset.id in self._windows and self._windows[asset.id][0] <= start

    def _from(self, asset: StoredAsset, start: datetime) -> Window:
        since, window = self._windows[asset.id]
        if since == start:
            return window
        return window.rows(int(np.searchsorted(window.time, to_numpy(start))), len(window))


class BlockNeighbours:
    """As `Neighbours`, of assets that are all in memory.

    Args:
        rows: As they were read, of all assets that may be peers of each other.
    """

    def __init__(self, rows: Mapping[AssetKey, Window]) -> None:
        self._rows = {key: replace(window, values=_fit_to_tell(window)) for key, window in rows.items()}
        self._shown: dict[bytes, dict[AssetKey, Mapping[str, FloatArray]]] = {}
        """What assets show at some instants: most of a block ask at the same ones."""

    def reference(self, asset: AssetKey, model: TrainedModel | None, time: TimeArray) -> Reference:
        """What the peers of an asset show at its instants; nothing without a model or peers."""
        peers = frozenset() if model is None else model.peers.peering.peers_of(asset)
        if model is None or not peers or not len(time):
            return NO_REFERENCE
        peering = model.peers.peering
        shown = self._shown.setdefault(time.tobytes(), {})
        for key in (peers & self._rows.keys()) - shown.keys():
            own = self._rows[key]
            since = own.rows(int(np.searchsorted(own.time, time[0])), len(own))
            shown[key] = peering.movement_at(time, since)
        return peering.reference_of(asset, shown, len(time))


def peer_reference(
    tx: Transaction, asset: StoredAsset, model: TrainedModel | None, time: TimeArray
) -> Reference:
    """What the peers of an asset show at its instants; nothing without a model or peers."""
    return Neighbours(tx).reference(asset, model, time)


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
            other = ids.get(key)
            if other is not None:
                first[other] = min(instant, first.get(other, instant))
    return first


def _as_window(asset: StoredAsset, rows: StoredRows) -> Window:
    return Window(
        asset.key,
        asset.profile,
        rows.signals,
        rows.time,
        _fit_to_tell(rows),
        rows.quality,
        asset.step,
        asset.zone,
    )


def _fit_to_tell(rows: Window | StoredRows) -> FloatArray:
    """The values that the source itself does not doubt."""
    return np.where((rows.quality & _UNFIT) == 0, rows.values, np.nan)
