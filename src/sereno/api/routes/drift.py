"""Whether what was learnt still holds: the last verdicts of the watch for drift."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sereno.api.answers import Cursor, Page, fresh_or, page_answer, position_of
from sereno.api.context import ViewerCall
from sereno.api.documents import Time
from sereno.api.parameters import Limit
from sereno.api.problems import problems
from sereno.api.routes.sites import AssetNumber
from sereno.domain.drift import DriftLevel
from sereno.flows.drift_watch import drift_document, drift_line

__all__ = ["router"]

router = APIRouter(tags=["models"])

LevelName = Literal["UNKNOWN", "NONE", "LOW", "MEDIUM", "HIGH"]
KindName = Literal["quality", "input", "concept", "performance"]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WeekDocument(_Document):
    """One judged week."""

    monday: str = Field(description="First local day.", examples=["2026-01-26"])
    value: float | None = Field(description="Statistic over threshold: beyond 1 it alarms.", examples=[0.4])
    level: LevelName
    signal: str | None = Field(description="The one that is furthest off.", examples=["power"])


class VerdictDocument(_Document):
    """One of the four verdicts."""

    kind: KindName
    level: LevelName = Field(description="UNKNOWN: too little history, see `reason`. MEDIUM and HIGH alarm.")
    since: str | None = Field(
        description="Monday of the first week of the alarm that goes on.", examples=["2026-01-12"]
    )
    signal: str | None = Field(description="The one that is furthest off.", examples=["power"])
    value: float | None = Field(description="Of the last week: statistic over threshold.", examples=[1.3])
    change: float | None = Field(
        description="Against the same season: in the unit of the signal, or a share.", examples=[0.12]
    )
    n_reference: int = Field(description="Weeks that the threshold comes from.", examples=[48])
    is_season_known: bool = Field(description="Whether there are earlier weeks of this season.")
    is_shared: bool = Field(description="Whether most of the fleet shifts together.")
    reason: str | None = Field(description="Why it cannot be judged.", examples=["not_enough_history"])
    weeks: list[WeekDocument]


class FullVerdictDocument(VerdictDocument):
    """A verdict with the evidence for its threshold."""

    replays: list[float | None] = Field(
        description="Statistic over threshold of each reference week, judged as if it were new."
    )


class _Line(_Document):
    asset_id: int = Field(examples=[1])
    site: str = Field(examples=["Planta 1"])
    asset: str = Field(examples=["Contador 1"])
    profile: str = Field(examples=["load"])
    signal: str = Field(description="What is forecast.", examples=["power"])
    judged_at: Time
    level: LevelName = Field(description="The worst of the four.")
    action: Literal["quality", "input", "concept", "performance", "shared", "wait", "none"] = Field(
        description="What to do: the first kind that alarms explains those after it."
    )


class DriftDocument(_Line):
    """The last verdicts of one signal of an asset."""

    verdicts: list[VerdictDocument]


class FullDriftDocument(_Line):
    """The same with the replays."""

    verdicts: list[FullVerdictDocument]


@router.get("/drift", responses=problems(), response_model=Page[DriftDocument])
def list_drift(
    call: ViewerCall,
    request: Request,
    level: Annotated[LevelName, Query(description="Only assets that are at least there.")] = "UNKNOWN",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """What the watch for drift last said of each asset, the worst first; empty before it has looked."""
    after = position_of(cursor, int)
    offset = 0 if after is None else max(after[0], 0)

    def page() -> Response:
        return page_answer(
            request,
            call.workspace.drifts(level=DriftLevel[level], limit=limit + 1, offset=offset),
            limit=limit,
            key=lambda _: [offset + limit],
            document=drift_line,
        )

    return fresh_or(request, call, page)


@router.get("/drift/{asset_id}", responses=problems(404), response_model=list[FullDriftDocument])
def show_drift(call: ViewerCall, request: Request, asset_id: AssetNumber) -> Response:
    """What it last said of one asset, by signal, with the replays that thresholds come from."""
    return fresh_or(request, call, lambda: [drift_document(one) for one in call.workspace.drifts(asset_id)])
