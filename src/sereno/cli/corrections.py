"""`sereno corrections`: say what a meter should have said, see it, take it back."""

import getpass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from sereno.cli.output import Request, say, show_json, show_table

if TYPE_CHECKING:
    from sereno.domain.corrections import CorrectionKind
    from sereno.flows.corrections import CorrectionView

__all__ = ["corrections_app"]

corrections_app = typer.Typer(
    help="Corrected values beside the raw ones.", invoke_without_command=True, rich_markup_mode=None
)

Author = Annotated[str | None, typer.Option(help="Who says so; otherwise the user of this machine.")]


@corrections_app.callback()
def default(context: typer.Context) -> None:
    """Without a subcommand: the list."""
    if context.invoked_subcommand is None:
        list_corrections(context)


@corrections_app.command("add")
def add_correction(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: typer.Context,
    asset: Annotated[str, typer.Argument(help="Site, or Site/Asset.")],
    signal: Annotated[str, typer.Argument(help="Its signal, as generation or presión.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    start: Annotated[str | None, typer.Option("--from", help="Beginning of the stretch, local time.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of the stretch, itself not in it.")] = None,
    instant: Annotated[str | None, typer.Option("--at", help="Instant of a single value.")] = None,
    factor: Annotated[float | None, typer.Option(help="Multiply the values.")] = None,
    offset: Annotated[float | None, typer.Option(help="Add to the values.")] = None,
    missing: Annotated[bool, typer.Option("--missing", help="They are no measurements.")] = False,
    interpolate: Annotated[
        bool, typer.Option("--interpolate", help="A straight line between the values on both sides.")
    ] = False,
    value: Annotated[float | None, typer.Option(help="The value at that instant.")] = None,
    author: Author = None,
) -> None:
    """Correct a stretch or a value in exports; raw values and what is judged stay as they are."""
    from sereno.flows.corrections import CorrectionRequest
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    kind, amount = _kind(factor, offset, value, is_missing=missing, is_line=interpolate)
    first, last = _stretch(start, end, instant, is_single=kind.value == "value")
    who = getpass.getuser() if author is None else author
    with Workspace.open(request.workspace, language=request.language) as workspace:
        view = workspace.correct(CorrectionRequest(asset, signal, kind, first, last, amount, who, reason))
        language = workspace.language
    _show(request, view, "cli.corrected", language)


@corrections_app.command("list")
def list_corrections(
    context: typer.Context,
    asset: Annotated[str | None, typer.Option(help="Only of this site or asset.")] = None,
    undone: Annotated[bool, typer.Option("--undone", help="Those that were taken back, too.")] = False,
) -> None:
    """The corrections in force, in the order in which they were made."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        views = workspace.corrections(asset=asset, with_undone=undone)
        language = workspace.language
    if request.as_json:
        show_json([view.to_json() for view in views])
        return
    if not views:
        say(sentence("cli.no_corrections", language))
        return
    rows = [view.to_json() | {"asset": str(view.asset)} for view in views]
    columns = ["id", "asset", "signal", "kind", "started_at", "ended_at", "amount", "author"]
    columns += ["undone_at", "reason"] if undone else ["reason"]
    show_table(rows, columns)


@corrections_app.command("undo")
def undo_correction(
    context: typer.Context,
    correction_id: Annotated[str, typer.Argument(help="Its id, or the first six characters or more.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    author: Author = None,
) -> None:
    """Take a correction back; it stays in the list with --undone."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    who = getpass.getuser() if author is None else author
    with Workspace.open(request.workspace, language=request.language) as workspace:
        view = workspace.undo_correction(correction_id, author=who, reason=reason)
        language = workspace.language
    _show(request, view, "cli.correction_undone", language)


def _show(request: Request, view: "CorrectionView", key: str, language: str) -> None:
    from sereno.i18n.catalogue import sentence

    document = view.to_json()
    if request.as_json:
        show_json(document)
    else:
        say(sentence(key, language, **document | {"asset": view.asset}))


def _kind(
    factor: float | None, offset: float | None, value: float | None, *, is_missing: bool, is_line: bool
) -> "tuple[CorrectionKind, float | None]":
    from sereno.domain.corrections import CorrectionKind
    from sereno.domain.errors import InvalidCorrection

    amounts = {CorrectionKind.FACTOR: factor, CorrectionKind.OFFSET: offset, CorrectionKind.VALUE: value}
    given: list[tuple[CorrectionKind, float | None]] = [
        (kind, amount) for kind, amount in amounts.items() if amount is not None
    ]
    given += [(CorrectionKind.MISSING, None)] if is_missing else []
    given += [(CorrectionKind.INTERPOLATE, None)] if is_line else []
    if len(given) != 1:
        detail = "say one of --factor, --offset, --missing, --interpolate or --value"
        raise InvalidCorrection(detail=detail)
    return given[0]


def _stretch(
    start: str | None, end: str | None, instant: str | None, *, is_single: bool
) -> tuple[datetime, datetime | None]:
    from sereno.domain.errors import InvalidCorrection

    given = (instant,) if is_single else (start, end)
    unwanted = (start, end) if is_single else (instant,)
    if None in given or any(one is not None for one in unwanted):
        raise InvalidCorrection(detail="a stretch needs --from and --to, a single value needs --at")
    times = [_time(str(one)) for one in given]
    return times[0], None if is_single else times[1]


def _time(text: str) -> datetime:
    from sereno.domain.errors import InvalidCorrection

    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        detail = f"'{text}' is not a time: write 2024-05-01 or 2024-05-01T10:00"
        raise InvalidCorrection(detail=detail) from error
