"""Which incident a detection belongs to, and what happens to it: pure decisions, no storage.

An incident continues while the same check finds the same cause on the same signal of the same asset again
within the reopen window; otherwise a new one begins. Its id is a digest of who and when, so that judging the
same readings again, in any order and on any machine, names the same incident.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sereno.domain.incidents import EventKind, Incident, IncidentEvent, apply
from sereno.domain.judgement import Detection, IncidentKind

__all__ = ["IncidentStep", "group_key", "plan_steps", "reopen_window"]

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_GROWTH = 1.5
"""An open incident is told again when it has lasted this many times longer than when it was last told."""


@dataclass(frozen=True, slots=True)
class IncidentStep:
    """One event for one incident, known by its id; an opening carries the group key."""

    incident_id: str
    group_key: str
    event: IncidentEvent


def reopen_window(detection: Detection, step: timedelta | None) -> timedelta:
    """How long after its end the same trouble still counts as the same incident."""
    if step is None or step >= _DAY:
        return timedelta(0) if detection.kind is IncidentKind.DATA else 7 * _DAY
    return _DAY if step >= _HOUR else 4 * _HOUR


def group_key(detection: Detection) -> str:
    """Asset, check, cause and leading signal, in one line."""
    lead = "" if detection.kind is IncidentKind.PHYSICS else detection.signals[0]
    asset = detection.asset
    return f"{asset.site}|{asset.asset}|{detection.check}|{detection.cause}|{lead}"


def plan_steps(
    found: Sequence[Detection],
    gone: Sequence[Detection],
    incidents: Iterable[Incident],
    *,
    step: timedelta | None,
    now: datetime,
) -> list[IncidentStep]:
    """The events that bring an asset's incidents in line with its detections.

    Args:
        found: New and changed detections, in time order.
        gone: Detections that late or corrected readings took away.
        incidents: The asset's incidents so far.
        step: Length of the asset's steps.
        now: Instant of recording.
    """
    known = {incident.id: incident for incident in incidents}
    keys = {d.started_at for d in found}
    steps = []
    for detection in gone:
        holder = _holder(known.values(), detection)
        if holder is not None and not (detection.started_at in keys and _same(found, detection)):
            event = IncidentEvent(EventKind.WITHDRAWN, now, detection.started_at, detection=detection)
            steps.append(_take(known, holder.id, holder.group_key, event))
    for detection in found:
        steps.extend(_steps_for(detection, known, step, now))
    return steps


def _same(found: Sequence[Detection], detection: Detection) -> bool:
    return any(d.check == detection.check and d.started_at == detection.started_at for d in found)


def _steps_for(
    detection: Detection, known: dict[str, Incident], step: timedelta | None, now: datetime
) -> list[IncidentStep]:
    holder = _holder(known.values(), detection)
    if holder is not None:
        kind = _change(_evidence_of(holder, detection), detection)
        if kind is None:
            return []
        event = IncidentEvent(kind, now, detection.ended_at or detection.last_at, detection=detection)
        return [_take(known, holder.id, holder.group_key, event)]
    key = group_key(detection)
    earlier = _continued(known.values(), key, detection, reopen_window(detection, step))
    kind = EventKind.OPENED if earlier is None else EventKind.REOPENED
    incident_id = _identity(key, detection.started_at) if earlier is None else earlier.id
    if incident_id in known:
        kind = EventKind.REOPENED
    event = IncidentEvent(kind, now, detection.started_at, detection=detection)
    return [_take(known, incident_id, key if earlier is None else earlier.group_key, event)]


def _holder(known: Iterable[Incident], detection: Detection) -> Incident | None:
    """The incident that has this detection, perhaps in an earlier form, among its evidence."""
    for incident in known:
        if not incident.is_withdrawn and _evidence_of(incident, detection) is not None:
            return incident
    return None


def _evidence_of(incident: Incident, detection: Detection) -> Detection | None:
    for old in incident.evidence:
        if old.check == detection.check and old.started_at == detection.started_at:
            return old
    return None


def _continued(
    known: Iterable[Incident], key: str, detection: Detection, window: timedelta
) -> Incident | None:
    for incident in known:
        if incident.group_key != key:
            continue
        ended = incident.ended_at
        if incident.is_withdrawn:
            if _overlap(incident, detection):
                return incident
        elif ended is not None and timedelta(0) <= detection.started_at - ended < window:
            return incident
    return None


def _overlap(incident: Incident, detection: Detection) -> bool:
    """Whether a withdrawn incident is the same trouble with a corrected start: it keeps its life."""
    ended = incident.ended_at
    begins_before = detection.ended_at is None or incident.started_at < detection.ended_at
    return begins_before and (ended is None or detection.started_at < ended)


def _change(old: Detection | None, new: Detection) -> EventKind | None:
    """What a detection's new form means for its incident; None when nobody needs to know yet."""
    assert old is not None
    if new == old:
        return None
    if new.ended_at is not None:
        return EventKind.CLEARED
    if old.ended_at is not None:
        return EventKind.REOPENED
    is_news = new.severity > old.severity or new.signals != old.signals or new.cause != old.cause
    return EventKind.UPDATED if is_news or new.n_rows >= _GROWTH * old.n_rows else None


def _take(known: dict[str, Incident], incident_id: str, key: str, event: IncidentEvent) -> IncidentStep:
    """The step, with `known` brought up to date so that the next detection sees it."""
    known[incident_id] = apply(known.get(incident_id), event, incident_id=incident_id, group_key=key)
    return IncidentStep(incident_id, key, event)


def _identity(key: str, started_at: datetime) -> str:
    return hashlib.sha256(f"{key}|{started_at.isoformat()}".encode()).hexdigest()[:12]
