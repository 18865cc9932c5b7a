"""`sereno run`: the whole journey once."""

from typing import TYPE_CHECKING

import typer

from sereno.cli.output import Request, say, show_json, tell_progress
from sereno.i18n.catalogue import error_sentence, sentence
from sereno.i18n.numbers import number

if TYPE_CHECKING:
    from sereno.flows.running import RunReport

__all__ = ["run_all"]


def run_all(request: Request, *, fails: bool) -> None:
    """Run all stages and show what came of them; with `fails` exit 1 when a goal is not met."""
    from sereno.flows.running import run_workspace
    from sereno.flows.workspace import Workspace

    opened = Workspace.open(request.workspace, language=request.language)
    with opened as workspace, workspace.logging():
        language = workspace.language

        def tell(name: str, _facts: dict[str, object]) -> None:
            tell_progress(request, sentence(f"stage.{name}", language))

        report = run_workspace(workspace, tell=tell)
        folder = workspace.output_folder
    if request.as_json:
        show_json(report.to_json())
    else:
        _say_report(report, language)
        say(sentence("cli.run_files", language, folder=folder, files=", ".join(report.files)))
    if fails and report.evaluation is not None and not report.evaluation.is_accepted:
        raise typer.Exit(1)


def _say_report(report: "RunReport", language: str) -> None:
    from sereno.cli.evaluating import say_evaluation

    for result in report.results:
        entry = result.entry
        say(f"{entry['file']}: {entry['verdict']} +{entry['readings_new']}")
    for note in report.notes:
        say("  " + error_sentence(note, language))
    for profile, found in report.anomalies.items():
        levels = ", ".join(f"{level}: {rows}" for level, rows in found.levels.items())
        model = report.models.get(profile, "–")
        say(
            sentence(
                "cli.run_found", language, profile=profile, model=model, rows=found.n_rows, levels=levels
            )
        )
        for problem in found.problems.values():
            say("  " + error_sentence(problem, language))
    if report.evaluation is not None:
        say_evaluation(report.evaluation, language)
    say("")
    for name, seconds in report.seconds.items():
        reused = f" ({sentence('cli.run_reused', language)})" if name in report.reused else ""
        say(f"  {sentence(f'stage.{name}', language)}: {number(seconds, language)} s{reused}")
