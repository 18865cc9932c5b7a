"""What goes on beside the requests of a service: begun again when it fails, and seen by who looks."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sereno.domain.errors import SerenoError

__all__ = ["Part", "PartStatus"]

log = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_CALM_S = 120.0
"""A part that has worked for so long has got over what made it fail."""

Work = Callable[[threading.Event], None]


@dataclass(frozen=True, slots=True)
class PartStatus:
    """How a part is doing.

    Attributes:
        is_well: It works, or has nothing to do.
        n_failures: Since the service began.
        problem: What it last failed of, in a sentence; empty while it is well.
    """

    name: str
    is_well: bool
    n_failures: int = 0
    problem: str = ""


class Part:
    """Work that goes on in a thread of its own until it is told to stop.

    Args:
        work: Returns when the event is set, or when there is nothing (more) to do.
    """

    def __init__(self, name: str, work: Work, stop: threading.Event) -> None:
        self.name = name
        self._work = work
        self._stop = stop
        self._n_failures = 0
        self._problem: Exception | None = None
        self._failed_at = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for the end; whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def status(self) -> PartStatus:
        """How it is doing; one that failed is well again once it has worked for longer than it waited."""
        problem = self._problem
        if time.monotonic() - self._failed_at > 2 * _LONGEST_WAIT_S:
            problem = None
        text = "" if problem is None else str(problem) or type(problem).__name__
        return PartStatus(self.name, problem is None, self._n_failures, text)

    def _run(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._work(self._stop)
            except SerenoError as error:
                self._failed(error)
                log.warning("part failed, trying again", extra={"part": self.name, "error": str(error)})
            except Exception as error:  # the supervisor: no part takes the others down
                self._failed(error)
                log.exception("part failed, trying again", extra={"part": self.name})
            else:
                return
            if time.monotonic() - began > _CALM_S:
                wait_s = _FIRST_WAIT_S
            if self._stop.wait(wait_s):
                return
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _failed(self, error: Exception) -> None:
        self._n_failures += 1
        self._problem, self._failed_at = error, time.monotonic()
