"""What is missing, flagged and wrong in the data, apart from what the process does."""

from math import ceil

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sereno.api.context import ViewerCall
from sereno.console.downloads import Download, table_answer
from sereno.console.filters import Field, field_of, given
from sereno.console.page import ConsoleRoute, Page
from sereno.console.tables import Cell, Column, Line, Table
from sereno.domain.time import isoformat
from sereno.flows.quality import SignalQuality, qualities_of
from sereno.i18n.catalogue import issue_sentence

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

_DAY_S = 86_400.0
_ISSUES = 200


@router.get("/quality")
def show_quality(request: Request, call: ViewerCall) -> Response:
    """Every signal of the assets that a filter leaves, the worst first; and what was wrong in files."""
    page = Page.of(request, call)
    words = page.words
    found = _found(page)
    fields = _fields(page)
    bad = [one for one in found if one.is_bad]
    missing = sum(one.due - one.values for one in found) / max(sum(one.due for one in found), 1)
    return page.answer(
        "table_page.html",
        title=words.t("nav.quality"),
        about=words.t("quality.about"),
        path="/console/quality",
        kpis=[
            (words.t("quality.signals"), words.count(len(found)), words.t("quality.signals_note")),
            (words.t("quality.bad"), words.count(len(bad)), words.t("quality.bad_note")),
            (words.t("quality.missing"), words.percent(missing), words.t("quality.missing_note")),
        ],
        notice="" if bad or not found else words.t("quality.fine"),
        fields=fields,
        query=given(fields),
        table=_table(page, found),
        others=[
            (
                words.t("quality.files"),
                words.t("quality.files_about"),
                _issues(page),
                "/console/quality/issues",
            )
        ],
    )


@router.get("/quality.{kind}")
def download(request: Request, call: ViewerCall, kind: Download) -> Response:
    """The same as a file."""
    page = Page.of(request, call)
    return table_answer(page, "quality", kind, _table(page, _found(page)).rows)


@router.get("/quality/issues.{kind}")
def download_issues(request: Request, call: ViewerCall, kind: Download) -> Response:
    """What was wrong in files, as a file."""
    page = Page.of(request, call)
    return table_answer(page, "issues", kind, _issues(page).rows)


def _found(page: Page) -> list[SignalQuality]:
    asked = page.request.query_params
    days = max(ceil((page.range.end - page.range.start).total_seconds() / _DAY_S), 1)
    return qualities_of(
        page.workspace,
        days=days,
        language=page.language,
        text=asked.get("text", ""),
        profile=asked.get("profile", ""),
        is_only_bad=asked.get("state", "") == "bad",
    )


def _fields(page: Page) -> list[Field]:
    words = page.words
    profiles = sorted({one.profile for one in page.workspace.assets()})
    return [
        field_of(page, "text"),
        field_of(page, "profile", [(p, words.known(f"console.profile.{p}", p)) for p in profiles]),
        field_of(page, "state", [("bad", words.t("quality.only_bad"))], label=words.t("filter.status")),
    ]


def _table(page: Page, found: list[SignalQuality]) -> Table:
    words = page.words
    columns = [
        Column("site", words.t("column.asset")),
        Column("signal", words.t("column.signal")),
        Column("percent", words.t("quality.column.percent"), is_number=True),
        Column("missing", words.t("quality.column.missing"), is_number=True),
        Column("flagged", words.t("quality.column.flagged"), is_number=True),
        Column("flags", words.t("quality.column.flags"), is_long=True),
        Column("to", words.t("quality.column.last")),
    ]
    return Table.of(page, columns, [_line(page, one) for one in found])


def _line(page: Page, one: SignalQuality) -> Line:
    words = page.words
    flags = ", ".join(
        f"{words.known(f'console.flag.{name}', name)}: {words.count(count)}"
        for name, count in one.flags.items()
    )
    href = page.url(f"/console/sites/{one.key.site}", asset=one.key.asset, profile=one.profile)
    raw = {
        "site": one.key.site,
        "asset": one.key.asset,
        "signal": one.signal,
        "due": one.due,
        "values": one.values,
        "percent": one.percent,
        "missing": one.due - one.values,
        "flagged": one.flagged_percent,
        "flags": flags,
        "to": isoformat(one.until),
    }
    cells = {
        "site": Cell(str(one.key), href),
        "signal": Cell(one.label),
        "percent": Cell(words.percent(one.percent / 100)),
        "missing": Cell(words.count(one.due - one.values)),
        "flagged": Cell(words.percent(one.flagged_percent / 100)),
        "flags": Cell(flags or "–"),
        "to": Cell(words.moment(one.until, one.zone)),
    }
    return Line(raw, cells, "" if one.is_bad else "calm")


def _issues(page: Page) -> Table:
    words = page.words
    columns = [
        Column("file", words.t("quality.column.file")),
        Column("code", words.t("quality.column.code")),
        Column("count", words.t("quality.column.count"), is_number=True),
        Column("message", words.t("column.what"), is_long=True),
        Column("at", words.t("quality.column.read")),
    ]
    lines = []
    for one in page.workspace.issues(limit=page.row_limit or _ISSUES):
        message = issue_sentence(one.issue, page.language)
        raw = {
            "file": one.file,
            "code": one.issue.code,
            "where": one.issue.where,
            "count": one.issue.count,
            "message": message,
            "at": isoformat(one.at),
        }
        cells = {
            "file": Cell(one.file),
            "code": Cell(one.issue.code),
            "count": Cell(words.count(one.issue.count)),
            "message": Cell(message),
            "at": Cell(words.moment(one.at, page.workspace.zone)),
        }
        lines.append(Line(raw, cells))
    return Table.of(page, columns, lines)
