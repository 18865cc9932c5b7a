"""A block of assets learnt, judged and forecast from arrays alone: no store, no files, no clock.

The functions are those of the store's path (`train_profile`, `judge_courses`, `plan_steps`), fed from
memory, so that a fleet in a lake is judged as the same assets in a workspace would be.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from sereno.domain.errors import HistoryTooShort
from sereno.domain.incidents import Incident, apply
from sereno.domain.judgement import Detection, Memory, RegimeChange
from sereno.domain.readings import JUDGED, FloatArray, TimeArray, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.flows.fleet import BlockNeighbours
from sereno.flows.judge import NO_FACTORS
from sereno.flows.learning import rows_before
from sereno.flows.models import TrainedModel
from sereno.flows.stretches import Beside, Course, Stretch, count_flags, judge_courses
from sereno.flows.train import TrainingPlan, train_profile
from sereno.flows.twins import has_twins, twin_key, volumes_at
from sereno.incidents.grouping import plan_steps
from sereno.prepare.grid import build_window, infer_step

__all__ = ["JudgedAsset", "JudgedBlock", "judge_block", "judgement_digest", "on_grid", "train_block"]

_MIN_ROWS_FOR_STEP = 4


@dataclass(frozen=True, slots=True)
class JudgedAsset:
    """What judging all rows of an asset gave.

    Attributes:
        time: UTC start of each row, shape (rows,).
        exceedances: Score over threshold by check, shape (rows,); NaN where a check says nothing.
        digest: SHA-256 of all exceedances and of what became incidents.
    """

    asset: AssetKey
    zone: str
    step: timedelta | None
    time: TimeArray
    exceedances: Mapping[str, FloatArray]
    detections: Sequence[Detection]
    incidents: Sequence[Incident]
    changes: Sequence[RegimeChange]
    flags: Mapping[str, int]
    digest: str


@dataclass(frozen=True, slots=True)
class JudgedBlock:
    """What judging a block gave, in the order of its assets."""

    model: str
    assets: Sequence[JudgedAsset]


def on_grid(rows: Window, model: TrainedModel | None = None) -> Window:
    """Rows as they were read, on the grid of their own rhythm, with the signals that were ever read.

    Args:
        model: What judges them; the signals that it learnt come first, as it learnt them.
    """
    first = () if model is None or rows.asset not in model.layouts else model.layouts[rows.asset].signals
    step = infer_step(rows.time) if len(rows) >= _MIN_ROWS_FOR_STEP else None
    is_there: list[bool] = np.asarray(~np.isnan(rows.values).all(axis=0)).tolist() if len(rows) else []
    present = [name for name, has in zip(rows.signals, is_there, strict=bool(len(rows))) if has]
    ordered = [name for name in first if name in rows.signals]
    signals = (*ordered, *(name for name in present if name not in ordered))
    columns = [rows.signals.index(name) for name in signals]
    readings = (rows.time, rows.values[:, columns], rows.quality[:, columns])
    return build_window(rows.asset, rows.profile, signals, readings, step or rows.step, zone=rows.zone)


def train_block(
    rows: Sequence[Window], plan: TrainingPlan, *, before: datetime | None = None
) -> TrainedModel | None:
    """The model of the assets of a block; None where none of them has enough history.

    Args:
        rows: As they were read, in the order of the assets.
        before: Learn only from what was read before this instant.

    Raises:
        BudgetTooSmall: The firm budget is below what the history supports.
    """
    windows = [rows_before(on_grid(one), before) for one in rows]
    windows = [window for window in windows if len(window) and window.signals]
    try:
        return train_profile(windows, plan) if windows else None
    except HistoryTooShort:
        return None


def judge_block(
    rows: Sequence[Window], profile: Profile, model: TrainedModel | None, *, now: datetime
) -> JudgedBlock:
    """Judge all rows of the assets of a block from their beginning.

    Args:
        rows: As they were read, in the order of the assets.
        now: When incidents are said to have been opened.
    """
    read = {one.asset: one for one in rows}
    neighbours = BlockNeighbours(read)
    judged = []
    for one in rows:
        asset, marked = _judge(one, profile, model, neighbours, read, now)
        judged.append(asset)
        if has_twins(profile):
            read[one.asset] = marked
    return JudgedBlock("" if model is None else model.card.id, judged)


def _judge(
    rows: Window,
    profile: Profile,
    model: TrainedModel | None,
    neighbours: BlockNeighbours,
    read: Mapping[AssetKey, Window],
    now: datetime,
) -> tuple[JudgedAsset, Window]:
    """What is said of an asset, and its rows as they are marked then."""
    key = rows.asset
    window = on_grid(rows, model)
    other = twin_key(key, profile, list(read)) if has_twins(profile) else None
    twin = None if other is None else volumes_at(window.time, read[other])
    beside = Beside(twin, neighbours.reference(key, model, window.time), NO_FACTORS)
    course = Course(window, Memory(), beside)
    judge_courses([course], profile, model)
    stretches = course.stretches
    evidence = [one for stretch in stretches for one in stretch.judgement.evidence]
    found = {(d.check, d.started_at): d for stretch in stretches for d in stretch.judgement.detections}
    detections = list(found.values())
    incidents = _incidents(detections, window, now)
    exceedances = exceedances_of(stretches)
    asset = JudgedAsset(
        asset=key,
        zone=window.zone,
        step=window.step,
        time=window.time,
        exceedances=exceedances,
        detections=detections,
        incidents=incidents,
        changes=[change for one in evidence for change in one.changes],
        flags=count_flags(stretches),
        digest=judgement_digest(exceedances, incidents),
    )
    return asset, _marked(rows, stretches)


def exceedances_of(stretches: Sequence[Stretch]) -> dict[str, FloatArray]:
    """Score over threshold of each row by check, over all stretches; NaN where a check says nothing."""
    lengths = [len(stretch.raw) for stretch in stretches]
    checks = dict.fromkeys(one.check for stretch in stretches for one in stretch.judgement.evidence)
    parts = [{one.check: one.exceedance for one in stretch.judgement.evidence} for stretch in stretches]
    return {
        check: np.concatenate(
            [part.get(check, np.full(n, np.nan)) for part, n in zip(parts, lengths, strict=True)]
        )
        for check in checks
    }


def judgement_digest(exceedances: Mapping[str, FloatArray], incidents: Sequence[Incident]) -> str:
    """SHA-256 of what was said of each row of an asset and of its incidents, whenever it was said."""
    digest = hashlib.sha256()
    for check, values in sorted(exceedances.items()):
        digest.update(check.encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    for one in sorted(incidents, key=lambda one: one.id):
        said = (one.id, one.kind.value, one.worst.cause, one.severity.name, one.started_at, one.ended_at)
        digest.update(repr(said).encode())
    return digest.hexdigest()


def _incidents(detections: Sequence[Detection], window: Window, now: datetime) -> list[Incident]:
    """The incidents that these detections make of an asset that has none yet."""
    incidents: dict[str, Incident] = {}
    for step in plan_steps(detections, (), (), step=window.step, now=now):
        before = incidents.get(step.incident_id)
        incidents[step.incident_id] = apply(
            before, step.event, incident_id=step.incident_id, group_key=step.group_key
        )
    return [one for one in incidents.values() if not one.is_withdrawn]


def _marked(rows: Window, stretches: Sequence[Stretch]) -> Window:
    """The rows with what judging found of them: a twin's bad values are not compared with."""
    quality = rows.quality.copy()
    for stretch in stretches:
        judged = stretch.judgement.window
        _, here, there = np.intersect1d(rows.time, judged.time, return_indices=True)
        for column, name in enumerate(rows.signals):
            if name in judged.signals:
                flags = stretch.judgement.flags[there, judged.signals.index(name)]
                quality[here, column] = (quality[here, column] & ~int(JUDGED)) | flags
    return replace(rows, quality=quality)
