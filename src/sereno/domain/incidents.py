"""An incident's life: a pure fold of its events on two axes, condition and human."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sereno.domain.judgement import Detection, IncidentKind, Severity
from sereno.domain.signals import AssetKey

__all__ = ["EXPLAINS_NOTHING", "Condition", "EventKind", "HumanState", "Incident", "IncidentEvent", "Verdict", "apply", "explaining_rank"]


EXPLAIN_ALL = frozenset(
    {
        "quality.clock_shift",
        "quality.swapped_channels",
        "quality.swapped_sign",
        "quality.unit_change",
    }
)
"""Mistakes of a meter's set-up: whatever else looks wrong of the asset at that time follows from them."""
EXPLAIN_OWN = frozenset(
    {"quality.frozen", "quality.out_of_range", "quality.sentinel", "quality.source_bad", "quality.spike"}
)
"""Bad values: what else looks wrong of the same signal at that time follows from them."""

EXPLAINS_NOTHING = 2


class Condition(StrEnum):
    """What the asset does."""

    ACTIVE = "active"
    CLEARED = "cleared"


class HumanState(StrEnum):
    """What people have done about it."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Verdict(StrEnum):
    """What a person found it to be, on closing."""

    REAL = "real"
    FALSE_ALARM = "false_alarm"
    EXPECTED = "expected"
    DATA_PROBLEM = "data_problem"


def explaining_rank(detection: Detection) -> int:
    """Where a cause stands among those that explain others: 0 explains all, `EXPLAINS_NOTHING` nothing."""
    if detection.check in EXPLAIN_ALL:
        return 0
    return 1 if detection.check in EXPLAIN_OWN else EXPLAINS_NOTHING


class EventKind(StrEnum):
    """What can happen to an incident."""

    OPENED = "opened"
    UPDATED = "updated"
    CLEARED = "cleared"
    REOPENED = "reopened"
    WITHDRAWN = "withdrawn"
    """Late or corrected readings took its evidence away."""
    ACKNOWLEDGED = "acknowledged"
    COMMENTED = "commented"
    ASSIGNED = "assigned"
    SHELVED = "shelved"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """One entry of an incident's append-only log.

    Attributes:
        at: When it was recorded.
        event_time: When it happened in the data; equals `at` for what people do.
        actor: Who: `sereno` or a person.
        detection: The evidence, for events that come from judging.
        facts: Text, owner, verdict or the end of a shelving.
    """

    kind: EventKind
    at: datetime
    event_time: datetime
    actor: str = "sereno"
    detection: Detection | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incident:
    """Detections of one cause with a start, an end and a life."""

    id: str
    group_key: str
    opened_at: datetime
    evidence: tuple[Detection, ...]
    condition: Condition = Condition.ACTIVE
    state: HumanState = HumanState.NEW
    verdict: Verdict | None = None
    owner: str = ""
    shelved_until: datetime | None = None
    comments: tuple[tuple[datetime, str, str], ...] = ()
    is_withdrawn: bool = False
    n_events: int = 0

    @property
    def leading(self) -> tuple[Detection, ...]:
        """The evidence of the cause itself, without what it explains."""
        check = min(self.evidence, key=explaining_rank).check
        return tuple(d for d in self.evidence if d.check == check)

    @property
    def worst(self) -> Detection:
        """The detection that speaks for the incident: most severe, then longest, then first."""
        return max(self.leading, key=lambda d: (d.severity, d.n_rows, -d.started_at.timestamp()))

    @property
    def asset(self) -> AssetKey:
        """The asset that is abnormal."""
        return self.evidence[0].asset

    @property
    def kind(self) -> IncidentKind:
        """Data, physics or behaviour."""
        return self.leading[0].kind

    @property
    def severity(self) -> Severity:
        """The highest of its detections."""
        return self.worst.severity

    @property
    def started_at(self) -> datetime:
        """Start of the first abnormal step."""
        return min(d.started_at for d in self.evidence)

    @property
    def ended_at(self) -> datetime | None:
        """End of the last abnormal step; None while the condition is active."""
        ends = [d.ended_at for d in self.evidence]
        return None if None in ends else max(e for e in ends if e is not None)

    @property
    def impact(self) -> float:
        """Sum over its detections, in the unit of the worst one."""
        unit = self.worst.impact_unit
        return sum(d.impact for d in self.leading if d.impact_unit == unit)

    def visibility(self, now: datetime) -> str:
        """`shelved` while a shelving lasts, else `shown`; it never hides the incident's history."""
        return "shelved" if self.shelved_until is not None and now < self.shelved_until else "shown"


def apply(
    incident: Incident | None, event: IncidentEvent, *, incident_id: str = "", group_key: str = ""
) -> Incident:
    """The incident after an event; the first event must open it.

    Args:
        incident: State before; None for the opening event.
        event: What happened.
        incident_id: Identity given on opening.
        group_key: Asset and cause given on opening.
    """
    if incident is None:
        assert event.kind is EventKind.OPENED, event.kind
        assert event.detection is not None
        incident = Incident(
            id=incident_id, group_key=group_key, opened_at=event.at, evidence=(event.detection,)
        )
    elif event.detection is not None:
        incident = _with_evidence(incident, event.detection, is_kept=event.kind is not EventKind.WITHDRAWN)
    return replace(_fold(incident, event), n_events=incident.n_events + 1)


def _with_evidence(incident: Incident, detection: Detection, *, is_kept: bool) -> Incident:
    """Evidence with a detection replaced, added or taken away; the last one stays, as a record."""
    before = () if incident.is_withdrawn and is_kept else incident.evidence
    place = (detection.check, detection.started_at)
    others = tuple(d for d in before if (d.check, d.started_at) != place)
    if not is_kept:
        return replace(incident, evidence=others or incident.evidence, is_withdrawn=not others)
    evidence = tuple(sorted((*others, detection), key=lambda d: (d.started_at, d.check)))
    return replace(incident, evidence=evidence, is_withdrawn=False)


def _returned(incident: Incident) -> Incident:
    """Trouble that somebody had closed and that is back is news again."""
    if incident.state is not HumanState.CLOSED:
        return incident
    return replace(incident, state=HumanState.NEW, verdict=None)


def _condition(incident: Incident) -> Condition:
    is_active = incident.ended_at is None and not incident.is_withdrawn
    return Condition.ACTIVE if is_active else Condition.CLEARED


def _fold(incident: Incident, event: IncidentEvent) -> Incident:
    facts = event.facts
    match event.kind:
        case (
            EventKind.OPENED
            | EventKind.UPDATED
            | EventKind.REOPENED
            | EventKind.CLEARED
            | EventKind.WITHDRAWN
        ):
            incident = _returned(incident) if event.kind is EventKind.REOPENED else incident
            return replace(incident, condition=_condition(incident))
        case EventKind.ACKNOWLEDGED:
            return replace(incident, state=HumanState.ACKNOWLEDGED, owner=incident.owner or event.actor)
        case EventKind.COMMENTED:
            comment = (event.at, event.actor, facts["text"])
            return replace(incident, comments=(*incident.comments, comment))
        case EventKind.ASSIGNED:
            return replace(incident, owner=facts["owner"])
        case EventKind.SHELVED:
            return replace(incident, shelved_until=datetime.fromisoformat(facts["until"]))
        case EventKind.CLOSED:
            return replace(incident, state=HumanState.CLOSED, verdict=Verdict(facts["verdict"]))
