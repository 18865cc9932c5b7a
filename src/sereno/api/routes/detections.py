"""What was judged abnormal."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from sereno.api.answers import Cursor, Page, fresh_or, page_answer, position_of
from sereno.api.context import ViewerCall
from sereno.api.documents import DetectionDocument, KindName, SeverityName
from sereno.api.parameters import AssetId, Limit, Name, Since, Until
from sereno.api.problems import problems
from sereno.domain.judgement import Severity
from sereno.flows.listing import DetectionQuery, detection_json

__all__ = ["router"]

router = APIRouter(tags=["incidents"])


@router.get("/detections", responses=problems(), response_model=Page[DetectionDocument])
def list_detections(  # noqa: PLR0913, PLR0917 - one parameter per filter
    call: ViewerCall,
    request: Request,
    asset_id: Annotated[AssetId | None, Query(description="Only of the asset of this number.")] = None,
    site: Annotated[Name | None, Query(description="Only of this site.")] = None,
    kind: Annotated[KindName | None, Query(description="Only of this kind.")] = None,
    severity: Annotated[SeverityName | None, Query(description="Only of this severity.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Intervals judged abnormal, by each check on its own, newest first."""
    before = position_of(cursor, datetime, int)
    query = DetectionQuery(
        asset_id=asset_id,
        site=site,
        kind=kind,
        severity=None if severity is None else int(Severity[severity.upper()]),
        since=since,
        until=until,
        before=None if before is None else (before[0], before[1]),
    )

    def page() -> Response:
        return page_answer(
            request,
            call.workspace.detections(query, limit=limit + 1),
            limit=limit,
            key=lambda one: [one.detection.started_at, one.id],
            document=lambda one: detection_json(one.id, one.detection),
        )

    return fresh_or(request, call, page)
