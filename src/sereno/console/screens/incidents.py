"""The list of incidents: filters, order, pages, downloads."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sereno.api.context import ViewerCall
from sereno.console.downloads import Download, table_answer
from sereno.console.page import ConsoleRoute, Page
from sereno.console.ranges import LONGEST
from sereno.console.tables import one_page
from sereno.domain.judgement import IncidentKind, Severity
from sereno.flows.fleet_list import SORTS, IncidentFilter, listed_incidents
from sereno.flows.incidents import IncidentView

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

ROWS_PER_PAGE = 50
STATES = ("open", "new", "acknowledged", "closed")
CONDITIONS = ("active", "cleared")
VISIBILITIES = ("shown", "shelved", "silenced", "inhibited")


@router.get("/incidents")
def show_incidents(request: Request, call: ViewerCall, offset: int = 0) -> Response:
    """What happened in the stretch of time, worst first."""
    page = Page.of(request, call)
    wanted = page.filled(IncidentFilter)
    found = _found(page, wanted)
    earlier = [] if found else _found(page, wanted, since=page.range.end - LONGEST)
    return page.answer(
        "incidents.html",
        wanted=wanted,
        query=page.asked(wanted),
        **one_page(found, offset, ROWS_PER_PAGE),
        severities=tuple(reversed(Severity)),
        states=STATES,
        conditions=CONDITIONS,
        kinds=tuple(IncidentKind),
        visibilities=VISIBILITIES,
        profiles=sorted(call.workspace.profiles),
        sorts=SORTS,
        n_earlier=len(earlier),
        earlier_query=_days_of(page, earlier),
    )


@router.get("/incidents.{kind}")
def download_incidents(request: Request, call: ViewerCall, kind: Download) -> Response:
    """The incidents of the list as a file, all pages of it."""
    page = Page.of(request, call)
    now = call.workspace.now()
    rows = [view.to_json(now) for view in _found(page, page.filled(IncidentFilter))]
    return table_answer(page, "incidents", kind, rows)


def _found(page: Page, wanted: IncidentFilter, *, since: datetime | None = None) -> list[IncidentView]:
    begin, end = since or page.range.start, page.range.end
    return listed_incidents(page.workspace, wanted, since=begin, until=end, language=page.language)


def _days_of(page: Page, earlier: Sequence[IncidentView]) -> dict[str, str | None]:
    """The query of the shortest stretch up to now that has all of these."""
    if not earlier:
        return {}
    first = min(view.incident.started_at for view in earlier).astimezone(ZoneInfo(page.workspace.zone))
    return {"range": None, "from": first.date().isoformat(), "to": page.range.last.isoformat()}
