"""Readings as a chart needs them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from sereno.api.answers import fresh_or
from sereno.api.context import ViewerCall
from sereno.api.documents import SeriesDocument
from sereno.api.parameters import AssetId, Instant, Name
from sereno.api.problems import problems
from sereno.flows.series import DEFAULT_POINTS, MAX_POINTS, SeriesQuery

__all__ = ["router"]

router = APIRouter(tags=["readings"])

MAX_SIGNALS = 50
MIN_POINTS = 10


@router.get("/series", responses=problems(404), response_model=SeriesDocument)
def show_series(
    call: ViewerCall,
    request: Request,
    asset_id: AssetId,
    signal: Annotated[
        list[Name] | None, Query(max_length=MAX_SIGNALS, description="Only these; may be repeated.")
    ] = None,
    begin: Annotated[
        Instant | None, Query(alias="from", description="First instant; 30 days before `to` without it.")
    ] = None,
    end: Annotated[
        Instant | None, Query(alias="to", description="Itself not in it; the end of the readings without it.")
    ] = None,
    points: Annotated[
        int, Query(ge=MIN_POINTS, le=MAX_POINTS, description="At most so many points of each signal.")
    ] = DEFAULT_POINTS,
) -> Response:
    """A stretch of an asset's raw readings: few points with all peaks, gaps, flags and detections."""
    query = SeriesQuery(asset_id, tuple(signal or ()), begin, end, points)
    return fresh_or(request, call, lambda: call.workspace.series(query).to_json())
