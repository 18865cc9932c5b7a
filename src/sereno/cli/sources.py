"""`sereno sources`: where readings come from, and whether each can be read."""

from datetime import timedelta
from typing import Annotated

import typer

from sereno.cli.output import Request, say, show_json, show_table

__all__ = ["sources_app"]

sources_app = typer.Typer(
    help="Where readings come from, and how each is doing.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

_COLUMNS = ("name", "kind", "condition", "heard_at", "waiting", "failing", "tries", "quarantined", "issues")


@sources_app.callback()
def default(context: typer.Context) -> None:
    """Without a subcommand: the list."""
    if context.invoked_subcommand is None:
        list_sources(context)


@sources_app.command("list")
def list_sources(context: typer.Context) -> None:
    """All sources of sereno.yaml, when each was last heard of, and what could not be used."""
    from sereno.flows.source_views import find_sources
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        views = [view.to_json() for view in find_sources(workspace.setup, workspace.store)]
        language = workspace.language
    if request.as_json:
        show_json(views)
    elif views:
        headings = [sentence(f"cli.sources.{name}", language) for name in _COLUMNS]
        said = [
            view | {"condition": sentence(f"cli.sources.condition.{view['condition']}", language)}
            for view in views
        ]
        show_table(said, _COLUMNS, headings)
    else:
        say(sentence("cli.sources.none", language))


@sources_app.command("test")
def try_source(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the source in sereno.yaml.")],
    within: Annotated[
        float, typer.Option(min=0.1, help="How long something that sends by itself is listened to [s].")
    ] = 10.0,
) -> None:
    """Connect, read a sample and say what is understood; store nothing. Exit with 3 if nothing of it is."""
    from sereno.flows import source_views
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        document = source_views.try_source(workspace, name, within=timedelta(seconds=within)).to_json(
            workspace.language
        )
        language = workspace.language
    if request.as_json:
        show_json(document)
    else:
        _show(document, language)
    if document["refused"] and not document["signals"]:
        raise typer.Exit(3)


def _show(document: dict[str, object], language: str) -> None:
    from sereno.i18n.catalogue import sentence

    facts = {name: document[name] for name in ("source", "records")}
    say(sentence("cli.sources.read", language, **facts))
    assets: list[str] = document["assets"]  # type: ignore[assignment]
    if assets:
        say(sentence("cli.sources.assets", language, assets=", ".join(assets)))
    signals: dict[str, dict[str, str]] = document["signals"]  # type: ignore[assignment]
    for profile, units in signals.items():
        told = ", ".join(f"{signal} [{unit}]" if unit else signal for signal, unit in units.items())
        say(sentence("cli.sources.signals", language, profile=profile, signals=told))
    if document["last_at"] is not None:
        times = {name: document[name] for name in ("first_at", "last_at")}
        say(sentence("cli.sources.times", language, **times, offset=document["clock_offset_s"]))
    issues: list[dict[str, object]] = document["issues"]  # type: ignore[assignment]
    for issue in issues:
        say(f"  {issue['message']}")
    refused: list[str] = document["refused"]  # type: ignore[assignment]
    for reason in refused:
        say(sentence("cli.sources.refused", language, reason=reason))
