"""`sereno receivers`: who can be told, and whether a message arrives."""

from typing import TYPE_CHECKING, Annotated

import typer

from sereno.cli.output import Request, say, show_json, show_table

if TYPE_CHECKING:
    from sereno.flows.receivers import ReceiverView

__all__ = ["receivers_app"]

receivers_app = typer.Typer(
    help="Who can be told, and how each is doing.", invoke_without_command=True, rich_markup_mode=None
)

_COLUMNS = ("name", "kind", "condition", "accepted_at", "waiting", "dead", "reason")
_WAITING = ("queued", "held", "leased")


@receivers_app.callback()
def default(context: typer.Context) -> None:
    """Without a subcommand: the list."""
    if context.invoked_subcommand is None:
        list_receivers(context)


@receivers_app.command("list")
def list_receivers(context: typer.Context) -> None:
    """All receivers of sereno.yaml, and what waits for them or was given up."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        views, language = workspace.receivers(), workspace.language
    if request.as_json:
        show_json([view.to_json() for view in views])
    elif views:
        headings = [sentence(f"cli.receivers.{name}", language) for name in _COLUMNS]
        show_table([_row(view, language) for view in views], _COLUMNS, headings)
    else:
        say(sentence("cli.receivers.none", language))


@receivers_app.command("test")
def test(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Name of the receiver in sereno.yaml.")]
) -> None:
    """Send a test, end to end; exit with 1 if it was not accepted."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        answer = workspace.send_test(name)
        language = workspace.language
    facts = {"receiver": name, "outcome": answer.outcome.value, "code": answer.code, "detail": answer.detail}
    if request.as_json:
        show_json(facts)
    else:
        key = f"cli.receivers.tested.{answer.outcome.value}"
        said = " ".join(part for part in (answer.code, answer.detail) if part)
        say(sentence(key, language, receiver=name, answer=said))
    if answer.outcome.value != "accepted":
        raise typer.Exit(1)


def _row(view: "ReceiverView", language: str) -> dict[str, object]:
    from sereno.i18n.catalogue import sentence

    document = view.to_json()
    return document | {
        "condition": sentence(f"cli.receivers.condition.{view.condition}", language),
        "waiting": sum(view.counts.get(status, 0) for status in _WAITING),
    }
