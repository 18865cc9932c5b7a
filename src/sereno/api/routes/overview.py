"""Figures of all: summary, alarm health, issues of the data, forecasts."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sereno.api.answers import Cursor, Page, fresh_or, page_answer, position_of
from sereno.api.context import ViewerCall
from sereno.api.documents import IssueDocument, Time
from sereno.api.parameters import AssetId, Days, Limit, Name
from sereno.api.problems import problems
from sereno.domain.documents import without_nan
from sereno.flows.listing import issue_json, issue_place

__all__ = ["router"]

router = APIRouter(tags=["overview"])


class SummaryDocument(BaseModel):
    """Counts of incidents; as `sereno summary --json`."""

    model_config = ConfigDict(extra="forbid")

    days: int
    since: Time
    until: Time = Field(description="End of the data.")
    total: int
    active: int
    by_severity: dict[str, int]
    by_kind: dict[str, int]
    by_site: dict[str, int]
    unattended: int
    silenced: int
    inhibited: int
    precision: dict[str, Any] = Field(description="Verdicts, and the share of them that was real.")
    cost: float | None = Field(description="null without a tariff.")


class HealthDocument(BaseModel):
    """How much incidents ask of people; as `sereno health --json`."""

    model_config = ConfigDict(extra="allow")

    since: Time
    until: Time
    targets: dict[str, Any] = Field(description="What EEMUA 191 asks for.")
    priorities: dict[str, float] = Field(description="Percent of low, medium, and high or critical ones.")
    chattering: int
    stale: int
    unattended: int
    acknowledge: dict[str, Any]
    top: list[dict[str, Any]] = Field(description="What takes most of the attention, and what would help.")
    top_percent: float
    by_site: dict[str, Any]
    by_receiver: dict[str, Any]
    precision: dict[str, Any]


@router.get("/summary", responses=problems(), response_model=SummaryDocument)
def show_summary(call: ViewerCall, request: Request, days: Days = 7) -> Response:
    """Incidents of the last days of the data, counted."""
    return fresh_or(request, call, lambda: without_nan(call.workspace.summary(days=days)))


@router.get("/health", responses=problems(), response_model=HealthDocument)
def show_health(call: ViewerCall, request: Request, days: Days = 30) -> Response:
    """How much incidents ask of people, beside the targets of EEMUA 191, and what would help most."""
    return fresh_or(request, call, lambda: without_nan(call.workspace.health(days=days).to_json()))


@router.get("/issues", responses=problems(), response_model=Page[IssueDocument])
def list_issues(
    call: ViewerCall,
    request: Request,
    code: Annotated[Name | None, Query(description="Only of this code, as `read.broken_row`.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """What was wrong in the files, those of the newest first."""
    said = position_of(cursor, datetime, str, str, int)
    before = None if said is None else (said[0], said[1], said[2], max(0, said[3]))
    found = call.workspace.issues(
        code=code,
        before=before,
        limit=limit + 1,
    )
    return page_answer(
        request,
        found,
        limit=limit,
        key=lambda one: list(issue_place(one, found[:limit], before)),
        document=issue_json,
    )


class ForecastStep(BaseModel):
    """One step: the quantiles of its value, in the unit of the signal."""

    time: Time
    p05: float | None
    p10: float | None
    p25: float | None
    p50: float | None
    p75: float | None
    p90: float | None
    p95: float | None


class ForecastDocument(BaseModel):
    """What a signal will be; as one of `sereno forecast --json`."""

    site: str
    asset: str
    signal: str
    origin: Time = Field(description="When it was made: nothing later was used.")
    cut_off: Time = Field(description="End of the last value that was used.")
    step_s: float
    tier: str = Field(description="What it rests on: hierarchical, pooled, seasonal_naive or constant.")
    model: str
    steps: list[ForecastStep]


@router.get("/forecasts", responses=problems(404), response_model=ForecastDocument)
def show_forecast(
    call: ViewerCall,
    asset_id: AssetId,
    signal: Annotated[Name | None, Query(description="The one with the newest forecast without it.")] = None,
) -> ForecastDocument:
    """The newest forecast of an asset, as `sereno forecast` kept it."""
    kept = call.workspace.last_forecast(asset_id, signal=signal)
    return ForecastDocument.model_validate(kept.forecast.to_json())
