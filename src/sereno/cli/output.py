"""How results appear: one JSON document on stdout, or plain text for people; progress on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

__all__ = ["Request", "say", "show_json", "show_table", "tell_progress"]

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


def show_json(document: object) -> None:
    """The one document of a `--json` call; NaN and infinity never reach it."""
    typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2))


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
