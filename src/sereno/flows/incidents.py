"""Incidents as people and machines read them: DESIGN's JSON, worst first, with sentence, advice and cost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isfinite

from sereno.detect.episodes import longest_hold
from sereno.domain.incidents import Condition, EventKind, Incident, IncidentEvent
from sereno.domain.judgement import Detection, IncidentKind, Severity
from sereno.domain.outlook import Course, Outlook, Unlearnt
from sereno.domain.ranking import Lost, days_lasted, lost_of, trouble_of
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import isoformat
from sereno.flows.models import TrainedModel
from sereno.flows.outlook import outlook_of, unlearnt_of
from sereno.flows.precision import precision_json
from sereno.incidents.inhibition import NO_DATA, same_time
from sereno.report.outlook import describe_lost, describe_outlook, describe_unlearnt
from sereno.report.problems import problem_of
from sereno.report.sentences import Place, band_edge, describe_incident, recommend
from sereno.settings.tree import Tariff
from sereno.store import StoredAsset, Transaction
from sereno.store.incident_pages import REMEMBERED, Earlier, Order

__all__ = [
    "IncidentView",
    "Order",
    "cost_of",
    "find_incidents",
    "human_event",
    "place_of",
    "price_of",
    "summarise",
    "up_to_date",
    "view_of",
    "worst_first",
]

_RECENT = timedelta(days=30)
_AT_ONCE = timedelta(0)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident with what is needed to explain it.

    Attributes:
        similar: Earlier incidents of the same asset with the same cause on the same signal in the same
            direction, newest first.
        outlook: Where it is heading, where that is clear; worked out for one incident at a time.
        children: Ids of the incidents that it explains and speaks for.
        lost_for: For how long nothing was read after its last abnormal row, where that is what ended it.
        unlearnt: That too little was learnt to call it a fault, where it has lasted for a good part of that.
    """

    incident: Incident
    place: Place
    tariff: Tariff | None
    similar: Sequence[Incident | Earlier] = ()
    outlook: Outlook | None = None
    children: tuple[str, ...] = ()
    lost_for: timedelta | None = None
    unlearnt: Unlearnt | None = None

    @property
    def problem(self) -> str:
        """What kind of trouble it is, see `problem_of`."""
        return problem_of(self.incident.worst, self.place.profile)

    @property
    def cost_per_day(self) -> float | None:
        """What it costs on a day on average, in the currency of its cost; None without a price."""
        cost = cost_of(self.incident, self.tariff)
        return None if cost is None else round(cost[0] / self.days_lasted, 2)

    @property
    def days_lasted(self) -> float:
        """Days that its cost is spread over."""
        last = max(d.last_at for d in self.incident.leading)
        until = self.incident.ended_at or last + (self.place.step or _AT_ONCE)
        return days_lasted(until - self.incident.started_at)

    @property
    def recurrence(self) -> str:
        """Whether the same trouble comes more often: `rising`, `steady` or `first`."""
        if not self.similar:
            return "first"
        began = self.incident.started_at
        recent, earlier = (
            sum(first < began - one.started_at <= last for one in self.similar)
            for first, last in ((_AT_ONCE, _RECENT), (_RECENT, 2 * _RECENT))
        )
        return "rising" if recent > earlier else "steady"

    def sentence(self, language: str) -> str:
        """The incident in one sentence."""
        return describe_incident(
            self.incident, self.place, language, cost=cost_of(self.incident, self.tariff)
        )

    def recommendation(self, language: str) -> str:
        """What to look at first."""
        return recommend(self.incident.worst, self.place, language)

    def heading(self, language: str) -> str:
        """Where it is heading, or why nobody knows, in one sentence; empty where there is nothing to say."""
        if self.lost_for is not None:
            return describe_lost(self.lost_for, self.place, language)
        if self.unlearnt is not None:
            return describe_unlearnt(self.unlearnt, self.place, language)
        return "" if self.outlook is None else describe_outlook(self.outlook, self.place, language)

    def to_full_json(self, now: datetime, events: Sequence[IncidentEvent]) -> dict[str, object]:
        """The object of `incidents show --json`: with where it is heading, and its log."""
        log = [
            {"at": isoformat(e.at), "event": e.kind, "who": e.actor, "facts": dict(e.facts)} for e in events
        ]
        own = {
            "outlook": self._outlook_json(),
            "heading": self.heading("en") or None,
            "heading_es": self.heading("es") or None,
            "explains": list(self.children),
            "events": log,
        }
        return self.to_json(now) | own

    def _outlook_json(self) -> dict[str, object] | None:
        if self.outlook is None:
            return None
        after = self.outlook.after
        return {
            "course": self.outlook.course.value,
            "reaches": self.outlook.reaches or None,
            "after_hours": None if after is None else round(after / timedelta(hours=1), 1),
            "sentence": self.heading("en"),
            "sentence_es": self.heading("es"),
        }

    def to_json(self, now: datetime) -> dict[str, object]:
        """The object of `incidents list --json`; NaN becomes null."""
        incident, worst = self.incident, self.incident.worst
        cost = cost_of(incident, self.tariff)
        return {
            "id": incident.id,
            "site": incident.asset.site,
            "asset": incident.asset.asset,
            "signals": list(worst.signals),
            "kind": incident.kind.value,
            "cause": worst.cause,
            "problem": self.problem,
            "severity": incident.severity.name.lower(),
            "condition": incident.condition.value,
            "state": incident.state.value,
            "verdict": incident.verdict and incident.verdict.value,
            **self._heard_json(now),
            "peak_at": isoformat(worst.peak_at),
            "recommendation": self.recommendation("en"),
            "recommendation_es": self.recommendation("es"),
            "opened_at": isoformat(incident.opened_at),
            "started_at": isoformat(incident.started_at),
            "ended_at": isoformat(incident.ended_at),
            "score": _finite(worst.score),
            "threshold": _finite(worst.threshold),
            "observed": _finite(worst.observed),
            "expected": _finite(worst.expected),
            "normal_to": _finite(band_edge(worst)),
            "unit": worst.unit,
            "impact": _finite(incident.impact),
            "impact_unit": worst.impact_unit,
            "cost": None if cost is None else cost[0],
            "cost_per_day": self.cost_per_day,
            "currency": None if cost is None else cost[1],
            "sentence": self.sentence("en"),
            "sentence_es": self.sentence("es"),
            "model": worst.model or None,
            "owner": incident.owner or None,
            "similar": [
                {"started_at": isoformat(one.started_at), "ended_at": isoformat(one.ended_at)}
                for one in self.similar[:_SHOWN]
            ],
            "similar_count": len(self.similar),
            "recurrence": self.recurrence,
            "contributions": {name: round(share, 4) for name, share in worst.contributions.items()},
        }

    def _heard_json(self, now: datetime) -> dict[str, object]:
        """Who hears of it, and why not everybody does."""
        incident = self.incident
        visibility = incident.visibility(now)
        return {
            "visibility": visibility,
            "chattering": incident.is_chattering,
            "unattended": incident.is_unattended,
            "parents": list(incident.inhibitors),
            "children": len(self.children),
            "silences": sorted(incident.silences),
            "escalated": incident.escalated,
            "shelved_until": isoformat(incident.shelved_until) if visibility == "shelved" else None,
        }


def find_incidents(
    tx: Transaction,
    profiles: Mapping[str, Profile],
    tariff: Tariff | None,
    *,
    since: datetime | None = None,
    order: Order = "worst",
) -> list[IncidentView]:
    """All incidents, worst first; open ones with their evidence as it stands now.

    Args:
        since: Only those active at or after this instant of the data.
        order: Or the newest first, or what costs most a day.
    """
    assets = tx.assets(with_sources=True)
    places = {asset.key: place_of(asset, profiles) for asset in assets}
    ids = {asset.key: asset.id for asset in assets}
    everything = tx.incidents()
    found = [up_to_date(tx, incident, ids) for incident in everything]
    if since is not None:
        found = [i for i in found if i.ended_at is None or i.ended_at >= since]
    alike, children = _similar(everything), _children(everything)
    views = [
        IncidentView(
            incident,
            places[incident.asset],
            tariff,
            alike.get(incident.id, ()),
            children=children.get(incident.id, ()),
        )
        for incident in found
    ]
    if order == "newest":
        return sorted(views, key=lambda view: view.incident.started_at, reverse=True)
    if order == "cost":
        # Among equals the order stays: those without a price are at the end, worst first.
        return sorted(worst_first(views), key=lambda view: -(view.cost_per_day or 0.0))
    return worst_first(views)


def view_of(
    tx: Transaction,
    incident: Incident,
    profiles: Mapping[str, Profile],
    tariff: Tariff | None,
    model_of: Callable[[str], TrainedModel | None],
) -> IncidentView:
    """One incident, also one whose evidence was withdrawn since, and where it is heading.

    Args:
        model_of: The model that judges a profile.
    """
    asset = next(
        one for one in tx.assets(sites=[incident.asset.site], with_sources=True) if one.key == incident.asset
    )
    place = place_of(asset, profiles)
    similar = tx.earlier_incidents(incident, asset.id)
    current = up_to_date(tx, incident, {asset.key: asset.id})
    outlook = outlook_of(tx, asset, place.profile, model_of, current)
    children = tx.children_of(incident, asset.id)
    lost_for = _lost_for(tx, current, asset)
    is_steady = outlook is None or outlook.course is Course.STEADY  # what worsens or eases is no regime
    unlearnt = unlearnt_of(asset, model_of(place.profile.name), current) if is_steady else None
    return IncidentView(current, place, tariff, similar, outlook, children, lost_for, unlearnt)


def _lost_for(tx: Transaction, incident: Incident, asset: StoredAsset) -> timedelta | None:
    """How long the gap is that ended an incident; None where its rows came back to normal, or it goes on."""
    ended = incident.ended_at
    if ended is None or incident.kind is IncidentKind.DATA:
        return None
    near = same_time(asset.step)
    gaps = (
        (one.ended_at or max(part.last_at for part in one.evidence)) - ended
        for one in tx.incidents(asset_id=asset.id, since=ended)
        if one.worst.cause == NO_DATA and not one.is_withdrawn and abs(one.started_at - ended) <= near
    )
    longest = max(gaps, default=_AT_ONCE)
    return longest if longest > longest_hold(incident.leading[-1].check, asset.step) else None


def _children(incidents: Iterable[Incident]) -> dict[str, tuple[str, ...]]:
    """The incidents that each one explains, by its id."""
    found: dict[str, tuple[str, ...]] = {}
    for incident in incidents:
        for parent in incident.inhibitors:
            found[parent] = (*found.get(parent, ()), incident.id)
    return found


def _similar(incidents: Iterable[Incident]) -> dict[str, tuple[Incident, ...]]:
    """The last earlier incidents of the same trouble, newest first, by the id of the later one."""
    groups: dict[tuple[AssetKey, str], list[Incident]] = {}
    found = {}
    for incident in sorted(incidents, key=lambda one: (one.started_at, one.id)):
        before = groups.setdefault((incident.asset, trouble_of(incident)), [])
        found[incident.id] = tuple(reversed(before[-REMEMBERED:]))
        before.append(incident)
    return found


def worst_first(views: Sequence[IncidentView]) -> list[IncidentView]:
    """By severity, active before cleared, then by cost, duration and start."""

    def key(view: IncidentView) -> tuple[object, ...]:
        incident = view.incident
        cost = cost_of(incident, view.tariff)
        return (
            -incident.severity,
            incident.condition is Condition.CLEARED,
            -(cost[0] if cost else 0.0),
            -sum(d.n_rows for d in incident.evidence),
            incident.started_at,
            incident.id,
        )

    return sorted(views, key=key)


def cost_of(incident: Incident, tariff: Tariff | None) -> tuple[float, str] | None:
    """Money lost over the incident, and its currency; None without a price for its unit."""
    lost = lost_of(incident)
    price = None if lost is None else price_of(lost, tariff)
    if lost is None or tariff is None or price is None:
        return None
    return round(lost.amount * price, 2), tariff.currency


def price_of(lost: Lost, tariff: Tariff | None) -> float | None:
    """What a unit of what was lost costs."""
    if tariff is None:
        return None
    if lost.is_export and tariff.export_price is not None:
        return tariff.export_price
    return tariff.prices.get(lost.unit)


def summarise(views: Sequence[IncidentView], *, days: int, until: datetime) -> dict[str, object]:
    """Counts over the last days of the data.

    Args:
        until: End of the data; what began within `days` before it, or is still active, counts.
    """
    since = until - timedelta(days=days)
    recent = [v for v in views if v.incident.ended_at is None or v.incident.ended_at >= since]
    return {
        "days": days,
        "since": isoformat(since),
        "until": isoformat(until),
        "total": len(recent),
        "active": sum(v.incident.condition is Condition.ACTIVE for v in recent),
        "by_severity": {
            s.name.lower(): sum(v.incident.severity is s for v in recent) for s in reversed(Severity)
        },
        "by_kind": _counts(v.incident.kind.value for v in recent),
        "by_site": _counts(v.incident.asset.site for v in recent),
        "unattended": sum(v.incident.is_unattended for v in recent),
        "silenced": sum(bool(v.incident.silences) for v in recent),
        "inhibited": sum(bool(v.incident.inhibitors) for v in recent),
        "precision": precision_json(v.incident for v in views),
        "cost": round(sum(cost[0] for v in recent if (cost := cost_of(v.incident, v.tariff))), 2)
        if any(v.tariff for v in recent)
        else None,
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def place_of(asset: StoredAsset, profiles: Mapping[str, Profile]) -> Place:
    """What sentences have to know of an asset."""
    return Place(profiles[asset.profile], asset.zone, asset.step)


def up_to_date(tx: Transaction, incident: Incident, ids: Mapping[AssetKey, int]) -> Incident:
    """An open incident with its detection as last stored: small changes are not events of their own."""
    if incident.ended_at is not None:
        return incident
    current: dict[tuple[str, datetime], Detection] = {
        (stored.detection.check, stored.detection.started_at): stored.detection
        for stored in tx.detections(ids[incident.asset], since=incident.started_at)
    }
    evidence = tuple(current.get((d.check, d.started_at), d) for d in incident.evidence)
    return replace(incident, evidence=evidence)


def _finite(value: float) -> float | None:
    return round(value, 6) if isfinite(value) else None


def human_event(kind: EventKind, *, at: datetime, actor: str, **facts: str) -> IncidentEvent:
    """Something that a person does to an incident."""
    return IncidentEvent(kind, at, at, actor, facts=facts)
