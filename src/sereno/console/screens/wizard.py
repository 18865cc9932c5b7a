"""First use: drop a file, see what was understood of it, confirm, see the first incidents."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from sereno.api.context import Call, EngineerCall, ViewerCall
from sereno.console.page import ConsoleRoute, Page
from sereno.console.screens.jobs import form_of, recent_work
from sereno.domain.errors import UsageError
from sereno.flows.uploads import forget_upload, held_upload, hold_upload

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

ZONES = (
    "Europe/Madrid",
    "Atlantic/Canary",
    "America/Lima",
    "America/Mexico_City",
    "America/Bogota",
    "America/Santiago",
    "America/Argentina/Buenos_Aires",
    "Africa/Casablanca",
    "Europe/Lisbon",
    "Europe/London",
    "UTC",
)
_PART = 1 << 20
_FIRST = 10


@router.get("/wizard")
def show_wizard(request: Request, call: ViewerCall) -> Response:
    """Where a file is dropped."""
    return _page(Page.of(request, call))


@router.post("/wizard")
async def look_at_file(request: Request, call: EngineerCall) -> Response:
    """Hold the file and show what is understood of it; nothing is stored."""
    async with request.form() as form:
        said = {name: value for name, value in form.items() if isinstance(value, str)}
        sent = form.get("file")
        if isinstance(sent, UploadFile) and sent.filename:
            said["token"] = await asyncio.to_thread(_hold, call, sent.filename, sent.file)
    if not said.get("token"):
        raise UsageError(detail=Page.of(request, call).words.t("wizard.no_file"), command="console")
    return await asyncio.to_thread(_look, request, call, said)


@router.post("/wizard/store")
async def store_file(request: Request, call: EngineerCall) -> Response:
    """Store what is in it, and begin to learn and to judge."""
    form = await form_of(request)
    return await asyncio.to_thread(_store, request, call, form)


@router.post("/wizard/forget")
async def forget_file(request: Request, call: EngineerCall) -> Response:
    """Forget the file."""
    form = await form_of(request)
    await asyncio.to_thread(forget_upload, call.workspace, form.get("token", ""))
    return RedirectResponse("/console/wizard", status_code=303)


@router.get("/wizard/done")
def show_done(request: Request, call: ViewerCall, readings: int = 0, name: str = "") -> Response:
    """What goes on since, and the first incidents as they are found."""
    page = Page.of(request, call)
    workspace = call.workspace
    return page.answer(
        "wizard_done.html",
        readings=max(readings, 0),
        name=name,
        jobs=recent_work(workspace, page.words),
        incidents=workspace.incidents()[:_FIRST],
    )


def _hold(call: Call, name: str, file: BinaryIO) -> str:
    return hold_upload(call.workspace, name, _parts(file))


def _parts(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(_PART):
        yield part


def _look(request: Request, call: Call, said: Mapping[str, str]) -> Response:
    path = held_upload(call.workspace, said["token"])
    zone, profile = said.get("timezone") or None, said.get("profile") or None
    found = call.workspace.check(path, timezone=zone, profile=profile)
    return _page(Page.of(request, call), said=said, name=path.name, entry=found[0].entry)


def _store(request: Request, call: Call, form: Mapping[str, str]) -> Response:
    workspace, token = call.workspace, form.get("token", "")
    path = held_upload(workspace, token)
    zone, profile = form.get("timezone") or None, form.get("profile") or None
    done = workspace.ingest(path, timezone=zone, profile=profile)[0]
    if done.is_refused:
        return _page(Page.of(request, call), said=form, name=path.name, entry=done.entry)
    forget_upload(workspace, token)
    author = call.principal.name
    workspace.jobs.submit("train", {"profile": done.profile} if done.profile else {}, author=author)
    workspace.jobs.submit("score", {}, author=author)
    page = Page.of(request, call)
    new = done.entry.get("readings_new", 0)
    return RedirectResponse(page.url("/console/wizard/done", readings=new, name=path.name), status_code=303)


def _page(
    page: Page,
    *,
    said: Mapping[str, str] | None = None,
    name: str = "",
    entry: Mapping[str, object] | None = None,
) -> Response:
    workspace = page.workspace
    zones = dict.fromkeys([*((workspace.settings.timezone,) if workspace.settings.timezone else ()), *ZONES])
    return page.answer(
        "wizard.html",
        said=said or {},
        name=name,
        entry=entry,
        zones=list(zones),
        profiles=sorted(workspace.profiles),
        size=workspace.settings.service.limits.body_bytes // 2**20,
    )
