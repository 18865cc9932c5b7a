"""`sereno export`: tables for other tools."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from sereno.cli.given import instant
from sereno.cli.output import Request, say, show_json
from sereno.domain.cleaning import Imputation, Normalization, OutlierRule, OutlierTreatment

if TYPE_CHECKING:
    from sereno.flows.exports import ExportReport, TableFormat
    from sereno.flows.workspace import Workspace

__all__ = ["Bom", "DecimalComma", "Since", "export_app", "table_format"]

export_app = typer.Typer(help="Tables for other tools.", no_args_is_help=True, rich_markup_mode=None)

Bom = Annotated[
    bool | None, typer.Option("--bom/--no-bom", help="Begin a CSV with the mark by which Excel knows UTF-8.")
]
DecimalComma = Annotated[
    bool | None,
    typer.Option(
        "--decimal-comma/--decimal-point",
        help="Decimal comma and semicolons in a CSV, as Excel in Spanish expects.",
    ),
]
Since = Annotated[
    str | None, typer.Option(help="Only from this instant on, as 2025-01-31 or 2025-01-31T08:00.")
]
Method = TypeVar("Method", Imputation, OutlierRule, OutlierTreatment, Normalization)


@export_app.callback()
def default() -> None:
    """Tables for other tools; nothing that is stored or judged changes."""


@export_app.command("preprocessed")
def export_preprocessed(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="File to write: XLSX or Parquet if it ends so, else CSV.")],
    asset: Annotated[list[str] | None, typer.Option(help="Only this site or asset; may be repeated.")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile, where there are several.")] = None,
    impute: Annotated[
        str | None, typer.Option(help="Missing values: none, interpolation, ffill, bfill or mean.")
    ] = None,
    max_gap: Annotated[str | None, typer.Option(help="Longest gap that is filled, as 6h or 2d.")] = None,
    outliers: Annotated[str | None, typer.Option(help="Rule: none, iqr or robust_zscore.")] = None,
    treatment: Annotated[
        str | None, typer.Option("--outlier-treatment", help="Outliers: clip or missing.")
    ] = None,
    factor: Annotated[
        float | None, typer.Option("--outlier-factor", min=0.1, help="Multiple in the rule; 1.5 or 3.5.")
    ] = None,
    normalize: Annotated[
        str | None, typer.Option(help="Scaled columns besides: none, standard or min_max.")
    ] = None,
    corrected: Annotated[
        bool | None, typer.Option("--corrected/--raw", help="Corrected values, or those that came.")
    ] = None,
    bom: Bom = None,
    decimal_comma: DecimalComma = None,
) -> None:
    """Write stored values on their grid with calendar features; judging stays on the raw ones.

    What is not given is as the block `exports:` of sereno.yaml says.
    """
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    changes = {
        "imputation": _method(Imputation, impute, "--impute"),
        "max_gap": _duration(max_gap),
        "outliers": _method(OutlierRule, outliers, "--outliers"),
        "treatment": _method(OutlierTreatment, treatment, "--outlier-treatment"),
        "factor": factor,
        "normalization": _method(Normalization, normalize, "--normalize"),
    }
    with Workspace.open(request.workspace, language=request.language) as workspace:
        plan = workspace.export_plan
        plan = replace(
            plan,
            profile=profile,
            assets=tuple(asset or ()),
            cleaning=replace(plan.cleaning, **_given(changes)),
            with_corrections=plan.with_corrections if corrected is None else corrected,
            table_format=table_format(workspace, bom, decimal_comma),
        )
        report = workspace.export_preprocessed(output, plan)
        language = workspace.language
    if request.as_json:
        show_json(report.to_json())
    else:
        _say_report(report, language)


@export_app.command("results")
def export_results(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="File to write: XLSX or Parquet if it ends so, else CSV.")],
    asset: Annotated[list[str] | None, typer.Option(help="Only this site or asset; may be repeated.")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile, where there are several.")] = None,
    since: Since = None,
    bom: Bom = None,
    decimal_comma: DecimalComma = None,
) -> None:
    """Write the score of every judged row, whether it is abnormal, and the error of each variable."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        plan = replace(
            workspace.export_plan,
            profile=profile,
            assets=tuple(asset or ()),
            table_format=table_format(workspace, bom, decimal_comma),
        )
        report = workspace.export_results(
            output, plan, since=instant(workspace.settings.timezone, since, "--since")
        )
        language = workspace.language
    if request.as_json:
        show_json(report.to_json())
        return
    facts = {"rows": report.n_rows, "assets": report.n_assets, "abnormal": report.n_abnormal}
    say(sentence("cli.exported_results", language, file=report.file, **facts))


def table_format(workspace: "Workspace", bom: bool | None, decimal_comma: bool | None) -> "TableFormat":
    """How a CSV is written: as given, else as the settings say."""
    given = _given({"has_bom": bom, "has_decimal_comma": decimal_comma})
    return replace(workspace.export_plan.table_format, **given)


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}


def _method(kind: type[Method], given: str | None, option: str) -> Method | None:
    """The method of that name, or of one that it has in Spanish or elsewhere."""
    if given is None:
        return None
    try:
        return kind(given)
    except ValueError as error:
        raise typer.BadParameter(", ".join(kind), param_hint=option) from error


def _duration(given: str | None) -> object:
    from sereno.domain.time import parse_duration

    try:
        return parse_duration(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--max-gap") from error


def _say_report(report: "ExportReport", language: str) -> None:
    from sereno.i18n.catalogue import error_sentence, sentence

    say(sentence("cli.exported", language, file=report.file, rows=report.n_rows, assets=report.n_assets))
    for signal, counts in report.values.items():
        say(sentence("cli.exported_values", language, signal=signal, **counts))
    for error in report.problems.values():
        say("  " + error_sentence(error, language))


@export_app.command("anomalies")
def export_anomalies(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="File to write: XLSX or Parquet if it ends so, else CSV.")],
    asset: Annotated[list[str] | None, typer.Option(help="Only this site or asset; may be repeated.")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile, where there are several.")] = None,
    since: Annotated[str | None, typer.Option(help="Only hours from this instant on, as 2024-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="Only hours before this instant.")] = None,
) -> None:
    """Write a row per abnormal hour, with its criticality by the bands of `criticality:` in sereno.yaml."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import error_sentence, sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        report = workspace.export_anomalies(
            output,
            profile=profile,
            assets=tuple(asset or ()),
            since=instant(workspace.settings.timezone, since, "--since"),
            until=instant(workspace.settings.timezone, until, "--until"),
        )
        language = workspace.language
    if request.as_json:
        show_json(report.to_json())
        return
    say(sentence("cli.exported", language, file=report.file, rows=report.n_rows, assets=report.n_assets))
    say("  " + ", ".join(f"{level}: {rows}" for level, rows in report.levels.items()))
    for error in report.problems.values():
        say("  " + error_sentence(error, language))


@export_app.command("clusters")
def export_clusters(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="File to write: XLSX or Parquet if it ends so, else CSV.")],
    profile: Annotated[str | None, typer.Option(help="Profile, where there are several.")] = None,
) -> None:
    """Write which segment each client is in."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        n_rows = workspace.export_clusters(output, profile=profile)
        language = workspace.language
    if request.as_json:
        show_json({"file": str(output), "rows": n_rows})
    else:
        say(sentence("cli.exported", language, file=output, rows=n_rows, assets=n_rows))
