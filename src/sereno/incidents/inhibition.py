"""Which incident explains another, so that only one of them is told: no data, and one cause for many assets.

Each incident keeps its own life; what is decided here is only who hears of it.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from sereno.domain.incidents import Incident
from sereno.domain.judgement import IncidentKind
from sereno.domain.kin import Kin

__all__ = ["MIN_ASSETS", "NO_DATA", "common_leads", "same_time", "silent_parents"]

NO_DATA = "quality.missing"
MIN_ASSETS = 3
"""Assets that must have the same trouble at the same time to have it in common."""
_FLEET_SHARE = 0.5
"""Share of all assets of a profile that must have it, where their sites differ."""
_FLEET_MANY = 32
"""So many are no coincidence in a fleet of any size."""
_LEAST = timedelta(minutes=10)
_AT_ONCE = timedelta(0)


def same_time(step: timedelta | None) -> timedelta:
    """How far apart what begins or ends together may begin or end: two steps, ten minutes at least."""
    return max(2 * (step or _AT_ONCE), _LEAST)


def silent_parents(
    child: Incident, others: Iterable[Incident], *, step: timedelta | None, now: datetime
) -> set[str]:
    """Ids of the incidents of the same asset that say that its data stopped, and so explain the child.

    Only physics and behaviour that began when the data stopped are explained, and no longer than it lasts.
    """
    if child.kind is IncidentKind.DATA or child.is_withdrawn:
        return set()
    slack = same_time(step)
    return {
        one.id
        for one in others
        if one.worst.cause == NO_DATA
        and not one.is_withdrawn
        and one.asset == child.asset
        and one.started_at - slack <= child.started_at <= (one.ended_at or now) + slack
        and _lasts(one, child, slack, now)
    }


def common_leads(
    child: Incident, others: Iterable[Kin], *, n_in_fleet: int, step: timedelta | None, now: datetime
) -> set[str]:
    """The id of the incident that speaks for all that have the child's trouble at the same time, if many do.

    At least three assets of one site; or three, and half of all or 32, of different sites. The one that
    speaks for others already goes on to, as people have heard of it; otherwise the first that began.

    Args:
        others: Incidents of the child's cause, of any asset.
        n_in_fleet: Assets of the child's profile.
    """
    slack, own = same_time(step), Kin.of(child)
    alike = [
        one
        for one in {**{other.id: other for other in others}, own.id: own}.values()
        if one.trouble == own.trouble and abs(one.started_at - own.started_at) <= slack
    ]
    of_site = [one for one in alike if one.asset.site == own.asset.site]
    is_of_fleet = _n_assets(alike) >= max(MIN_ASSETS, min(_FLEET_SHARE * n_in_fleet, _FLEET_MANY))
    group = alike if is_of_fleet else of_site if _n_assets(of_site) >= MIN_ASSETS else []
    spoken_for = Counter(name for one in group for name in one.inhibitors)
    lead = min(group, key=lambda one: (one.is_inhibited, one.id not in spoken_for, one.order), default=None)
    if lead is None or lead.asset == own.asset or child.is_withdrawn:
        return set()
    return {lead.id} if _lasts(lead, child, slack, now) else set()


def _n_assets(incidents: Iterable[Kin]) -> int:
    return len({one.asset for one in incidents})


def _lasts(parent: Incident | Kin, child: Incident, slack: timedelta, now: datetime) -> bool:
    """Whether the parent goes on, or ended no earlier than the child did."""
    ended = parent.ended_at
    return ended is None or (child.ended_at or now) <= ended + slack
