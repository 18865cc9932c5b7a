"""Group commit: what many requests bring at once shares one durable transaction.

One thread per workspace writes. While a transaction is made durable, others queue up; the next one takes all
that is there, so groups grow with the load and a lone request never waits for company.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from sereno.domain.errors import QueueFull, SerenoError, Stopping, StoreError
from sereno.flows.taking import Receipt, Submission
from sereno.flows.workspace import Workspace

__all__ = ["CommitLimits", "Engine", "GroupCommit", "IntakeFigures"]

log = logging.getLogger(__name__)

_REFRESH_S = 2.0
"""How old what is known of the models may be [s]."""
_PUT_OFF_S = 1.0
"""How long judging what peers told late may wait while there is other work [s]."""
_QUIET_S = 0.02
"""No work for so long is a pause [s]: then what was put off is in nobody's way."""
_AGAIN_AT_ONCE = 2
"""Assets that are judged again in a transaction: what waits meanwhile waits for so long."""
_IDLE_S = 0.25
_RETRY_S = 1


@dataclass(frozen=True, slots=True)
class CommitLimits:
    """How much may wait, and how much goes into one transaction."""

    max_waiting_records: int = 50_000
    max_group_records: int = 1_000


@dataclass(slots=True)
class IntakeFigures:
    """What has been done so far; counts only grow.

    Attributes:
        last_commit_at: Seconds of `time.time`; None before the first.
    """

    n_commits: int = 0
    n_submissions: int = 0
    n_records: int = 0
    n_refused: int = 0
    n_failed: int = 0
    n_judged_again: int = 0
    last_commit_at: float | None = None


@dataclass(slots=True)
class _Waiting:
    """A submission, or work that has the lane for itself, and who waits for it."""

    work: Submission | Callable[[Workspace], Any]
    n_records: int
    future: "Future[Any]" = field(default_factory=Future)


class Engine(Protocol):
    """Who stores and judges: the workspace itself, or one in another process; see `Workspace`."""

    def take(self, submissions: Sequence[Submission], /) -> tuple[list[Receipt | SerenoError], int]:
        """Store and judge what several requests brought, in one transaction."""

    def judge_asked(self, *, limit: int) -> int:
        """Judge assets again of which judging was put off."""

    def refresh_models(self) -> None:
        """Let go of models that were replaced."""


class GroupCommit:
    """The one lane by which requests reach a workspace's store.

    Safe to call from any thread. `close` finishes what was taken; whatever comes later is refused.

    Args:
        engine: Who stores and judges submissions; the workspace itself otherwise.
    """

    def __init__(
        self, workspace: Workspace, limits: CommitLimits | None = None, engine: Engine | None = None
    ) -> None:
        self.figures = IntakeFigures()
        self._workspace = workspace
        self._engine = engine or workspace
        self._limits = limits or CommitLimits()
        self._queue: deque[_Waiting] = deque()
        self._n_records = 0
        self._changed = threading.Condition()
        self._is_closing = False
        self._is_quiet = True
        """Whether there was nothing to do when it was looked last."""
        self._has_asked = True
        """Whether assets may have been put off: also those that another process left."""
        self._asked_at = self._refreshed_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """Records that wait for their turn."""
        return self._n_records

    def submit(self, submission: Submission) -> "Future[Receipt]":
        """Let a submission wait for its turn; its future is done when it is durable, or failed.

        A future that is cancelled before its turn is stored in no part.

        Raises:
            QueueFull: Too much waits.
            Stopping: The lane is about to end.
        """
        return self._put(_Waiting(submission, max(1, submission.n_records)))

    def run(self, work: Callable[[Workspace], Any], *, n_records: int = 1) -> "Future[Any]":
        """Let work with transactions of its own wait for its turn.

        Raises:
            QueueFull: Too much waits.
            Stopping: The lane is about to end.
        """
        return self._put(_Waiting(work, n_records))

    def close(self) -> None:
        """Finish what was taken and end; returns when that is done."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join()

    def _put(self, one: _Waiting) -> "Future[Any]":
        with self._changed:
            if self._is_closing:
                raise Stopping(retry_after_s=_RETRY_S)
            # One that is larger than the limit goes in when it is alone.
            if self._n_records and self._n_records + one.n_records > self._limits.max_waiting_records:
                self.figures.n_refused += 1
                raise QueueFull(waiting=self._n_records, retry_after_s=_RETRY_S)
            self._queue.append(one)
            self._n_records += one.n_records
            self._changed.notify()
        return one.future

    def _run(self) -> None:
        while True:
            group = self._next_group()
            if group:
                self._do(group)
            elif self._is_closing:
                return
            self._is_quiet = not group
            self._look_after()

    def _next_group(self) -> list[_Waiting]:
        """What goes into the next transaction; empty when there was nothing for a while, or the end."""
        with self._changed:
            if not self._queue and not self._is_closing:
                self._changed.wait(self._patience())
            group: list[_Waiting] = []
            n_records = 0
            while self._queue:
                one = self._queue[0]
                is_alone = not isinstance(one.work, Submission)
                if group and (is_alone or n_records + one.n_records > self._limits.max_group_records):
                    break
                self._queue.popleft()
                self._n_records -= one.n_records
                if one.future.set_running_or_notify_cancel():
                    group.append(one)
                    n_records += one.n_records
                if is_alone:
                    break
            return group

    def _do(self, group: list[_Waiting]) -> None:
        first = group[0]
        if not isinstance(first.work, Submission):
            self._settle(first, first.work)
            self._has_asked = True
            return
        submissions = [one.work for one in group if isinstance(one.work, Submission)]
        try:
            answers, n_put_off = self._engine.take(submissions)
        except SerenoError as error:
            self._failed(group, error)
            return
        except Exception as error:  # the supervisor: one request must not fail the others
            log.exception("records not stored", extra={"requests": len(group)})
            self._failed(group, error)
            return
        self._count(group, n_put_off)
        for one, answer in zip(group, answers, strict=True):
            if isinstance(answer, SerenoError):
                one.future.set_exception(answer)
            else:
                one.future.set_result(answer)

    def _failed(self, group: list[_Waiting], error: Exception) -> None:
        """Nothing of a group was stored: the store's trouble is everybody's, other trouble is one's own."""
        if isinstance(error, StoreError) or len(group) == 1:
            self.figures.n_failed += len(group)
            for one in group:
                one.future.set_exception(error)
            return
        for one in group:
            self._do([one])

    def _settle(self, one: _Waiting, work: Callable[[Workspace], Any]) -> None:
        try:
            one.future.set_result(work(self._workspace))
        except SerenoError as error:
            self._failed([one], error)
        except Exception as error:  # the supervisor: whoever waits hears of it
            log.exception("work failed")
            self._failed([one], error)

    def _count(self, group: list[_Waiting], n_put_off: int) -> None:
        figures = self.figures
        figures.n_commits += 1
        figures.n_submissions += len(group)
        figures.n_records += sum(one.n_records for one in group)
        figures.last_commit_at = time.time()
        if n_put_off and not self._has_asked:
            self._has_asked, self._asked_at = True, time.monotonic()

    def _patience(self) -> float:
        """How long to wait for work before something else is done [s]."""
        if not self._has_asked:
            return _IDLE_S
        return 0.0 if self._is_quiet else _QUIET_S

    def _look_after(self) -> None:
        """What is done beside: peers that were put off, and models that somebody replaced."""
        now = time.monotonic()
        try:
            if now - self._refreshed_at >= _REFRESH_S:
                self._refreshed_at = now
                self._engine.refresh_models()
            if self._has_asked and (self._is_quiet or now - self._asked_at >= _PUT_OFF_S):
                n_judged = self._engine.judge_asked(limit=_AGAIN_AT_ONCE)
                self.figures.n_judged_again += n_judged
                self._has_asked = n_judged > 0
                self._asked_at = now
        except StoreError as error:
            log.warning("not judged again yet", extra={"error": str(error)})
            self._later(now)
        except Exception:  # the supervisor: what waits for judging is still there
            log.exception("not judged again yet")
            self._later(now)

    def _later(self, now: float) -> None:
        self._has_asked, self._asked_at = True, now + _PUT_OFF_S
        with self._changed:
            self._changed.wait(_IDLE_S)
