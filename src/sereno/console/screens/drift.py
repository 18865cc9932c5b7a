"""Whether what was learnt still holds: four verdicts for each meter, and what they rest on."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from sereno.api.context import ViewerCall
from sereno.api.parameters import MAX_ID
from sereno.console.downloads import Download, table_answer
from sereno.console.filters import Field, field_of, given
from sereno.console.page import ConsoleRoute, Page
from sereno.console.plots import plot_file, plot_table
from sereno.console.tables import Cell, Column, Line, Table
from sereno.domain.drift import DriftKind, DriftLevel, DriftStanding, DriftVerdict
from sereno.domain.errors import NotFound
from sereno.domain.masking import has_words
from sereno.domain.time import isoformat
from sereno.flows.drift_view import drift_plots
from sereno.flows.plots import Plot

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

AssetNumber = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("/drift")
def show_drift(request: Request, call: ViewerCall) -> Response:
    """The last verdicts of each meter that a filter leaves, the worst first."""
    page = Page.of(request, call)
    words, fields, every = page.words, _fields(page), call.workspace.drifts()
    found = _filtered(page, every)
    counts = {
        "alarming": sum(one.drift.level.alarms for one in every),
        "low": sum(one.drift.level is DriftLevel.LOW for one in every),
        "unknown": sum(one.drift.level is DriftLevel.UNKNOWN for one in every),
    }
    return page.answer(
        "table_page.html",
        title=words.t("nav.drift"),
        about=words.t("drift.about"),
        path="/console/drift",
        kpis=[
            (words.t(f"drift.{name}"), words.count(n), words.t(f"drift.{name}_note"))
            for name, n in counts.items()
        ],
        notice="" if every else words.t("drift.none"),
        fields=fields,
        query=given(fields),
        table=_table(page, found),
        others=[],
    )


@router.get("/drift.{kind}")
def download(request: Request, call: ViewerCall, kind: Download) -> Response:
    """The same as a file."""
    page = Page.of(request, call)
    return table_answer(page, "drift", kind, _table(page, _filtered(page, call.workspace.drifts())).rows)


@router.get("/drift/{asset_id:int}")
def show_asset(request: Request, call: ViewerCall, asset_id: AssetNumber) -> Response:
    """The four verdicts of one meter, each beside the replays that its threshold comes from."""
    page = Page.of(request, call)
    found = _of_asset(page, asset_id)
    plots = [(one, drift_plots(one.drift, page.language)) for one in found]
    return page.answer(
        "drift.html",
        found=plots,
        asset=found[0].drift.asset,
        profile=found[0].profile,
        asset_id=asset_id,
        label=partial(_label, page, found[0].profile),
    )


@router.get("/drift/{asset_id:int}/table")
def show_figures(request: Request, call: ViewerCall, asset_id: AssetNumber, figure: str) -> Response:
    """The figures of one verdict as a table."""
    page = Page.of(request, call)
    return plot_table(page, _plot(page, asset_id, figure))


@router.get("/drift/{asset_id:int}.{kind}")
def download_figures(
    request: Request, call: ViewerCall, asset_id: AssetNumber, kind: str, figure: str
) -> Response:
    """One verdict as a picture, or its figures as a file."""
    page = Page.of(request, call)
    return plot_file(page, _plot(page, asset_id, figure), kind)


def _of_asset(page: Page, asset_id: int) -> Sequence[DriftStanding]:
    found = page.workspace.drifts(asset_id)
    if not found:
        raise NotFound(what="drift", id=asset_id, hint="`sereno drift` looks for it.")
    return found


def _plot(page: Page, asset_id: int, name: str) -> Plot:
    for one in _of_asset(page, asset_id):
        for plot in drift_plots(one.drift, page.language):
            if plot.name == name and not plot.missing:
                return plot
    raise NotFound(what="figure", id=name, hint="")


def _fields(page: Page) -> list[Field]:
    words = page.words
    levels = [(level.name, words.word(f"drift.level.{level.name}")) for level in DriftLevel]
    return [field_of(page, "text"), field_of(page, "level", levels, label=words.t("drift.column.level"))]


def _filtered(page: Page, found: Sequence[DriftStanding]) -> list[DriftStanding]:
    asked = page.request.query_params
    text, level = asked.get("text", ""), asked.get("level", "")
    return [
        one for one in found if has_words(text, str(one.drift.asset)) and level in ("", one.drift.level.name)
    ]


def _table(page: Page, found: Sequence[DriftStanding]) -> Table:
    words = page.words
    columns = [
        Column("asset", words.t("column.asset")),
        *(Column(kind.value, words.heading(f"drift.kind.{kind.value}")) for kind in DriftKind),
        Column("since", words.t("drift.column.since")),
        Column("action", words.t("drift.column.action"), is_long=True),
        Column("judged_at", words.t("drift.column.judged_at")),
    ]
    return Table.of(page, columns, [_line(page, one) for one in found])


def _line(page: Page, one: DriftStanding) -> Line:
    words, drift = page.words, one.drift
    since = min((verdict.since for verdict in drift.verdicts.values() if verdict.since), default="")
    raw = {
        "asset": str(drift.asset),
        "signal": drift.target,
        **{kind.value: int(drift.verdicts[kind].level) for kind in DriftKind},
        "since": since or None,
        "action": drift.action,
        "judged_at": isoformat(one.judged_at),
    }
    href = page.url(f"/console/drift/{one.asset_id}")
    cells = {
        "asset": Cell(str(drift.asset), href, note=_label(page, one.profile, drift.target)),
        **{kind.value: _verdict(page, drift.verdicts[kind]) for kind in DriftKind},
        "since": Cell(since or "–"),
        "action": Cell(words.heading(f"drift.action.{drift.action}")),
        "judged_at": Cell(words.moment(one.judged_at, page.workspace.zone)),
    }
    return Line(raw, cells, "" if drift.level.alarms else "calm")


def _label(page: Page, profile: str, signal: str) -> str:
    return page.workspace.profiles[profile].signal(signal).label(page.language)


def _verdict(page: Page, verdict: DriftVerdict) -> Cell:
    level = page.words.word(f"drift.level.{verdict.level.name}")
    note = page.words.word(f"drift.reason.{verdict.remark}") if verdict.remark else ""
    return Cell(f"▲ {level}" if verdict.level.alarms else level, note=note)
