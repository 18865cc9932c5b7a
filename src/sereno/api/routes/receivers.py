"""Who is told of what, how that goes, and what was given up."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from sereno.api.answers import Cursor, Page, fresh_or, page_answer, position_of
from sereno.api.context import AdminCall, OperatorCall, ViewerCall
from sereno.api.documents import NotificationDocument, ReceiverDocument
from sereno.api.parameters import MAX_ID, Limit, Name
from sereno.api.problems import problems
from sereno.flows.listing import NotificationQuery

__all__ = ["router"]

router = APIRouter(tags=["notifications"])

StatusName = Literal["queued", "held", "leased", "sent", "folded", "dead", "kept"]


class RouteDocument(BaseModel):
    """Who is told of which incidents."""

    match: dict[str, JsonValue] = Field(description="Which incidents, as in sereno.yaml.")
    to: list[str] = Field(description="Receivers that are told.")
    resolved: bool = Field(description="Whether the end is told to those that heard of it.")
    escalate: list[dict[str, JsonValue]] = Field(description="Who is told when nobody acknowledges.")


class AnswerDocument(BaseModel):
    """What a receiver answered to a test."""

    receiver: str
    outcome: str = Field(examples=["accepted"])
    code: str
    detail: str


class Resending(BaseModel):
    """What is to be tried again."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Annotated[int, Field(ge=1, le=MAX_ID)]] = Field(min_length=1, max_length=1_000)


class Queued(BaseModel):
    """How many are on their way again."""

    queued: int


@router.get("/routes", responses=problems(), response_model=list[RouteDocument])
def list_routes(call: ViewerCall) -> Response:
    """Who is told of which incidents, as sereno.yaml says; an incident takes all the routes that match it."""
    return JSONResponse([one.model_dump(mode="json") for one in call.workspace.settings.routes])


@router.get("/receivers", responses=problems(), response_model=list[ReceiverDocument])
def list_receivers(call: ViewerCall, request: Request) -> Response:
    """Who can be told and how that goes; addresses and secrets are never shown."""
    minute = f"{call.workspace.now():%Y%m%d%H%M}"
    return fresh_or(request, call, lambda: [one.to_json() for one in call.workspace.receivers()], by=minute)


@router.post("/receivers/{name}/test", responses=problems(404, 409), response_model=AnswerDocument)
def test_receiver(
    call: AdminCall, name: Annotated[str, Path(max_length=80, description="Of the receiver.")]
) -> Response:
    """Send a test, end to end and at once."""
    answer = call.workspace.send_test(name)
    found = {"receiver": name, "outcome": answer.outcome.value, "code": answer.code, "detail": answer.detail}
    return JSONResponse(found)


@router.get("/notifications", responses=problems(), response_model=Page[NotificationDocument])
def list_notifications(
    call: ViewerCall,
    request: Request,
    status: Annotated[StatusName | None, Query(description="Only of this status.")] = None,
    receiver: Annotated[Name | None, Query(description="Only to this receiver.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """What was told to whom, with the attempts, newest first."""
    before = position_of(cursor, int)
    query = NotificationQuery(status, receiver, None if before is None else before[0])

    def page() -> Response:
        return page_answer(
            request,
            call.workspace.notification_page(query, limit=limit + 1),
            limit=limit,
            key=lambda one: [one["id"]],
            document=lambda one: one,
        )

    return fresh_or(request, call, page)


@router.post("/notifications/resend", responses=problems(404), response_model=Queued)
def resend(call: OperatorCall, body: Resending) -> Response:
    """Put notifications that were given up back into their lanes, under the same keys."""
    return JSONResponse({"queued": call.workspace.resend(body.ids)})
