"""`sereno models`: which models there are, what they promise, which one judges."""

from typing import TYPE_CHECKING, Annotated

import typer

from sereno.cli.output import Request, say, show_json, show_table

if TYPE_CHECKING:
    from sereno.domain.judgement import ModelCard
    from sereno.domain.registry import ForecasterCard
    from sereno.flows.recalibration import Recalibration

__all__ = ["models_app", "show_recalibrations"]

models_app = typer.Typer(
    help="Trained models and what they promise.", invoke_without_command=True, rich_markup_mode=None
)

_COLUMNS = ("judges", "id", "detector", "trained_at", "assets", "requested", "promised", "realised", "claim")

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
    """All that is known of one model."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        document = workspace.model_card(model).to_json()
    if request.as_json:
        show_json(document)
        return
    for name, value in document.items():
        say(f"{name}: {value}")


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
    return str(entry.get("model") or f"{entry.get('asset')}: {entry.get('check')}")


@models_app.command("promote")
def promote(context: typer.Context, model: ModelId, reason: Reason = "") -> None:
    """Let this model judge its profile."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        card = workspace.promote_model(model, actor=_actor(), reason=reason)
        language = workspace.language
    _show_judge(request, card, language)


@models_app.command("rollback")
def roll_back(
    context: typer.Context,
    profile: Annotated[
        str | None, typer.Option(help="Profile, where more than one has been trained.")
    ] = None,
    reason: Reason = "",
) -> None:
    """Let the model judge again that judged before the last recalibration or training."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        card = workspace.roll_back_model(profile, actor=_actor(), reason=reason)
        language = workspace.language
    _show_judge(request, card, language)


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
