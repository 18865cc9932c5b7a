"""An incident's life: a pure fold of its events on two axes, condition and human."""

from collections.abc import Callable, Mapping, Sequence
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
    "NEW_LEVEL",
    "UNATTENDED",
    "Verdict",
    "apply",
    "explains",
    "is_of_a_state",
    "leading_check",
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


NEW_LEVEL = "quality.step"
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
    NEW_LEVEL: Explains.NEW_LEVEL,
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


UNATTENDED = "unattended"
"""Fact of a closing without a verdict: nobody came."""


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


def leading_check(evidence: Sequence[Detection]) -> str:
    """The check that speaks for all: the one that explains most, but a new level never for a state it is in.

    An amount ten times beyond all before is the meter's; a pressure or a temperature at another level may as
    well be the plant's, and what its behaviour is taken for says more than that it came at once.
    """
    first = min(evidence, key=explains)
    if first.check == NEW_LEVEL and any(map(is_of_a_state, evidence)):
        return "behaviour"
    return first.check


def is_of_a_state(detection: Detection) -> bool:
    """Whether behaviour is abnormal of a signal that adds up to nothing: a pressure, a temperature."""
    return detection.check == "behaviour" and not detection.impact_unit


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
    UNSHELVED = "unshelved"
    CLOSED = "closed"
    UNACKNOWLEDGED = "unacknowledged"
    """The time for it has passed, or it became worse than what was acknowledged."""
    ESCALATED = "escalated"
    """Nobody acknowledged it in time."""
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"
    INHIBITED = "inhibited"
    """Another incident, its parent, explains it."""
    UNINHIBITED = "uninhibited"
    CALMED = "calmed"
    """It had been chattering and has been quiet since."""


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """One entry of an incident's append-only log.

    Attributes:
        at: When it was recorded.
        event_time: When it happened in the data; equals `at` for what people do.
        actor: Who: `sereno` or a person.
        detection: The evidence, for events that come from judging.
        facts: Text, owner, verdict, the end of a shelving, a silence, a parent, a step of an escalation.
    """

    kind: EventKind
    at: datetime
    event_time: datetime
    actor: str = "sereno"
    detection: Detection | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incident:
    """Detections of one cause with a start, an end and a life.

    Three axes that never touch one another: condition, what people did, and who hears of it.

    Attributes:
        is_unattended: Closed without a verdict, because nobody came.
        acknowledged_severity: What it was when it was acknowledged; None while it is not.
        escalated: Last step of its escalation; 0 before the first.
        silences: What each silence in force keeps quiet (names of events, comma-separated), by its id.
        inhibitors: Ids of the incidents that explain it.
        is_chattering: Its condition changes so often that nobody is told of each change.
    """

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
    is_unattended: bool = False
    acknowledged_severity: Severity | None = None
    escalated: int = 0
    silences: Mapping[str, str] = field(default_factory=dict)
    inhibitors: tuple[str, ...] = ()
    is_chattering: bool = False

    @property
    def leading(self) -> tuple[Detection, ...]:
        """The evidence of the cause itself, without what it explains."""
        if len({d.check for d in self.evidence}) == 1:
            return self.evidence
        check = leading_check(self.evidence)
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

    @property
    def turns(self) -> tuple[datetime, ...]:
        """When its condition changed, in the time of the data, ascending."""
        begun = [d.started_at for d in self.leading]
        return tuple(sorted([*begun, *(d.ended_at for d in self.leading if d.ended_at is not None)]))

    def visibility(self, now: datetime) -> str:
        """`shelved`, `silenced`, `inhibited` or `shown`, the first that holds; history stays."""
        if self.shelved_until is not None and now < self.shelved_until:
            return "shelved"
        if self.silences:
            return "silenced"
        return "inhibited" if self.inhibitors else "shown"

    def heard_like(self, other: "Incident") -> "Incident":
        """This incident, as visible as another form of it."""
        return replace(
            self, shelved_until=other.shelved_until, silences=other.silences, inhibitors=other.inhibitors
        )

    def is_muted(self, kind: EventKind, now: datetime) -> bool:
        """Whether nobody is to be told of an event of that kind."""
        match self.visibility(now):
            case "shown":
                return False
            case "silenced" if not self.inhibitors:
                return any(kind.value in muted.split(",") for muted in self.silences.values())
            case _:
                return True


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


def _condition(incident: Incident) -> Condition:
    is_active = incident.ended_at is None and not incident.is_withdrawn
    return Condition.ACTIVE if is_active else Condition.CLEARED


def _fold(incident: Incident, event: IncidentEvent) -> Incident:
    is_over = incident.state is HumanState.CLOSED and event.kind in _OF_OPEN_ONES
    return incident if is_over else _FOLDS[event.kind](incident, event)


def _judged(incident: Incident, event: IncidentEvent) -> Incident:
    is_chattering = event.facts.get("chattering", str(incident.is_chattering).lower()) == "true"
    return replace(incident, condition=_condition(incident), is_chattering=is_chattering)


def _reopened(incident: Incident, event: IncidentEvent) -> Incident:
    """Trouble that somebody had closed and that is back, or that somebody looks at again, is news again."""
    if incident.state is HumanState.CLOSED:
        fresh = {"verdict": None, "is_unattended": False, "escalated": 0}
        incident = replace(incident, state=HumanState.NEW, **fresh)  # type: ignore[arg-type]
    return _judged(incident, event)


def _acknowledged(incident: Incident, event: IncidentEvent) -> Incident:
    return replace(
        incident,
        state=HumanState.ACKNOWLEDGED,
        owner=incident.owner or event.actor,
        acknowledged_severity=incident.severity,
    )


def _unacknowledged(incident: Incident, _: IncidentEvent) -> Incident:
    return replace(incident, state=HumanState.NEW, acknowledged_severity=None, escalated=0)


def _commented(incident: Incident, event: IncidentEvent) -> Incident:
    comment = (event.at, event.actor, event.facts["text"])
    return replace(incident, comments=(*incident.comments, comment))


def _assigned(incident: Incident, event: IncidentEvent) -> Incident:
    return replace(incident, owner=event.facts["owner"])


def _shelved(incident: Incident, event: IncidentEvent) -> Incident:
    return replace(incident, shelved_until=datetime.fromisoformat(event.facts["until"]))


def _unshelved(incident: Incident, _: IncidentEvent) -> Incident:
    return replace(incident, shelved_until=None)


def _closed(incident: Incident, event: IncidentEvent) -> Incident:
    """A verdict may be given to what nobody came for; the contrary changes nothing."""
    is_unattended = UNATTENDED in event.facts
    if is_unattended and incident.state is HumanState.CLOSED:
        return incident
    return replace(
        incident,
        state=HumanState.CLOSED,
        verdict=None if is_unattended else Verdict(event.facts["verdict"]),
        is_unattended=is_unattended,
        acknowledged_severity=None,
        shelved_until=None,
    )


def _escalated(incident: Incident, event: IncidentEvent) -> Incident:
    return replace(incident, escalated=max(incident.escalated, int(event.facts["step"])))


def _silenced(incident: Incident, event: IncidentEvent) -> Incident:
    return replace(incident, silences={**incident.silences, event.facts["silence"]: event.facts["mutes"]})


def _unsilenced(incident: Incident, event: IncidentEvent) -> Incident:
    left = {name: muted for name, muted in incident.silences.items() if name != event.facts["silence"]}
    return replace(incident, silences=left)


def _inhibited(incident: Incident, event: IncidentEvent) -> Incident:
    return replace(incident, inhibitors=tuple(sorted({*incident.inhibitors, event.facts["parent"]})))


def _uninhibited(incident: Incident, event: IncidentEvent) -> Incident:
    left = tuple(name for name in incident.inhibitors if name != event.facts["parent"])
    return replace(incident, inhibitors=left)


def _calmed(incident: Incident, _: IncidentEvent) -> Incident:
    return replace(incident, is_chattering=False)


_FOLDS: Mapping[EventKind, Callable[[Incident, IncidentEvent], Incident]] = {
    EventKind.OPENED: _judged,
    EventKind.UPDATED: _judged,
    EventKind.CLEARED: _judged,
    EventKind.REOPENED: _reopened,
    EventKind.WITHDRAWN: _judged,
    EventKind.ACKNOWLEDGED: _acknowledged,
    EventKind.COMMENTED: _commented,
    EventKind.ASSIGNED: _assigned,
    EventKind.SHELVED: _shelved,
    EventKind.UNSHELVED: _unshelved,
    EventKind.CLOSED: _closed,
    EventKind.UNACKNOWLEDGED: _unacknowledged,
    EventKind.ESCALATED: _escalated,
    EventKind.SILENCED: _silenced,
    EventKind.UNSILENCED: _unsilenced,
    EventKind.INHIBITED: _inhibited,
    EventKind.UNINHIBITED: _uninhibited,
    EventKind.CALMED: _calmed,
}
_OF_OPEN_ONES = frozenset(
    {
        EventKind.ACKNOWLEDGED,
        EventKind.UNACKNOWLEDGED,
        EventKind.ASSIGNED,
        EventKind.SHELVED,
        EventKind.ESCALATED,
    }
)
"""What changes nothing of an incident that is closed."""
