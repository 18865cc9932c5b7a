"""Judging stored readings: detections, incidents, memory and cursor move in one transaction per asset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import filterfalse, zip_longest

import numpy as np

from sereno.domain.incidents import EventKind, Explains, Incident, explains
from sereno.domain.judgement import Detection, Evidence, RegimeChange
from sereno.domain.readings import JUDGED, Window
from sereno.domain.signals import Profile, register_name
from sereno.flows.assets import JUDGE, RECENT, Standing, next_window, standings_of
from sereno.flows.fleet import Neighbours
from sereno.flows.judge import LEVELS
from sereno.flows.life import Recorder
from sereno.flows.models import TrainedModel
from sereno.flows.stretches import Beside, Course, Stretch, count_flags, judge_courses
from sereno.flows.twins import twin_volumes
from sereno.incidents.grouping import IncidentStep, group_key, plan_steps
from sereno.incidents.reopening import explaining_slack, reopen_window
from sereno.store import FoundFlags, StoredAsset, StoredDetection, Transaction, WatchState

__all__ = [
    "AssetOutcome",
    "JudgedRows",
    "Judging",
    "begin_judging",
    "evidence_since",
    "finish_judging",
    "score_assets",
]

_TICK = timedelta(microseconds=1)
_RECENT_KEPT = 3
"""Batches that what other assets tell can come later without many rows being judged again."""

JudgedRows = Sequence[tuple[Window, Sequence[Evidence]]]
"""Judged rows of an asset, in stretches, with what each check said of them."""


@dataclass(frozen=True, slots=True)
class AssetOutcome:
    """What judging an asset's new rows changed."""

    n_rows: int = 0
    n_detections: int = 0
    n_opened: int = 0
    flags: Mapping[str, int] = field(default_factory=dict)
    """Rows that break an identity by more than rounding, by check: flagged, not necessarily incidents."""
    judged: JudgedRows = ()


@dataclass(frozen=True, slots=True)
class Judging:
    """The next rows of an asset on their way.

    Attributes:
        asset: As it is stored.
    """

    asset: StoredAsset
    standing: Standing
    course: Course


def score_assets(
    tx: Transaction,
    assets: Sequence[StoredAsset],
    profile: Profile,
    model: TrainedModel | None,
    *,
    recorder: Recorder,
    touched: Mapping[int, np.datetime64] | None = None,
    neighbours: Neighbours | None = None,
    keeps_judged: bool = False,
) -> list[AssetOutcome]:
    """Judge what has not been judged of assets, and everything after a late or corrected reading again.

    What is asked of the store, and what is written, is so for all of them together.

    Args:
        assets: Of one profile; none is the twin of another.
        recorder: Of the same transaction; its owner settles it.
        touched: Earliest instant that the batch in this transaction added or changed, by id of the asset.
        neighbours: What other assets read, of the same transaction.
        keeps_judged: Whether the outcomes hold the rows as they were judged.
    """
    begun = begin_judging(tx, assets, profile, model, touched=touched, neighbours=neighbours)
    judge_courses([one.course for one in begun], profile, model)
    outcomes = finish_judging(tx, begun, model, recorder=recorder, keeps_judged=keeps_judged)
    return [outcomes.get(asset.id, AssetOutcome()) for asset in assets]


def begin_judging(
    tx: Transaction,
    assets: Sequence[StoredAsset],
    profile: Profile,
    model: TrainedModel | None,
    *,
    touched: Mapping[int, np.datetime64] | None = None,
    neighbours: Neighbours | None = None,
) -> list[Judging]:
    """What is to be judged of assets, of those that have something; arguments as those of `score_assets`."""
    neighbours = neighbours or Neighbours(tx)
    standings = zip(assets, standings_of(tx, assets, model, touched or {}), strict=True)
    coming = [(*one, window) for one in standings if len(window := next_window(one[1]))]
    neighbours.expect([(standing.asset, window.time) for _, standing, window in coming], model)
    begun = []
    for asset, standing, window in coming:
        beside = _beside(tx, standing, profile, model, window, neighbours)
        begun.append(Judging(asset, standing, Course(window, standing.memory, beside)))
    return begun


def finish_judging(
    tx: Transaction,
    judged: Sequence[Judging],
    model: TrainedModel | None,
    *,
    recorder: Recorder,
    keeps_judged: bool = False,
) -> dict[int, AssetOutcome]:
    """Keep what judging gave, all of whose rows have been judged; what that changed, by id of the asset.

    Nobody else has judged these assets since it began.
    """
    for one in judged:
        if one.standing.asset.step != one.asset.step:
            tx.set_step(one.asset.id, one.standing.asset.step)
    concluded = [_concluded(one.standing, one.course, model, keeps_judged=keeps_judged) for one in judged]
    gone = _store(tx, concluded)
    told = [
        _Told(one.standing, one.found, [stored.detection for stored in own])
        for one, own in zip(concluded, gone, strict=True)
    ]
    opened = _record_incidents(tx, told, recorder)
    return {
        one.standing.asset.id: AssetOutcome(one.n_rows, len(one.found), n_opened, one.flags, one.judged)
        for one, n_opened in zip(concluded, opened, strict=True)
    }


@dataclass(frozen=True, slots=True)
class _Judged:
    """What judging said of an asset's next rows, and what is to be kept of it."""

    standing: Standing
    n_rows: int
    found: Sequence[Detection]
    state: WatchState
    checkpoints: Sequence[WatchState]
    recent: WatchState | None
    """A state few rows before the last one: what others read at its instant mostly comes after it."""
    changes: Sequence[RegimeChange]
    found_flags: Sequence[FoundFlags]
    flags: Mapping[str, int]
    judged: JudgedRows


def _concluded(
    standing: Standing, course: Course, model: TrainedModel | None, *, keeps_judged: bool
) -> _Judged:
    """What is to be kept of an asset's next rows, all of which have been judged."""
    chunks = course.stretches
    model_id = "" if model is None else model.id_for(standing.asset.key)
    evidence = [one for chunk in chunks for one in chunk.judgement.evidence]
    found = {(d.check, d.started_at): d for chunk in chunks for d in chunk.judgement.detections}
    return _Judged(
        standing,
        n_rows=len(course.window),
        found=list(found.values()),
        state=standing.state(chunks[-1].memory, chunks[-1].last_at, model_id),
        checkpoints=[standing.state(c.memory, c.last_at, model_id) for c in chunks if c.is_checkpoint],
        recent=_recent(standing, chunks, model_id) if course.beside.is_with_others else None,
        changes=[change for one in evidence for change in one.changes],
        found_flags=[one for chunk in chunks if (one := _found_flags(standing.asset, chunk)) is not None],
        flags=count_flags(chunks),
        judged=[(c.judgement.window, c.judgement.evidence) for c in chunks] if keeps_judged else (),
    )


def _store(tx: Transaction, judged: Sequence[_Judged]) -> list[list[StoredDetection]]:
    """Keep what judging assets gave; returns the detections of each that are no more."""
    again = {one.standing.asset.id: one.standing.last_at for one in judged if not one.standing.is_next}
    tx.drop_states({asset_id: at and at + _TICK for asset_id, at in again.items()}, (JUDGE, RECENT))
    recent = {one.standing.asset.id: [one.recent] for one in judged if one.recent is not None}
    tx.save_all_checkpoints(recent, RECENT)
    tx.keep_newest_checkpoints(recent, RECENT, n_kept=_RECENT_KEPT)
    tx.save_all_checkpoints({one.standing.asset.id: one.checkpoints for one in judged}, JUDGE)
    tx.save_watch_states({one.standing.asset.id: one.state for one in judged}, JUDGE)
    _keep_flags(tx, judged)
    stored = tx.detections_since({one.standing.asset.id: one.standing.last_at for one in judged})
    gone = [_gone(one.standing, one.found, stored[one.standing.asset.id]) for one in judged]
    tx.delete_detections([stored.id for own in gone for stored in own])
    tx.save_detections([(one.standing.asset.id, found) for one in judged for found in one.found])
    tx.drop_regime_changes(again)
    tx.add_regime_changes({one.standing.asset.id: one.changes for one in judged})
    return gone


def _recent(standing: Standing, chunks: Sequence[Stretch], model_id: str) -> WatchState | None:
    """A state few rows before the last one."""
    if len(chunks) > 1:
        return standing.state(chunks[-2].memory, chunks[-2].last_at, model_id)
    return None if standing.before is None else replace(standing.before, again_from=None)


def _beside(
    tx: Transaction,
    standing: Standing,
    profile: Profile,
    model: TrainedModel | None,
    window: Window,
    neighbours: Neighbours | None = None,
) -> Beside:
    return Beside(
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
    course = Course(window, standing.memory, _beside(tx, standing, profile, model, window))
    judge_courses([course], profile, model)
    return [(chunk.judgement.window, chunk.judgement.evidence) for chunk in course.stretches]


def _found_flags(asset: StoredAsset, chunk: Stretch) -> FoundFlags | None:
    """Flags that stand beside the raw values that they are about: readings of a register too."""
    window, flags, raw = chunk.judgement.window, chunk.judgement.flags, chunk.raw
    rows = np.flatnonzero(((window.quality & int(JUDGED)) != flags).any(axis=1))
    if not len(rows):
        return None
    names = [
        name if register_name(name) not in raw.signals else register_name(name) for name in window.signals
    ]
    return FoundFlags(asset.id, window.time[rows], names, flags[rows])


def _keep_flags(tx: Transaction, judged: Sequence[_Judged]) -> None:
    """Set the flags of all assets, one stretch of each at a time."""
    for found in zip_longest(*(one.found_flags for one in judged)):
        tx.set_flags(judged[0].standing.asset.profile, [one for one in found if one is not None])


def _gone(
    standing: Standing, found: Sequence[Detection], stored: Sequence[StoredDetection]
) -> list[StoredDetection]:
    """Stored detections of the judged stretch that judging it again did not find."""
    kept = {(detection.check, detection.started_at) for detection in found}
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


@dataclass(frozen=True, slots=True)
class _Told:
    """What is new of the detections of an asset."""

    standing: Standing
    found: Sequence[Detection]
    gone: Sequence[Detection]

    @property
    def asset(self) -> StoredAsset:
        return self.standing.asset

    @property
    def recent(self) -> datetime:
        """From when on incidents may be about this.

        What began before the judged rows and goes on belongs to an incident that is active or ends among
        them, unless it is a level of weeks (`around`).
        """
        last_at = self.standing.last_at
        begun = [d.started_at if last_at is None else max(d.started_at, last_at) for d in self.found]
        return min([*begun, *(d.started_at for d in self.gone)]) - self._widest

    def since(self, detections: Sequence[Detection]) -> datetime:
        """From when on incidents may be about these."""
        return min(d.started_at for d in detections) - self._widest

    def around(self, level: Detection) -> tuple[int, datetime, datetime]:
        """When incidents may have been that a level belongs to: what explains it began by then."""
        return self.asset.id, self.since([level]), level.started_at + self._widest

    @property
    def _widest(self) -> timedelta:
        step = self.asset.step
        longest = max(reopen_window(d, step) for d in (*self.found, *self.gone))
        return max(longest, explaining_slack(step))


def _record_incidents(tx: Transaction, told: Sequence[_Told], recorder: Recorder) -> list[int]:
    """Bring the incidents of assets in line; returns how many opened of each."""
    news = [one for one in told if one.found or one.gone]
    planned = _planned(tx, news, recorder.now)
    known = [step.incident_id for steps in planned for step in steps if not _opens(step)]
    tx.lock_incidents(known)
    for one, steps in zip(news, planned, strict=True):
        for step in steps:
            if _opens(step):
                recorder.open(step.incident_id, step.group_key, one.asset, step.event)
            else:
                recorder.append(step.incident_id, step.event, one.asset)
    opened = {one.asset.id: len(_openings(steps)) for one, steps in zip(news, planned, strict=True)}
    return [opened.get(one.asset.id, 0) for one in told]


def _planned(tx: Transaction, news: Sequence[_Told], now: datetime) -> list[list[IncidentStep]]:
    """What happens to the incidents of each asset."""
    known = tx.incidents_since({one.asset.id: one.recent for one in news}, include_withdrawn=True)
    since: dict[int, datetime] = {}
    around: list[tuple[int, datetime, datetime]] = []
    for one in news:
        moving = _moving(one.found, known[one.asset.id])
        levels = list(filter(_is_followed_by_nothing, moving))
        others = list(filterfalse(_is_followed_by_nothing, moving))
        if others and one.since(others) < one.recent:
            since[one.asset.id] = one.since(others)
        around += [one.around(level) for level in levels if one.since([level]) < one.recent]
    known |= tx.incidents_since(since, include_withdrawn=True)
    for asset_id, incidents in tx.incidents_around(around).items():
        both = {one.id: one for one in (*incidents, *known[asset_id])}
        known[asset_id] = sorted(both.values(), key=lambda one: (one.started_at, one.id))
    planned = [_steps(tx, one, known[one.asset.id], now) for one in news]
    begun = tx.has_incidents([step.incident_id for steps in planned for step in _openings(steps)])
    for place, one in enumerate(news):
        if any(step.incident_id in begun for step in _openings(planned[place])):
            # An incident that is long over, or was withdrawn, has had this trouble before.
            whole = tx.incidents(asset_id=one.asset.id, include_withdrawn=True)
            planned[place] = _steps(tx, one, whole, now)
    return planned


def _steps(tx: Transaction, one: _Told, known: Sequence[Incident], now: datetime) -> list[IncidentStep]:
    return plan_steps(one.found, one.gone, known, step=one.asset.step, now=now, namespace=tx.namespace)


def _openings(steps: Sequence[IncidentStep]) -> list[IncidentStep]:
    return list(filter(_opens, steps))


def _opens(step: IncidentStep) -> bool:
    return step.event.kind is EventKind.OPENED


def _may_explain(detection: Detection) -> bool:
    return explains(detection) < Explains.EPISODE


def _is_followed_by_nothing(detection: Detection) -> bool:
    """Whether it is a level of weeks of which only the beginning says what explains it."""
    return detection.check in LEVELS and explains(detection) is Explains.NOTHING


def _moving(found: Sequence[Detection], known: Sequence[Incident]) -> list[Detection]:
    """What goes on and may have to do with older incidents: it is not what it seemed, or is explained.

    What no recent incident has is new: a level of weeks may belong to an incident that ended long ago, and a
    mistake may explain it.
    """
    told: dict[tuple[str, datetime], tuple[Detection, bool]] = {}
    for incident in known:
        leads = incident.leading[0].check
        told |= {(d.check, d.started_at): (d, d.check == leads) for d in incident.evidence}

    def is_moving(detection: Detection) -> bool:
        before, leads = told.get((detection.check, detection.started_at), (None, False))
        if before is None:
            return detection.check in LEVELS or _may_explain(detection)
        is_wider = _may_explain(detection) and set(detection.signals) != set(before.signals)
        return is_wider or not leads or group_key(before) != group_key(detection)

    return list(filter(is_moving, found))
