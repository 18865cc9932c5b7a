"""The commands, thin: parse, call the workspace, show."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sereno.cli.access import audit_app, keys_app, organizations_app, users_app
from sereno.cli.corrections import corrections_app
from sereno.cli.exports import Since, export_app
from sereno.cli.given import instant, refuse_with_lake, refuse_without_lake
from sereno.cli.incidents import incidents_app
from sereno.cli.models import models_app, show_recalibrations, show_trainings
from sereno.cli.notifications import notifications_app
from sereno.cli.output import Request, say, set_request, show_json, tell_progress
from sereno.cli.privacy import privacy_app
from sereno.cli.receivers import receivers_app
from sereno.cli.settings import config_app
from sereno.cli.silences import silences_app
from sereno.cli.sources import sources_app
from sereno.domain.audit import current_act

if TYPE_CHECKING:
    from sereno.flows.build import FileHints, Setup
    from sereno.flows.ingest import FileResult
    from sereno.flows.workspace import Workspace

__all__ = ["app"]

app = typer.Typer(
    name="sereno",
    help="Night watch for energy and process data: from messy files to a few explained incidents.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="--workspace, --organization, --json, --lang, --quiet and --debug may stand before or after the "
    "command.",
)
app.add_typer(incidents_app, name="incidents")
app.add_typer(silences_app, name="silences")
app.add_typer(corrections_app, name="corrections")
app.add_typer(export_app, name="export")
app.add_typer(config_app, name="config")
app.add_typer(models_app, name="models")
app.add_typer(receivers_app, name="receivers")
app.add_typer(notifications_app, name="notifications")
app.add_typer(sources_app, name="sources")
app.add_typer(organizations_app, name="organizations")
app.add_typer(keys_app, name="keys")
app.add_typer(users_app, name="users")
app.add_typer(audit_app, name="audit")
app.add_typer(privacy_app, name="privacy")

Timezone = Annotated[
    str | None, typer.Option(help="IANA zone of times written without one, as Europe/Madrid.")
]
Decimal = Annotated[
    Literal[".", ","] | None, typer.Option(help="Decimal sign, . or , where a file itself cannot tell.")
]
DateOrder = Annotated[
    Literal["dmy", "mdy"] | None, typer.Option(help="dmy or mdy, where a file itself cannot tell.")
]
Stamp = Annotated[
    Literal["start", "end"] | None,
    typer.Option(help="start or end of a step, what times mean where a file itself cannot tell."),
]
MappingName = Annotated[
    str | None,
    typer.Option("--mapping", help="Mapping of sereno.yaml, or portal, that the files must be read by."),
]
ProfileName = Annotated[
    str | None, typer.Option(help="Profile of the files; otherwise decided by their columns.")
]
LakeAddress = Annotated[
    str | None,
    typer.Option("--lake", help="Parquet files, folder or address, to work on block by block instead."),
]
LakeOutput = Annotated[
    str | None, typer.Option("--output", help="With --lake: folder or address of results and models.")
]
FailOn = Annotated[
    str | None, typer.Option(help="Exit with 1 if an incident of this severity or worse is found.")
]


@app.callback()
def common(
    context: typer.Context,
    workspace: Annotated[
        Path, typer.Option(help="Folder of the workspace; created on first use.", readable=False)
    ] = Path(),
    organization: Annotated[
        str, typer.Option(help="Organization whose data it is about; default is the workspace itself.")
    ] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    lang: Annotated[str | None, typer.Option(help="Language of sentences: es or en.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
    debug: Annotated[  # noqa: ARG001 - `main` looks for it, because it also covers failures before this
        bool, typer.Option("--debug", help="Show the traceback of a failure.")
    ] = False,
) -> None:
    """Common options of all commands."""
    if lang not in (None, "es", "en"):
        raise typer.BadParameter("es or en", param_hint="--lang")
    folder = workspace
    if organization != "default":
        from sereno.flows.organizations import organization_folder

        folder = organization_folder(workspace, organization)
    context.obj = set_request(Request(folder, as_json, lang, quiet, workspace))
    act = current_act()
    if act is not None:
        act.action = str(context.invoked_subcommand)


@app.command()
def check(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Files or folders.", readable=False)],
    timezone: Timezone = None,
    profile: ProfileName = None,
    decimal: Decimal = None,
    date_order: DateOrder = None,
    stamp: Stamp = None,
    mapping: MappingName = None,
    save_mapping: Annotated[
        str | None, typer.Option(help="Save how the file is read under this name in sereno.yaml.")
    ] = None,
) -> None:
    """Say what is understood of files and what is wrong in them; store nothing."""
    from sereno.flows.build import FileHints, open_setup
    from sereno.flows.checking import check_paths

    request: Request = context.obj
    setup = open_setup(request.workspace, language=request.language)
    hints = FileHints(timezone, profile, decimal, date_order, stamp, mapping)
    results = list(check_paths(setup, files, hints))
    _show_files(request, [result.entry for result in results])
    if results and all(result.is_refused for result in results):
        raise typer.Exit(3)
    if save_mapping is not None:
        _save_mapping(request, setup, files, save_mapping, hints)


@app.command()
def ingest(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.", readable=False)],
    timezone: Timezone = None,
    profile: ProfileName = None,
    decimal: Decimal = None,
    date_order: DateOrder = None,
    stamp: Stamp = None,
    mapping: MappingName = None,
) -> None:
    """Read and store files; broken rows go to quarantine, a file read before changes nothing."""
    request: Request = context.obj

    from sereno.i18n.catalogue import machine_language, sentence

    def on_file(result: "FileResult") -> None:
        as_profile = f" ({result.profile})" if result.profile else ""
        if result.is_known:
            as_profile = f" ({sentence('cli.known', request.language or machine_language())})"
        tell_progress(request, f"{result.entry['file']}{as_profile}: +{result.entry['readings_new']}")

    with _open(request) as workspace:
        results = workspace.ingest(
            *paths,
            timezone=timezone,
            profile=profile,
            decimal=decimal,
            date_order=date_order,
            stamp=stamp,
            mapping=mapping,
            on_file=on_file,
        )
    _show_files(request, [result.entry for result in results])
    if results and all(result.is_refused for result in results):
        raise typer.Exit(3)


@app.command()
def train(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    profile: Annotated[str | None, typer.Option(help="Only this profile.")] = None,
    detector: Annotated[
        str | None, typer.Option(help="Detector of behaviour, instead of the one in settings.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0.0, help="False alarms accepted per asset and week [episodes].")
    ] = None,
    recalibrate: Annotated[
        bool,
        typer.Option(
            "--recalibrate", help="Learn nothing; find thresholds anew on the calm rows since training."
        ),
    ] = False,
    candidate: Annotated[
        bool,
        typer.Option(
            "--candidate", help="The model that judges goes on; `sereno models promote` compares the new one."
        ),
    ] = False,
    lake: LakeAddress = None,
    output: LakeOutput = None,
    before: Annotated[str | None, typer.Option(help="Learn only from readings before this instant.")] = None,
) -> None:
    """Learn every asset's normal behaviour and calibrate it to the false-alarm budget."""
    request: Request = context.obj
    if lake is not None:
        from sereno.cli.lake import LakeCall, train_fleet

        refuse_with_lake({"--recalibrate": recalibrate, "--candidate": candidate})
        train_fleet(request, LakeCall(lake, output, profile, detector, budget, before))
        return
    refuse_without_lake({"--output": output})
    if recalibrate:
        if detector is not None or budget is not None or before is not None or candidate:
            raise typer.BadParameter(
                "without --detector, --budget, --before and --candidate", param_hint="--recalibrate"
            )
        with _open(request) as workspace:
            show_recalibrations(request, workspace.recalibrate(profile=profile), workspace.language)
        return
    with _open(request) as workspace:
        cards = workspace.train(
            profile=profile,
            detector=detector,
            budget=budget,
            before=instant(workspace.settings.timezone, before, "--before"),
            is_candidate=candidate,
        )
        stored = [(one.profile, one.key) for one in workspace.assets(profile=profile)]
        show_trainings(request, cards, workspace.language, stored=stored, is_whole=before is None)


@app.command()
def reproduce(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="Its id, or the beginning of it; every champion without one."),
    ] = None,
) -> None:
    """Train again in two fresh processes, with one thread and with two, and say whether it is the same."""
    from sereno.cli.sheets import show_reproductions

    request: Request = context.obj
    with _open(request) as workspace:
        found, language = workspace.reproduce(model), workspace.language
    if request.as_json:
        show_json({"reproductions": [one.to_json() for one in found]})
    else:
        show_reproductions(found, language)
    if any(one.verdict.value != "reproducible" for one in found):
        raise typer.Exit(1)


@app.command()
def segment(
    context: typer.Context,
    profile: Annotated[str | None, typer.Option(help="Only this profile.")] = None,
    assign: Annotated[
        bool, typer.Option("--assign", help="Keep the known segments; only assign assets without one.")
    ] = False,
) -> None:
    """Find the assets that behave alike, draw why, and keep it for the next training."""
    from sereno.cli.segmenting import run_segment

    run_segment(context.obj, profile=profile, is_refit=not assign)


@app.command()
def forecast(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    horizon: Annotated[str, typer.Option(help="How far ahead, as 1h, 24h or 7d.")] = "24h",
    origin: Annotated[
        str | None, typer.Option(help="From when; the end of the last reading without it.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Only this profile.")] = None,
    asset: Annotated[str | None, typer.Option(help="Only this asset, as Asset or Site/Asset.")] = None,
    signal: Annotated[str | None, typer.Option(help="What to forecast; the first signal without it.")] = None,
    forecaster: Annotated[
        str | None, typer.Option(help="ridge, seasonal_naive, boost or mixed; that of settings without it.")
    ] = None,
    lake: LakeAddress = None,
    output: LakeOutput = None,
    store: Annotated[
        bool, typer.Option("--store", help="With --lake: what is said is kept in the workspace, too.")
    ] = False,
) -> None:
    """Forecast the stored meters with bands, and keep what was said."""
    if lake is not None:
        from sereno.cli.lake import FleetForecast, LakeCall, forecast_fleet

        refuse_with_lake({"--asset": asset})
        call = LakeCall(lake, output, profile)
        asked = FleetForecast(horizon, origin, signal, forecaster, is_stored=store)
        forecast_fleet(context.obj, call, asked)
        return
    refuse_without_lake({"--output": output, "--store": store})
    from sereno.cli.forecasting import run_forecast

    run_forecast(
        context.obj,
        horizon=horizon,
        origin=origin,
        profile=profile,
        asset=asset,
        signal=signal,
        forecaster=forecaster,
    )


@app.command()
def drift(
    context: typer.Context,
    weeks: Annotated[
        int | None, typer.Option(help="The last whole weeks to judge; `drift.weeks` without it.", min=1)
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Only this profile.")] = None,
    asset: Annotated[str | None, typer.Option(help="Only this asset, as Asset or Site/Asset.")] = None,
    signal: Annotated[str | None, typer.Option(help="What is forecast; the first signal without it.")] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            help="Put this drift into those weeks, and see whether it is seen: temperature_shift, "
            "seasonal_drift, missing_features, load_increase or all."
        ),
    ] = None,
    fail_on: Annotated[
        Literal["LOW", "MEDIUM", "HIGH"] | None, typer.Option(help="Exit 1 from this level on.")
    ] = None,
) -> None:
    """Tell whether data, inputs, behaviour or forecasts are no longer what was learnt."""
    from sereno.cli.drifting import run_drift

    run_drift(
        context.obj,
        weeks=weeks,
        profile=profile,
        asset=asset,
        signal=signal,
        scenarios=scenario or (),
        fail_on=fail_on,
    )


@app.command()
def savings(
    context: typer.Context,
    site: Annotated[str, typer.Argument(help="A site, or one meter as Site/Asset.")],
    baseline: Annotated[
        tuple[str, str], typer.Option(help="First day of the baseline and the day after its last.")
    ],
    since: Annotated[
        str | None, typer.Option(help="First day compared; the end of the baseline without it.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Day after the last compared; the last reading without it.")
    ] = None,
    signal: Annotated[str | None, typer.Option(help="What is metered, if not consumption or energy.")] = None,
) -> None:
    """Say what a site has saved since a baseline, how sure that is, and how well the baseline fits."""
    from sereno.cli.savings import run_savings

    run_savings(context.obj, site, baseline, since=since, until=until, signal=signal)


@app.command()
def score(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="Judge this file without storing it.", readable=False)
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(help="Write the judged rows of FILE as CSV; with --lake: folder or address of results."),
    ] = None,
    timezone: Timezone = None,
    fail_on: FailOn = None,
    lake: LakeAddress = None,
    profile: Annotated[str | None, typer.Option(help="With --lake: profile of its assets.")] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="With --lake: write the score of every row, too.")
    ] = False,
    store: Annotated[
        bool, typer.Option("--store", help="With --lake: its incidents go into the workspace, too.")
    ] = False,
) -> None:
    """Judge the stored readings, a file, or a lake."""
    from sereno.cli.judged import LEVELS, fail_when, show_judged_file, show_score

    if fail_on is not None and fail_on not in LEVELS:
        raise typer.BadParameter(", ".join(LEVELS), param_hint="--fail-on")
    request: Request = context.obj
    if lake is not None:
        from sereno.cli.lake import LakeCall, score_fleet

        refuse_with_lake({"FILE": file, "--timezone": timezone})
        worst = score_fleet(request, LakeCall(lake, output, profile, keeps_scores=scores), is_stored=store)
        if fail_when(fail_on, worst):
            raise typer.Exit(1)
        return
    refuse_without_lake({"--profile": profile, "--scores": scores, "--store": store})
    if output is not None and file is None:
        raise typer.BadParameter(
            "rows of a file; stored ones: `sereno export results`", param_hint="--output"
        )
    with _open(request) as workspace:
        if file is None:
            worst = show_score(request, workspace)
        else:
            worst = show_judged_file(request, workspace, file, Path(output) if output else None, timezone)
        if fail_when(fail_on, worst):
            raise typer.Exit(1)


@app.command()
def run(
    context: typer.Context,
    fail_on_goals: Annotated[
        bool, typer.Option("--fail-on-goals", help="Exit with 1 if a goal of the settings is not met.")
    ] = False,
) -> None:
    """Do the whole journey of `run:` in sereno.yaml once: read, segment, learn, judge, compare, write."""
    from sereno.cli.running import run_all

    run_all(context.obj, fails=fail_on_goals)


@app.command()
def evaluate(
    context: typer.Context,
    truth: Annotated[Path, typer.Option(help="Table of known anomalies, CSV or workbook.", readable=False)],
    since: Annotated[
        str | None, typer.Option(help="Only rows from this instant on, as 2024-01-31 or with a time.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only rows before this instant.")] = None,
    fail_on_goals: Annotated[
        bool, typer.Option("--fail-on-goals", help="Exit with 1 if a goal of the settings is not met.")
    ] = False,
    lake: LakeAddress = None,
    output: Annotated[
        str | None, typer.Option("--output", help="With --lake: where `train --lake` left its models.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="With --lake: profile of its assets.")] = None,
) -> None:
    """Compare what is said with what is known: by row, event, variable and criticality."""
    if lake is not None:
        from sereno.cli.lake import LakeCall, evaluate_fleet

        call = LakeCall(lake, output, profile)
        evaluate_fleet(context.obj, call, truth, since=since, until=until, fails=fail_on_goals)
        return
    refuse_without_lake({"--output": output, "--profile": profile})
    from sereno.cli.evaluating import run_evaluation

    run_evaluation(context.obj, truth, since=since, until=until, fails=fail_on_goals)


@app.command()
def watch(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="A folder; otherwise the sources in sereno.yaml.", readable=False)
    ] = None,
    pattern: Annotated[str, typer.Option(help="Which file names are taken.")] = "*",
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks.")] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, take what is finished, and end.")] = False,
    timezone: Timezone = None,
    profile: ProfileName = None,
    decimal: Decimal = None,
    date_order: DateOrder = None,
    stamp: Stamp = None,
) -> None:
    """Store and judge files as they arrive, until stopped; one bad file never stops it."""
    from sereno.cli.watching import run_watch
    from sereno.flows.build import FileHints

    with _open(context.obj) as workspace, workspace.logging():
        run_watch(
            context.obj,
            workspace,
            folder,
            pattern=pattern,
            interval=interval,
            is_once=once,
            hints=FileHints(timezone, profile, decimal, date_order, stamp),
        )


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8420,
    role: Annotated[
        Literal["all", "api", "engine", "notifier"],
        typer.Option(help="Part of the work; apart only on PostgreSQL."),
    ] = "all",
) -> None:
    """Serve the API while the engine works, until stopped."""
    from sereno.cli.serving import run_service

    run_service(context.obj, host=host, port=port, role=role)


@app.command()
def summary(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, help="Last days of the data.")] = 7,
) -> None:
    """Count the incidents of the last days, by severity, kind and site."""
    request: Request = context.obj
    with _open(request) as workspace:
        document = workspace.summary(days=days)
        language = workspace.language
    if request.as_json:
        show_json(document)
        return
    from sereno.i18n.catalogue import sentence

    say(sentence("cli.summary", language, total=document["total"], active=document["active"], days=days))
    for title, prefix in (("by_severity", "severity."), ("by_kind", "kind."), ("by_site", "")):
        counts: dict[str, int] = document[title]  # type: ignore[assignment]
        names = [sentence(prefix + name, language) if prefix else name for name in counts]
        if names:
            say("  " + ", ".join(f"{name}: {n}" for name, n in zip(names, counts.values(), strict=True)))
    precision: dict[str, object] = document["precision"]  # type: ignore[assignment]
    if precision["percent"] is not None:
        facts = {name: precision[name] for name in ("real", "false_alarms", "percent")}
        say("  " + sentence("cli.precision", language, **facts))


@app.command()
def health(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, help="Last days of the data.")] = 30,
) -> None:
    """Say how much incidents ask of people, beside the targets of EEMUA 191, and what would help most."""
    from sereno.cli.health import run_health

    run_health(context.obj, days)


@app.command()
def regimes(
    context: typer.Context,
    asset: Annotated[str | None, typer.Option(help="Only of this site or asset.")] = None,
    since: Since = None,
) -> None:
    """Show when process lines started, stopped or came to other set-points, which is no alarm."""
    from sereno.cli.regimes import run_regimes

    run_regimes(context.obj, asset=asset, since=since)


@app.command()
def physics(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, help="Last days of the data.")] = 30,
    output: Annotated[
        Path | None, typer.Option(help="Write base volume and amount of gas of each row as CSV.")
    ] = None,
) -> None:
    """Show what physics gives: self-use, peers, gas at base conditions, twins, unbalance."""
    from sereno.cli.physics import run_physics

    run_physics(context.obj, days=days, output=output)


@app.command()
def report(
    context: typer.Context,
    subject: Annotated[
        str, typer.Argument(help="Asset, site or id of an incident; nothing for the fleet.", metavar="[NAME]")
    ] = "",
    about: Annotated[
        Literal["asset", "site", "incident", "fleet"] | None,
        typer.Option(
            help="What NAME is, where that is not an asset as its model judges it, an incident, or the fleet."
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option(help="File to write: .html, .pdf (needs Chromium) or .xlsx.")
    ] = Path("report.html"),
    since: Since = None,
    until: Annotated[str | None, typer.Option(help="Only what was before, as 2025-06-30.")] = None,
) -> None:
    """Write a report as one file that can be mailed: of an asset, a site, an incident, or the fleet."""
    from sereno.cli.reports import run_report

    run_report(context.obj, subject, about or "", output, since=since, until=until)


@app.command()
def simulate(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    profile: Annotated[str, typer.Argument(help="solar, motor, process, gas or load.")],
    rows: Annotated[int | None, typer.Option(min=1, help="Rows of the world, over all its assets.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days, instead of rows.")] = None,
    assets: Annotated[int | None, typer.Option(min=1, help="Number of assets.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; drawn and printed when absent.")] = None,
    variables: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=3,
            help="Variables of a process line; with --output and no length, 7 calm days, 5 with faults "
            "and a live moment, in folders train, test and live.",
        ),
    ] = None,
    max_rows: Annotated[
        int | None, typer.Option(min=1, help="Keep at most so many simulated rows; the oldest go first.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write CSV files there instead of storing.")] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Day that it ends before (UTC), not now: with a seed, the same world whenever it is made.",
        ),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="First delete simulated readings, and only those.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before deleting.")] = False,
) -> None:
    """Make a labelled synthetic world with named faults, and store it or write it."""
    from sereno.cli.simulating import run_simulation
    from sereno.flows.simulating import SimulationPlan

    plan = SimulationPlan(
        profile, rows=rows, days=days, assets=assets, seed=seed, variables=variables, max_rows=max_rows
    )
    run_simulation(context.obj, plan, output=output, until=until, is_reset=reset, is_sure=yes)


@app.command()
def demo(
    context: typer.Context,
    serve: Annotated[
        bool | None,
        typer.Option(
            "--serve/--no-serve",
            help="Open the console on the worst incident, until Ctrl+C; only on a terminal without either.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the console; 0 takes a free one.")
    ] = 8420,
    seed: Annotated[int, typer.Option(help="Seed of the worlds.")] = 7,
) -> None:
    """Build the bundled worlds, train, replay the last week, and explain the worst incident."""
    from sereno.cli.showing import run_demo

    run_demo(context.obj, seed=seed, serve=serve, port=port)


@app.command()
def doctor(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="That the service is to listen on.")] = 8420,
) -> None:
    """Report on the installation and the workspace, to paste; contains no secrets."""
    from sereno.cli.showing import run_doctor

    run_doctor(context.obj, port=port)


@app.command()
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Archive to write, or a folder for it.", readable=False)],
) -> None:
    """Write store, models, profiles and settings into one archive, also while an engine works."""
    from sereno.cli.safety import run_backup

    run_backup(context.obj, file)


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Archive that `sereno backup` wrote.", readable=False)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what is there; it is kept in backups/.")
    ] = False,
    hold_notifications: Annotated[
        bool,
        typer.Option(
            "--hold-notifications",
            help="Send nothing that was still to be sent then, until `sereno notifications release`.",
        ),
    ] = False,
) -> None:
    """Make the workspace what it was when the archive was written: all of it, or nothing."""
    from sereno.cli.safety import run_restore

    run_restore(context.obj, file, replace=replace, hold_notifications=hold_notifications)


@app.command()
def upgrade(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is due.")] = False,
) -> None:
    """Bring a store that an older version wrote up to date, with a backup first."""
    from sereno.cli.safety import run_upgrade

    run_upgrade(context.obj, is_dry=dry_run)


def _save_mapping(request: Request, setup: "Setup", files: list[Path], name: str, hints: "FileHints") -> None:
    from sereno.domain.errors import UsageError
    from sereno.flows.mappings import save_file_mapping
    from sereno.i18n.catalogue import sentence

    if len(files) != 1 or not files[0].is_file():
        raise UsageError(detail="a mapping is saved from one file", command="check")
    path = save_file_mapping(setup, files[0], name, hints)
    tell_progress(request, sentence("cli.mapping_saved", setup.language, mapping=name, file=str(path)))


def _open(request: Request) -> "Workspace":
    from sereno.flows.workspace import Workspace

    return Workspace.open(request.workspace, language=request.language)


def _show_files(request: Request, entries: list[dict[str, object]]) -> None:
    if request.as_json:
        show_json({"files": entries})
        return
    from sereno.cli.files import show_files
    from sereno.i18n.catalogue import machine_language

    show_files(entries, request.language or machine_language())
