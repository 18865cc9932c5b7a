"""Trained models, what they promise, and which one judges."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from sereno.api.answers import fresh_or
from sereno.api.context import EngineerCall, ViewerCall
from sereno.api.documents import ModelDocument, Time
from sereno.api.problems import problems
from sereno.domain.documents import without_nan
from sereno.flows.succession import model_line

__all__ = ["router"]

router = APIRouter(tags=["models"])

ModelId = Annotated[str, Path(min_length=1, max_length=200, description="Its id, or the beginning of it.")]


class CardDocument(BaseModel):
    """All that is known of a model; as `sereno models card --json`."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    profile: str
    detector: str
    trained_at: Time
    settings: dict[str, Any]
    fingerprint: str = Field(description="SHA-256 of the readings that it learnt from.")
    digest: str = Field(description="SHA-256 of the artefact.")
    assets: list[str]
    signals: list[str]
    calibration: dict[str, Any] = Field(
        description="What turns a score into a threshold, and what it promises."
    )
    metrics: dict[str, float | None]
    code_version: str


class Reason(BaseModel):
    """Why another model is to judge."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=10_000, examples=["Too many false alarms since Monday."])


class RollBack(Reason):
    """Whose model, and why."""

    profile: str | None = Field(
        None, max_length=200, description="Needed where several profiles have models."
    )


@router.get("/models", responses=problems(), response_model=list[ModelDocument])
def list_models(call: ViewerCall, request: Request) -> Response:
    """All models, newest first: false episodes per week and asset that were asked for, promised, realised."""

    def lines() -> object:
        active = call.workspace.active_models()
        return without_nan([model_line(card, active) for card in call.workspace.models()])

    return fresh_or(request, call, lines)


@router.get("/models/{model_id}", responses=problems(404), response_model=CardDocument)
def show_card(call: ViewerCall, request: Request, model_id: ModelId) -> Response:
    """The card of a model."""
    return fresh_or(request, call, lambda: without_nan(call.workspace.model_card(model_id).to_json()))


class DecisionDocument(BaseModel):
    """Something that was decided about the models of a profile."""

    at: Time
    who: str = Field(description="Who decided it; `sereno` where training did.")
    event: Literal["judges", "verdict", "undone"] = Field(
        description="A model began to judge; a verdict moved a threshold; that was taken back."
    )
    reason: str = Field(description="Why; of a verdict, the verdict.")
    model: str | None = None
    before: str | None = Field(None, description="The model that judged until then.")
    asset: str | None = None
    check: str | None = None
    incident: str | None = None
    factor: float | None = Field(None, description="What multiplies the threshold.")


@router.get("/models/{model_id}/history", responses=problems(404), response_model=list[DecisionDocument])
def show_history(call: ViewerCall, request: Request, model_id: ModelId) -> Response:
    """What was decided about the models of its profile, by whom and why, oldest first."""
    return fresh_or(request, call, lambda: call.workspace.model_history(model_id))


@router.post("/models/{model_id}/promote", responses=problems(404, 409), response_model=CardDocument)
def promote(call: EngineerCall, model_id: ModelId, body: Reason) -> Response:
    """Let this model judge its profile."""
    card = call.workspace.promote_model(model_id, actor=call.principal.name, reason=body.reason)
    return JSONResponse(without_nan(card.to_json()))


@router.post("/models/rollback", responses=problems(404, 409), response_model=CardDocument)
def roll_back(call: EngineerCall, body: RollBack) -> Response:
    """Let the model judge again that judged before the last recalibration or training."""
    card = call.workspace.roll_back_model(body.profile, actor=call.principal.name, reason=body.reason)
    return JSONResponse(without_nan(card.to_json()))
