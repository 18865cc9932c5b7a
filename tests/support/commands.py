"""Command lines that are written somewhere: whether sereno would understand them, without running them."""

import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import typer
from typer import BadParameter

from sereno.cli.app import app
from sereno.cli.entry import hoist_common_options

__all__ = ["command_names", "groups", "misunderstood", "own_commands"]

REFUSAL = BadParameter.__base__
"""All that the parser refuses."""
ASSIGNMENT = re.compile(r"[A-Za-z_]+=")
ENDS = frozenset({"|", "||", "&&", ";", ">", ">>", "2>", "&"})


@cache
def command_names() -> frozenset[tuple[str, ...]]:
    """Every command, and the groups they stand in, as words."""
    return frozenset(_names(_root(), ()))


def groups() -> set[str]:
    """The words of commands that have commands below them."""
    return {name[0] for name in command_names() if len(name) > 1}


def misunderstood(words: Sequence[str]) -> str:
    """What sereno says against these words behind its name; empty where it would begin to work."""
    command, name, rest = _root(), "sereno", hoist_common_options(list(words))
    context = None
    try:
        while True:
            context = command.make_context(name, rest, parent=context)
            rest = [*getattr(context, "_protected_args", ()), *context.args]
            if not hasattr(command, "commands") or not rest:
                return ""
            found, command, rest = command.resolve_command(context, rest)
            name = found or ""
    except typer.Exit:  # as --help does
        return ""
    except REFUSAL as refused:
        return str(refused.format_message())


def own_commands(text: str) -> Iterator[list[str]]:
    """The words behind `sereno`, wherever a line of shell calls it: itself, or inside a container."""
    for line in text.replace("\\\n", " ").splitlines():
        words = [word.rstrip(";") for word in shlex.split(line, comments=True)]
        for at, word in enumerate(words):
            if word == "sereno" and _is_call(words, at):
                rest = words[at + 1 :]
                yield rest[: next((i for i, one in enumerate(rest) if one in ENDS), len(rest))]


@cache
def _root() -> Any:
    return typer.main.get_command(app)


def _is_call(words: Sequence[str], at: int) -> bool:
    """Whether a word begins a command, or is followed by one of ours; elsewhere it names something."""
    begin = max((i + 1 for i in range(at) if words[i] in ENDS), default=0)
    is_first = all(word == "exec" or ASSIGNMENT.match(word) for word in words[begin:at])
    return is_first or words[at + 1 : at + 2] in [[name] for name, *_ in command_names()]


def _names(command: object, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, one in getattr(command, "commands", {}).items():
        yield (*before, name)
        yield from _names(one, (*before, name))
