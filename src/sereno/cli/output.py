"""How results appear: one JSON document on stdout, or plain text for people; progress on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import typer

__all__ = ["Request", "say", "set_request", "show_json", "show_table", "tell_progress"]

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Request:
    """The common options of a call.

    Attributes:
        workspace: Folder of the organization.
        root: Folder of the workspace that it is one of.
    """

    workspace: Path
    as_json: bool
    language: str | None
    is_quiet: bool
    root: Path = Path()


_REQUEST: ContextVar[Request | None] = ContextVar("request", default=None)


def set_request(request: Request) -> Request:
    """Let what is shown from here on be shown as this call asks."""
    _REQUEST.set(request)
    return request


def show_json(document: object, *, tells_names: bool = False) -> None:
    """The one document of a `--json` call; NaN and infinity never reach it.

    Who may run a command on a workspace may read its database, so nobody is kept from names here. But where
    `exports.pseudonyms` says that names do not leave, they leave in no document either.

    Args:
        tells_names: What the document is for: which name a pseudonym stands for.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)
    typer.echo(text if tells_names else _leaving(text))


def _leaving(text: str) -> str:
    request = _REQUEST.get()
    if request is None or not _is_masked(request.workspace):
        return text
    from sereno.flows.workspace import Workspace

    with Workspace.open(request.workspace, language=request.language) as workspace:
        return workspace.mask().text(text)


def _is_masked(folder: Path) -> bool:
    """Whether a workspace that is there lets no names out; a broken one is told of by what it breaks."""
    from sereno.domain.errors import SettingsError
    from sereno.settings.reading import load_settings

    if not folder.is_dir():
        return False
    try:
        return load_settings(folder).tree.exports.pseudonyms
    except SettingsError:
        return False


def say(text: str) -> None:
    """A line for a person."""
    typer.echo(text)


def tell_progress(request: Request, text: str) -> None:
    """A line about what is going on, out of the way of results."""
    if not request.is_quiet:
        sys.stderr.write(f"{text}\n")


def show_table(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], headings: Sequence[str] | None = None
) -> None:
    """Rows under their headings (their column names without any), aligned; the last column may be long."""
    cells = [list(headings or columns)] + [[_one_line(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns) - 1)]
    for line in cells:
        fixed = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        typer.echo(_GAP.join([*fixed, line[-1]]).rstrip())


def _one_line(value: object) -> str:
    """Text of a cell; what came from a file cannot break the line or steer the terminal."""
    text = "" if value is None else str(value)
    return "".join(character if character.isprintable() else "?" for character in text)
