"""`sereno incidents`: read them and act on them."""

import getpass
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sereno.cli.exports import Bom, DecimalComma, table_format
from sereno.cli.output import Request, say, show_json, show_table

if TYPE_CHECKING:
    from sereno.flows.feedback import WouldChange
    from sereno.flows.incidents import IncidentView

    Stamp = Callable[[datetime | None], str]

__all__ = ["incidents_app"]

incidents_app = typer.Typer(
    help="What happened, worst first.", invoke_without_command=True, rich_markup_mode=None
)

IncidentId = Annotated[str, typer.Argument(help="Its id, or the first six characters or more.")]
RequestKey = Annotated[
    str | None, typer.Option("--request", help="Key of the request: one heard before changes nothing.")
]
Actor = Annotated[str | None, typer.Option(help="Who does it; the user of this machine without it.")]


@incidents_app.callback()
def default(context: typer.Context) -> None:
    """Without a subcommand: the list."""
    if context.invoked_subcommand is None:
        list_incidents(context)


@incidents_app.command("list")
def list_incidents(
    context: typer.Context,
    sort: Annotated[
        Literal["worst", "newest", "cost"], typer.Option(help="worst, newest or cost (a day).")
    ] = "worst",
    active: Annotated[bool, typer.Option("--active", help="Only those that go on.")] = False,
    quiet: Annotated[
        Literal["shelved", "silenced", "inhibited"] | None,
        typer.Option("--visibility", help="Only those that nobody is told of for this reason."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
) -> None:
    """All incidents."""
    from sereno.flows.incident_lists import IncidentQuery
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    query = IncidentQuery(order=sort, condition="active" if active else None, visibility=quiet)
    with Workspace.open(request.workspace, language=request.language) as workspace:
        views = workspace.find_incidents(query, limit=limit)
        now, language = workspace.now(), workspace.language
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
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence
    from sereno.i18n.numbers import stamp

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

    def at(instant: datetime | None) -> str:
        return "–" if instant is None else stamp(instant, view.place.zone, language)

    _show_facts(view, language, at)
    for event in events:
        name = sentence(f"console.event.{event.kind}", language)
        say(f"  {at(event.at)}  {name}  {event.actor}  {_event_facts(event.facts, language, at)}".rstrip())
    for one in told:
        sent = datetime.fromisoformat(str(one["sent_at"] or one["created_at"]))
        say(f"  {at(sent)}  {_proof(one, language)}")


@incidents_app.command("ack")
def acknowledge(
    context: typer.Context, incident_id: IncidentId, actor: Actor = None, request: RequestKey = None
) -> None:
    """Say that you have seen it."""
    _act(context, "acknowledge", incident_id, actor=actor, key=request)


@incidents_app.command("unack")
def unacknowledge(
    context: typer.Context, incident_id: IncidentId, actor: Actor = None, request: RequestKey = None
) -> None:
    """Take an acknowledgement back: somebody else has to see to it."""
    _act(context, "unacknowledge", incident_id, actor=actor, key=request)


@incidents_app.command("comment")
def comment(
    context: typer.Context,
    incident_id: IncidentId,
    text: Annotated[str, typer.Argument(help="The remark.")],
    actor: Actor = None,
    request: RequestKey = None,
) -> None:
    """Add a remark."""
    _act(context, "comment", incident_id, text, actor=actor, key=request)


@incidents_app.command("assign")
def assign(
    context: typer.Context,
    incident_id: IncidentId,
    owner: Annotated[str, typer.Argument(help="Who.")],
    actor: Actor = None,
    request: RequestKey = None,
) -> None:
    """Give it to somebody."""
    _act(context, "assign", incident_id, owner, actor=actor, key=request)


@incidents_app.command("shelve")
def shelve(
    context: typer.Context,
    incident_id: IncidentId,
    hours: Annotated[float, typer.Option(help="For how long; at most a day.")] = 8.0,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    actor: Actor = None,
    request: RequestKey = None,
) -> None:
    """Put it aside for a while; it returns by itself."""
    _act(context, "shelve", incident_id, timedelta(hours=hours), reason, actor=actor, key=request)


@incidents_app.command("unshelve")
def unshelve(
    context: typer.Context, incident_id: IncidentId, actor: Actor = None, request: RequestKey = None
) -> None:
    """Take it back before its time."""
    _act(context, "unshelve", incident_id, actor=actor, key=request)


def _verdict_named(text: str) -> str:
    """The verdict that goes by a name, or by its words in any language."""
    from sereno.domain.incidents import Verdict
    from sereno.i18n.catalogue import LANGUAGES, sentence

    words = {str(one): str(one) for one in Verdict}
    for one in Verdict:
        words |= {sentence(f"console.verdict.{one}", language): str(one) for language in LANGUAGES}
    found = words.get(text) or words.get(text.strip().casefold().replace("_", " "))
    if found is None:
        raise typer.BadParameter(", ".join(words), param_hint="--verdict")
    return found


@incidents_app.command("close")
def close(
    context: typer.Context,
    incident_id: IncidentId,
    verdict: Annotated[str, typer.Option(help="real, false_alarm, expected or data_problem.")],
    preview: Annotated[
        bool, typer.Option("--preview", help="Only say what the verdict would change; do nothing.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Move the threshold so; `incidents undo` takes it back.")
    ] = False,
    actor: Actor = None,
    request: RequestKey = None,
) -> None:
    """Close it and say what it was; shows what the verdict would change of the last 90 days."""
    from sereno.domain.incidents import Verdict
    from sereno.flows.workspace import Workspace

    said: Request = context.obj
    judged = Verdict(_verdict_named(verdict))
    with Workspace.open(said.workspace, language=said.language) as workspace:
        found = workspace.preview_verdict(incident_id, judged)
        if not said.as_json:
            _say_change(found, workspace.language)
        if not preview:
            who = actor or getpass.getuser()
            workspace.close_incident(
                incident_id, found.verdict, actor=who, request_key=request, is_applied=apply
            )
        document, language = workspace.incident(incident_id).to_json(workspace.now()), workspace.language
    if preview and said.as_json:
        show_json(found.to_json())
    elif said.as_json:
        show_json(document | {"would_change": found.to_json(), "applied": apply})
    elif not preview:
        say(_where_it_stands(document, language))


@incidents_app.command("undo")
def undo(context: typer.Context, incident_id: IncidentId, actor: Actor = None) -> None:
    """Take back the threshold that its verdict moved."""
    from sereno.domain.time import isoformat
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    said: Request = context.obj
    with Workspace.open(said.workspace, language=said.language) as workspace:
        undone = workspace.undo_verdict(incident_id, actor=actor or getpass.getuser())
        language = workspace.language
    rows = [
        {"id": one.id, "check": one.check, "factor": one.factor, "at": isoformat(one.at)} for one in undone
    ]
    if said.as_json:
        show_json({"incident": incident_id, "undone": rows})
    else:
        say(sentence("cli.undone", language, count=len(rows), incident=incident_id))


@incidents_app.command("reopen")
def reopen(
    context: typer.Context, incident_id: IncidentId, actor: Actor = None, request: RequestKey = None
) -> None:
    """Look at a closed one again."""
    _act(context, "reopen", incident_id, actor=actor, key=request)


@incidents_app.command("export")
def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="File to write: XLSX or Parquet if it ends so, else CSV.")],
    bom: Bom = None,
    decimal_comma: DecimalComma = None,
) -> None:
    """Write all incidents as CSV or XLSX; text cannot become a formula."""
    from sereno.flows.incident_lists import write_incidents
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        written = table_format(workspace, bom, decimal_comma)
        n_rows = write_incidents(workspace.incidents(), output, written, workspace.now())
    if request.as_json:
        show_json({"file": str(output), "incidents": n_rows})
    else:
        say(sentence("cli.exported_incidents", workspace.language, file=str(output), count=n_rows))


def _show_facts(view: "IncidentView", language: str, at: "Stamp") -> None:
    """What the list says of it, when it was, and which signals carry it."""
    from sereno.i18n.catalogue import sentence
    from sereno.i18n.numbers import number, percent

    incident = view.incident
    facts = {
        "id": incident.id,
        "severity": sentence(f"severity.{incident.severity.name.lower()}", language),
        "condition": sentence(f"condition.{incident.condition.value}", language),
        "state": sentence(f"state.{incident.state.value}", language),
        "started_at": at(incident.started_at),
        "ended_at": at(incident.ended_at),
        "score": number(incident.worst.score, language),
        "threshold": number(incident.worst.threshold, language),
        "model": incident.worst.model or "–",
    }
    for name, value in facts.items():
        say(f"  {sentence(f'column.{name}', language)}: {value}")
    for name, share in incident.worst.contributions.items():
        say(f"  {view.place.profile.signal(name).label(language)}: {percent(share, language)}")


def _event_facts(facts: Mapping[str, str], language: str, at: "Stamp") -> str:
    """What somebody said, whom it was given to, until when, or what it was found to be."""
    from sereno.i18n.catalogue import sentence

    said = [facts[name] for name in ("text", "reason", "owner") if facts.get(name)]
    if facts.get("until"):
        said.append(sentence("cli.until", language, until=at(datetime.fromisoformat(facts["until"]))))
    if facts.get("verdict"):
        said.append(sentence(f"console.verdict.{facts['verdict']}", language))
    return " · ".join(said)


def _proof(told: dict[str, object], language: str) -> str:
    """Who was told, and what became of it."""
    from sereno.i18n.catalogue import sentence

    attempts = told["attempts"]
    assert isinstance(attempts, list)
    answer = attempts[-1]["code"] if attempts else "–"
    named = {name: told[name] for name in ("receiver", "event", "status")}
    return sentence("cli.told", language, **named, attempts=len(attempts), answer=answer)


def _say_change(found: "WouldChange", language: str) -> None:
    from sereno.i18n.catalogue import sentence
    from sereno.i18n.numbers import number

    if found.factor is None or found.threshold is None or found.becomes is None:
        say(sentence("cli.would_change_nothing", language))
        return
    key = "cli.would_change" if found.is_quiet else "cli.would_change_bounded"
    facts = {
        "asset": found.asset,
        "check": found.check,
        "threshold": number(found.threshold, language),
        "becomes": number(found.becomes, language),
        "gone": len(found.gone),
        "shorter": len(found.shorter),
        "kept": found.kept,
        "real": len(found.lost_real),
    }
    say(sentence(key, language, **facts))


def _where_it_stands(document: Mapping[str, object], language: str) -> str:
    """Its state, and why nobody is told of it where that is so."""
    from sereno.i18n.catalogue import sentence

    state = sentence(f"state.{document['state']}", language)
    if document["visibility"] == "shown":
        return f"{document['id']}: {state}"
    visibility = sentence(f"console.visibility.{document['visibility']}", language)
    return f"{document['id']}: {state}, {visibility}"


def _act(
    context: typer.Context,
    method: str,
    incident_id: str,
    *arguments: object,
    actor: str | None,
    key: str | None,
) -> None:
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    who = actor or getpass.getuser()
    with Workspace.open(request.workspace, language=request.language) as workspace:
        getattr(workspace, method)(incident_id, *arguments, actor=who, request_key=key)
        document, language = workspace.incident(incident_id).to_json(workspace.now()), workspace.language
    if request.as_json:
        show_json(document)
    else:
        say(_where_it_stands(document, language))
