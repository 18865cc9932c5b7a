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


class Promotion(Reason):
    """Why, and whether without a comparison."""

    force: bool = Field(
        default=False, description="Promote without the comparison on days that neither has seen."
    )


class RollBack(Reason):
    """Whose model, and why."""

    profile: str | None = Field(
        None,
        max_length=200,
        description="Needed where several profiles have models; or the group of a forecaster.",
    )


class VersionDocument(BaseModel):
    """A version and where it stands; as `sereno models versions --json`."""

    id: str
    family: Literal["detector", "forecaster"]
    profile: str = Field(description="Profile, or the group that is forecast together.")
    kind: str
    state: Literal["candidate", "shadow", "champion", "retired", "rejected"]
    trained_at: Time
    assets: int


class ComparisonDocument(BaseModel):
    """A version beside the champion, on days that neither has seen."""

    champion: str
    challenger: str
    measure: Literal["faults", "drifts", "pinball"]
    opinion: Literal["better", "alike", "worse", "too_few_days"]
    champion_loss: float | None
    challenger_loss: float | None
    difference: float | None = Field(description="Challenger minus champion; below 0 is better.")
    low: float | None
    high: float | None
    confidence: float
    n_days: int
    n_assets: int
    first: str | None
    last: str | None


class SheetDocument(BaseModel):
    """All that is known of a version; as `sereno models show --json`."""

    id: str
    family: Literal["detector", "forecaster"]
    state: Literal["candidate", "shadow", "champion", "retired", "rejected"]
    lineage: dict[str, Any]
    figures: dict[str, Any]
    comparison: ComparisonDocument | None
    shadow: dict[str, Any]
    history: list[dict[str, Any]]


class ForecasterDocument(BaseModel):
    """All that training said of a forecaster."""

    id: str
    profile: str = Field(description="The group that is forecast together.")
    detector: str = Field(description="Kind of forecaster.")
    signal: str
    step_s: float
    trained_at: Time
    settings: dict[str, Any]
    fingerprint: str
    digest: str
    assets: list[str]
    until: Time
    metrics: dict[str, float | None]
    code_version: str


AnyCard = CardDocument | ForecasterDocument


@router.get("/models", responses=problems(), response_model=list[ModelDocument])
def list_models(call: ViewerCall, request: Request) -> Response:
    """All models, newest first: false episodes per week and asset that were asked for, promised, realised."""

    def lines() -> object:
        active = call.workspace.active_models()
        return without_nan([model_line(card, active) for card in call.workspace.models()])

    return fresh_or(request, call, lines)


@router.get("/models/versions", responses=problems(), response_model=list[VersionDocument])
def list_versions(call: ViewerCall, request: Request) -> Response:
    """Every version of every detector and forecaster, newest first, and where it stands."""
    return fresh_or(request, call, call.workspace.versions)


@router.get("/models/{model_id}/sheet", responses=problems(404), response_model=SheetDocument)
def show_sheet(call: ViewerCall, request: Request, model_id: ModelId) -> Response:
    """A version: lineage, figures, comparison with the champion, what it said in the shadow, history."""
    return fresh_or(request, call, lambda: without_nan(call.workspace.model_sheet(model_id)))


@router.get("/models/{model_id}", responses=problems(404), response_model=AnyCard)
def show_card(call: ViewerCall, request: Request, model_id: ModelId) -> Response:
    """The card of a version: a detector's or a forecaster's."""
    return fresh_or(request, call, lambda: without_nan(call.workspace.model_card(model_id).to_json()))


class DecisionDocument(BaseModel):
    """Something that was decided about the models of a profile."""

    at: Time
    who: str = Field(description="Who decided it; `sereno` where training did.")
    event: Literal["judges", "verdict", "undone", "shadow", "compared", "rejected", "postponed", "drift"] = (
        Field(
            description="A model began to judge; a verdict moved a threshold; that was taken back; a version "
            "went into the shadow, was compared, was rejected; a training was put off; something has drifted."
        )
    )
    facts: dict[str, Any] | None = Field(None, description="What a comparison said, or why it was put off.")
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


@router.post("/models/{model_id}/promote", responses=problems(404, 409), response_model=AnyCard)
def promote(call: EngineerCall, model_id: ModelId, body: Promotion) -> Response:
    """Let this version judge or forecast, if on days new to both it is better than the champion."""
    card = call.workspace.promote_model(
        model_id, actor=call.principal.name, reason=body.reason, is_forced=body.force
    )
    return JSONResponse(without_nan(card.to_json()))


@router.post("/models/{model_id}/compare", responses=problems(404, 409), response_model=ComparisonDocument)
def compare(call: EngineerCall, model_id: ModelId) -> Response:
    """This version beside the champion, on days that neither has seen; kept on its card."""
    found = call.workspace.registrar.compare(model_id, actor=call.principal.name)
    return JSONResponse(found.to_json())


@router.post("/models/{model_id}/shadow", responses=problems(404, 409), response_model=AnyCard)
def send_to_shadow(call: EngineerCall, model_id: ModelId, body: Reason) -> Response:
    """Let this version judge or forecast beside the champion; nobody is told what it says."""
    card = call.workspace.registrar.send_to_shadow(model_id, actor=call.principal.name, reason=body.reason)
    return JSONResponse(without_nan(card.to_json()))


@router.post("/models/rollback", responses=problems(404, 409), response_model=AnyCard)
def roll_back(call: EngineerCall, body: RollBack) -> Response:
    """Let the version judge, or forecast, again that did before the one of now."""
    card = call.workspace.roll_back_model(body.profile, actor=call.principal.name, reason=body.reason)
    return JSONResponse(without_nan(card.to_json()))
