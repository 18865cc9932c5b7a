"""What a piece of code costs, in figures that do not depend on how busy the machine is."""

import cProfile
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType

import pytest
from sqlalchemy import Engine, Pool, event

__all__ = ["DatabaseWork", "bytes_moved", "calls_made", "calls_of", "database_work"]

_IO = Path("/proc/self/io")
_STEPS = 100


def calls_made(action: Callable[[], object]) -> int:
    """How many Python and C functions it calls."""
    profile = cProfile.Profile()
    profile.runcall(action)
    return sum(entry.callcount for entry in profile.getstats())


def calls_of(function: FunctionType, action: Callable[[], object]) -> int:
    """How often an action calls one function, in its own thread."""
    profile = cProfile.Profile()
    profile.runcall(action)
    return sum(entry.callcount for entry in profile.getstats() if entry.code is function.__code__)


def bytes_moved(action: Callable[[], object]) -> int:
    """How many bytes it reads from and writes to files.

    Raises:
        pytest.skip.Exception: The system does not count them.
    """
    if not _IO.exists():
        pytest.skip("this system does not count the bytes of a process")
    before = _moved()
    action()
    between = _moved()
    return between - before - (_moved() - between)


def _moved() -> int:
    fields = dict(line.split(": ") for line in _IO.read_text("ascii").splitlines())
    return int(fields["rchar"]) + int(fields["wchar"])


@dataclass(slots=True)
class DatabaseWork:
    """What a piece of code asked of databases.

    Attributes:
        statements: The text of each, in order; many rows that are written with one count as one.
        steps: Hundreds of steps of SQLite's virtual machine: rows visited, without what a server does.
    """

    statements: list[str] = field(default_factory=list)
    steps: int = 0


@contextmanager
def database_work() -> Iterator[DatabaseWork]:
    """Count what is asked of databases, in all threads, as long as the context lasts."""
    work = DatabaseWork()

    def note(*facts: object) -> None:
        work.statements.append(str(facts[2]))

    def step() -> int:
        work.steps += 1
        return 0

    def watch(connection: object, *_: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_progress_handler(step, _STEPS)

    def leave(connection: object, *_: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_progress_handler(None, 0)

    heard = (
        (Engine, "before_cursor_execute", note),
        (Pool, "checkout", watch),
        (Pool, "checkin", leave),
    )
    for target, name, listener in heard:
        event.listen(target, name, listener)
    try:
        yield work
    finally:
        for target, name, listener in heard:
            event.remove(target, name, listener)
