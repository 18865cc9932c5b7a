"""Who judges what, how well, and the work that changes it; how the whole plant is."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from sereno.api.context import Call, EngineerCall, ViewerCall
from sereno.console.page import ConsoleRoute, Page
from sereno.console.plots import plot_file, plot_table
from sereno.console.screens.jobs import form_of, recent_work
from sereno.domain.drift import DriftLevel
from sereno.domain.errors import NotFound, UsageError
from sereno.domain.judgement import ModelCard
from sereno.flows.plant import analyses_plot, performance_of, plant_of
from sereno.flows.plots import Plot

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

_DONE = ("job", "promote", "rollback", "compare", "shadow")


@dataclass(frozen=True, slots=True)
class Group:
    """The models of a profile, newest first, and the one that judges."""

    profile: str
    judge: ModelCard | None
    cards: Sequence[ModelCard]


@router.get("/models")
def show_models(request: Request, call: ViewerCall, done: str = "") -> Response:
    """Every model, the state of the plant, and the work in hand."""
    page = Page.of(request, call)
    workspace = call.workspace
    active, cards = workspace.active_models(), workspace.models()
    names = sorted({card.profile for card in cards})
    groups = [
        Group(
            name,
            next((card for card in cards if card.id == active.get(name)), None),
            [card for card in cards if card.profile == name],
        )
        for name in names
    ]
    plant = plant_of(workspace)
    return page.answer(
        "models.html",
        groups=groups,
        versions=workspace.versions(),
        plant=plant,
        drift=_drift_counts(call),
        analyses=analyses_plot(plant, zone=workspace.zone, language=page.language),
        performance=performance_of(workspace),
        done=page.words.t(f"models.done.{done}") if done in _DONE else "",
        jobs=recent_work(workspace, page.words),
    )


@router.get("/models/table")
def show_analyses(request: Request, call: ViewerCall) -> Response:
    """The analyses so far as a table."""
    page = Page.of(request, call)
    return plot_table(page, _analyses(page))


@router.get("/models.{kind}")
def download_analyses(request: Request, call: ViewerCall, kind: str) -> Response:
    """The same as a picture or a file."""
    page = Page.of(request, call)
    return plot_file(page, _analyses(page), kind)


@router.get("/models/version/{version}")
def show_version(request: Request, call: ViewerCall, version: str, done: str = "") -> Response:
    """The card of a version: lineage, figures, comparison, shadow, history."""
    page = Page.of(request, call)
    return page.answer(
        "model.html",
        sheet=call.workspace.model_sheet(version),
        done=page.words.t(f"models.done.{done}") if done in _DONE else "",
    )


@router.post("/models/promote")
async def promote(request: Request, call: EngineerCall) -> Response:
    """Let another model judge, for a reason."""
    form = await form_of(request)
    return await asyncio.to_thread(_promote, request, call, form)


@router.post("/models/compare")
async def compare(request: Request, call: EngineerCall) -> Response:
    """A version beside the champion, on days that neither has seen."""
    form = await form_of(request)
    return await asyncio.to_thread(_compare, request, call, form)


@router.post("/models/shadow")
async def send_to_shadow(request: Request, call: EngineerCall) -> Response:
    """Let a version judge or forecast beside the champion, for a reason."""
    form = await form_of(request)
    return await asyncio.to_thread(_send_to_shadow, request, call, form)


@router.post("/models/rollback")
async def roll_back(request: Request, call: EngineerCall) -> Response:
    """Let the model before judge again, for a reason."""
    form = await form_of(request)
    return await asyncio.to_thread(_roll_back, request, call, form)


def _promote(request: Request, call: Call, form: Mapping[str, str]) -> Response:
    reason = _reason(form)
    call.workspace.promote_model(
        form.get("model", ""),
        actor=call.principal.name,
        reason=reason,
        is_forced=form.get("force") == "yes",
    )
    return _back(request, call, "promote")


def _compare(request: Request, call: Call, form: Mapping[str, str]) -> Response:
    version = form.get("model", "")
    call.workspace.registrar.compare(version, actor=call.principal.name)
    return _back(request, call, "compare", version)


def _send_to_shadow(request: Request, call: Call, form: Mapping[str, str]) -> Response:
    version, reason = form.get("model", ""), _reason(form)
    call.workspace.registrar.send_to_shadow(version, actor=call.principal.name, reason=reason)
    return _back(request, call, "shadow", version)


def _roll_back(request: Request, call: Call, form: Mapping[str, str]) -> Response:
    reason = _reason(form)
    profile = form.get("profile") or None
    call.workspace.roll_back_model(profile, actor=call.principal.name, reason=reason)
    return _back(request, call, "rollback")


def _reason(form: Mapping[str, str]) -> str:
    reason = form.get("reason", "").strip()
    if not reason:
        raise UsageError(detail="'reason' is empty", command="console")
    return reason


def _back(request: Request, call: Call, done: str, version: str = "") -> Response:
    page = Page.of(request, call)
    path = f"/console/models/version/{version}" if version else "/console/models"
    return RedirectResponse(page.url(path, done=done), status_code=303)


def _drift_counts(call: Call) -> dict[str, int]:
    levels = [one.drift.level for one in call.workspace.drifts()]
    return {
        "assets": len(levels),
        "alarming": sum(one.alarms for one in levels),
        "unknown": levels.count(DriftLevel.UNKNOWN),
    }


def _analyses(page: Page) -> Plot:
    plot = analyses_plot(plant_of(page.workspace), zone=page.workspace.zone, language=page.language)
    if plot.missing:
        raise NotFound(what="figure", id="analyses", hint="")
    return plot
