"""Who hears of what happens to an incident: decided and queued in the transaction that records it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from fnmatch import fnmatchcase

from sereno.domain.incidents import Condition, EventKind, HumanState, Incident, IncidentEvent
from sereno.domain.judgement import Severity
from sereno.domain.signals import Profile
from sereno.incidents.reopening import reopen_window
from sereno.report.problems import problem_of
from sereno.settings.alerting import RouteMatch, RouteSettings
from sereno.settings.tree import Settings
from sereno.store import NewNotification, StoredAsset, Transaction
from sereno.store.outbox import DEAD
from sereno.store.records import Recorded

__all__ = [
    "CLOSING",
    "ESCALATING",
    "RETURNING",
    "TOLD",
    "Escalation",
    "News",
    "TellingRules",
    "escalations",
    "heard_of",
    "is_due",
    "is_lasting",
    "is_wanted",
    "news_of",
    "tell_end",
    "tell_lasting",
    "tell_late",
]

TOLD = frozenset({"opened", "updated", "cleared", "reopened", "withdrawn"})
"""Events of judging that may be news for somebody."""
ESCALATING = frozenset({"escalated"})
"""Events after which the next ones are told; `step`, 1 for the first, stands in the facts."""
RETURNING = frozenset({"unshelved", "unsilenced", "uninhibited", "calmed", "unacknowledged"})
"""Events after which somebody may hear again of what goes on."""
_BEGINNING = frozenset({"opened", "reopened"})
CLOSING = frozenset({"resolved", "opened_and_resolved", "reopened_and_resolved", "withdrawn"})
"""Messages after which a receiver believes that it is over."""

_LASTING_SHARE = 6
"""What is back for a sixth of the time in which it counts as the same trouble is told again: 4 h of hourly
readings, 40 min of shorter ones. What comes and goes faster is told twice at most."""
_HORIZON = timedelta(hours=24)
_HORIZON_STEPS = 2
_AT_ONCE = timedelta(0)
_StepOf = Callable[[], timedelta | None]


class News(Enum):
    """What an event is to somebody who is told of incidents."""

    OPENED = auto()
    GOES_ON = auto()
    """News only for those who have not heard of it."""
    LASTING = auto()
    """Back, and there to stay: news for those who heard that it was over."""
    RISEN = auto()
    REOPENED = auto()
    ESCALATED = auto()
    ENDED = auto()
    WITHDRAWN = auto()


@dataclass(frozen=True, slots=True)
class TellingRules:
    """What the settings say of who is told.

    Attributes:
        horizon: Only what was active so recently is told; None for 24 h or two steps, the longer.
    """

    routes: Sequence[RouteSettings]
    profiles: Mapping[str, Profile]
    horizon: timedelta | None = None

    @classmethod
    def of_settings(cls, settings: Settings, profiles: Mapping[str, Profile]) -> "TellingRules":
        """The rules of a workspace."""
        return cls(tuple(settings.routes), profiles, settings.notify_horizon)

    def tell_recorded(self, tx: Transaction) -> None:
        """Queue what the events of a transaction are to whom; called before it commits."""
        if self.routes:
            heard = heard_of(tx.recorded)
            told = _Told.before(tx, {one.after.id for one in heard})
            for one in heard:
                _tell(told, one, self)
            tx.add_notifications(told.new)


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is told when nobody has acknowledged an incident for so long."""

    after: timedelta
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Addressee:
    """A receiver of an incident, and whether it wants to hear of its end."""

    receiver: str
    wants_end: bool = True


def heard_of(recorded: Sequence[Recorded]) -> list[Recorded]:
    """What may be told of the events of a transaction, as muted as everything left each incident.

    Who is told that trouble began need not be told that nothing keeps it quiet; and of an incident that is
    known to chatter nobody hears one more change that is no worse.
    """
    last = {one.after.id: one.after for one in recorded}
    begun = {one.after.id for one in recorded if one.event.kind.value in _BEGINNING}
    return [
        replace(one, after=one.after.heard_like(last[one.after.id]))
        for one in recorded
        if not (one.event.kind.value in RETURNING and one.after.id in begun) and not _is_chatter(one)
    ]


def _is_chatter(one: Recorded) -> bool:
    before, after = one.before, one.after
    if before is None or not (before.is_chattering and after.is_chattering) or one.event.detection is None:
        return False
    return after.severity <= before.severity and not after.is_withdrawn


@dataclass(slots=True)
class _Last:
    """The last that a receiver heard, or is going to, of an incident."""

    event: str
    body: Mapping[str, object]


@dataclass(slots=True)
class _Told:
    """What is known of incidents, and what is to be told of them.

    Attributes:
        heard: The last that each receiver heard of each incident; what never arrived was not heard.
    """

    assets: Mapping[str, StoredAsset]
    heard: dict[str, dict[str, _Last]]
    new: list[NewNotification] = field(default_factory=list)

    @classmethod
    def before(cls, tx: Transaction, incident_ids: Collection[str]) -> "_Told":
        """What has been told of incidents so far."""
        heard: dict[str, dict[str, _Last]] = {name: {} for name in incident_ids}
        for one in tx.notifications_of_all(incident_ids):
            if one.status != DEAD and one.incident_id is not None:
                heard[one.incident_id][one.receiver] = _Last(one.event, one.body)
        return cls(tx.assets_of(incident_ids), heard)

    def add(self, one: NewNotification) -> None:
        """Let a receiver hear of an incident."""
        self.new.append(one)
        if one.incident_id is not None:
            self.heard[one.incident_id][one.receiver] = _Last(one.event, one.body)


def _tell(told: _Told, one: Recorded, rules: TellingRules) -> None:
    """Queue what an event is to whom."""
    before, after, event = one.before, one.after, one.event
    news = news_of(before, after, event, lambda: told.assets[after.id].step)
    if news is not None and not _is_kept_quiet(after, event, news):
        step = int(event.facts["step"]) if news is News.ESCALATED else 0
        facts: dict[str, object] = {"seq": after.n_events}
        if news is News.RISEN and before is not None:
            facts["severity_before"] = before.severity.name.lower()
        _queue(told, after, news, rules, at=event.at, step=step, facts=facts)


def tell_late(tx: Transaction, incident: Incident, rules: TellingRules, now: datetime) -> None:
    """Queue an active incident for those who have not heard of it: it began as history, or was muted.

    Args:
        incident: With its evidence as it stands now.
    """
    if not _is_muted(incident, now):
        _queue_one(tx, incident, News.GOES_ON, rules, now)


def tell_end(tx: Transaction, incident: Incident, rules: TellingRules, now: datetime) -> None:
    """Queue the end of an incident for those who are to hear of it and not yet that it is over."""
    if incident.condition is Condition.CLEARED:
        news = News.WITHDRAWN if incident.is_withdrawn else News.ENDED
        _queue_one(tx, incident, news, rules, now)


def tell_lasting(tx: Transaction, incident: Incident, rules: TellingRules, now: datetime) -> None:
    """Queue an active incident for those who heard that it was over.

    Args:
        incident: With its evidence as it stands now.
    """
    if not _is_muted(incident, now):
        _queue_one(tx, incident, News.LASTING, rules, now)


def is_lasting(incident: Incident, asset: StoredAsset) -> bool:
    """Whether trouble that goes on has gone on for so long that it will not be over in a moment."""
    if incident.condition is not Condition.ACTIVE or incident.is_chattering:
        return False
    latest = max(incident.leading, key=lambda one: one.started_at)
    length = latest.last_at + (asset.step or _AT_ONCE) - latest.started_at
    return length >= reopen_window(latest, asset.step) / _LASTING_SHARE


def is_due(incident: Incident, asset: StoredAsset, rules: TellingRules, now: datetime) -> bool:
    """Whether an incident is one to tell of now: seen by all, recent, and on somebody's route."""
    return is_wanted(incident, asset, rules, now) and _is_recent(incident, asset, rules, now)


def is_wanted(incident: Incident, asset: StoredAsset, rules: TellingRules, now: datetime) -> bool:
    """Whether an incident that nobody has seen to is on somebody's route, and nothing keeps it quiet."""
    is_open = incident.state is HumanState.NEW and not _is_muted(incident, now)
    return is_open and bool(_matching(rules, incident, asset))


def news_of(before: Incident | None, after: Incident, event: IncidentEvent, step_of: _StepOf) -> News | None:  # noqa: PLR0911 - one return per kind of news
    """What an event is to somebody who is told of incidents; None where it is nothing.

    Args:
        step_of: Gives the step of the asset, where that is wanted.
    """
    kind, is_active = event.kind.value, after.condition is Condition.ACTIVE
    if before is None:
        return News.OPENED
    if kind in ESCALATING:
        return News.ESCALATED
    if kind in RETURNING:
        # What calms while it is over had an end that chatter kept from being told.
        if is_active:
            return News.REOPENED if after.state is HumanState.NEW else None
        return News.ENDED if kind == "calmed" else None
    if kind not in TOLD:
        return None
    if after.is_withdrawn:
        return None if before.is_withdrawn else News.WITHDRAWN
    if after.severity > before.severity and not before.is_withdrawn:
        return News.RISEN
    if kind == "reopened" and _is_back(before, event, step_of):
        return News.REOPENED
    if is_active:
        return News.GOES_ON
    return News.ENDED if before.condition is Condition.ACTIVE else None


def _is_back(before: Incident, event: IncidentEvent, step_of: _StepOf) -> bool:
    """Whether trouble that was over is news again, rather than the same trouble going on."""
    if before.state is HumanState.CLOSED or before.is_withdrawn:
        return True
    if before.ended_at is None or event.detection is None:
        return False
    return event.detection.started_at - before.ended_at >= reopen_window(event.detection, step_of())


def escalations(rules: TellingRules, incident: Incident, asset: StoredAsset) -> list[Escalation]:
    """The steps of an incident's escalation, the first first; a step has all who are told after its time."""
    told: dict[timedelta, list[str]] = {}
    for route in _matching(rules, incident, asset):
        for one in route.escalate:
            told.setdefault(one.after, []).extend(one.to)
    return [Escalation(after, tuple(dict.fromkeys(to))) for after, to in sorted(told.items())]


def _queue_one(tx: Transaction, incident: Incident, news: News, rules: TellingRules, now: datetime) -> None:
    told = _Told.before(tx, [incident.id])
    _queue(told, incident, news, rules, at=now, step=0, facts={"seq": incident.n_events})
    tx.add_notifications(told.new)


def _queue(
    told: _Told,
    incident: Incident,
    news: News,
    rules: TellingRules,
    *,
    at: datetime,
    step: int,
    facts: Mapping[str, object],
) -> None:
    asset = told.assets[incident.id]
    is_end = news in (News.ENDED, News.WITHDRAWN)
    if not is_end and not _is_recent(incident, asset, rules, at):
        return
    heard = told.heard[incident.id]
    if is_end:
        addressees = [_Addressee(name) for name, last in heard.items() if last.body.get("resolved")]
    else:
        addressees = _addressees(rules, incident, asset, news, step)
    for one in addressees:
        message = _message(news, heard.get(one.receiver), is_over=incident.condition is Condition.CLEARED)
        if message is not None:
            key = f"{incident.id}:{incident.n_events}:{one.receiver}:{step}"
            body = {**facts, "resolved": one.wants_end}
            severity = int(incident.severity)
            told.add(NewNotification(key, one.receiver, message, at, incident.id, severity, body))


def _addressees(
    rules: TellingRules, incident: Incident, asset: StoredAsset, news: News, step: int
) -> list[_Addressee]:
    """The receivers of all routes that match, each once; it hears of the end if any of them says so."""
    if news is News.ESCALATED:
        planned = escalations(rules, incident, asset)
        names = planned[step - 1].receivers if step <= len(planned) else ()
        return [_Addressee(name) for name in names]
    wants: dict[str, bool] = {}
    for route in _matching(rules, incident, asset):
        for name in route.to:
            wants[name] = wants.get(name, False) or route.resolved
    return [_Addressee(name, wants_end) for name, wants_end in wants.items()]


def _message(news: News, last: _Last | None, *, is_over: bool) -> str | None:  # noqa: PLR0911
    """The event that a receiver is told, given what it heard last; None where it is told nothing."""
    believes_open = last is not None and last.event not in CLOSING
    match news:
        case News.ENDED | News.WITHDRAWN if believes_open:
            return "withdrawn" if news is News.WITHDRAWN else "resolved"
        case News.ENDED | News.WITHDRAWN:
            return None
        case News.ESCALATED:
            return "escalated"
        case News.GOES_ON if last is not None:
            return None
        case News.LASTING if believes_open:
            return None
        case News.RISEN if believes_open and not is_over:
            return "updated"
        case _ if believes_open:
            return "resolved" if is_over else "reopened"
        case _ if is_over:
            return "opened_and_resolved" if last is None else "reopened_and_resolved"
        case _:
            return "opened" if last is None else "reopened"


def _is_kept_quiet(incident: Incident, event: IncidentEvent, news: News) -> bool:
    """Whether nobody is to hear of it now; the end of what was told is, unless a silence says so."""
    if news in (News.ENDED, News.WITHDRAWN):
        return any(EventKind.CLEARED.value in mutes.split(",") for mutes in incident.silences.values())
    return incident.is_muted(event.kind, event.at)


def _is_muted(incident: Incident, at: datetime) -> bool:
    return incident.visibility(at) != "shown"


def _is_recent(incident: Incident, asset: StoredAsset, rules: TellingRules, at: datetime) -> bool:
    """Whether it was active within the horizon of the clock: history opens incidents and tells nobody."""
    step = asset.step or _AT_ONCE
    horizon = rules.horizon or max(_HORIZON, _HORIZON_STEPS * step)
    active_until = max(d.ended_at or d.last_at + step for d in incident.leading)
    return active_until >= at - horizon


def _matching(rules: TellingRules, incident: Incident, asset: StoredAsset) -> list[RouteSettings]:
    return [route for route in rules.routes if _matches(route.match, incident, asset, rules.profiles)]


def _matches(
    match: RouteMatch, incident: Incident, asset: StoredAsset, profiles: Mapping[str, Profile]
) -> bool:
    key, worst = asset.key, incident.worst
    return (
        incident.severity >= Severity[match.severity.upper()]
        and _is_one_of(match.sites, key.site)
        and _is_one_of(match.assets, key.asset, f"{key.site}/{key.asset}")
        and (not match.profiles or asset.profile in match.profiles)
        and (not match.kinds or incident.kind.value in match.kinds)
        and _is_one_of(match.problems, problem_of(worst, profiles[asset.profile]), worst.cause)
    )


def _is_one_of(patterns: Sequence[str], *names: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
