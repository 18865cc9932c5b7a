"""The fleet: a row per site, worst first; what is quiet is grey."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sereno.api.context import ViewerCall
from sereno.console.downloads import Download, table_answer
from sereno.console.page import ConsoleRoute, Page, n_readings
from sereno.domain.judgement import Severity
from sereno.domain.time import isoformat
from sereno.flows.overview import Fleet, FleetFilter, SiteRow, Status, fleet_of
from sereno.flows.plant import plant_of

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

ROWS_PER_PAGE = 100
_SEVERITIES = tuple(reversed(Severity))


@router.get("/")
def show_fleet(request: Request, call: ViewerCall, view: str = "rows", rows: int = ROWS_PER_PAGE) -> Response:
    """All sites, or those that a filter leaves."""
    page = Page.of(request, call)
    everything = fleet_of(call.workspace)
    wanted = page.filled(FleetFilter)
    found = wanted.of(everything)
    shown = found.rows if view == "tiles" else found.rows[: max(rows, 1)]
    return page.answer(
        "fleet.html",
        fleet=everything,
        plant=plant_of(call.workspace),
        found=found,
        shown=shown,
        wanted=wanted,
        query=page.asked(wanted),
        view=view,
        more=len(found.rows) - len(shown),
        next_rows=rows + ROWS_PER_PAGE,
        severities=_SEVERITIES,
        statuses=Status,
    )


@router.get("/fleet.{kind}")
def download_fleet(request: Request, call: ViewerCall, kind: Download) -> Response:
    """The rows of the fleet as a file."""
    page = Page.of(request, call)
    found = page.filled(FleetFilter).of(fleet_of(call.workspace))
    return table_answer(page, "fleet", kind, [_cells(row, found) for row in found.rows])


@router.get("/readings")
def count_readings(request: Request, call: ViewerCall) -> Response:
    """How many readings are stored, for the header of every page."""
    page = Page.of(request, call)
    return page.answer("readings.html", count=n_readings(call.workspace))


def _cells(row: SiteRow, fleet: Fleet) -> dict[str, object]:
    return {
        "site": row.site,
        "profiles": ", ".join(row.profiles),
        "segments": ", ".join(row.segments),
        "status": row.status.name.lower(),
        "status_before": row.before.name.lower(),
        **{one.name.lower(): row.by_severity.get(one, 0) for one in _SEVERITIES},
        "quiet": row.n_quiet,
        "unacknowledged": row.n_new,
        "last_reading_at": isoformat(row.last_at),
        "is_late": row.is_late,
        "cost_per_day": row.cost_per_day,
        "currency": fleet.currency or None,
        "sentence": row.worst.sentence("en") if row.worst else None,
        "sentence_es": row.worst.sentence("es") if row.worst else None,
    }
