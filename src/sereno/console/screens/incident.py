"""One incident: what happened, why we think so, who was told, and what people do about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from sereno.api.context import Call, OperatorCall, ViewerCall
from sereno.console.page import ConsoleRoute, Page
from sereno.domain.errors import SerenoError, UsageError
from sereno.domain.incidents import EventKind, Incident, IncidentEvent, Verdict
from sereno.flows.feedback import WouldChange
from sereno.i18n.catalogue import error_sentence

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

SHELVE_HOURS = (1, 4, 8, 24)
_SHOWN_SIMILAR = 6
_HOUR = timedelta(hours=1)
_TECHNICAL = frozenset({EventKind.UPDATED})


@router.get("/incidents/{incident_id}")
def show_incident(
    request: Request, call: ViewerCall, incident_id: str, verdict: str = "", done: str = ""
) -> Response:
    """The page of an incident."""
    return _page(request, call, incident_id, verdict=verdict, done=done)


@router.get("/incidents/{incident_id}/would-change")
def show_change(request: Request, call: ViewerCall, incident_id: str, verdict: Verdict) -> Response:
    """What a verdict would change of the last 90 days."""
    page = Page.of(request, call)
    change = call.workspace.preview_verdict(incident_id, verdict)
    return page.answer("would_change.html", change=change, verdict=verdict)


@router.post("/incidents/{incident_id}/{action}")
async def act(request: Request, call: OperatorCall, incident_id: str, action: str) -> Response:
    """Do something about it; the answer is the part that changed, or the page again."""
    import asyncio

    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    return await asyncio.to_thread(_act, request, call, incident_id, action, form)


def _act(request: Request, call: Call, incident_id: str, action: str, form: Mapping[str, str]) -> Response:
    if action not in _ACTIONS:
        raise UsageError(detail=f"'{action}' is none of {', '.join(_ACTIONS)}", command="console")
    try:
        after = _ACTIONS[action](_Asked(call, incident_id, form))
    except UsageError as error:
        return _page(request, call, incident_id, error=error)
    page = Page.of(request, call)
    if page.is_part:
        return _page(request, call, after.id, done=action)
    return RedirectResponse(page.url(f"/console/incidents/{after.id}", done=action), status_code=303)


def _page(
    request: Request,
    call: Call,
    incident_id: str,
    *,
    verdict: str = "",
    done: str = "",
    error: SerenoError | None = None,
) -> Response:
    page = Page.of(request, call)
    workspace = call.workspace
    view = workspace.incident(incident_id)
    incident, events = view.incident, workspace.events(view.incident.id)
    change: WouldChange | None = None
    if verdict in set(Verdict):
        change = workspace.preview_verdict(incident.id, Verdict(verdict))
    is_part = page.is_part and request.method == "POST"
    return page.answer(
        "incident_part.html" if is_part else "incident.html",
        status=200 if error is None else 422,
        view=view,
        incident=incident,
        events=[one for one in reversed(events) if one.kind not in _TECHNICAL],
        told=workspace.told_of(incident.id),
        similar=view.similar[:_SHOWN_SIMILAR],
        verdicts=tuple(Verdict),
        verdict=verdict,
        change=change,
        done=done if done in _ACTIONS else "",
        undo=_UNDO.get(done, ""),
        previous_owner=_previous_owner(incident, events),
        error="" if error is None else error_sentence(error, page.language),
        shelve_hours=SHELVE_HOURS,
        me=call.principal.name,
    )


def _previous_owner(incident: Incident, events: Sequence[IncidentEvent]) -> str:
    """Whose it was before it was given to somebody the last time."""
    owners = [one.facts["owner"] for one in events if one.kind is EventKind.ASSIGNED]
    return owners[-2] if len(owners) > 1 and owners[-1] == incident.owner else ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody asks to be done."""

    call: Call
    incident_id: str
    form: Mapping[str, str]

    @property
    def actor(self) -> str:
        """Who asks."""
        return self.call.principal.name

    @property
    def key(self) -> str | None:
        """By which a request that comes twice is known."""
        return self.form.get("request_key") or None

    def said(self, name: str) -> str:
        """A field that has to be filled in."""
        text = self.form.get(name, "").strip()
        if not text:
            raise UsageError(detail=f"'{name}' is empty", command="console")
        return text


def _acknowledge(asked: _Asked) -> Incident:
    return asked.call.workspace.acknowledge(asked.incident_id, actor=asked.actor, request_key=asked.key)


def _unacknowledge(asked: _Asked) -> Incident:
    return asked.call.workspace.unacknowledge(asked.incident_id, actor=asked.actor, request_key=asked.key)


def _comment(asked: _Asked) -> Incident:
    return asked.call.workspace.comment(
        asked.incident_id, asked.said("text"), actor=asked.actor, request_key=asked.key
    )


def _assign(asked: _Asked) -> Incident:
    return asked.call.workspace.assign(
        asked.incident_id, asked.said("owner"), actor=asked.actor, request_key=asked.key
    )


def _shelve(asked: _Asked) -> Incident:
    try:
        length = float(asked.said("hours")) * _HOUR
    except ValueError:
        raise UsageError(detail=f"'{asked.form['hours']}' are no hours", command="console") from None
    return asked.call.workspace.shelve(
        asked.incident_id, length, asked.form.get("reason", ""), actor=asked.actor, request_key=asked.key
    )


def _unshelve(asked: _Asked) -> Incident:
    return asked.call.workspace.unshelve(asked.incident_id, actor=asked.actor, request_key=asked.key)


def _close(asked: _Asked) -> Incident:
    verdict = asked.said("verdict")
    if verdict not in set(Verdict):
        raise UsageError(detail=f"'{verdict}' is none of {', '.join(Verdict)}", command="console")
    is_applied = asked.form.get("apply") == "yes"
    return asked.call.workspace.close_incident(
        asked.incident_id, Verdict(verdict), is_applied=is_applied, actor=asked.actor, request_key=asked.key
    )


def _reopen(asked: _Asked) -> Incident:
    """Look at it again; a threshold that its verdict moved goes back."""
    asked.call.workspace.undo_verdict(asked.incident_id, actor=asked.actor)
    return asked.call.workspace.reopen(asked.incident_id, actor=asked.actor, request_key=asked.key)


_ACTIONS: Mapping[str, Callable[[_Asked], Incident]] = {
    "acknowledge": _acknowledge,
    "unacknowledge": _unacknowledge,
    "comment": _comment,
    "assign": _assign,
    "shelve": _shelve,
    "unshelve": _unshelve,
    "close": _close,
    "reopen": _reopen,
}
_UNDO = {"acknowledge": "unacknowledge", "shelve": "unshelve", "close": "reopen", "assign": "assign"}
