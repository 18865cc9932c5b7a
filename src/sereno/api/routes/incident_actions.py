"""What people do about incidents; a request that is repeated does it once."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from sereno.api.context import Call, OperatorCall
from sereno.api.documents import FullIncidentDocument, Time, VerdictName
from sereno.api.parameters import IdempotencyKey, IfMatch
from sereno.api.problems import problems
from sereno.api.routes.incidents import IncidentId, incident_answer
from sereno.domain.incidents import Verdict
from sereno.domain.time import isoformat

__all__ = ["router"]

router = APIRouter(tags=["incidents"], prefix="/incidents/{incident_id}")

MAX_TEXT = 10_000
_TAG = re.compile(r'\s*(?:W/)?"(\d{1,9})-[0-9a-f]+"\s*')
_NEVER = -1


class Said(TypedDict):
    """Who does something, in which request, and what they had seen."""

    actor: str
    request_key: str | None
    version: int | None


@dataclass(frozen=True, slots=True)
class Act:
    """A request to do something about an incident."""

    call: Call
    request: Request
    incident_id: str
    said: Said

    def answer(self) -> Response:
        """The incident as it is now."""
        return incident_answer(self.call, self.request, self.incident_id)


def _acting(
    call: OperatorCall,
    request: Request,
    incident_id: IncidentId,
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Act:
    said = Said(actor=call.principal.name, request_key=key, version=_version(if_match))
    return Act(call, request, incident_id, said)


def _version(if_match: str | None) -> int | None:
    """How many events the incident had; a tag that is none of ours fits nothing."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match)
    return _NEVER if found is None else int(found[1])


Acting = Annotated[Act, Depends(_acting)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Comment(_Body):
    """A remark."""

    text: str = Field(min_length=1, max_length=MAX_TEXT, examples=["The fuse of string 3 had blown."])


class Assignment(_Body):
    """Who is to see to it."""

    owner: str = Field(min_length=1, max_length=200, examples=["ana"])


class Shelving(_Body):
    """For how long it is put aside, and why."""

    hours: float = Field(8.0, gt=0, le=24, description="It returns by itself.")
    reason: str = Field(min_length=1, max_length=MAX_TEXT, examples=["The electrician comes at noon."])


class Closing(_Body):
    """What it was."""

    verdict: VerdictName
    apply: bool = Field(default=False, description="Move the threshold, too, as `preview` says.")


class UndoneDocument(BaseModel):
    """A threshold that is where it was before."""

    id: str
    check: str
    factor: float
    at: Time


class UndoneVerdict(BaseModel):
    """What was taken back."""

    incident: str
    undone: list[UndoneDocument]


@router.post("/acknowledge", responses=problems(404, 412), response_model=FullIncidentDocument)
def acknowledge(act: Acting) -> Response:
    """Say that somebody has seen it."""
    act.call.workspace.acknowledge(act.incident_id, **act.said)
    return act.answer()


@router.post("/unacknowledge", responses=problems(404, 412), response_model=FullIncidentDocument)
def unacknowledge(act: Acting) -> Response:
    """Take the acknowledgement back: somebody else has to see to it."""
    act.call.workspace.unacknowledge(act.incident_id, **act.said)
    return act.answer()


@router.post("/comment", responses=problems(404, 412), response_model=FullIncidentDocument)
def comment(act: Acting, body: Comment) -> Response:
    """Add a remark."""
    act.call.workspace.comment(act.incident_id, body.text, **act.said)
    return act.answer()


@router.post("/assign", responses=problems(404, 412), response_model=FullIncidentDocument)
def assign(act: Acting, body: Assignment) -> Response:
    """Give it to somebody."""
    act.call.workspace.assign(act.incident_id, body.owner, **act.said)
    return act.answer()


@router.post("/shelve", responses=problems(404, 412), response_model=FullIncidentDocument)
def shelve(act: Acting, body: Shelving) -> Response:
    """Put it aside for a day at most; it returns by itself."""
    act.call.workspace.shelve(act.incident_id, timedelta(hours=body.hours), body.reason, **act.said)
    return act.answer()


@router.post("/unshelve", responses=problems(404, 412), response_model=FullIncidentDocument)
def unshelve(act: Acting) -> Response:
    """Take it back before its time."""
    act.call.workspace.unshelve(act.incident_id, **act.said)
    return act.answer()


@router.post("/close", responses=problems(404, 412), response_model=FullIncidentDocument)
def close(act: Acting, body: Closing) -> Response:
    """Close it and say what it was."""
    verdict = Verdict(body.verdict)
    act.call.workspace.close_incident(act.incident_id, verdict, is_applied=body.apply, **act.said)
    return act.answer()


@router.post("/reopen", responses=problems(404, 412), response_model=FullIncidentDocument)
def reopen(act: Acting) -> Response:
    """Look at a closed one again."""
    act.call.workspace.reopen(act.incident_id, **act.said)
    return act.answer()


@router.post("/undo", responses=problems(404), response_model=UndoneVerdict)
def undo(call: OperatorCall, incident_id: IncidentId) -> Response:
    """Take back the threshold that its verdict moved; a second time takes back nothing."""
    undone = call.workspace.undo_verdict(incident_id, actor=call.principal.name)
    rows = [
        {"id": one.id, "check": one.check, "factor": one.factor, "at": isoformat(one.at)} for one in undone
    ]
    return JSONResponse({"incident": incident_id, "undone": rows})
