"""All assets: what judges them, in which segment they are, how fresh their readings are."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sereno.api.context import ViewerCall
from sereno.console.downloads import Download, table_answer
from sereno.console.page import ConsoleRoute, Page
from sereno.console.tables import one_page
from sereno.domain.judgement import Severity
from sereno.domain.time import isoformat
from sereno.flows.asset_list import AssetFilter, AssetRow, listed_assets, narrowed

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

ROWS_PER_PAGE = 100
STATES = ("abnormal", "late", "unlearnt")
SORTS = ("name", "worst", "age")


@router.get("/assets")
def show_assets(request: Request, call: ViewerCall, offset: int = 0) -> Response:
    """The assets that a filter leaves."""
    page = Page.of(request, call)
    wanted = page.filled(AssetFilter)
    everything = listed_assets(call.workspace, AssetFilter())
    found = narrowed(everything, wanted)
    return page.answer(
        "assets.html",
        wanted=wanted,
        query=page.asked(wanted),
        **one_page(found, offset, ROWS_PER_PAGE),
        profiles=sorted({row.profile for row in everything}),
        segments=sorted({row.segment for row in everything if row.segment}),
        states=STATES,
        sorts=SORTS,
        severities=tuple(reversed(Severity)),
    )


@router.get("/assets.{kind}")
def download_assets(request: Request, call: ViewerCall, kind: Download) -> Response:
    """The same as a file, all pages of it."""
    page = Page.of(request, call)
    rows = listed_assets(call.workspace, page.filled(AssetFilter))
    return table_answer(page, "assets", kind, [_cells(row) for row in rows])


def _cells(row: AssetRow) -> dict[str, object]:
    return {
        "site": row.key.site,
        "asset": row.key.asset,
        "profile": row.profile,
        "segment": row.segment or None,
        "timezone": row.zone,
        "step_s": None if row.step is None else row.step.total_seconds(),
        "model": row.model or None,
        **{one.name.lower(): row.by_severity.get(one, 0) for one in reversed(Severity)},
        "last_reading_at": isoformat(row.last_at),
        "is_late": row.is_late,
        "is_simulated": row.is_simulated,
    }
