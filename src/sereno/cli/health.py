"""`sereno health`: the figures of alarm management, and what to do about the worst."""

from sereno.cli.output import Request, say, show_json, show_table
from sereno.flows.health import Health
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import number

__all__ = ["run_health"]


def run_health(request: Request, days: int) -> None:
    """Show alarm health over the last days of the data."""
    with Workspace.open(request.workspace, language=request.language) as workspace:
        found, language = workspace.health(days=days), workspace.language
    if request.as_json:
        show_json(found.to_json())
        return
    for line in _lines(found, days, language):
        say(line)
    if not found.everything.top:
        return
    rows = [
        {
            "count": actor.count,
            "percent": number(actor.percent, language),
            "asset": actor.asset,
            "problem": actor.problem,
            "fix": f"{sentence(f'fix.{actor.fix.code}', language)}: {actor.fix.command}",
        }
        for actor in found.everything.top
    ]
    columns = ["count", "percent", "asset", "problem", "fix"]
    show_table(rows, columns, [sentence(f"column.{name}", language) for name in columns])


def _lines(found: Health, days: int, language: str) -> list[str]:
    site, rates = found.everything, found.everything.rates

    def said(figure: float | None) -> str:
        return "-" if figure is None else number(figure, language)

    facts = {
        "days": days,
        "count": rates.count,
        "per_day": said(rates.per_day),
        "per_hour": said(rates.per_hour),
        "peak_10_min": rates.peak_10_min,
        "peak_hour": rates.peak_hour,
        "flood": said(rates.flood_percent),
        "low": said(site.priorities["low"]),
        "medium": said(site.priorities["medium"]),
        "high": said(site.priorities["high"]),
        "chattering": site.chattering,
        "stale": site.stale,
        "unattended": site.unattended,
        "acknowledged": site.acknowledged.count,
        "median": said(site.acknowledged.median_min),
        "p95": said(site.acknowledged.p95_min),
    }
    return [
        sentence(f"health.{part}", language, **facts)
        for part in ("rate", "flood", "priority", "state", "people")
    ]
