"""Alarm health: how much people are asked to look at, beside what they can bear."""

from dataclasses import asdict
from datetime import timedelta
from math import ceil

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sereno.api.context import ViewerCall
from sereno.console.downloads import Download, table_answer
from sereno.console.page import ConsoleRoute, Page
from sereno.console.tables import Cell, Column, Line, Table
from sereno.flows.health import TARGETS, Health

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

_DAY = timedelta(days=1)
_CHECKED = ("per_10_min", "per_hour", "per_day", "peak_hour", "flood_percent", "stale")
_TARGET_OF = {"peak_hour": "peak_per_hour"}
_KINDS = {"quality": "data"}
"""Kind of trouble by the first part of the name of a check, where it is another."""
_MOST_FLOOD_PERCENT = 1.0
"""Source: EEMUA 191, a system is in flood for less than 1 % of the time."""


@router.get("/health")
def show_health(request: Request, call: ViewerCall) -> Response:
    """The figures of the stretch of time beside their goals, and what would help most."""
    page = Page.of(request, call)
    health = _health(page)
    figures = {**asdict(health.everything.rates), "stale": health.everything.stale}
    goals = {**TARGETS, "flood_percent": _MOST_FLOOD_PERCENT}
    checks = []
    for name in _CHECKED:
        value, goal = float(figures[name]), goals[_TARGET_OF.get(name, name)]
        checks.append((name, value, goal, value <= goal))
    waits = health.everything.acknowledged
    return page.answer(
        "health.html",
        health=health,
        checks=checks,
        targets=TARGETS,
        waits=waits,
        wait_texts=_wait_texts(page, asdict(waits)),
        actors=_actors(page, health),
    )


@router.get("/health.{kind}")
def download(request: Request, call: ViewerCall, kind: Download) -> Response:
    """What would help most, as a file."""
    page = Page.of(request, call)
    return table_answer(page, "health", kind, _actors(page, _health(page)).rows)


def _health(page: Page) -> Health:
    return page.workspace.health(days=max(ceil((page.range.end - page.range.start) / _DAY), 1))


def _wait_texts(page: Page, waits: dict[str, object]) -> list[tuple[str, str]]:
    """The lengths among the figures of waits."""
    found = []
    for name, value in waits.items():
        if name != "count":
            text = "–" if not isinstance(value, int | float) else page.words.quantity(value, "min")
            found.append((name, text))
    return found


def _check_name(page: Page, check: str) -> str:
    kind, _, name = check.partition(".")
    words = page.words
    usual = words.word(f"kind.{_KINDS.get(kind, kind)}")
    cause = words.known(f"notify.cause.{check}", words.known(f"console.flag.{name}", usual))
    return words.known(f"console.check.{check}", cause[:1].upper() + cause[1:])


def _actors(page: Page, health: Health) -> Table:
    words = page.words
    columns = [
        Column("asset", words.t("column.asset")),
        Column("problem", words.t("health.problem")),
        Column("count", words.t("health.count"), is_number=True),
        Column("percent", words.t("health.share"), is_number=True),
        Column("fix", words.t("health.fix"), is_long=True),
    ]
    lines = []
    for one in health.everything.top:
        name = one.site if one.site == one.asset else f"{one.site}/{one.asset}"
        problem = words.known(f"problem.{one.problem}.name", _check_name(page, one.check))
        raw = {
            "site": one.site,
            "asset": one.asset,
            "problem": one.problem,
            "count": one.count,
            "percent": one.percent,
            "fix": one.fix.sentence(page.language),
            "command": one.fix.command,
            "incident": one.incident,
        }
        cells = {
            "asset": Cell(name, page.url(f"/console/sites/{one.site}")),
            "problem": Cell(problem, page.url(f"/console/incidents/{one.incident}")),
            "count": Cell(words.count(one.count)),
            "percent": Cell(words.percent(one.percent / 100)),
            "fix": Cell(one.fix.sentence(page.language), note=one.fix.command),
        }
        lines.append(Line(raw, cells))
    return Table.of(page, columns, lines)
