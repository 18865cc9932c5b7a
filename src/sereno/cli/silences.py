"""`sereno silences`: who is not told for a while; what happens is recorded and shown all the same."""

import getpass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from sereno.cli.output import Request, say, show_json, show_table

if TYPE_CHECKING:
    from sereno.domain.judgement import Severity

__all__ = ["silences_app"]

silences_app = typer.Typer(
    help="Who is not told for a while.", invoke_without_command=True, rich_markup_mode=None
)

_COLUMNS = ["id", "in_force", "starts_at", "ends_at", "author", "comment"]


@silences_app.callback()
def default(context: typer.Context) -> None:
    """Without a subcommand: the list."""
    if context.invoked_subcommand is None:
        list_silences(context)


@silences_app.command("list")
def list_silences(
    context: typer.Context,
    ended: Annotated[bool, typer.Option("--ended", help="Those that are over, too.")] = False,
) -> None:
    """Silences and declared maintenance, in force now or later, with how many incidents each keeps quiet."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        counts = workspace.silenced_counts()
        rows = [
            one.to_json(workspace.now()) | {"incidents": counts.get(one.id, 0)}
            for one in workspace.silences(with_ended=ended)
        ]
        language = workspace.language
    if request.as_json:
        show_json(rows)
    elif not rows:
        say(sentence("cli.no_silences", language))
    else:
        show_table(rows, ["incidents", *_COLUMNS])


@silences_app.command("add")
def add_silence(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    comment: Annotated[str, typer.Option(help="Why.")],
    site: Annotated[str, typer.Option(help="Site; * and ? stand for any text.")] = "",
    asset: Annotated[str, typer.Option(help="Asset; * and ? stand for any text.")] = "",
    profile: Annotated[str, typer.Option(help="Profile of the assets.")] = "",
    cause: Annotated[str, typer.Option(help="Cause, as quality.missing or physics.*.")] = "",
    problem: Annotated[str, typer.Option(help="Problem, as leak.")] = "",
    severity_at_most: Annotated[
        str | None, typer.Option(help="low, medium or high: worse ones are told all the same.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Begin, local time; now without it.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End, local time.")] = None,
    lasting: Annotated[float | None, typer.Option("--hours-long", min=0.01, help="Instead of --to.")] = None,
    hours: Annotated[str, typer.Option(help="Local hours that come back, as 22:00-06:00.")] = "",
    days: Annotated[str, typer.Option(help="Days on which they begin: 1,2,3 with 1 for Monday.")] = "",
    dates: Annotated[str, typer.Option(help="Further days: 2026-12-25,2027-01-01.")] = "",
    timezone: Annotated[str | None, typer.Option(help="IANA zone; that of the workspace without it.")] = None,
    mutes: Annotated[str, typer.Option(help="Events nobody hears of: opened,escalated,cleared…")] = "",
    author: Annotated[str | None, typer.Option(help="Who; the user of this machine without it.")] = None,
) -> None:
    """Let nobody be told of some incidents for a while, or in hours that come back."""
    from sereno.domain.silences import DEFAULT_MUTES, Matcher
    from sereno.flows.silencing import SilenceRequest
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    matcher = Matcher(site, asset, profile, cause, problem, _severity(severity_at_most))
    with Workspace.open(request.workspace, language=request.language) as workspace:
        begins, ends = _span(start, end, lasting, workspace.now())
        silence = workspace.add_silence(
            SilenceRequest(
                matcher,
                author or getpass.getuser(),
                comment,
                timezone or workspace.zone,
                starts_at=begins,
                ends_at=ends,
                hours=hours or ("00:00-24:00" if days or dates else ""),
                days=[_day(text) for text in _parts(days)],
                dates=[_date(text) for text in _parts(dates)],
                mutes=_parts(mutes) or DEFAULT_MUTES,
            )
        )
        document = silence.to_json(workspace.now())
        document |= {"incidents": workspace.silenced_counts().get(silence.id, 0)}
    _show(request, document)


@silences_app.command("end")
def end_silence(
    context: typer.Context,
    silence_id: Annotated[str, typer.Argument(help="Its id, or the first six characters or more.")],
    author: Annotated[str | None, typer.Option(help="Who; the user of this machine without it.")] = None,
) -> None:
    """End a silence early; what goes on is then told."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        silence = workspace.end_silence(silence_id, actor=author or getpass.getuser())
        document = silence.to_json(workspace.now())
    _show(request, document)


def _show(request: Request, document: dict[str, object]) -> None:
    if request.as_json:
        show_json(document)
    else:
        show_table([document], _COLUMNS)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _span(
    start: str | None, end: str | None, lasting: float | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Begin and end as they were said; of a length, the end that it gives."""
    begins = None if start is None else _time(start)
    if end is None and lasting is not None:
        return begins, (begins or now) + timedelta(hours=lasting)
    return begins, None if end is None else _time(end)


def _severity(name: str | None) -> "Severity | None":
    from sereno.domain.errors import InvalidSilence
    from sereno.domain.judgement import Severity

    if name is None:
        return None
    try:
        return Severity[name.upper()]
    except KeyError as error:
        raise InvalidSilence(detail=f"'{name}' is not low, medium, high or critical") from error


def _day(text: str) -> int:
    from sereno.domain.errors import InvalidSilence

    if not (text.isdecimal() and 1 <= int(text) <= 7):
        raise InvalidSilence(detail=f"'{text}' is not a day of the week: write 1 for Monday to 7 for Sunday")
    return int(text)


def _date(text: str) -> date:
    from sereno.domain.errors import InvalidSilence

    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidSilence(detail=f"'{text}' is not a date: write 2026-12-25") from error


def _time(text: str) -> datetime:
    from sereno.domain.errors import InvalidSilence

    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        detail = f"'{text}' is not a time: write 2026-05-01 or 2026-05-01T10:00"
        raise InvalidSilence(detail=detail) from error
