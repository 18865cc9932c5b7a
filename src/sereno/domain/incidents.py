"""An incident's life: a pure fold of its events on two axes, condition and human."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from sereno.domain.judgement import Detection, IncidentKind, Severity
from sereno.domain.signals import AssetKey

__all__ = [
    "Condition",
    "EventKind",
    "Explains",
    "HumanState",
    "Incident",
    "IncidentEvent",
    "Verdict",
    "apply",
    "explains",
]


class Explains(IntEnum):
    """How much else a detection explains; the smallest explains most."""

    ALL = 0
    """A meter that is wired or scaled wrongly: whatever else looks wrong of the asset meanwhile follows."""
    NEW_LEVEL = 1
    """A signal that came to another level at once: what its first values were taken for follows."""
    BAD_VALUES = 2
    """Values that are none: what looks wrong of the same signals meanwhile follows."""
    BALANCE = 3
    """A meter that others contradict: what its signals seem to do from the same moment on follows."""
    EPISODE = 4
    """Days out of the usual: that a level of weeks leaves its past from then on follows."""
    SPELL = 5
    """Days of which none is like the weeks before: that a level drifts from then on follows."""
    NOTHING = 6


_EXPLAINS = {
    "quality.clock_shift": Explains.ALL,
    "quality.swapped_channels": Explains.ALL,
    "quality.swapped_sign": Explains.ALL,
    "quality.unit_change": Explains.ALL,
    "quality.catch_up": Explains.BAD_VALUES,
    "quality.frozen": Explains.BAD_VALUES,
    "quality.out_of_range": Explains.BAD_VALUES,
    "quality.register_reset": Explains.BAD_VALUES,
    "quality.sentinel": Explains.BAD_VALUES,
    "quality.source_bad": Explains.BAD_VALUES,
    "quality.spike": Explains.BAD_VALUES,
    "quality.step": Explains.NEW_LEVEL,
    "physics.night_generation": Explains.BAD_VALUES,
    "behaviour": Explains.EPISODE,
    "behaviour.capacity": Explains.SPELL,
    "behaviour.excess": Explains.SPELL,
}


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


def explains(detection: Detection) -> Explains:
    """How much else a detection can explain."""
    is_balance = detection.kind is IncidentKind.PHYSICS
    return _EXPLAINS.get(detection.check, Explains.BALANCE if is_balance else Explains.NOTHING)


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
        check = min(self.evidence, key=explains).check
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
        return min(d.started_at for d in self.leading)

    @property
    def ended_at(self) -> datetime | None:
        """End of the last abnormal step; None while the condition is active."""
        ends = [d.ended_at for d in self.leading]
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
