"""One site: every signal of an asset in linked lanes, its energy balance, and what is wrong with it."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sereno.api.context import ViewerCall
from sereno.console.page import ConsoleRoute, Page
from sereno.console.sankey import sankey_of
from sereno.flows.courses import asset_named
from sereno.flows.fleet_list import IncidentFilter, listed_incidents
from sereno.flows.site import comparison_of

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

COMPARED = ("", "previous", "weekdays")
_INCIDENTS = 8


@router.get("/sites/{site:path}")
def show_site(
    request: Request, call: ViewerCall, site: str, asset: str = "", profile: str = "", compare: str = ""
) -> Response:
    """The page of a site, of one of its assets at a time."""
    page = Page.of(request, call)
    workspace = call.workspace
    with workspace.store.read() as tx:
        assets = asset_named(tx, site)
        chosen = next(
            (one for one in assets if one.key.asset == asset and profile in ("", one.profile)), assets[0]
        )
        span = tx.span(chosen.id)
    found = comparison_of(
        workspace, chosen, start=page.range.start, end=page.range.end, with_weekdays=compare == "weekdays"
    )
    incidents = listed_incidents(
        workspace,
        IncidentFilter(site=site),
        since=page.range.start,
        until=page.range.end,
        language=page.language,
    )
    is_empty = span is None or span[1] < page.range.start or span[0] >= page.range.end
    return page.answer(
        "site.html",
        site=site,
        assets=assets,
        chosen=chosen,
        profile=workspace.profiles[chosen.profile],
        span=span,
        latest=None if span is None else _latest(span[1], chosen.zone, page.range.last - page.range.first),
        is_empty=is_empty,
        totals=found.totals,
        flow=sankey_of(
            found.sums,
            page.words,
            {s.name: s.label(page.language) for s in workspace.profiles[chosen.profile].signals},
        ),
        compare=compare if compare in COMPARED else "",
        compared=COMPARED,
        incidents=incidents[:_INCIDENTS],
        n_incidents=len(incidents),
        has_model=workspace.usable_model(chosen.profile) is not None,
    )


def _latest(last: datetime, zone: str, length: timedelta) -> tuple[date, date]:
    """Days as many as are looked at, the last one with the last reading."""
    day = last.astimezone(ZoneInfo(zone)).date()
    return day - length, day
