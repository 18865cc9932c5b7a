"""What incidents cost: in all, and on a day; those that cost most first."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sereno.api.context import ViewerCall
from sereno.console.downloads import Download, table_answer
from sereno.console.filters import Field, field_of, given
from sereno.console.page import ConsoleRoute, Page
from sereno.console.tables import Cell, Column, Line, Table
from sereno.flows.fleet_list import IncidentFilter, listed_incidents
from sereno.flows.incidents import IncidentView, cost_of
from sereno.flows.timeline import problem_name

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)


@router.get("/cost")
def show_cost(request: Request, call: ViewerCall) -> Response:
    """The incidents of the stretch of time that have a price."""
    page = Page.of(request, call)
    words, tariff = page.words, call.workspace.settings.tariff
    views = _views(page)
    fields = _fields(page)
    currency = tariff.currency if tariff else ""
    active = [view for view in views if view.incident.ended_at is None]
    per_day = sum(view.cost_per_day or 0.0 for view in active)
    total = sum(cost[0] for view in views if (cost := cost_of(view.incident, view.tariff)))
    kpis = [
        (words.t("cost.total"), words.money(total if tariff else None, currency), words.t("cost.total_note")),
        (
            words.t("cost.per_day"),
            words.money(per_day if tariff else None, currency),
            words.t("cost.per_day_note"),
        ),
        (words.t("cost.priced"), words.count(len(views)), words.t("cost.priced_note")),
    ]
    return page.answer(
        "table_page.html",
        title=words.t("nav.cost"),
        about=words.t("cost.about"),
        path="/console/cost",
        kpis=kpis,
        notice="" if tariff else words.t("cost.no_tariff"),
        fields=fields,
        query=given(fields),
        table=_table(page, views),
        others=(),
    )


@router.get("/cost.{kind}")
def download(request: Request, call: ViewerCall, kind: Download) -> Response:
    """The same as a file."""
    page = Page.of(request, call)
    return table_answer(page, "cost", kind, _table(page, _views(page)).rows)


def _views(page: Page) -> list[IncidentView]:
    asked = page.request.query_params
    wanted = IncidentFilter(
        text=asked.get("text", ""),
        profile=asked.get("profile", ""),
        condition=asked.get("condition", ""),
        sort="cost",
    )
    found = listed_incidents(
        page.workspace, wanted, since=page.range.start, until=page.range.end, language=page.language
    )
    return [view for view in found if cost_of(view.incident, view.tariff) is not None]


def _fields(page: Page) -> list[Field]:
    words = page.words
    profiles = sorted({one.profile for one in page.workspace.assets()})
    conditions = [(one, words.word(f"condition.{one}")) for one in ("active", "cleared")]
    return [
        field_of(page, "text"),
        field_of(page, "profile", [(p, words.known(f"console.profile.{p}", p)) for p in profiles]),
        field_of(page, "condition", conditions),
    ]


def _table(page: Page, views: list[IncidentView]) -> Table:
    words = page.words
    columns = [
        Column("asset", words.t("column.asset")),
        Column("cost_per_day", words.t("cost.column.per_day"), is_number=True),
        Column("cost", words.t("cost.column.total"), is_number=True),
        Column("impact", words.t("cost.column.impact"), is_number=True),
        Column("problem", words.t("health.problem")),
        Column("sentence", words.t("column.what"), is_long=True),
        Column("started_at", words.t("column.since")),
    ]
    return Table.of(page, columns, [_line(page, view) for view in views])


def _line(page: Page, view: IncidentView) -> Line:
    words, incident = page.words, view.incident
    told = view.to_json(page.workspace.now())
    currency = str(told["currency"] or "")
    names = ("site", "asset", "problem", "severity", "condition", "started_at", "ended_at", "impact")
    raw = {
        **{name: told[name] for name in names},
        "impact_unit": told["impact_unit"],
        "cost": told["cost"],
        "cost_per_day": view.cost_per_day,
        "currency": currency,
        "sentence": view.sentence(page.language),
        "id": incident.id,
    }
    cost = cost_of(incident, view.tariff)
    cells = {
        "asset": Cell(str(incident.asset), page.url(f"/console/sites/{incident.asset.site}")),
        "cost_per_day": Cell(words.money(view.cost_per_day, currency)),
        "cost": Cell(words.money(cost[0] if cost else None, currency)),
        "impact": Cell(words.quantity(incident.impact, incident.worst.impact_unit)),
        "problem": Cell(problem_name(view, page.language), severity=incident.severity),
        "sentence": Cell(view.sentence(page.language), page.url(f"/console/incidents/{incident.id}")),
        "started_at": Cell(words.moment(incident.started_at, view.place.zone, view.place.step)),
    }
    return Line(raw, cells)
