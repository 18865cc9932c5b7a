"""Incidents of many sites on one axis, and what began at many of them at once."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sereno.flows.incidents import IncidentView
from sereno.i18n.catalogue import has, sentence
from sereno.i18n.numbers import moment
from sereno.report.lanes import Bar, Lanes, draw_lanes
from sereno.report.plots import Plot

__all__ = ["CommonCause", "common_causes", "problem_name", "timeline_plot"]

_TOGETHER = timedelta(hours=1)
_LEAST_SITES = 3
_MOST_SITES = 60


@dataclass(frozen=True, slots=True)
class CommonCause:
    """Sites at which something began at the same time: rather weather, grid, clock or head-end than a fault.

    Attributes:
        first_at, last_at: When the first and the last of them began.
        problems: How many incidents of each problem, the commonest first.
    """

    first_at: datetime
    last_at: datetime
    sites: Sequence[str]
    problems: Mapping[str, int]
    views: Sequence[IncidentView]


def problem_name(view: IncidentView, language: str) -> str:
    """What kind of trouble it is, in words."""
    key = f"problem.{view.problem}.name"
    kind = sentence(f"kind.{view.incident.kind.value}", language)
    return sentence(key, language) if has(key) else kind


def common_causes(views: Sequence[IncidentView]) -> list[CommonCause]:
    """Begins of at least three sites within an hour, or a step where steps are longer; most sites first."""
    ordered = sorted(views, key=lambda view: view.incident.started_at)
    found, first = [], 0
    while first < len(ordered):
        begun = ordered[first].incident.started_at
        within = max(_TOGETHER, ordered[first].place.step or _TOGETHER)
        last = first
        while last < len(ordered) and ordered[last].incident.started_at - begun <= within:
            last += 1
        together = ordered[first:last]
        sites = sorted({view.incident.asset.site for view in together})
        if len(sites) >= _LEAST_SITES:
            problems = Counter(view.problem for view in together)
            last_at = together[-1].incident.started_at
            found.append(CommonCause(begun, last_at, sites, dict(problems.most_common()), together))
            first = last
        else:
            first += 1
    return sorted(found, key=lambda one: -len(one.sites))


def timeline_plot(
    views: Sequence[IncidentView],
    *,
    start: datetime,
    end: datetime,
    zone: str,
    language: str,
    link: Callable[[str], str] = lambda _: "",
) -> Plot:
    """A lane per site, those with the worst trouble first.

    Args:
        views: Worst first.
        link: Where the bar of an incident leads, by its id.
    """
    title, about = sentence("timeline.title", language), sentence("timeline.about", language)
    if not views:
        return Plot("timeline", title, about, "", missing=sentence("timeline.none", language))
    by_site: dict[str, list[IncidentView]] = defaultdict(list)
    for view in views:
        by_site[view.incident.asset.site].append(view)
    shown = list(by_site)[:_MOST_SITES]
    bars = [_bar(lane, view, language, link) for lane, site in enumerate(shown) for view in by_site[site]]
    causes = [one.first_at.timestamp() for one in common_causes(views)]
    lanes = Lanes(
        title, shown, bars, start.timestamp(), end.timestamp(), _ticks(start, end, zone, language), causes
    )
    columns = [sentence(f"timeline.column.{one}", language) for one in _COLUMNS]
    rows = [_row(view, language) for site in by_site for view in by_site[site]]
    keys = [("marked", sentence("timeline.key.common", language))] if causes else []
    return Plot("timeline", title, about, draw_lanes(lanes), columns, rows, keys=keys, is_wide=True)


_COLUMNS = ("site", "asset", "severity", "problem", "started_at", "ended_at", "sentence")


def _bar(lane: int, view: IncidentView, language: str, link: Callable[[str], str]) -> Bar:
    incident = view.incident
    ended = None if incident.ended_at is None else incident.ended_at.timestamp()
    severity = incident.severity.name.lower()
    title = f"{sentence(f'severity.{severity}', language)}: {view.sentence(language)}"
    return Bar(lane, incident.started_at.timestamp(), ended, severity, title, link(incident.id))


def _row(view: IncidentView, language: str) -> list[str | None]:
    incident = view.incident
    ended = None if incident.ended_at is None else incident.ended_at.isoformat()
    severity = sentence(f"severity.{incident.severity.name.lower()}", language)
    names = [incident.asset.site, incident.asset.asset, severity, problem_name(view, language)]
    return [*names, incident.started_at.isoformat(), ended, view.sentence(language)]


def _ticks(start: datetime, end: datetime, zone: str, language: str) -> list[tuple[float, str]]:
    parts = 4
    step = timedelta(days=1) if end - start > timedelta(days=3) else None
    instants = [start + (end - start) * part / parts for part in range(parts + 1)]
    return [(one.timestamp(), moment(one, zone, language, step=step)) for one in instants]
