"""Where judging an asset stands: its rows, grid and memory, and how to go back for late readings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy, to_numpy
from sereno.flows.models import TrainedModel
from sereno.prepare.grid import build_window, infer_step
from sereno.store import Appended, StoredAsset, StoredRows, Transaction, WatchState

__all__ = [
    "JUDGE",
    "RECENT",
    "Standing",
    "beginning_of",
    "judge_again",
    "lock_touched",
    "next_window",
    "resumed",
    "standing_of",
    "standings_of",
    "whole_window",
    "window_between",
]

JUDGE = "judge"
RECENT = "judge.recent"
"""Checkpoints of the last batches, for what is told of their rows a little later."""
_SIGNALS = "signals"
_MIN_ROWS_FOR_STEP = 4
_FASTER = 0.75
"""An interval below this share of the known step contradicts it."""
_STEP_LOOKBACK = 64
"""Steps before the last judged row that are looked at for another rhythm."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an asset has been judged.

    Attributes:
        signals: Columns of its windows; the memory's arrays follow them.
        last_at: Start of the last judged row; None at the beginning.
        rows: Stored rows from the last judged one on.
        is_next: It goes on where judging ended; otherwise rows are judged again.
    """

    asset: StoredAsset
    signals: tuple[str, ...]
    last_at: datetime | None
    memory: Memory
    rows: StoredRows
    is_next: bool = False
    before: WatchState | None = None
    """As it is stored."""

    def state(self, memory: Memory, last_at: datetime, model_id: str) -> WatchState:
        """What to store after judging up to a row."""
        names = np.frombuffer(json.dumps(self.signals).encode(), dtype=np.uint8)
        return WatchState(last_at, Memory({**memory.arrays, _SIGNALS: names}).dump(), model_id)


def resumed(tx: Transaction, known: Sequence[Standing]) -> list[Standing]:
    """Standings of assets of one profile after their last rows, with the rows that came since.

    An asset whose rhythm or set of signals is another one now is left out: judging it begins anew.
    """
    since = {one.asset.id: one.last_at for one in known if one.last_at is not None}
    rows = tx.rows_since(since, known[0].asset.profile) if since else {}
    found = []
    for one in known:
        own = rows.get(one.asset.id)
        if own is None or one.last_at is None or set(_signals_in(own)) - set(one.signals):
            continue
        if not _has_other_step(tx, one.asset, own, one.last_at):
            found.append(replace(one, rows=own))
    return found


def standing_of(
    tx: Transaction, asset: StoredAsset, model: TrainedModel | None, first_touched: np.datetime64 | None
) -> Standing:
    """Where to go on: after the last judged row, before the first late one, or from the beginning.

    Judging begins anew when the model, the asset's rhythm or its set of signals has changed.
    """
    touched = {} if first_touched is None else {asset.id: first_touched}
    return standings_of(tx, [asset], model, touched)[0]


def standings_of(
    tx: Transaction,
    assets: Sequence[StoredAsset],
    model: TrainedModel | None,
    touched: Mapping[int, np.datetime64],
) -> list[Standing]:
    """As `standing_of`, of several assets of one profile, with few questions to the store.

    Args:
        touched: Earliest instant that is new or other than it was, by id, of assets that have one.
    """
    states = tx.watch_states([asset.id for asset in assets], JUDGE)
    known = {asset.id: one for asset in assets if (one := _going_on(states.get(asset.id), asset, model))}
    late: dict[int, datetime] = {}
    for asset_id, state in known.items():
        first = _first(touched.get(asset_id), state)
        if first is not None and first <= _last_ts(state):
            late[asset_id] = first
    kept = tx.checkpoints_before(late, (JUDGE, RECENT))
    back = {asset.id: one for asset in assets if (one := _going_on(kept.get(asset.id), asset, model))}
    current = {one: back.get(one) if one in late else state for one, state in known.items()}
    going = {one: state for one, state in current.items() if state is not None}
    rows = _rows_after(tx, assets, going)
    for asset in assets:
        own = rows.get(asset.id)
        if own is not None and _has_other_step(tx, asset, own, _last_ts(known[asset.id])):
            current[asset.id] = None
    return [
        _standing(tx, asset, model, current.get(asset.id), rows.get(asset.id), is_next=asset.id not in late)
        for asset in assets
    ]


def _going_on(state: WatchState | None, asset: StoredAsset, model: TrainedModel | None) -> WatchState | None:
    """The state, where the same model has judged rows with it."""
    model_id = "" if model is None else model.id_for(asset.key)
    return None if state is None or state.last_ts is None or state.model != model_id else state


def _rows_after(
    tx: Transaction, assets: Sequence[StoredAsset], states: Mapping[int, WatchState]
) -> dict[int, StoredRows]:
    """The rows of each asset from the last judged one on."""
    profiles = {asset.profile for asset in assets if asset.id in states}
    starts = {one: _last_ts(state) for one, state in states.items()}
    return {one: rows for profile in profiles for one, rows in tx.rows_since(starts, profile).items()}


def _standing(
    tx: Transaction,
    asset: StoredAsset,
    model: TrainedModel | None,
    state: WatchState | None,
    rows: StoredRows | None,
    *,
    is_next: bool,
) -> Standing:
    if state is None or rows is None:
        return beginning_of(tx, asset, model)
    arrays = dict(Memory.load(state.memory).arrays)
    signals = tuple(json.loads(arrays.pop(_SIGNALS).tobytes()))
    if set(_signals_in(rows)) - set(signals):
        return beginning_of(tx, asset, model)
    return Standing(asset, signals, state.last_ts, Memory(arrays), rows, is_next, state)


def _first(touched: np.datetime64 | None, state: WatchState) -> datetime | None:
    """The earliest row to judge again; None where there is only what comes next."""
    known = [one for one in (None if touched is None else from_numpy(touched), state.again_from) if one]
    return min(known, default=None)


def _last_ts(state: WatchState) -> datetime:
    assert state.last_ts is not None
    return state.last_ts


def judge_again(tx: Transaction, ids: Mapping[AssetKey, int], appended: Appended, _profile: Profile) -> None:
    """Let judging, when it comes, go back before what a batch added or changed of rows judged already."""
    touched = {ids[key]: from_numpy(instant) for key, instant in appended.first_touched.items()}
    late: dict[int, datetime] = {}
    for asset_id, state in tx.watch_states(touched, JUDGE).items():
        instant = touched[asset_id]
        if state.last_ts is not None and instant <= state.last_ts:
            late[asset_id] = min(instant, state.again_from or instant)
    earlier = tx.checkpoints_before(late, (JUDGE, RECENT))
    tx.drop_states({one: at if one in earlier else None for one, at in late.items()}, (JUDGE, RECENT))
    tx.save_watch_states(earlier, JUDGE)


def lock_touched(tx: Transaction, ids: Mapping[AssetKey, int], _profile: Profile) -> None:
    """Keep other engines away from the assets of a batch until its transaction ends."""
    tx.lock_assets(list(ids.values()))


def next_window(standing: Standing) -> Window:
    """The rows not judged yet, on the asset's grid, gaps before them included."""
    last, rows = standing.last_at, standing.rows
    after = None if last is None else to_numpy(last)
    first = 0 if after is None else int(np.searchsorted(rows.time, after, side="right"))
    return _window(standing.asset, standing.signals, rows, first, after)


def window_between(standing: Standing, before: np.datetime64) -> Window:
    """The rows not judged yet that lie before an instant."""
    window = next_window(standing)
    return window.rows(0, int(np.searchsorted(window.time, before)))


def whole_window(tx: Transaction, asset: StoredAsset) -> Window:
    """All stored rows of an asset, for training."""
    rows = tx.rows(asset.id, asset.profile)
    return _window(_stepped(asset, rows), _signals_in(rows), rows, 0, None)


def _has_other_step(tx: Transaction, asset: StoredAsset, rows: StoredRows, last_at: datetime) -> bool:
    """Whether the newest rows show a rhythm where there was none, or a faster one than was thought.

    Looks at a bounded stretch before the last judged row, and only when the newest interval contradicts.

    Args:
        rows: From the last judged one on, or from before it.
    """
    known = np.searchsorted(rows.time, to_numpy(last_at))
    intervals = np.diff(rows.time[known:])
    intervals = intervals[intervals > np.timedelta64(0, "us")]
    if not len(intervals):
        return False
    shortest = intervals.min().astype("timedelta64[us]").item()
    if asset.step is not None and shortest >= _FASTER * asset.step:
        return False
    recent = tx.rows(asset.id, asset.profile, start=last_at - _STEP_LOOKBACK * shortest)
    step = infer_step(recent.time) if len(recent) >= _MIN_ROWS_FOR_STEP else None
    return step is not None and (asset.step is None or step < asset.step)


def beginning_of(tx: Transaction, asset: StoredAsset, model: TrainedModel | None) -> Standing:
    """Where an asset stands before any of its rows has been judged."""
    rows = tx.rows(asset.id, asset.profile)
    signals = _signals_in(rows)
    if model is not None and asset.key in model.layouts:
        stored = [name for name in model.layouts[asset.key].signals if name in rows.signals]
        signals = (*stored, *(name for name in signals if name not in stored))
    return Standing(_stepped(asset, rows), signals, None, Memory(), rows)


def _stepped(asset: StoredAsset, rows: StoredRows) -> StoredAsset:
    """The asset with the rhythm of all its rows; the caller that writes saves it."""
    step = infer_step(rows.time) if len(rows) >= _MIN_ROWS_FOR_STEP else None
    return replace(asset, step=step or asset.step)


def _signals_in(rows: StoredRows) -> tuple[str, ...]:
    """Signals that the asset has ever had, in the order of the table."""
    if not len(rows):
        return ()
    present: list[bool] = np.asarray(~np.isnan(rows.values).all(axis=0)).tolist()
    return tuple(name for name, is_there in zip(rows.signals, present, strict=True) if is_there)


def _window(
    asset: StoredAsset, signals: tuple[str, ...], rows: StoredRows, first: int, after: np.datetime64 | None
) -> Window:
    columns = [rows.signals.index(name) for name in signals]
    values, quality = rows.values[first:, columns], rows.quality[first:, columns]
    return build_window(
        asset.key,
        asset.profile,
        signals,
        (rows.time[first:], values, quality),
        asset.step,
        zone=asset.zone,
        after=after,
    )
