"""`sereno notifications`: what was told to whom, and what was given up."""

import threading
from datetime import datetime
from typing import Annotated

import typer

from sereno.cli.output import Request, say, show_json, show_table

__all__ = ["notifications_app"]

notifications_app = typer.Typer(
    help="What was told to whom, and what waits or was given up.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

_COLUMNS = ("id", "status", "receiver", "event", "incident", "created_at", "sent_at", "tries", "reason")
_STATUSES = ("queued", "held", "leased", "sent", "folded", "dead", "kept")


@notifications_app.callback()
def default(context: typer.Context) -> None:
    """Without a subcommand: the list."""
    if context.invoked_subcommand is None:
        list_notifications(context)


@notifications_app.command("list")
def list_notifications(
    context: typer.Context,
    status: Annotated[
        list[str] | None,
        typer.Option(help="Only of this status: queued, held, leased, sent, folded, dead, kept."),
    ] = None,
) -> None:
    """The newest notifications, each with its attempts."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    if not set(status or ()) <= set(_STATUSES):
        raise typer.BadParameter(", ".join(_STATUSES), param_hint="--status")
    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        found = workspace.notifications(statuses=status or ())
        zone, language = workspace.zone, workspace.language
    if request.as_json:
        show_json(found)
    elif found:
        headings = [sentence(f"cli.notifications.{name}", language) for name in _COLUMNS]
        show_table([_row(one, zone, language) for one in found], _COLUMNS, headings)
    else:
        say(sentence("cli.notifications.none", language))


@notifications_app.command("resend")
def resend(
    context: typer.Context, ids: Annotated[list[int], typer.Argument(help="Ids of those that were given up.")]
) -> None:
    """Put notifications that were given up back into their lanes, under the same keys."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        count, language = workspace.resend(ids), workspace.language
    if request.as_json:
        show_json({"queued": count})
    else:
        say(sentence("cli.notifications.resent", language, count=count))


@notifications_app.command("release")
def release(
    context: typer.Context,
    ids: Annotated[
        list[int] | None, typer.Argument(help="Ids of those that a restore has kept; all of them without.")
    ] = None,
) -> None:
    """Let notifications leave that `sereno restore --hold-notifications` has kept, under the same keys."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        count, language = workspace.release(ids or ()), workspace.language
    if request.as_json:
        show_json({"queued": count})
    else:
        say(sentence("cli.notifications.resent", language, count=count))


@notifications_app.command("deliver")
def deliver(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Deliver what is due now, and end.")] = False,
) -> None:
    """Deliver without watching anything: once, or until stopped; may run beside `sereno watch`."""
    from sereno.cli.watching import stop_on_signals
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        notifier, language = workspace.notifier(), workspace.language
        if not once and notifier is not None:
            stop = threading.Event()
            stop_on_signals(stop)
            notifier.run(stop)
        report = workspace.deliver_due().to_json() if once else {}
    if request.as_json:
        show_json(report)
    elif notifier is None:
        say(sentence("cli.receivers.none", language))
    elif once:
        say(sentence("cli.notifications.delivered", language, **report))


def _row(one: dict[str, object], zone: str, language: str) -> dict[str, object]:
    from sereno.i18n.numbers import moment

    attempts, incident = one["attempts"], one["incident"]
    assert isinstance(attempts, list)
    instants = {
        name: moment(datetime.fromisoformat(str(one[name])), zone, language) if one[name] else ""
        for name in ("created_at", "sent_at")
    }
    return one | instants | {"incident": str(incident)[:8] if incident else "", "tries": len(attempts)}
