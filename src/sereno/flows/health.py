"""Alarm health: how much people are asked to look at, how fast they come, and what would help most.

Rates count when trouble began in the data, so that history read in one go is no flood; waits count on the
clock of the people. Sources of the figures: `sereno.incidents.health`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from sereno.domain.incidents import Condition, EventKind, Incident, IncidentEvent, Verdict
from sereno.domain.judgement import IncidentKind, Severity
from sereno.domain.time import isoformat
from sereno.flows.incidents import IncidentView
from sereno.flows.precision import precision_json, precision_of
from sereno.i18n.catalogue import sentence
from sereno.incidents.health import TARGETS, Rates, Waits, rates_of, waits_of
from sereno.store import Transaction

__all__ = ["TARGETS", "WAITED_FOR", "BadActor", "Figures", "Fix", "Health", "Told", "health_of", "told_since"]

WAITED_FOR = frozenset(
    {EventKind.OPENED, EventKind.REOPENED, EventKind.UNACKNOWLEDGED, EventKind.ACKNOWLEDGED}
)
"""Events that say how long people took."""
_TOP = 10
_Span = tuple[datetime, datetime]
_Instants = dict[str, list[datetime]]
_STALE = timedelta(hours=24)
_TICK = timedelta(microseconds=1)
_MANY_FALSE = 0.5
"""Share of false alarms among those judged from which the threshold is to blame."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a receiver was told."""

    receiver: str
    incident_id: str
    at: datetime


def told_since(tx: Transaction, since: datetime) -> list[Told]:
    """What receivers were told of incidents from an instant on."""
    return [Told(receiver, incident_id, at) for receiver, incident_id, at in tx.told_since(since)]


@dataclass(frozen=True, slots=True)
class Fix:
    """What would help against a bad actor, and the command that does it.

    Attributes:
        code: `recalibrate`, `deadband`, `fix_meter`, `shelve`, `silence` or `repair`.
    """

    code: str
    command: str

    def sentence(self, language: str) -> str:
        """What would help, in words."""
        return sentence(f"fix.{self.code}", language)

    def to_json(self) -> dict[str, object]:
        """For `health --json`."""
        return {**asdict(self), "sentence": self.sentence("en"), "sentence_es": self.sentence("es")}


@dataclass(frozen=True, slots=True)
class BadActor:
    """One trouble of one asset that takes much of the attention."""

    site: str
    asset: str
    problem: str
    check: str
    count: int
    percent: float
    fix: Fix
    incident: str

    def to_json(self) -> dict[str, object]:
        """For `health --json`."""
        return {**asdict(self), "fix": self.fix.to_json()}


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a site, of all of them, or of a receiver: then of what it was told, when it was told.

    Attributes:
        priorities: Percent of low, medium, and high or critical ones.
        stale: Active for more than a day at the end.
        unattended: Closed because nobody came.
    """

    rates: Rates
    priorities: Mapping[str, float]
    chattering: int
    stale: int
    unattended: int
    acknowledged: Waits
    top: Sequence[BadActor] = ()
    top_percent: float = 0.0

    def to_json(self) -> dict[str, object]:
        """For `health --json`."""
        return {
            **asdict(self.rates),
            "priorities": dict(self.priorities),
            "chattering": self.chattering,
            "stale": self.stale,
            "unattended": self.unattended,
            "acknowledge": asdict(self.acknowledged),
            "top": [actor.to_json() for actor in self.top],
            "top_percent": self.top_percent,
        }


@dataclass(frozen=True, slots=True)
class Health:
    """Alarm health over some days of the data."""

    since: datetime
    until: datetime
    everything: Figures
    by_site: Mapping[str, Figures]
    by_receiver: Mapping[str, Figures] = field(default_factory=dict)
    precision: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The document of `health --json`."""
        return {
            "since": isoformat(self.since),
            "until": isoformat(self.until),
            "targets": TARGETS,
            **self.everything.to_json(),
            "by_site": {name: one.to_json() for name, one in self.by_site.items()},
            "by_receiver": {name: one.to_json() for name, one in self.by_receiver.items()},
            "precision": dict(self.precision),
        }


def health_of(
    views: Sequence[IncidentView],
    events: Mapping[str, Sequence[IncidentEvent]],
    *,
    since: datetime,
    until: datetime,
    told: Iterable[Told] = (),
    now: datetime | None = None,
) -> Health:
    """Alarm health of [since, until) in the time of the data.

    Args:
        views: Incidents that were active then.
        events: Their logs, by id.
        told: What receivers were told; of them nothing is said without it.
        now: Until when they were told, by the clock of people; at the end of the data when not said.
    """
    sites: dict[str, list[IncidentView]] = defaultdict(list)
    for view in views:
        sites[view.incident.asset.site].append(view)
    by_receiver: dict[str, _Instants] = defaultdict(lambda: defaultdict(list))
    heard: dict[str, set[str]] = defaultdict(set)
    for one in told:
        by_receiver[one.receiver][one.incident_id].append(one.at)
        heard[one.incident_id].add(one.receiver)
    span, heard_until = (since, until), (now or until) + _TICK
    told_span = (heard_until - (until - since), heard_until)
    return Health(
        since=since,
        until=until,
        everything=_of_sites(views, events, span),
        by_site={name: _of_sites(sites[name], events, span) for name in sorted(sites)},
        by_receiver={
            name: _figures([v for v in views if v.incident.id in instants], events, told_span, instants)
            for name, instants in sorted(by_receiver.items())
        },
        precision=precision_json((view.incident for view in views), heard),
    )


def _of_sites(
    views: Sequence[IncidentView], events: Mapping[str, Sequence[IncidentEvent]], span: _Span
) -> Figures:
    shown = [view for view in views if not view.incident.inhibitors]
    return _figures(shown, events, span, {v.incident.id: _starts(v.incident, *span) for v in shown})


def _figures(
    views: Sequence[IncidentView],
    events: Mapping[str, Sequence[IncidentEvent]],
    span: _Span,
    announced: Mapping[str, Sequence[datetime]],
) -> Figures:
    """The figures of some incidents.

    Args:
        announced: When each came to attention, by its id.
    """
    since, until = span
    instants = [at for found in announced.values() for at in found]
    top = _bad_actors(views, announced, span)
    return Figures(
        rates=rates_of(instants, since=since, until=until),
        priorities=_priorities([view.incident for view in views]),
        chattering=sum(view.incident.is_chattering for view in views),
        stale=sum(_is_stale(view.incident, until) for view in views),
        unattended=sum(view.incident.is_unattended for view in views),
        acknowledged=waits_of([w for v in views for w in _waits(events.get(v.incident.id, ()))]),
        top=top,
        top_percent=round(sum(actor.percent for actor in top), 1),
    )


def _starts(incident: Incident, since: datetime, until: datetime) -> list[datetime]:
    return [d.started_at for d in incident.leading if since <= d.started_at < until]


def _priorities(incidents: Sequence[Incident]) -> dict[str, float]:
    counts = Counter(min(one.severity, Severity.HIGH) for one in incidents)
    total = max(len(incidents), 1)
    levels = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)
    return {level.name.lower(): round(100 * counts[level] / total, 1) for level in levels}


def _is_stale(incident: Incident, until: datetime) -> bool:
    return incident.condition is Condition.ACTIVE and until - incident.started_at > _STALE


def _waits(events: Sequence[IncidentEvent]) -> list[timedelta]:
    """From each time that it was news to the acknowledgement that followed."""
    waits: list[timedelta] = []
    news: datetime | None = None
    for event in events:
        if event.kind in {EventKind.OPENED, EventKind.UNACKNOWLEDGED} or (
            event.kind is EventKind.REOPENED and news is None
        ):
            news = event.at
        elif event.kind is EventKind.ACKNOWLEDGED and news is not None:
            waits.append(event.at - news)
            news = None
    return waits


def _bad_actors(
    views: Sequence[IncidentView], announced: Mapping[str, Sequence[datetime]], span: _Span
) -> list[BadActor]:
    groups: dict[tuple[str, str, str], list[IncidentView]] = defaultdict(list)
    for view in views:
        groups[view.incident.asset.site, view.incident.asset.asset, view.problem].append(view)
    counts = {
        trouble: sum(span[0] <= at < span[1] for view in group for at in announced.get(view.incident.id, ()))
        for trouble, group in groups.items()
    }
    total = max(sum(counts.values()), 1)
    worst = sorted((t for t in counts if counts[t]), key=lambda t: (-counts[t], t))[:_TOP]
    return [_bad_actor(trouble, groups[trouble], counts[trouble], total, span[1]) for trouble in worst]


def _bad_actor(
    trouble: tuple[str, str, str], views: Sequence[IncidentView], count: int, total: int, until: datetime
) -> BadActor:
    site, asset, problem = trouble
    newest = max(views, key=lambda view: view.incident.started_at)
    return BadActor(
        site=site,
        asset=asset,
        problem=problem,
        check=newest.incident.leading[0].check,
        count=count,
        percent=round(100 * count / total, 1),
        fix=_fix(views, newest, until),
        incident=newest.incident.id,
    )


def _fix(views: Sequence[IncidentView], newest: IncidentView, until: datetime) -> Fix:
    """What helps depends on what people said of it, on what it is, and on how it comes and goes."""
    incident = newest.incident
    known = precision_of(view.incident for view in views)
    if known.share is not None and known.share < _MANY_FALSE:
        wrong = next(v.incident for v in views if v.incident.verdict is Verdict.FALSE_ALARM)
        return Fix("recalibrate", f"sereno incidents close {wrong.id} --verdict false_alarm --preview")
    is_data = incident.kind is IncidentKind.DATA
    if any(view.incident.is_chattering for view in views):
        return _FIXES["shelve" if is_data else "deadband"].of(newest)
    if is_data:
        return _FIXES["fix_meter"].of(newest)
    if _is_stale(incident, until):
        return _FIXES["silence"].of(newest)
    is_unsaid = incident.kind is IncidentKind.BEHAVIOUR and known.share is None
    return _FIXES["retrain" if is_unsaid else "repair"].of(newest)


@dataclass(frozen=True, slots=True)
class _FixKind:
    code: str
    command: str

    def of(self, view: IncidentView) -> Fix:
        asset = view.incident.asset
        facts = {"id": view.incident.id, "site": asset.site, "asset": asset.asset, "problem": view.problem}
        return Fix(self.code, self.command.format(**facts, profile=view.place.profile.name))


_FIXES = {
    "shelve": _FixKind("shelve", "sereno incidents shelve {id} --hours 24 --reason chattering"),
    "deadband": _FixKind("deadband", "sereno incidents close {id} --verdict expected --preview"),
    "fix_meter": _FixKind("fix_meter", "sereno incidents assign {id} NAME"),
    "silence": _FixKind(
        "silence",
        'sereno silences add --site "{site}" --asset "{asset}" --problem {problem} --hours-long 168 '
        "--comment WHY",
    ),
    "retrain": _FixKind("recalibrate", "sereno train --recalibrate --profile {profile}"),
    "repair": _FixKind("repair", "sereno incidents assign {id} NAME"),
}
