"""Incidents: what happened, worst first, with evidence, log and proof."""

from math import isfinite
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from sereno.api.answers import Cursor, Page, fresh_or, is_known, page_answer, position_of, version_of
from sereno.api.context import Call, ViewerCall
from sereno.api.documents import (
    EventDocument,
    FullIncidentDocument,
    IncidentDocument,
    KindName,
    NotificationDocument,
    SeverityName,
    VerdictName,
    WouldChangeDocument,
)
from sereno.api.parameters import Limit, Name, Since, Text, Until
from sereno.api.problems import problems
from sereno.domain.errors import InvalidQuery
from sereno.domain.incidents import Verdict
from sereno.domain.judgement import Severity
from sereno.flows.incident_lists import IncidentQuery, rank

__all__ = ["IncidentId", "incident_answer", "router"]

router = APIRouter(tags=["incidents"])

IncidentId = Annotated[
    str,
    Path(min_length=6, max_length=64, description="Its id, or the first six characters or more."),
]
MAX_SIMILAR = 50
_MOST = 1e10
"""Beyond the seconds from 1970 to any instant here, and any money."""
_RANKS = {"worst": (int, int, float, int, float, str), "newest": (float, str)}
_KINDS = {**_RANKS, "cost": (float, *_RANKS["worst"])}


@router.get("/incidents", responses=problems(), response_model=Page[IncidentDocument])
def list_incidents(  # noqa: PLR0913, PLR0917 - one parameter per filter
    call: ViewerCall,
    request: Request,
    sort: Annotated[
        Literal["worst", "newest", "cost"], Query(description="What comes first; cost is that of a day.")
    ] = "worst",
    state: Annotated[
        Literal["new", "acknowledged", "closed"] | None, Query(description="What people did about it.")
    ] = None,
    condition: Annotated[
        Literal["active", "cleared"] | None, Query(description="Whether it goes on.")
    ] = None,
    severity: Annotated[SeverityName | None, Query(description="Of this severity or worse.")] = None,
    kind: Annotated[KindName | None, Query(description="Data, physics or behaviour.")] = None,
    cause: Annotated[Name | None, Query(description="Stable code, as `quality.frozen`.")] = None,
    problem: Annotated[Name | None, Query(description="Kind of trouble, as `leak`.")] = None,
    site: Annotated[Name | None, Query(description="Of this site.")] = None,
    asset: Annotated[Name | None, Query(description="Of assets of this name.")] = None,
    owner: Annotated[Name | None, Query(description="Of this person.")] = None,
    visibility: Annotated[
        Literal["shown", "silenced", "shelved", "inhibited"] | None,
        Query(description="Whether people are told, and why not."),
    ] = None,
    since: Since = None,
    until: Until = None,
    text: Annotated[
        Text | None, Query(description="In its sentence, names, cause or owner; case does not matter.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Incidents, worst first; the items are those of `sereno incidents list --json`."""
    query = IncidentQuery(
        order=sort,
        state=state,
        condition=condition,
        severity=None if severity is None else int(Severity[severity.upper()]),
        kind=kind,
        cause=cause,
        problem=problem,
        site=site,
        asset=asset,
        owner=owner,
        visibility=visibility,
        since=since,
        until=until,
        text=text,
    )
    after = _after(cursor, sort)

    def page() -> Response:
        now = call.workspace.now()
        return page_answer(
            request,
            call.workspace.find_incidents(query, after=after, limit=limit + 1),
            limit=limit,
            key=lambda view: [sort, *rank(view, sort)],
            document=lambda view: view.to_json(now),
        )

    return fresh_or(request, call, page, by=_minute(call))


@router.get(
    "/incidents/{incident_id}",
    responses=problems(404),
    response_model=FullIncidentDocument,
)
def show_incident(call: ViewerCall, request: Request, incident_id: IncidentId) -> Response:
    """One incident with its evidence, where it is heading, its log and who was told.

    Its `ETag` goes into `If-Match` of what is done about it.
    """
    return incident_answer(call, request, incident_id)


@router.get("/incidents/{incident_id}/events", responses=problems(404), response_model=list[EventDocument])
def list_events(call: ViewerCall, request: Request, incident_id: IncidentId) -> Response:
    """The log of an incident, oldest first."""

    def events() -> object:
        view = call.workspace.incident(incident_id)
        return view.to_full_json(call.workspace.now(), call.workspace.events(view.incident.id))["events"]

    return fresh_or(request, call, events)


@router.get(
    "/incidents/{incident_id}/notifications",
    responses=problems(404),
    response_model=list[NotificationDocument],
)
def list_proof(call: ViewerCall, request: Request, incident_id: IncidentId) -> Response:
    """Who was told of an incident, when, in how many attempts and with which answer."""
    return fresh_or(request, call, lambda: call.workspace.told_of(incident_id))


@router.get(
    "/incidents/{incident_id}/similar", responses=problems(404), response_model=list[IncidentDocument]
)
def list_similar(call: ViewerCall, request: Request, incident_id: IncidentId) -> Response:
    """Earlier incidents of the same trouble of the same asset, newest first; at most 50."""

    def similar() -> list[dict[str, object]]:
        view, now = call.workspace.incident(incident_id), call.workspace.now()
        wanted = {one.id for one in view.similar}
        asset = view.incident.asset
        same = IncidentQuery(order="newest", site=asset.site, asset=asset.asset)
        found = [one for one in call.workspace.find_incidents(same) if one.incident.id in wanted]
        return [one.to_json(now) for one in found[:MAX_SIMILAR]]

    return fresh_or(request, call, similar, by=_minute(call))


@router.get("/incidents/{incident_id}/preview", responses=problems(404), response_model=WouldChangeDocument)
def preview_verdict(
    call: ViewerCall,
    request: Request,
    incident_id: IncidentId,
    verdict: Annotated[VerdictName, Query(description="What it would be closed with.")],
) -> Response:
    """What a verdict would change: the last 90 days judged again; nothing is stored."""
    return fresh_or(
        request, call, lambda: call.workspace.preview_verdict(incident_id, Verdict(verdict)).to_json()
    )


def incident_answer(call: Call, request: Request, incident_id: str) -> Response:
    """An incident as it stands, with the tag of its version."""
    workspace = call.workspace
    view = workspace.incident(incident_id)
    number = view.incident.id
    document = view.to_full_json(workspace.now(), workspace.events(number))
    document |= {"notifications": workspace.told_of(number)}
    headers = {"ETag": version_of(document, view.incident.n_events), "Cache-Control": "private, no-cache"}
    if request.method == "GET" and is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return JSONResponse(document, headers=headers)


def _after(cursor: str | None, sort: str) -> list[object] | None:
    found = position_of(cursor, str, *_KINDS[sort])
    if found is None:
        return None
    if found[0] != sort:
        raise InvalidQuery(where="query.cursor", detail=f"it is of a list sorted by {found[0]}")
    if not all(isfinite(one) and abs(one) < _MOST for one in found if isinstance(one, float)):
        raise InvalidQuery(where="query.cursor", detail="it is none of this list: begin again without one")
    return found[1:]


def _minute(call: Call) -> str:
    """What is in force changes with the clock, too."""
    return f"{call.workspace.now():%Y%m%d%H%M}"
