"""What a piece of code costs, in figures that do not depend on how busy the machine is."""

import cProfile
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["bytes_moved", "calls_made"]

_IO = Path("/proc/self/io")


def calls_made(action: Callable[[], object]) -> int:
    """How many Python and C functions it calls."""
    profile = cProfile.Profile()
    profile.runcall(action)
    return sum(entry.callcount for entry in profile.getstats())


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
