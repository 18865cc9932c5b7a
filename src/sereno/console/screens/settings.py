"""What the workspace is set to: profiles, sources, receivers, routes, silences, users and keys."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from sereno.api.context import Call, EngineerCall, OperatorCall, ViewerCall
from sereno.console.page import ConsoleRoute, Page
from sereno.console.screens.jobs import form_of
from sereno.contracts.notification import Outcome
from sereno.domain.access import Role
from sereno.domain.errors import SerenoError, UsageError
from sereno.domain.silences import Matcher
from sereno.flows.keys import find_keys
from sereno.flows.silencing import SilenceRequest
from sereno.flows.source_views import find_sources, try_source
from sereno.flows.users import find_users
from sereno.i18n.catalogue import error_sentence

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

SILENCE_HOURS = (4, 24, 72, 168)
_LONGEST_HOURS = 24 * 366
_LISTENED = timedelta(seconds=5)


@router.get("/settings")
def show_settings(request: Request, call: ViewerCall) -> Response:
    """Everything that is set, and how it is doing."""
    return _page(request, call)


@router.post("/settings/silences")
async def add_silence(request: Request, call: OperatorCall) -> Response:
    """Let nobody be told of a site for some hours."""
    form = await form_of(request)
    return await asyncio.to_thread(_add_silence, request, call, form)


@router.post("/settings/silences/end")
async def end_silence(request: Request, call: OperatorCall) -> Response:
    """End a silence early."""
    form = await form_of(request)
    return await asyncio.to_thread(_end_silence, request, call, form)


@router.post("/settings/receivers/test")
async def try_receiver(request: Request, call: OperatorCall) -> Response:
    """Send a test to a receiver, end to end."""
    form = await form_of(request)
    return await asyncio.to_thread(_told, request, call, lambda page: _test_receiver(page, form))


@router.post("/settings/sources/test")
async def sample_source(request: Request, call: EngineerCall) -> Response:
    """Connect to a source and say what is understood of a sample; stores nothing."""
    form = await form_of(request)
    return await asyncio.to_thread(_told, request, call, lambda page: _test_source(page, form))


def _add_silence(request: Request, call: Call, form: Mapping[str, str]) -> Response:
    workspace = call.workspace
    hours = form.get("hours", "")
    try:
        if not hours.isdecimal() or not 0 < int(hours) <= _LONGEST_HOURS:
            raise UsageError(detail=f"'{hours}' are no hours", command="console")
        asked = SilenceRequest(
            Matcher(site=form.get("site", "")),
            call.principal.name,
            form.get("comment", ""),
            workspace.zone,
            ends_at=workspace.now() + timedelta(hours=int(hours)),
        )
        workspace.add_silence(asked)
    except SerenoError as error:
        return _page(request, call, wrong=error)
    return RedirectResponse(Page.of(request, call).url("/console/settings", done="silenced"), status_code=303)


def _end_silence(request: Request, call: Call, form: Mapping[str, str]) -> Response:
    call.workspace.end_silence(form.get("silence", ""), actor=call.principal.name)
    return RedirectResponse(Page.of(request, call).url("/console/settings", done="ended"), status_code=303)


def _told(request: Request, call: Call, act: Callable[[Page], tuple[bool, str]]) -> Response:
    try:
        is_well, said = act(Page.of(request, call))
    except SerenoError as error:
        return _page(request, call, wrong=error)
    return _page(request, call, said=said, is_well=is_well)


def _test_receiver(page: Page, form: Mapping[str, str]) -> tuple[bool, str]:
    name = form.get("name", "")
    answer = page.workspace.send_test(name)
    is_well = answer.outcome is Outcome.ACCEPTED
    key = "settings.test_ok" if is_well else "settings.test_failed"
    return is_well, page.words.t(key, name=name, answer=f"{answer.code} {answer.detail}".strip())


def _test_source(page: Page, form: Mapping[str, str]) -> tuple[bool, str]:
    found = try_source(page.workspace, form.get("name", ""), within=_LISTENED)
    count = page.words.count(found.n_records)
    return True, page.words.t("settings.source_ok", name=found.name, count=count, assets=len(found.assets))


def _page(
    request: Request, call: Call, *, wrong: SerenoError | None = None, said: str = "", is_well: bool = True
) -> Response:
    page = Page.of(request, call)
    workspace, words = call.workspace, page.words
    done = request.query_params.get("done", "")
    told = said or (words.t(f"settings.done.{done}") if done in ("silenced", "ended") else "")
    is_admin = call.principal.role >= Role.ADMIN
    used = {one.profile for one in workspace.assets()}
    return page.answer(
        "settings.html",
        status=200 if wrong is None else 422,
        told=told,
        is_well=is_well,
        wrong="" if wrong is None else error_sentence(wrong, page.language),
        profiles=sorted(workspace.profiles.values(), key=lambda one: (one.name not in used, one.name)),
        used=used,
        sources=find_sources(workspace.setup, workspace.store),
        receivers=workspace.receivers(),
        routes=workspace.settings.routes,
        silences=workspace.silences(),
        counts=workspace.silenced_counts(),
        sites=workspace.sites(),
        hours=SILENCE_HOURS,
        is_admin=is_admin,
        users=find_users(workspace.store) if is_admin else (),
        keys=find_keys(workspace.store) if is_admin else (),
        settings=workspace.settings,
    )
