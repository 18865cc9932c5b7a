"""Judging in the shadow: detectors that nobody hears yet judge what the champion judges, a little later."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sereno.domain.errors import ModelError
from sereno.domain.judgement import Detection, IncidentKind, Memory
from sereno.domain.registry import ModelState
from sereno.domain.signals import Profile
from sereno.domain.time import from_numpy
from sereno.flows.assets import Standing, next_window
from sereno.flows.fleet import peer_reference
from sereno.flows.judge import judge_window
from sereno.flows.learning import ModelShelf
from sereno.flows.models import Layout, TrainedModel
from sereno.flows.standings import states_of
from sereno.store import Store, StoredAsset, StoredModel, Transaction, WatchState
from sereno.store.shadows import ShadowStanding

__all__ = ["forget_shadow", "judge_shadows", "shadow_detectors"]

_MOST_ROWS = 10_000


def shadow_detectors(tx: Transaction) -> list[StoredModel]:
    """The detectors in the shadow."""
    models = tx.models()
    states = {
        name: state
        for profile in {m.card.profile for m in models}
        for name, state in states_of(tx, profile).items()
    }
    return [one for one in models if states[one.card.id] is ModelState.SHADOW]


def judge_shadows(store: Store, shelf: ModelShelf, profiles: Mapping[str, Profile]) -> int:
    """Let each detector in the shadow judge the rows that have come since; returns how many rows.

    A transaction for each asset and model; what cannot be loaded judges nothing.
    """
    with store.read() as tx:
        shadows = shadow_detectors(tx)
    n_rows = 0
    for stored in shadows:
        try:
            model = shelf.version(stored)
        except ModelError:  # the comparison will say so
            continue
        with store.read() as tx:
            assets = [one for one in tx.assets(model.card.profile) if one.key in model.layouts]
        for asset in assets:
            with store.begin() as tx:
                n_rows += _judge(tx, asset, model, profiles[asset.profile])
    return n_rows


def forget_shadow(tx: Transaction, model_id: str) -> None:
    """Let go of what a version remembers between two rows; what it said stays."""
    assets: dict[int, datetime | None] = {one.asset_id: None for one in tx.shadow_standings(model_id)}
    tx.drop_states(assets, (_name(model_id),))


def _judge(tx: Transaction, asset: StoredAsset, model: TrainedModel, profile: Profile) -> int:
    """Judge the next rows of an asset; returns how many."""
    layout, name = model.layouts[asset.key], _name(model.card.id)
    state = tx.watch_state(asset.id, name)
    standing = _standing(tx, asset, model, layout, state)
    window = next_window(standing)
    window = window.rows(0, _MOST_ROWS)
    if not len(window):
        return 0
    reference = peer_reference(tx, asset, model, window.time)
    judgement = judge_window(window, profile, model, standing.memory, None, reference)
    first, last = from_numpy(window.time[0]), from_numpy(window.time[-1])
    before = next((one for one in tx.shadow_standings(model.card.id) if one.asset_id == asset.id), None)
    so_far = ShadowStanding(
        asset.id,
        model.card.id,
        first if before is None else before.since,
        last,
        len(window) + (0 if before is None else before.n_rows),
    )
    tx.save_shadow(so_far, _told(judgement.detections))
    tx.save_watch_state(asset.id, name, WatchState(last, judgement.memory.dump(), model.card.id))
    return len(window)


def _standing(
    tx: Transaction, asset: StoredAsset, model: TrainedModel, layout: Layout, state: WatchState | None
) -> Standing:
    """Where the version goes on: after the last row that it has learnt from or judged."""
    last = layout.until or model.card.trained_at
    memory = model.memories[asset.key]
    if state is not None and state.last_ts is not None:
        last, memory = state.last_ts, Memory.load(state.memory)
    rows = tx.rows(asset.id, asset.profile, start=last)
    signals = tuple(name for name in layout.signals if name in rows.signals)
    return Standing(asset, signals, last, memory, rows)


def _told(detections: Sequence[Detection]) -> list[Detection]:
    """Those of behaviour, each as it was said last."""
    found = {(one.check, one.started_at): one for one in detections}
    return [one for one in found.values() if one.kind is IncidentKind.BEHAVIOUR]


def _name(model_id: str) -> str:
    return f"shadow/{model_id}"
