"""Work that takes a while: its buttons, how far it has come, and what came of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from sereno.api.context import Call, EngineerCall, ViewerCall
from sereno.console.page import ConsoleRoute, Page
from sereno.console.wording import Wording
from sereno.domain.access import Role
from sereno.domain.errors import NotPermitted, UsageError
from sereno.domain.jobs import Job, JobState
from sereno.flows.simulating import is_simulated_plant, plant_name
from sereno.flows.workspace import Workspace

__all__ = ["JOB_KINDS", "Work", "form_of", "recent_work", "router"]

router = APIRouter(route_class=ConsoleRoute)

JOB_KINDS = ("simulate", "train", "score", "retrain", "drift", "recalibrate", "segment", "report", "reset")
SIMULATED = ("motor", "solar", "gas", "process", "load")
ROWS = (1_000, 5_000, 10_000, 20_000)
"""How many rows may be simulated at once; the first system made 10,000 and kept 20,000."""
USUAL_SIMULATED, MOST_KEPT = 10_000, 20_000
_SHOWN = 8
_SHOWN_ALONE = 50
_DONE = ("job", "cancelled")
_FROM = ("jobs", "models")

_Facts = Callable[[Mapping[str, object], Wording], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Work:
    """A job and what a page says of it.

    Attributes:
        outcome: What came of it; empty before it is done.
        done, of: How far it has come, in assets or profiles; of 0 where nobody knows.
    """

    job: Job
    outcome: str
    done: int = 0
    of: int = 0

    @classmethod
    def told(cls, job: Job, words: Wording) -> "Work":
        """What a language says of a job."""
        facts = _FACTS.get(job.kind)
        is_told = job.state is JobState.DONE and job.result is not None and facts is not None
        outcome = ""
        if is_told and job.result is not None and facts is not None:
            outcome = words.t(f"job.{job.kind}.outcome", **facts(job.result, words))
        return cls(job, outcome, _int(job.progress, "done"), _int(job.progress, "of"))


def recent_work(workspace: Workspace, words: Wording, limit: int = _SHOWN) -> list[Work]:
    """The work in hand and lately done, newest first."""
    return [Work.told(job, words) for job in workspace.jobs.jobs()[:limit]]


@router.get("/jobs")
def show_jobs(request: Request, call: ViewerCall, done: str = "") -> Response:
    """Every button, and the work in hand and lately done."""
    page = Page.of(request, call)
    workspace = call.workspace
    return page.answer(
        "jobs.html",
        jobs=recent_work(workspace, page.words, _SHOWN_ALONE),
        done=page.words.t(f"jobs.done.{done}") if done in _DONE else "",
        can_simulate=is_simulated_plant(workspace),
        may_reset=call.principal.role.may(Role.ADMIN),
        plant=plant_name(workspace),
        simulated=[one for one in SIMULATED if one in workspace.profiles],
        rows=ROWS,
        usual_rows=USUAL_SIMULATED,
        kept=MOST_KEPT,
    )


@router.post("/jobs")
async def begin_job(request: Request, call: EngineerCall) -> Response:
    """Begin one of them."""
    form = await form_of(request)
    return await asyncio.to_thread(_begin, request, call, form)


@router.post("/jobs/{job_id}/cancel")
def cancel_job(request: Request, call: EngineerCall, job_id: str) -> Response:
    """End one that waits or runs."""
    call.workspace.jobs.cancel(job_id)
    return RedirectResponse(Page.of(request, call).url("/console/jobs", done="cancelled"), status_code=303)


async def form_of(request: Request) -> dict[str, str]:
    """The texts of a form."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _begin(request: Request, call: Call, form: Mapping[str, str]) -> Response:
    kind = form.get("kind", "")
    if kind not in JOB_KINDS:
        raise UsageError(detail=f"'{kind}' is none of {', '.join(JOB_KINDS)}", command="console")
    page = Page.of(request, call)
    options = _options(kind, form)
    if kind == "reset":
        _check_reset(page, form.get("name", ""))
    elif kind == "simulate" and not is_simulated_plant(call.workspace):
        raise UsageError(detail=page.words.t("job.simulate.real"), command="console")
    key = form.get("request_key") or None
    call.workspace.jobs.submit(kind, options, author=call.principal.name, request_key=key)
    back = form.get("from", "") if form.get("from", "") in _FROM else "models"
    return RedirectResponse(page.url(f"/console/{back}", done="job"), status_code=303)


def _check_reset(page: Page, name: str) -> None:
    who = page.call.principal
    if not who.role.may(Role.ADMIN):
        raise NotPermitted(
            name=who.name, role=who.role.name.lower(), needed="admin", organization=who.organization
        )
    plant = plant_name(page.workspace)
    if name.strip() != plant:
        raise UsageError(detail=page.words.t("job.reset.wrong_name", name=plant), command="console")


def _options(kind: str, form: Mapping[str, str]) -> dict[str, object]:
    """What a form says of a job.

    Raises:
        UsageError: A simulation of something else than the form offers.
    """
    options: dict[str, object] = {}
    if kind in ("simulate", "reset"):
        options["profile"] = form.get("profile") or SIMULATED[0]
        if options["profile"] not in SIMULATED:
            detail = f"'{options['profile']}' is none of {', '.join(SIMULATED)}"
            raise UsageError(detail=detail, command="console")
        options |= {name: _rows(form[name]) for name in ("rows", "max_rows") if form.get(name)}
        if kind == "reset":
            options["name"] = form.get("name", "")
    elif kind == "retrain":
        options["asked"] = True
    elif kind == "report":
        options["asset"] = form.get("asset", "")
    elif form.get("profile") and kind != "score":
        options["profile"] = form["profile"]
    return options


def _rows(text: str) -> int:
    if text not in map(str, ROWS):
        detail = f"'{text}' is none of {', '.join(map(str, ROWS))}"
        raise UsageError(detail=detail, command="console")
    return int(text)


def _int(found: Mapping[str, object], name: str) -> int:
    value = found.get(name, 0)
    return value if isinstance(value, int) else 0


def _counted(*names: str) -> _Facts:
    def facts(result: Mapping[str, object], words: Wording) -> dict[str, object]:
        return {name: words.count(_size(result.get(name))) for name in names}

    return facts


def _size(value: object) -> int:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return len(value)
    return value if isinstance(value, int) else 0


def _trained(result: Mapping[str, object], words: Wording) -> dict[str, object]:
    models = result.get("models")
    found = models if isinstance(models, list) else []
    assets = sum(_size(one.get("assets")) for one in found if isinstance(one, dict))
    return {"models": words.count(len(found)), "assets": words.count(assets)}


def _simulated(result: Mapping[str, object], words: Wording) -> dict[str, object]:
    ratio = result.get("ratio")
    share = words.percent(ratio if isinstance(ratio, float) else 0.0)
    return {**_counted("rows", "faults")(result, words), "share": share}


_FACTS: Mapping[str, _Facts] = {
    "train": _trained,
    "score": _counted("rows", "incidents_opened"),
    "recalibrate": _counted("recalibrations"),
    "retrain": _counted("steps"),
    "drift": _counted("assets", "alarming"),
    "segment": _counted("profiles"),
    "report": _counted("rows", "abnormal"),
    "simulate": _simulated,
    "reset": _counted("rows_deleted", "rows"),
}
