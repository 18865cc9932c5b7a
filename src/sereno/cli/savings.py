"""`sereno savings`: what a site has saved since its baseline."""

from typing import TYPE_CHECKING

import typer

from sereno.cli.given import instant
from sereno.cli.output import Request, say, show_json

if TYPE_CHECKING:
    from sereno.flows.savings import SavingsReport

__all__ = ["run_savings"]

_REFUSED = 3


def run_savings(
    request: Request,
    site: str,
    baseline: tuple[str, str],
    *,
    since: str | None,
    until: str | None,
    signal: str | None,
) -> None:
    """Compare and show; exit 3 where no baseline carries any savings."""
    from sereno.flows.savings_view import report_json
    from sereno.flows.workspace import Workspace

    with Workspace.open(request.workspace, language=request.language) as workspace:
        start, end = (instant(workspace.settings.timezone, text, "--baseline") for text in baseline)
        assert start is not None
        assert end is not None
        report = workspace.savings(
            site,
            (start, end),
            since=instant(workspace.settings.timezone, since, "--since"),
            until=instant(workspace.settings.timezone, until, "--until"),
            signal=signal,
        )
        language = workspace.language
    if request.as_json:
        show_json(report_json(report))
    else:
        _show(report, language)
    if report.is_refused:
        raise typer.Exit(_REFUSED)


def _show(report: "SavingsReport", language: str) -> None:
    from sereno.flows.savings_view import say_fit, say_savings

    for one in report.meters:
        say(say_savings(one, report.currency, language))
        if fit := say_fit(one, language):
            say(f"  {fit}")
