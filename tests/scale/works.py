"""Functions that workers find, in a module that they load at once."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


def squared(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def resting(number: int) -> int:
    """Takes a while, but not the first time."""
    time.sleep(1.0 if number else 0.0)
    return number


def failing(number: int) -> int:
    if number == 2:
        raise KeyError("two")
    return number


@dataclass(frozen=True)
class KilledOnce:
    """Ends its process at one item, the first time."""

    mark: Path
    at: int

    def __call__(self, number: int) -> int:
        if number == self.at and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        log = self.mark.with_name(f"{number}.log")
        log.write_text(log.read_text() + "x" if log.exists() else "x")
        return number * number


@dataclass(frozen=True)
class AlwaysKilled:
    """Ends every process that takes one item."""

    at: int

    def __call__(self, number: int) -> int:
        if number == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return number
