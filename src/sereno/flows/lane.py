"""A lane: what many requests bring at once is done together, in order, by one thread.

While a group is done, others queue up; the next one takes all that is there, so groups grow with the load and
a lone request never waits for company.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from sereno.domain.errors import EngineLost, QueueFull, SerenoError, Stopping, StoreError

__all__ = ["QUIET_S", "Lane", "LaneLimits", "Waiting"]

log = logging.getLogger(__name__)

QUIET_S = 0.02
"""No work for so long is a pause [s]."""
_RETRY_S = 1
_LOST_IN_A_ROW = 2
"""Works that were each too much for the process that does them: then it is not the works."""


class _Counted(Protocol):
    @property
    def n_records(self) -> int:
        """How many records it brings."""


_Work = TypeVar("_Work", bound=_Counted)
_Given = TypeVar("_Given")


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much may wait, and how much goes into one group."""

    max_waiting_records: int = 50_000
    max_group_records: int = 1_000


@dataclass(slots=True)
class Waiting(Generic[_Work, _Given]):
    """Work, and who waits for it."""

    work: _Work
    future: "Future[_Given]" = field(default_factory=Future)

    @property
    def n_records(self) -> int:
        """What it counts for."""
        return max(1, self.work.n_records)


class Lane(ABC, Generic[_Work, _Given]):
    """One thread that does what waits, as much of it at once as there is.

    Safe to call from any thread. `close` finishes what was taken; whatever comes later is refused.
    """

    def __init__(self, name: str, limits: LaneLimits | None = None) -> None:
        self._limits = limits or LaneLimits()
        self._queue: deque[Waiting[_Work, _Given]] = deque()
        self._n_records = 0
        self._is_doing, self._done_at = False, -QUIET_S
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """Records that wait for their turn."""
        return self._n_records

    @property
    def is_in_use(self) -> bool:
        """Whether anything waits, is done, or was a moment ago."""
        return self._is_doing or self._n_records > 0 or time.monotonic() - self._done_at < QUIET_S

    def submit(self, work: _Work) -> "Future[_Given]":
        """Let work wait for its turn; its future is done when it is, or has failed.

        A future that is cancelled before its turn is done in no part.

        Raises:
            QueueFull: Too much waits.
            Stopping: The lane is about to end.
        """
        one: Waiting[_Work, _Given] = Waiting(work)
        with self._changed:
            if self._is_closing:
                raise Stopping(retry_after_s=_RETRY_S)
            # One that is larger than the limit goes in when it is alone.
            if self._n_records and self._n_records + one.n_records > self._limits.max_waiting_records:
                self._refused()
                raise QueueFull(waiting=self._n_records, retry_after_s=_RETRY_S)
            self._queue.append(one)
            self._n_records += one.n_records
            self._changed.notify()
        return one.future

    def close(self) -> None:
        """Finish what was taken and end; returns when that is done."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join()

    @abstractmethod
    def _answers(self, group: Sequence[_Work]) -> Sequence[_Given | SerenoError]:
        """Do a group; the answer to each.

        Raises:
            StoreError: Nothing of any of them is done, nor would be if they were alone.
            SerenoError: Nothing of any of them is done; each is tried alone.
        """

    def _patience(self) -> float | None:
        """How long to wait for work before something else is done [s]; None where there is nothing else."""
        return None

    def _refused(self) -> None:
        """More came than can wait."""

    def _failed(self, n_works: int) -> None:
        """So many works were done in no part."""

    def _after(self, *, is_quiet: bool) -> None:
        """What is done between groups; `is_quiet` when there was none."""

    def _run(self) -> None:
        while True:
            group = self._next_group()
            if group:
                self._is_doing = True
                self._do(group)
                self._is_doing, self._done_at = False, time.monotonic()
            elif self._is_closing:
                return
            self._after(is_quiet=not group)

    def _next_group(self) -> list[Waiting[_Work, _Given]]:
        """What is done next; empty when there was nothing for a while, or the end."""
        with self._changed:
            if not self._queue and not self._is_closing:
                self._changed.wait(self._patience())
            group: list[Waiting[_Work, _Given]] = []
            n_records = 0
            while self._queue:
                one = self._queue[0]
                if group and n_records + one.n_records > self._limits.max_group_records:
                    break
                self._queue.popleft()
                self._n_records -= one.n_records
                if one.future.set_running_or_notify_cancel():
                    group.append(one)
                    n_records += one.n_records
            return group

    def _do(self, group: list[Waiting[_Work, _Given]]) -> None:
        try:
            answers = self._answers([one.work for one in group])
        except SerenoError as error:
            self._give_up(group, error)
            return
        except Exception as error:  # the supervisor: one request must not fail the others
            log.exception("work of a lane failed", extra={"lane": self._thread.name, "requests": len(group)})
            self._give_up(group, error)
            return
        for one, answer in zip(group, answers, strict=True):
            if isinstance(answer, SerenoError):
                one.future.set_exception(answer)
            else:
                one.future.set_result(answer)

    def _give_up(self, group: list[Waiting[_Work, _Given]], error: Exception) -> None:
        """Nothing of a group was done.

        The store's trouble is everybody's, other trouble is one's own. So is that of a process that ends,
        until it has ended over one after the other.
        """
        if isinstance(error, StoreError) or len(group) == 1:
            self._fail(group, error)
            return
        n_lost = 0
        for n_done, one in enumerate(group, start=1):
            self._do([one])
            failed = one.future.exception()
            n_lost = n_lost + 1 if isinstance(failed, EngineLost) else 0
            if n_lost == _LOST_IN_A_ROW:
                self._fail(group[n_done:], failed)
                return

    def _fail(self, group: list[Waiting[_Work, _Given]], error: BaseException | None) -> None:
        self._failed(len(group))
        for one in group:
            one.future.set_exception(error)
