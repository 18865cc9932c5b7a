"""The fleet at a glance: a row per site, worst first, from few queries however many sites there are."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

from sereno.domain.incidents import HumanState, Incident
from sereno.domain.judgement import Detection, Severity
from sereno.domain.masking import has_words
from sereno.domain.signals import AssetKey
from sereno.flows.incidents import IncidentView
from sereno.flows.segments import load_segmentation
from sereno.flows.workspace import Workspace
from sereno.report.sentences import Place
from sereno.store import Spell, StoredAsset, StoredDetection, StoredModel, Transaction

__all__ = [
    "DAYS_SHOWN",
    "Fleet",
    "FleetFilter",
    "ModelState",
    "SiteRow",
    "Status",
    "fleet_of",
    "is_late",
    "model_state",
    "segments_of",
    "views_of",
]

DAYS_SHOWN = 14
_DAY = timedelta(days=1)
_LATE_STEPS = 3
_OLD_MODEL = timedelta(days=90)


class Status(IntEnum):
    """How a site is."""

    NORMAL = 0
    CAUTION = 1
    CRITICAL = 2

    @classmethod
    def of(cls, severities: Iterable[Severity]) -> "Status":
        """Critical with critical trouble, caution with any other, normal without."""
        worst = max(severities, default=None)
        if worst is None:
            return cls.NORMAL
        return cls.CRITICAL if worst is Severity.CRITICAL else cls.CAUTION


class ModelState(IntEnum):
    """Whether behaviour is judged: by nothing, by models that do not know everything, by models that do."""

    NO = 0
    OUTDATED = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site.

    Attributes:
        segments: Names of the segments of its assets; none before segments were found.
        before: Its status a day earlier.
        by_severity: Active incidents that people are told of.
        n_quiet: Active incidents that are shelved, silenced or explained by another one.
        n_new: Active incidents that nobody has acknowledged.
        days: The worst trouble of each of the last days by the site's calendar, oldest first; None for calm.
        worst: The incident that speaks for the site.
        is_late: Nothing has come for three steps and a day.
        cost_per_day: What its active incidents cost on a day; None without a price.
    """

    site: str
    zone: str
    profiles: tuple[str, ...]
    segments: tuple[str, ...]
    n_assets: int
    is_simulated: bool
    status: Status
    before: Status
    by_severity: Mapping[Severity, int]
    n_quiet: int
    n_new: int
    days: tuple[Severity | None, ...]
    worst: IncidentView | None
    last_at: datetime | None
    is_late: bool
    cost_per_day: float | None

    @property
    def n_active(self) -> int:
        """Active incidents that people are told of."""
        return sum(self.by_severity.values())

    @property
    def order(self) -> tuple[object, ...]:
        """Worst first; among equals what costs most, then what is late, then by name."""
        counts = tuple(-self.by_severity.get(one, 0) for one in reversed(Severity))
        return (-self.status, *counts, -(self.cost_per_day or 0.0), not self.is_late, self.site.casefold())


@dataclass(frozen=True, slots=True)
class Fleet:
    """All sites, worst first.

    Attributes:
        until: End of the data, or now where the data reach beyond it.
        currency: Of all costs; empty without a tariff.
    """

    rows: Sequence[SiteRow]
    until: datetime
    currency: str = ""
    profiles: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """Of the worst site."""
        return max((row.status for row in self.rows), default=Status.NORMAL)

    @property
    def before(self) -> Status:
        """Of the worst site a day earlier."""
        return max((row.before for row in self.rows), default=Status.NORMAL)

    @property
    def n_abnormal(self) -> int:
        """Sites in trouble."""
        return sum(row.status is not Status.NORMAL for row in self.rows)

    @property
    def n_abnormal_before(self) -> int:
        """Sites in trouble a day earlier."""
        return sum(row.before is not Status.NORMAL for row in self.rows)

    @property
    def n_severe(self) -> int:
        """Sites with trouble of high severity or worse."""
        return sum(
            any(row.by_severity.get(s) for s in (Severity.HIGH, Severity.CRITICAL)) for row in self.rows
        )

    @property
    def n_active(self) -> int:
        """Active incidents that people are told of."""
        return sum(row.n_active for row in self.rows)

    @property
    def cost_per_day(self) -> float | None:
        """What active incidents cost on a day; None without a price."""
        known = [row.cost_per_day for row in self.rows if row.cost_per_day is not None]
        return sum(known) if known else None

    @property
    def is_simulated(self) -> bool:
        """Whether any site is simulated."""
        return any(row.is_simulated for row in self.rows)


@dataclass(frozen=True, slots=True)
class FleetFilter:
    """Which sites, and in which order.

    Attributes:
        severity: Only sites with active trouble of this severity.
        status: `normal`, `caution`, `critical`, or `late`.
        sort: `worst`, `name`, `cost`, `age` or `incidents`.
    """

    text: str = ""
    profile: str = ""
    segment: str = ""
    severity: str = ""
    status: str = ""
    sort: str = "worst"

    def of(self, fleet: Fleet) -> Fleet:
        """The sites that fit, in order."""
        rows = [row for row in fleet.rows if self._fits(row)]
        match self.sort:
            case "name":
                rows.sort(key=lambda row: row.site.casefold())
            case "cost":
                rows.sort(key=lambda row: -(row.cost_per_day or 0.0))
            case "age":
                rows.sort(key=lambda row: (row.last_at is not None, row.last_at))
            case "incidents":
                rows.sort(key=lambda row: -row.n_active)
        return replace(fleet, rows=rows)

    def _fits(self, row: SiteRow) -> bool:
        return (
            has_words(self.text, row.site)
            and (not self.profile or self.profile in row.profiles)
            and (not self.segment or self.segment in row.segments)
            and (
                not self.severity
                or any(n for one, n in row.by_severity.items() if one.name.lower() == self.severity)
            )
            and (not self.status or self.status in (row.status.name.lower(), "late" if row.is_late else ""))
        )


@dataclass(slots=True)
class _Site:
    assets: list[StoredAsset] = field(default_factory=list)
    views: list[IncidentView] = field(default_factory=list)
    spells: list[Spell] = field(default_factory=list)


def fleet_of(workspace: Workspace) -> Fleet:
    """Every site with its active incidents as they stand, its last days, freshness and cost."""
    now = workspace.now()
    with workspace.store.read() as tx:
        assets, last = tx.assets(), tx.last_readings()
        until = min(now, max(last.values(), default=now))
        active = [one for one in tx.incidents(is_active=True) if one.state is not HumanState.CLOSED]
        views = views_of(tx, workspace, assets, active)
        spells = tx.spells(since=until - DAYS_SHOWN * _DAY)
    sites: dict[str, _Site] = {}
    by_id = {one.id: one for one in assets}
    for one in assets:
        sites.setdefault(one.key.site, _Site()).assets.append(one)
    for view in views:
        sites[view.incident.asset.site].views.append(view)
    for spell in spells:
        if spell.asset_id in by_id:
            sites[by_id[spell.asset_id].key.site].spells.append(spell)
    segments = segments_of(workspace, {one.profile for one in assets})
    rows = [_row(name, site, last, segments, now, until) for name, site in sites.items()]
    return Fleet(
        rows=sorted(rows, key=lambda row: row.order),
        until=until,
        currency=workspace.settings.tariff.currency if workspace.settings.tariff else "",
        profiles=tuple(sorted({one.profile for one in assets})),
        segments=tuple(sorted({name for row in rows for name in row.segments})),
    )


def views_of(
    tx: Transaction, workspace: Workspace, assets: Sequence[StoredAsset], incidents: Iterable[Incident]
) -> list[IncidentView]:
    """Incidents with what explains them, those that go on with their evidence as last stored: one query."""
    by_key = {one.key: one for one in assets}
    current = tx.open_detections()
    views = []
    for incident in incidents:
        asset = by_key[incident.asset]
        place = Place(workspace.profiles[asset.profile], asset.zone, asset.step)
        fresh = _with_current(incident, current.get(asset.id, ()))
        views.append(IncidentView(fresh, place, workspace.settings.tariff))
    return views


def is_late(last_at: datetime | None, assets: Iterable[StoredAsset], now: datetime) -> bool:
    """Whether nothing has come from assets for three of their steps and a day."""
    steps = [one.step for one in assets if one.step is not None]
    slack = _DAY + _LATE_STEPS * max(steps, default=timedelta(0))
    return last_at is None or now - last_at > slack


def model_state(
    assets: Sequence[StoredAsset], last: Mapping[int, datetime], models: Sequence[StoredModel]
) -> tuple[ModelState, str]:
    """Whether models judge all assets that have readings, and the profiles of which they do not.

    Outdated: an asset is unknown to its model, or the model is older than 90 days of data.
    """
    cards = {stored.card.profile: stored.card for stored in models if stored.is_active}
    known = {profile: set(card.assets) for profile, card in cards.items()}
    states: dict[str, ModelState] = {}
    for one in assets:
        card, newest = cards.get(one.profile), last.get(one.id)
        if newest is None:
            continue
        if card is None:
            state = ModelState.NO
        elif one.key not in known[one.profile] or newest - card.trained_at > _OLD_MODEL:
            state = ModelState.OUTDATED
        else:
            state = ModelState.YES
        states[one.profile] = min(state, states.get(one.profile, ModelState.YES))
    wanting = ", ".join(sorted(name for name, state in states.items() if state is not ModelState.YES))
    if not cards:
        return ModelState.NO, wanting
    return (ModelState.OUTDATED if wanting else ModelState.YES), wanting


def _row(
    name: str,
    site: _Site,
    last: Mapping[int, datetime],
    segments: Mapping[AssetKey, str],
    now: datetime,
    until: datetime,
) -> SiteRow:
    shown = [view for view in site.views if view.incident.visibility(now) == "shown"]
    severities = [view.incident.severity for view in shown]
    ends = [last[one.id] for one in site.assets if one.id in last]
    last_at = max(ends, default=None)
    day_before = [s.severity for s in site.spells if _covers(s, until - _DAY)]
    costs = [cost for view in shown if (cost := view.cost_per_day) is not None]
    return SiteRow(
        site=name,
        zone=site.assets[0].zone,
        profiles=tuple(sorted({one.profile for one in site.assets})),
        segments=tuple(sorted({segments[one.key] for one in site.assets if one.key in segments})),
        n_assets=len(site.assets),
        is_simulated=all(one.is_simulated for one in site.assets),
        status=Status.of(severities),
        before=Status.of(day_before),
        by_severity=Counter(severities),
        n_quiet=len(site.views) - len(shown),
        n_new=sum(view.incident.state is HumanState.NEW for view in shown),
        days=_days(site.spells, site.assets[0].zone, until),
        worst=max(shown, key=_speaks, default=None),
        last_at=last_at,
        is_late=is_late(last_at, site.assets, now),
        cost_per_day=sum(costs) if costs else None,
    )


def _speaks(view: IncidentView) -> tuple[object, ...]:
    incident = view.incident
    return incident.severity, view.cost_per_day or 0.0, -incident.started_at.timestamp()


def _covers(spell: Spell, instant: datetime) -> bool:
    return spell.started_at <= instant and (spell.ended_at is None or spell.ended_at > instant)


def _days(spells: Iterable[Spell], zone: str, until: datetime) -> tuple[Severity | None, ...]:
    info = ZoneInfo(zone)
    last = until.astimezone(info).date()
    days: list[Severity | None] = [None] * DAYS_SHOWN
    for spell in spells:
        begin = (last - spell.started_at.astimezone(info).date()).days
        end = 0 if spell.ended_at is None else (last - spell.ended_at.astimezone(info).date()).days
        for back in range(max(end, 0), min(begin, DAYS_SHOWN - 1) + 1):
            place = DAYS_SHOWN - 1 - back
            days[place] = max(spell.severity, days[place] or spell.severity)
    return tuple(days)


def _with_current(incident: Incident, current: Sequence[StoredDetection]) -> Incident:
    found: dict[tuple[str, datetime], Detection] = {
        (one.detection.check, one.detection.started_at): one.detection for one in current
    }
    evidence = tuple(found.get((d.check, d.started_at), d) for d in incident.evidence)
    return replace(incident, evidence=evidence)


def segments_of(workspace: Workspace, profiles: Iterable[str]) -> dict[AssetKey, str]:
    """The name of the segment of each asset that has one."""
    found: dict[AssetKey, str] = {}
    for name in profiles:
        known = load_segmentation(workspace.folder, name)
        if known is not None:
            found |= {key: f"{name} {known.segment_of(key)}" for key in known.members()}
    return found
