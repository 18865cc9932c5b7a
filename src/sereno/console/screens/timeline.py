"""Incidents of all sites on one axis, with what began at many of them at once."""

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sereno.api.context import ViewerCall
from sereno.console.filters import Field, field_of, given
from sereno.console.page import ConsoleRoute, Page
from sereno.console.plots import plot_file, plot_table
from sereno.domain.errors import NotFound
from sereno.domain.judgement import IncidentKind, Severity
from sereno.flows.fleet_list import IncidentFilter, listed_incidents
from sereno.flows.incidents import IncidentView
from sereno.flows.plots import Plot
from sereno.flows.timeline import CommonCause, common_causes, problem_name, timeline_plot

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

_SHOWN_CAUSES = 12


@router.get("/timeline")
def show_timeline(request: Request, call: ViewerCall) -> Response:
    """A lane per site, worst first."""
    page = Page.of(request, call)
    views = _views(page)
    causes = common_causes(views)[:_SHOWN_CAUSES]
    fields = _fields(page)
    return page.answer(
        "timeline.html",
        plot=_plot(page, views, link=lambda name: page.url(f"/console/incidents/{name}")),
        causes=causes,
        names=[_names(one, page.language) for one in causes],
        fields=fields,
        query=given(fields),
    )


@router.get("/timeline/table")
def show_table(request: Request, call: ViewerCall) -> Response:
    """The same as a table."""
    page = Page.of(request, call)
    return plot_table(page, _drawn(page))


@router.get("/timeline.{kind}")
def download(request: Request, call: ViewerCall, kind: str) -> Response:
    """The same as a picture or a file."""
    page = Page.of(request, call)
    return plot_file(page, _drawn(page), kind)


def _drawn(page: Page) -> Plot:
    plot = _plot(page, _views(page))
    if plot.missing:
        raise NotFound(what="figure", id="timeline", hint="")
    return plot


def _plot(page: Page, views: list[IncidentView], link: Callable[[str], str] = lambda _: "") -> Plot:
    zone, span = page.workspace.zone, page.range
    return timeline_plot(views, start=span.start, end=span.end, zone=zone, language=page.language, link=link)


def _views(page: Page) -> list[IncidentView]:
    asked = page.request.query_params
    severity = asked.get("severity", "")
    wanted = IncidentFilter(
        text=asked.get("text", ""),
        profile=asked.get("profile", ""),
        severity=(severity,) if severity else (),
        kind=asked.get("kind", ""),
    )
    return listed_incidents(
        page.workspace, wanted, since=page.range.start, until=page.range.end, language=page.language
    )


def _fields(page: Page) -> list[Field]:
    words = page.words
    levels = [(s.name.lower(), words.word(f"severity.{s.name.lower()}")) for s in reversed(Severity)]
    kinds = [(k.value, words.word(f"kind.{k.value}")) for k in IncidentKind]
    profiles = sorted({one.profile for one in page.workspace.assets()})
    return [
        field_of(page, "text"),
        field_of(page, "severity", levels),
        field_of(page, "kind", kinds),
        field_of(page, "profile", [(p, words.known(f"console.profile.{p}", p)) for p in profiles]),
    ]


def _names(cause: CommonCause, language: str) -> list[tuple[str, int]]:
    names = {view.problem: problem_name(view, language) for view in cause.views}
    counts: dict[str, int] = {}
    for problem, count in cause.problems.items():
        counts[names[problem]] = counts.get(names[problem], 0) + count
    return list(counts.items())
