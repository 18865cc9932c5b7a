"""`sereno evaluate`: what was said against what was so."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sereno.cli.given import instant
from sereno.cli.output import Request, say, show_json, show_table
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import number

if TYPE_CHECKING:
    from sereno.flows.evaluation import Evaluation

__all__ = ["run_evaluation", "say_evaluation"]

_PERCENT = 100.0


def run_evaluation(
    request: Request, truth: Path, *, since: str | None, until: str | None, fails: bool
) -> None:
    """Evaluate and show; with `fails` exit 1 when a goal is not met."""
    from sereno.flows.workspace import Workspace

    with Workspace.open(request.workspace, language=request.language) as workspace:
        found = workspace.evaluate(
            truth,
            since=instant(workspace.settings.timezone, since, "--since"),
            until=instant(workspace.settings.timezone, until, "--until"),
        )
        language, folder = workspace.language, workspace.output_folder
    if request.as_json:
        show_json(found.to_json())
    else:
        say_evaluation(found, language)
        say(sentence("cli.evaluation_file", language, file=folder / "performance_metrics.csv"))
    if fails and not found.is_accepted:
        raise typer.Exit(1)


def say_evaluation(found: "Evaluation", language: str) -> None:
    """Figures beside detectors that look at no data, then the table of acceptance."""
    board = found.board
    facts = {"labels": found.n_labels, "distinct": found.n_distinct, "events": board.n_events}
    weeks = number(board.asset_weeks, language)
    say(sentence("cli.evaluated", language, assets=board.n_assets, weeks=weeks, **facts))
    for name, count in found.unknown.items():
        say("  " + sentence("cli.evaluation_unknown", language, asset=name, labels=count))
    if found.n_outside:
        say("  " + sentence("cli.evaluation_outside", language, labels=found.n_outside))
    columns = ["detector", "precision", "recall", "f1", "fpr", "events", "delay", "false_week"]
    headings = [sentence(f"column.{name}", language) for name in columns]
    show_table(list(_detectors(found, language)), columns, headings)
    say("")
    columns = ["goal", "wanted", "figure_found", "met"]
    headings = [sentence(f"column.{name}", language) for name in columns]
    show_table(list(_goals(found, language)), columns, headings)


def _detectors(found: "Evaluation", language: str) -> list[dict[str, object]]:
    board = found.board
    return [
        {
            "detector": sentence(f"detector.{name}", language),
            "precision": _percent(score.rows.precision, language),
            "recall": _percent(score.rows.recall, language),
            "f1": number(score.rows.f1, language),
            "fpr": _percent(score.rows.false_positive_rate, language),
            "events": f"{score.n_found}/{board.n_events}",
            "delay": f"{number(score.median_delay_minutes, language)} min",
            "false_week": number(score.n_false / board.asset_weeks if board.asset_weeks else 0.0, language),
        }
        for name, score in board.detectors.items()
    ]


def _goals(found: "Evaluation", language: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for one in found.criteria:
        name, _, variable = one.name.partition(":")
        is_time = name == "latency_minutes"
        shown = [
            f"{number(v, language)} min" if is_time else _percent(v, language) for v in (one.goal, one.value)
        ]
        word = "cli.unknown" if one.is_met is None else "cli.yes" if one.is_met else "cli.no"
        rows.append(
            {
                "goal": sentence(f"goal.{name}", language, variable=variable),
                "wanted": f"{'≤' if one.is_upper else '≥'} {shown[0]}",
                "figure_found": "–" if one.is_met is None else shown[1],
                "met": sentence(word, language),
            }
        )
    return rows


def _percent(share: float, language: str) -> str:
    return f"{number(_PERCENT * share, language)} %" if isfinite(share) else "–"
