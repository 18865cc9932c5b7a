"""Showing what judging gave: a run over the store, or the rows of a file."""

from pathlib import Path

from sereno.cli.output import Request, say, show_json
from sereno.flows.exports import write_table
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import number

__all__ = ["LEVELS", "fail_when", "show_judged_file", "show_score"]

LEVELS = ("low", "medium", "high", "critical")
_COLUMNS = (
    "site",
    "asset",
    "time",
    "is_abnormal",
    "kind",
    "cause",
    "severity",
    "score",
    "threshold",
    "signal",
    "observed",
    "expected",
    "unit",
    "sentence",
)


def show_score(request: Request, workspace: Workspace) -> str | None:
    """Judge the store; returns the worst severity among all active incidents."""
    report = workspace.score()
    views = workspace.incidents()
    if request.as_json:
        show_json(report.to_json() | {"incidents": len(views)})
    else:
        _say_score(report.to_json(), len(views), workspace)
    active = [int(view.incident.severity) for view in views if view.incident.ended_at is None]
    return LEVELS[max(active) - 1] if active else None


def show_judged_file(
    request: Request, workspace: Workspace, file: Path, output: Path | None, timezone: str | None
) -> str | None:
    """Judge a file; returns the worst severity of its rows."""
    rows = workspace.score_file(file, timezone=timezone)
    lines = [row.to_json(workspace.describe(row)) for row in rows]
    if output is not None:
        write_table(output, _COLUMNS, ([line[name] for name in _COLUMNS] for line in lines))
    abnormal = [row.detection for row in rows if row.detection is not None]
    if request.as_json:
        show_json({"file": str(file), "rows": len(rows), "abnormal": len(abnormal), "judged": lines})
    else:
        say(
            sentence("cli.judged_file", workspace.language, rows=len(rows), abnormal=len(abnormal), file=file)
        )
        for line in lines:
            if line["is_abnormal"]:
                severity = sentence(f"severity.{line['severity']}", workspace.language)
                say(f"  [{severity}] {line['sentence']}")
    return LEVELS[max(detection.severity for detection in abnormal) - 1] if abnormal else None


def fail_when(limit: str | None, worst: str | None) -> bool:
    """Whether a severity reaches the one that should fail the command."""
    return limit is not None and worst is not None and LEVELS.index(worst) >= LEVELS.index(limit)


def _say_score(report: dict[str, object], n_incidents: int, workspace: Workspace) -> None:
    language = workspace.language
    say(
        sentence(
            "cli.scored",
            language,
            rows=report["rows"],
            assets=report["assets"],
            opened=report["incidents_opened"],
            incidents=n_incidents,
        )
    )
    flags: dict[str, int] = report["flags"]  # type: ignore[assignment]
    for name, count in flags.items():
        say(sentence("cli.flagged", language, count=count, name=name))
    status: dict[str, object] | None = report["status"]  # type: ignore[assignment]
    if status is not None:
        word = sentence(f"status.{status['status']}", language)
        percent = number(float(str(status["percent"])), language)
        facts = {"total": status["total"], "abnormal": status["abnormal"]}
        say(sentence("cli.status", language, word=word, percent=percent, **facts))
    lacking: dict[str, int] = report["rows_until_behaviour"]  # type: ignore[assignment]
    for profile, rows in lacking.items():
        key = "cli.behaviour_now" if rows == 0 else "cli.behaviour_later"
        say(sentence(key, language, profile=profile, rows=rows))
