"""`sereno incidents`: read them and act on them."""

import getpass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sereno.cli.exports import Bom, DecimalComma, table_format
from sereno.cli.output import Request, say, show_json, show_table

if TYPE_CHECKING:
    from sereno.flows.exports import Cell

__all__ = ["incidents_app"]

incidents_app = typer.Typer(
    help="What happened, worst first.", invoke_without_command=True, rich_markup_mode=None
)

IncidentId = Annotated[str, typer.Argument(help="Its id, or the first six characters or more.")]
_MAX_SHELVED = timedelta(hours=24)


@incidents_app.callback()
def default(context: typer.Context) -> None:
    """Without a subcommand: the list."""
    if context.invoked_subcommand is None:
        list_incidents(context)


@incidents_app.command("list")
def list_incidents(
    context: typer.Context,
    sort: Annotated[str, typer.Option(help="worst or newest.")] = "worst",
    active: Annotated[bool, typer.Option("--active", help="Only those that go on.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
) -> None:
    """All incidents."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    if sort not in ("worst", "newest"):
        raise typer.BadParameter("worst or newest", param_hint="--sort")
    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        views = workspace.incidents(newest_first=sort == "newest")
        now, language = workspace.now(), workspace.language
    views = [view for view in views if not active or view.incident.ended_at is None][:limit]
    if request.as_json:
        show_json([view.to_json(now) for view in views])
        return
    if not views:
        say(sentence("cli.no_incidents", language))
        return
    rows = []
    for view in views:
        incident = view.incident
        rows.append(
            {
                "id": incident.id[:8],
                "severity": sentence(f"severity.{incident.severity.name.lower()}", language),
                "condition": sentence(f"condition.{incident.condition.value}", language),
                "state": sentence(f"state.{incident.state.value}", language),
                "sentence": view.sentence(language),
            }
        )
    columns = ["id", "severity", "condition", "state", "sentence"]
    show_table(rows, columns, [sentence(f"column.{name}", language) for name in columns])


@incidents_app.command("show")
def show_incident(context: typer.Context, incident_id: IncidentId) -> None:
    """One incident with its evidence and its log."""
    from sereno.domain.time import isoformat
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        view = workspace.incident(incident_id)
        events = workspace.events(view.incident.id)
        told = workspace.told_of(view.incident.id)
        document = view.to_full_json(workspace.now(), events) | {"notifications": told}
        language = workspace.language
    if request.as_json:
        show_json(document)
        return
    for line in (view.sentence(language), view.heading(language), view.recommendation(language)):
        if line:
            say(line)
    for name in (
        "id",
        "severity",
        "condition",
        "state",
        "started_at",
        "ended_at",
        "score",
        "threshold",
        "model",
    ):
        say(f"  {name}: {document[name]}")
    for name, share in view.incident.worst.contributions.items():
        say(f"  {view.place.profile.signal(name).label(language)}: {share:.0%}")
    for event in events:
        facts = " ".join(f"{name}={value}" for name, value in event.facts.items())
        say(f"  {isoformat(event.at)}  {event.kind}  {event.actor}  {facts}".rstrip())
    for one in told:
        say(f"  {one['sent_at'] or one['created_at']}  {_proof(one, language)}")


@incidents_app.command("ack")
def acknowledge(context: typer.Context, incident_id: IncidentId) -> None:
    """Say that you have seen it."""
    _act(context, "acknowledge", incident_id)


@incidents_app.command("comment")
def comment(
    context: typer.Context, incident_id: IncidentId, text: Annotated[str, typer.Argument(help="The remark.")]
) -> None:
    """Add a remark."""
    _act(context, "comment", incident_id, text)


@incidents_app.command("assign")
def assign(
    context: typer.Context, incident_id: IncidentId, owner: Annotated[str, typer.Argument(help="Who.")]
) -> None:
    """Give it to somebody."""
    _act(context, "assign", incident_id, owner)


@incidents_app.command("shelve")
def shelve(
    context: typer.Context,
    incident_id: IncidentId,
    hours: Annotated[float, typer.Option(min=0.1, max=24.0, help="For how long; at most a day.")] = 8.0,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Put it aside for a while; it returns by itself."""
    _act(
        context, "shelve", incident_id, timedelta(hours=min(hours, _MAX_SHELVED / timedelta(hours=1))), reason
    )


@incidents_app.command("close")
def close(
    context: typer.Context,
    incident_id: IncidentId,
    verdict: Annotated[str, typer.Option(help="real, false_alarm, expected or data_problem.")],
) -> None:
    """Close it and say what it was."""
    from sereno.domain.incidents import Verdict

    if verdict not in list(Verdict):
        raise typer.BadParameter(", ".join(Verdict), param_hint="--verdict")
    _act(context, "close_incident", incident_id, Verdict(verdict))


@incidents_app.command("export")
def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="File to write: XLSX if it ends so, else CSV.")],
    bom: Bom = None,
    decimal_comma: DecimalComma = None,
) -> None:
    """Write all incidents as CSV or XLSX; text cannot become a formula."""
    from sereno.flows.exports import write_table
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        rows = [view.to_json(workspace.now()) for view in workspace.incidents()]
        written = table_format(workspace, bom, decimal_comma)
    columns = list(rows[0]) if rows else ["id"]
    write_table(output, columns, ([_cell(value) for value in row.values()] for row in rows), written)
    if request.as_json:
        show_json({"file": str(output), "incidents": len(rows)})
    else:
        say(f"{output}: {len(rows)}")


def _proof(told: dict[str, object], language: str) -> str:
    """Who was told, and what became of it."""
    from sereno.i18n.catalogue import sentence

    attempts = told["attempts"]
    assert isinstance(attempts, list)
    answer = attempts[-1]["code"] if attempts else "–"
    named = {name: told[name] for name in ("receiver", "event", "status")}
    return sentence("cli.told", language, **named, attempts=len(attempts), answer=answer)


def _act(context: typer.Context, method: str, incident_id: str, *arguments: object) -> None:
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        getattr(workspace, method)(incident_id, *arguments, actor=getpass.getuser())
        document = workspace.incident(incident_id).to_json(workspace.now())
    if request.as_json:
        show_json(document)
    else:
        say(f"{document['id']}: {document['state']}, {document['visibility']}")


def _cell(value: object) -> "Cell":
    """A value of the JSON document as one cell; lists and mappings as text."""
    if isinstance(value, list):
        return ", ".join(value)
    return value if isinstance(value, str | float | int | bool | None) else str(value)
