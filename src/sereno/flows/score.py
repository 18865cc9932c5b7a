"""Judging stored readings: detections, incidents, memory and cursor move in one transaction per asset."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from sereno.detect.peering import NO_REFERENCE, Reference
from sereno.domain.incidents import EventKind, Explains, Incident, explains
from sereno.domain.judgement import Detection, Evidence, IncidentKind, Memory
from sereno.domain.readings import JUDGED, FloatArray, Quality, Window
from sereno.domain.signals import Profile, register_name
from sereno.domain.time import from_numpy
from sereno.flows.assets import JUDGE, RECENT, Standing, drop_checkpoints, next_window, standing_of
from sereno.flows.fleet import Neighbours
from sereno.flows.judge import LEVELS, Judgement, judge_window
from sereno.flows.life import Recorder
from sereno.flows.models import TrainedModel
from sereno.flows.twins import twin_volumes
from sereno.incidents.grouping import IncidentStep, group_key, plan_steps
from sereno.incidents.reopening import explaining_slack, reopen_window
from sereno.store import StoredAsset, StoredDetection, Transaction

__all__ = ["AssetOutcome", "evidence_since", "score_asset"]

_AGE = "age"
_TICK = timedelta(microseconds=1)
_CHECKPOINT_ROWS = 1_000
"""Rows between two states to which a late reading can go back."""
_RECENT_KEPT = 3
"""Batches that what other assets tell can come later without many rows being judged again."""


@dataclass(frozen=True, slots=True)
class AssetOutcome:
    """What judging an asset's new rows changed."""

    n_rows: int = 0
    n_detections: int = 0
    n_opened: int = 0
    flags: Mapping[str, int] = field(default_factory=dict)
    """Rows that break an identity by more than rounding, by check: flagged, not necessarily incidents."""
    judged: Sequence[tuple[Window, Sequence[Evidence]]] = ()
    """The judged rows, in stretches, with what each check said of them."""


def score_asset(
    tx: Transaction,
    asset: StoredAsset,
    profile: Profile,
    model: TrainedModel | None,
    *,
    recorder: Recorder,
    first_touched: np.datetime64 | None = None,
    neighbours: Neighbours | None = None,
) -> AssetOutcome:
    """Judge what has not been judged of an asset, and everything after a late or corrected reading again.

    Args:
        recorder: Of the same transaction; its owner settles it.
        first_touched: Earliest instant that the batch in this transaction added or changed.
        neighbours: What other assets read, of the same transaction, where several assets are judged in it.
    """
    standing = standing_of(tx, asset, model, first_touched)
    window = next_window(standing)
    if not len(window):
        return AssetOutcome()
    model_id = "" if model is None else model.id_for(asset.key)
    if standing.asset.step != asset.step:
        tx.set_step(asset.id, standing.asset.step)
    if not standing.is_next:
        drop_checkpoints(tx, asset.id, since=standing.last_at and standing.last_at + _TICK)
    beside = _beside(tx, standing, profile, model, window, neighbours)
    chunks = _judge_in_chunks(standing, window, profile, model, beside)
    if beside.is_with_others:
        _keep_recent(tx, standing, chunks, model_id)
    tx.save_checkpoints(
        asset.id, JUDGE, [standing.state(c.memory, c.last_at, model_id) for c in chunks if c.is_checkpoint]
    )
    tx.save_watch_state(asset.id, JUDGE, standing.state(chunks[-1].memory, chunks[-1].last_at, model_id))
    for chunk in chunks:
        _keep_flags(tx, standing.asset, chunk.judgement, chunk.raw)
    found = list(
        {(d.check, d.started_at): d for chunk in chunks for d in chunk.judgement.detections}.values()
    )
    gone = _gone(tx, standing, found)
    tx.delete_detections([stored.id for stored in gone])
    for detection in found:
        tx.save_detection(asset.id, detection)
    if not standing.is_next:
        tx.drop_regime_changes(asset.id, after=standing.last_at)
    evidence = [one for chunk in chunks for one in chunk.judgement.evidence]
    tx.add_regime_changes(asset.id, [change for one in evidence for change in one.changes])
    gone_ones = [stored.detection for stored in gone]
    n_opened = _record_incidents(tx, standing, found, gone_ones, recorder)
    judged = [(chunk.judgement.window, chunk.judgement.evidence) for chunk in chunks]
    return AssetOutcome(len(window), len(found), n_opened, _count_flags(chunks), judged)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A judged stretch of a window."""

    judgement: Judgement
    raw: Window
    memory: Memory
    last_at: datetime
    is_checkpoint: bool


@dataclass(frozen=True, slots=True)
class _Beside:
    """What is known beside an asset's own rows."""

    twin: FloatArray | None
    reference: Reference
    factors: Mapping[str, float]

    @property
    def is_with_others(self) -> bool:
        """Whether other assets have a say: what they read may come a little later."""
        return self.twin is not None or self.reference is not NO_REFERENCE


def _keep_recent(tx: Transaction, standing: Standing, chunks: Sequence[_Chunk], model_id: str) -> None:
    """Keep the state before the last row: what others read at its instant mostly comes after it."""
    if len(chunks) > 1:
        before = standing.state(chunks[-2].memory, chunks[-2].last_at, model_id)
    elif standing.before is not None:
        before = replace(standing.before, again_from=None)
    else:
        return
    tx.save_checkpoints(standing.asset.id, RECENT, [before])
    tx.keep_newest_checkpoints(standing.asset.id, RECENT, n_kept=_RECENT_KEPT)


def _beside(
    tx: Transaction,
    standing: Standing,
    profile: Profile,
    model: TrainedModel | None,
    window: Window,
    neighbours: Neighbours | None = None,
) -> _Beside:
    return _Beside(
        twin_volumes(tx, standing.asset, profile, window.time),
        (neighbours or Neighbours(tx)).reference(standing.asset, model, window.time),
        tx.threshold_factors(standing.asset.id),
    )


def evidence_since(
    tx: Transaction, standing: Standing, profile: Profile, model: TrainedModel | None
) -> list[tuple[Window, Sequence[Evidence]]]:
    """What each check says of the rows from where an asset stands on, in stretches; stores nothing."""
    window = next_window(standing)
    if not len(window):
        return []
    chunks = _judge_in_chunks(standing, window, profile, model, _beside(tx, standing, profile, model, window))
    return [(chunk.judgement.window, chunk.judgement.evidence) for chunk in chunks]


def _judge_in_chunks(
    standing: Standing,
    window: Window,
    profile: Profile,
    model: TrainedModel | None,
    beside: _Beside,
) -> list[_Chunk]:
    """The window in stretches that end where checkpoints are due, wherever batches happened to end before."""
    chunks = []
    memory, start = standing.memory, 0
    while start < len(window):
        age = int(memory.arrays.get(_AGE, np.zeros(1))[0])
        stop = min(start + _CHECKPOINT_ROWS - age, len(window))
        if beside.is_with_others and start < len(window) - 1 == stop - 1:
            stop -= 1  # `_keep_recent` keeps the state before the last row
        part = window.rows(start, stop)
        judgement = judge_window(
            part,
            profile,
            model,
            memory,
            None if beside.twin is None else beside.twin[start:stop],
            beside.reference.rows(start, stop),
            beside.factors,
        )
        age = (age + stop - start) % _CHECKPOINT_ROWS
        memory = Memory({**judgement.memory.arrays, _AGE: np.array([age])})
        chunks.append(_Chunk(judgement, part, memory, from_numpy(part.time[-1]), is_checkpoint=age == 0))
        start = stop
    return chunks


def _keep_flags(tx: Transaction, asset: StoredAsset, judgement: Judgement, raw: Window) -> None:
    """Flags found by judging stand beside the raw values that they are about: readings of a register too."""
    window, flags = judgement.window, judgement.flags
    names = [
        name if register_name(name) not in raw.signals else register_name(name) for name in window.signals
    ]
    rows = np.flatnonzero(((window.quality & int(JUDGED)) != flags).any(axis=1))
    if len(rows):
        tx.set_flags(asset.id, asset.profile, time=window.time[rows], signals=names, flags=flags[rows])


def _count_flags(chunks: Sequence[_Chunk]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for chunk in chunks:
        flagged = ((chunk.judgement.flags & int(Quality.IMBALANCE)) != 0).any(axis=1)
        for one in chunk.judgement.evidence:
            if one.kind is IncidentKind.PHYSICS:
                flagged &= ~(one.exceedance >= 1.0)
        counts["physics.imbalance"] += int(flagged.sum())
    return +counts


def _gone(tx: Transaction, standing: Standing, found: Sequence[Detection]) -> list[StoredDetection]:
    """Stored detections of the judged stretch that judging it again did not find."""
    kept = {(detection.check, detection.started_at) for detection in found}
    stored = tx.detections(standing.asset.id, since=standing.last_at)
    under_way = {
        name.removeprefix("episode/") for name in standing.memory.arrays if name.startswith("episode/")
    }
    return [
        one
        for one in stored
        if (one.detection.check, one.detection.started_at) not in kept
        and _is_judged_again(one.detection, standing, under_way)
    ]


def _is_judged_again(detection: Detection, standing: Standing, under_way: set[str]) -> bool:
    if standing.last_at is None or detection.started_at > standing.last_at:
        return True
    return detection.check in under_way and (
        detection.ended_at is None or detection.last_at >= standing.last_at
    )


def _record_incidents(
    tx: Transaction,
    standing: Standing,
    found: Sequence[Detection],
    gone: Sequence[Detection],
    recorder: Recorder,
) -> int:
    """Bring the asset's incidents in line; returns how many opened."""
    if not found and not gone:
        return 0
    asset, last_at = standing.asset, standing.last_at
    # What began before the judged rows and goes on belongs to an incident that is active or ends among them,
    # but a level of weeks may belong to an episode that ended long ago.
    begun = [
        d.started_at if last_at is None or d.check in LEVELS else max(d.started_at, last_at) for d in found
    ]
    reach = min([*begun, *(d.started_at for d in gone)])
    widest = max(reopen_window(d, asset.step) for d in (*found, *gone))
    widest = max(widest, explaining_slack(asset.step))
    known = tx.incidents(asset_id=asset.id, since=reach - widest, include_withdrawn=True)
    if _may_move(found, known) or any(map(_may_explain, found)):
        reach = min(d.started_at for d in (*found, *gone))
        known = tx.incidents(asset_id=asset.id, since=reach - widest, include_withdrawn=True)
    plan = partial(plan_steps, found, gone, step=asset.step, now=recorder.now, namespace=tx.namespace)
    steps = plan(known)
    if any(tx.has_incident(step.incident_id) for step in _openings(steps)):
        # An incident that is long over, or was withdrawn, has had this trouble before.
        known = tx.incidents(asset_id=asset.id, include_withdrawn=True)
        steps = plan(known)
    for step in steps:
        if step.event.kind is EventKind.OPENED:
            recorder.open(step.incident_id, step.group_key, asset, step.event)
        else:
            recorder.append(step.incident_id, step.event, asset)
    return len(_openings(steps))


def _openings(steps: Sequence[IncidentStep]) -> list[IncidentStep]:
    return [step for step in steps if step.event.kind is EventKind.OPENED]


def _may_explain(detection: Detection) -> bool:
    return explains(detection) < Explains.EPISODE


def _may_move(found: Sequence[Detection], known: Sequence[Incident]) -> bool:
    """Whether what goes on may be trouble of an older incident: it is not what it seemed, or is explained."""
    told = {(d.check, d.started_at): _kept_as(d, incident) for incident in known for d in incident.evidence}
    return any(told.get((d.check, d.started_at), group_key(d)) != group_key(d) for d in found)


def _kept_as(detection: Detection, incident: Incident) -> str:
    """The trouble that a detection is told as; empty where other trouble explains it, which may end."""
    return group_key(detection) if detection.check == incident.leading[0].check else ""
