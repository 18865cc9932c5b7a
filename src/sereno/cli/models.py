"""`sereno models`: which models there are, what they promise, which one judges."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sereno.cli.output import Request, say, show_json, show_table
from sereno.cli.sheets import show_comparison, show_model_card, show_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sereno.domain.judgement import ModelCard
    from sereno.domain.registry import ForecasterCard
    from sereno.domain.signals import AssetKey
    from sereno.flows.recalibration import Recalibration

__all__ = ["models_app", "show_recalibrations", "show_trainings"]

models_app = typer.Typer(
    help="Trained models and what they promise.", invoke_without_command=True, rich_markup_mode=None
)

_COLUMNS = ("judges", "id", "detector", "trained_at", "assets", "requested", "promised", "realised", "claim")

_NAMED = 5
"""Assets that are named; of more it is said how many."""
_VERSIONS = ("id", "family", "kind", "state", "trained_at", "assets", "profile")
_HISTORY = ("at", "who", "event", "about", "reason")
Reason = Annotated[str, typer.Option(help="Why; kept in its history.")]
ModelId = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning of it.")]


@models_app.callback()
def default(context: typer.Context) -> None:
    """Without a subcommand: the list."""
    if context.invoked_subcommand is None:
        list_models(context)


@models_app.command("list")
def list_models(context: typer.Context) -> None:
    """All models, newest first: false episodes per week and asset that were asked for, promised, realised."""
    from sereno.flows.succession import model_line
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        rows = [model_line(card, workspace.active_models()) for card in workspace.models()]
        language = workspace.language
    if request.as_json:
        show_json(rows)
    elif rows:
        headings = [sentence(f"cli.models.{name}", language) for name in _COLUMNS]
        shown = [_shown(row, language) for row in rows]
        show_table(shown, _COLUMNS, headings)
    else:
        say(sentence("cli.models.none", language))


@models_app.command("card")
def show_card(context: typer.Context, model: ModelId) -> None:
    """What training said of a version: what it learnt from, with which settings, what it promises."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        document, language = workspace.model_card(model).to_json(), workspace.language
    if request.as_json:
        show_json(document)
    else:
        show_model_card(document, language)


@models_app.command("history")
def show_history(context: typer.Context, model: ModelId) -> None:
    """What was decided about the models of its profile, by whom and why, oldest first."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        told = workspace.model_history(model)
        language = workspace.language
    if request.as_json:
        show_json(told)
        return
    rows = [
        {**one, "event": sentence(f"cli.models.event.{one['event']}", language), "about": _about(one)}
        for one in told
    ]
    show_table(rows, _HISTORY, [sentence(f"cli.models.{name}", language) for name in _HISTORY])


def _about(entry: dict[str, object]) -> str:
    """What a decision was about: a model, or a check of an asset."""
    if entry.get("asset"):
        return f"{entry.get('asset')}: {entry.get('check')}"
    return str(entry.get("model") or "–")


@models_app.command("show")
def show_version(context: typer.Context, model: ModelId) -> None:
    """A version: what it learnt from, where it stands, how it did beside the champion, and its history."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        sheet, language = workspace.model_sheet(model), workspace.language
    if request.as_json:
        show_json(sheet)
        return
    show_sheet(sheet, language)


@models_app.command("versions")
def list_versions(context: typer.Context) -> None:
    """Every version of every detector and forecaster, newest first, and where it stands."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        rows, language = workspace.versions(), workspace.language
    if request.as_json:
        show_json(rows)
        return
    shown = [{**row, "state": sentence(f"cli.models.state.{row['state']}", language)} for row in rows]
    show_table(shown, _VERSIONS, [sentence(f"cli.models.{name}", language) for name in _VERSIONS])


@models_app.command("compare")
def compare(context: typer.Context, model: ModelId) -> None:
    """A version beside the champion, on days that neither has seen; kept on its card."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        found, language = workspace.registrar.compare(model, actor=_actor()).to_json(), workspace.language
    if request.as_json:
        show_json(found)
    else:
        show_comparison(found, language)


@models_app.command("promote")
def promote(
    context: typer.Context,
    model: ModelId,
    reason: Reason = "",
    force: Annotated[bool, typer.Option("--force", help="Without the comparison; needs a reason.")] = False,
) -> None:
    """Let a version judge or forecast, if it is better on days that neither it nor the champion has seen."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        card = workspace.promote_model(model, actor=_actor(), reason=reason, is_forced=force)
        language = workspace.language
    _show_judge(request, card, language)


@models_app.command("shadow")
def send_to_shadow(context: typer.Context, model: ModelId, reason: Reason = "") -> None:
    """Let a version judge or forecast beside the champion; nobody is told what it says."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        card = workspace.registrar.send_to_shadow(model, actor=_actor(), reason=reason)
        language = workspace.language
    if request.as_json:
        show_json(card.to_json())
    else:
        say(sentence("cli.models.in_the_shadow", language, model=card.id))


@models_app.command("rollback")
def roll_back(
    context: typer.Context,
    profile: Annotated[
        str | None,
        typer.Option(help="Profile, where more than one has been trained; or the group of a forecaster."),
    ] = None,
    reason: Reason = "",
) -> None:
    """Let the version judge, or forecast, again that did before the one of now."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        card = workspace.roll_back_model(profile, actor=_actor(), reason=reason)
        language = workspace.language
    _show_judge(request, card, language)


@models_app.command("candidate")
def learn_candidate(
    context: typer.Context,
    group: Annotated[str, typer.Argument(help="Group that is forecast together, as `versions` names it.")],
) -> None:
    """Learn another forecaster of a group with the settings in force; its champion forecasts on."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        card, language = workspace.learn_forecaster(group), workspace.language
    if request.as_json:
        show_json(card.to_json())
    else:
        say(sentence("cli.models.candidate", language, model=card.id))


@models_app.command("retrain")
def retrain(context: typer.Context) -> None:
    """The next step of learning anew for each profile and group, whether or not it is time for it."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        steps, language = workspace.retrain(is_asked=True), workspace.language
    if request.as_json:
        show_json({"steps": [one.to_json() for one in steps]})
        return
    for one in steps:
        what = sentence(f"cli.retrain.{one.outcome.value}", language)
        say(sentence("cli.retrain.step", language, profile=one.profile, what=what, model=one.model or "–"))


@models_app.command("export")
def export_version(
    context: typer.Context,
    model: ModelId,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File for another workspace; ID.sereno in this folder without it."),
    ] = None,
    mlflow: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Instead, a folder for a pyfunc that MLflow loads.")
    ] = None,
) -> None:
    """Write a version into a file that `models import` takes in elsewhere, or for MLflow."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    if output is not None and mlflow is not None:
        raise typer.BadParameter("either a file or a folder for MLflow", param_hint="--output")
    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        language = workspace.language
        if mlflow is not None:
            said = {"folder": str(workspace.export_mlflow(model, mlflow)), "format": "mlflow"}
            told = sentence("cli.models.exported", language, folder=said["folder"])
        else:
            card = workspace.model_card(model)
            file = workspace.export_model(card.id, output or Path(f"{card.id}.sereno"))
            said = {"file": str(file), "format": "sereno", "model": card.id, "digest": card.digest}
            told = sentence("cli.models.exported_file", language, file=str(file))
    if request.as_json:
        show_json(said)
    else:
        say(told)


@models_app.command("import")
def import_version(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `models export` wrote elsewhere.")],
) -> None:
    """Take in a version of another workspace as a candidate: it does nothing before it is promoted."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        card, language = workspace.import_model(file), workspace.language
    if request.as_json:
        show_json(card.to_json())
    else:
        say(sentence("cli.models.imported", language, model=card.id, profile=card.profile))


def show_trainings(
    request: Request,
    cards: "Sequence[ModelCard]",
    language: str,
    *,
    stored: "Sequence[tuple[str, AssetKey]]",
    is_whole: bool,
) -> None:
    """What was learnt, a paragraph each.

    Args:
        stored: Profile and name of the assets that there were to learn.
        is_whole: It was learnt from all there is, faults among it.
    """
    from sereno.i18n.catalogue import sentence

    learnt = {(card.profile, key) for card in cards for key in card.assets}
    unlearnt = [str(key) for profile, key in stored if (profile, key) not in learnt]
    if request.as_json:
        show_json({"models": [card.to_json() for card in cards], "not_learnt": unlearnt})
        return
    for card in cards:
        for line in _training_lines(card, language, is_whole=is_whole):
            say(line)
    if unlearnt:
        names = ", ".join([*unlearnt[:_NAMED], *["…"] * (len(unlearnt) > _NAMED)])
        say(sentence("cli.unlearnt", language, assets=len(unlearnt), names=names))


def _training_lines(card: "ModelCard", language: str, *, is_whole: bool) -> "Iterator[str]":
    from sereno.i18n.catalogue import sentence
    from sereno.i18n.numbers import number

    calibration = card.calibration
    yield sentence(
        "cli.trained",
        language,
        model=card.id,
        assets=len(card.assets),
        weeks=number(calibration.asset_weeks, language),
        budget=number(calibration.budget, language),
        realised=number(calibration.realised, language),
        claim=sentence(f"cli.claim.{calibration.claim}", language),
    )
    n_left_out = int(card.metrics.get("rows_left_out", 0))
    if n_left_out:
        yield sentence("cli.left_out", language, rows=n_left_out)
    asked = float(str(card.settings["budget"]))
    if calibration.budget > asked:
        yield sentence("cli.budget_lowered", language, asked=number(asked, language))
        if is_whole and not n_left_out:
            yield sentence("cli.whole_history", language)


def show_recalibrations(request: Request, results: "list[Recalibration]", language: str) -> None:
    """What came of recalibrating, a line each."""
    from sereno.i18n.catalogue import sentence
    from sereno.i18n.numbers import number

    if request.as_json:
        show_json({"recalibrations": [result.to_json() for result in results]})
        return
    for result in results:
        say(
            sentence(
                f"cli.recalibration.{result.decision.value}",
                language,
                model=result.model,
                became=result.became,
                before=number(result.before, language),
                after="–" if result.after is None else number(result.after, language),
                realised=number(result.realised_before, language),
                requested=number(result.requested, language),
                weeks=number(result.asset_weeks, language),
            )
        )


def _show_judge(request: Request, card: "ModelCard | ForecasterCard", language: str) -> None:
    from sereno.i18n.catalogue import sentence

    if request.as_json:
        show_json(card.to_json())
    else:
        say(sentence("cli.models.now_judges", language, model=card.id, profile=card.profile))


def _actor() -> str:
    """Who runs the command."""
    from sereno.domain.audit import current_act

    act = current_act()
    return "" if act is None else act.actor


def _shown(row: dict[str, object], language: str) -> dict[str, object]:
    """A row as people read it; models of before say nothing of what they promise."""
    from sereno.i18n.catalogue import sentence

    claim = sentence(f"cli.claim.{row['claim']}", language) if row["claim"] else ""
    return {**row, "judges": "*" if row["judges"] else "", "claim": claim}
