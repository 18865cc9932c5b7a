"""Reports: of the fleet, a site or an incident over the stretch of time, as a file."""

import tempfile
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from sereno.api.context import EngineerCall, ViewerCall
from sereno.console.downloads import file_answer
from sereno.console.page import ConsoleRoute, Page
from sereno.domain.errors import UsageError
from sereno.flows.mailing import queue_report, scheduled_reports
from sereno.flows.papers import (
    PAPER_KINDS,
    PAPER_POLICY,
    Subject,
    can_print,
    paper_html,
    paper_of,
    write_paper,
)

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

_MEDIA = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_INCIDENTS = 100


@router.get("/reports")
def show_reports(
    request: Request, call: ViewerCall, about: str = "fleet", subject: str = "", done: str = ""
) -> Response:
    """What a report can be about, and as what it leaves."""
    page = Page.of(request, call)
    views = call.workspace.incidents(since=page.range.start)[:_INCIDENTS]
    return page.answer(
        "reports.html",
        about=about if about in set(Subject) else "fleet",
        subject=subject,
        sites=sorted({one.key.site for one in call.workspace.assets()}),
        incidents=views,
        can_print=can_print(),
        scheduled=scheduled_reports(call.workspace),
        done=done == "sent",
    )


@router.post("/reports/{name}/send")
def send_report(request: Request, call: EngineerCall, name: str) -> Response:
    """Mail a scheduled report now, about its last period."""
    queue_report(call.workspace, name)
    return RedirectResponse(Page.of(request, call).url("/console/reports", done="sent"), status_code=303)


@router.get("/reports/{about}.{kind}")
def make_report(
    request: Request, call: ViewerCall, about: Subject, kind: str, subject: str = "", view: str = ""
) -> Response:
    """A report as a file; a page of its own where somebody wants to look at it first."""
    page = Page.of(request, call)
    if f".{kind}" not in PAPER_KINDS:
        raise UsageError(detail=f"'{kind}' is none of {', '.join(_MEDIA)}", command="console")
    if about is not Subject.FLEET and not subject:
        raise UsageError(detail=page.words.t("reports.needs_subject"), command="console")
    paper = paper_of(
        page.workspace,
        about,
        subject,
        start=page.range.start,
        end=page.range.end,
        language=page.language,
    )
    if view == "page" and kind == "html":
        return HTMLResponse(
            paper_html(paper), headers={"Cache-Control": "no-store", "Content-Security-Policy": PAPER_POLICY}
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"report.{kind}")
        write_paper(paper, path)
        name = f"sereno-{about.value}-{subject[:40]}-{page.range.last:%Y%m%d}.{kind}".replace("--", "-")
        return file_answer(path.read_bytes(), _MEDIA[kind], name)
