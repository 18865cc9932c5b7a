"""Corrections beside the raw values, and regimes of process lines."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from sereno.api.answers import fresh_or
from sereno.api.context import EngineerCall, ViewerCall
from sereno.api.documents import CorrectionDocument, RegimeDocument
from sereno.api.parameters import Instant, Name, Since
from sereno.api.problems import problems
from sereno.domain.corrections import CorrectionKind
from sereno.flows.corrections import CorrectionRequest

__all__ = ["router"]

router = APIRouter(tags=["readings"])

CorrectionId = Annotated[
    str, Path(min_length=6, max_length=64, description="Its id, or the first six characters or more.")
]


class CorrectionBody(BaseModel):
    """What a stretch, or a single value, should have said."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    asset: str = Field(
        min_length=1, max_length=500, description="Site, or Site/Asset.", examples=["Planta 1"]
    )
    signal: str = Field(min_length=1, max_length=200, examples=["generation"])
    kind: CorrectionKind = Field(description="What is done to the values.")
    begin: Instant = Field(alias="from", description="First instant; of a single value, its instant.")
    end: Instant | None = Field(None, alias="to", description="Itself not in it; none for a single value.")
    amount: float | None = Field(
        None, ge=-1e15, le=1e15, description="Factor, offset or value, in the signal's unit."
    )
    reason: str = Field(min_length=1, max_length=10_000, examples=["The meter was calibrated wrongly."])


class Undoing(BaseModel):
    """Why it is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=10_000)


@router.get("/corrections", responses=problems(404), response_model=list[CorrectionDocument])
def list_corrections(
    call: ViewerCall,
    request: Request,
    *,
    asset: Annotated[Name | None, Query(description="Only of this site or asset.")] = None,
    undone: Annotated[bool, Query(description="Those that were taken back, too.")] = False,
) -> Response:
    """Corrections in the order in which they were made."""
    return fresh_or(
        request,
        call,
        lambda: [one.to_json() for one in call.workspace.corrections(asset=asset, with_undone=undone)],
    )


@router.post("/corrections", status_code=201, responses=problems(404), response_model=CorrectionDocument)
def add_correction(call: EngineerCall, body: CorrectionBody) -> Response:
    """Correct a stretch or a value in exports; raw values and what is judged stay as they are."""
    asked = CorrectionRequest(
        body.asset,
        body.signal,
        body.kind,
        body.begin,
        body.end,
        body.amount,
        call.principal.name,
        body.reason,
    )
    return JSONResponse(call.workspace.correct(asked).to_json(), 201)


@router.post("/corrections/{correction_id}/undo", responses=problems(404), response_model=CorrectionDocument)
def undo_correction(call: EngineerCall, correction_id: CorrectionId, body: Undoing) -> Response:
    """Take a correction back; it stays in the list of those that were."""
    undone = call.workspace.undo_correction(correction_id, author=call.principal.name, reason=body.reason)
    return JSONResponse(undone.to_json())


@router.get("/regimes", responses=problems(404), response_model=list[RegimeDocument])
def list_regimes(
    call: ViewerCall,
    request: Request,
    asset: Annotated[Name | None, Query(description="Only of this site or asset.")] = None,
    since: Since = None,
) -> Response:
    """When process lines started, stopped or came to other set-points, newest first; it is no alarm."""
    return fresh_or(
        request, call, lambda: [one.to_json() for one in call.workspace.regimes(asset=asset, since=since)]
    )
