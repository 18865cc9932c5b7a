"""Group commit: what many requests bring at once shares one durable transaction."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sereno.domain.errors import SerenoError, StoreError
from sereno.flows.lane import QUIET_S, Lane, LaneLimits
from sereno.flows.put_off import Progress
from sereno.flows.taking import Receipt, Submission

__all__ = ["Engine", "GroupCommit", "IntakeFigures"]

log = logging.getLogger(__name__)

_REFRESH_S = 2.0
"""How old what is known of the models may be [s]."""
_PUT_OFF_S = 1.0
"""How long judging what was put off waits while there is other work [s]."""
_LEAST_SHARE, _MOST_SHARE = 0.1, 0.5
"""Of the time that it may take then, step by step: no answer waits for more than one."""
_EARLY = 0.5
"""Part of a rest that is left out where nobody waits by then; the next one is so much longer."""
_ROUND_S = 10.0
"""How long a round of all that was put off may last: what would last longer gets a larger share [s]."""
_LAST_S = 5.0
"""How long judging what was put off may take at the end [s]."""
_IDLE_S = 0.25


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


class Engine(Protocol):
    """Who stores and judges: a workspace, or one in another process; see `Workspace`."""

    def take(self, submissions: Sequence[Submission], /) -> tuple[list[Receipt | SerenoError], int]:
        """Store and judge what several requests brought, in one transaction."""

    def judge_put_off(self) -> Progress:
        """The next step of judging what was put off."""

    def refresh_models(self) -> None:
        """Let go of models that were replaced."""


class GroupCommit(Lane[Submission, Receipt]):
    """The one lane by which requests reach a workspace's store; answers are durable.

    In a pause what was put off is judged at once, for then it is in nobody's way.

    Args:
        is_asked: Whether others are asked meanwhile who want to compute, too: then there is no pause.
    """

    def __init__(
        self,
        engine: Engine,
        limits: LaneLimits | None = None,
        *,
        is_asked: Callable[[], bool] = lambda: False,
    ) -> None:
        self.figures = IntakeFigures()
        self._engine = engine
        self._is_asked = is_asked
        self._is_quiet = True
        """Whether there was nothing to do when it was looked last."""
        self._has_asked = True
        """Whether assets may have been put off: also those that another process left."""
        self._refreshed_at = time.monotonic()
        """When models were looked at last."""
        self._due_at = self._refreshed_at + _PUT_OFF_S
        """When it is time for a step of judging what was put off, even if somebody waits."""
        self._early_s = 0.0
        """How much earlier it may be while nobody waits [s]."""
        self._share, self._round_s = _LEAST_SHARE, 0.0
        """Of the time that such steps may take, and what those of this round have taken so far [s]."""
        super().__init__("intake", limits)

    def close(self) -> None:
        """Finish what was taken, and judge what was put off; returns when that is done.

        What cannot be judged now is when the workspace is served again, or scored.
        """
        super().close()
        until = time.monotonic() + _LAST_S
        while self._has_asked and time.monotonic() < until:
            self._after(is_quiet=True)

    def _patience(self) -> float:
        if not self._has_asked:
            return _IDLE_S
        return 0.0 if self._is_quiet else QUIET_S

    def _answers(self, group: Sequence[Submission]) -> Sequence[Receipt | SerenoError]:
        answers, n_put_off = self._engine.take(group)
        figures = self.figures
        figures.n_commits += 1
        figures.n_submissions += len(group)
        figures.n_records += sum(max(1, one.n_records) for one in group)
        figures.last_commit_at = time.time()
        if n_put_off and not self._has_asked:
            self._has_asked, self._due_at = True, time.monotonic() + _PUT_OFF_S
        return answers

    def _refused(self) -> None:
        self.figures.n_refused += 1

    def _failed(self, n_works: int) -> None:
        self.figures.n_failed += n_works

    def _after(self, *, is_quiet: bool) -> None:
        """What is done beside: peers that were put off, and models that somebody replaced."""
        self._is_quiet = is_quiet = is_quiet and (self._is_closing or not self._is_asked())
        now = time.monotonic()
        try:
            if now - self._refreshed_at >= _REFRESH_S:
                self._refreshed_at = now
                self._engine.refresh_models()
            if self._has_asked and (is_quiet or self._is_time(now)):
                self._judge_put_off()
        except StoreError as error:
            log.warning("not judged again yet", extra={"error": str(error)})
            self._later(now)
        except Exception:  # the supervisor: what waits for judging is still there
            log.exception("not judged again yet")
            self._later(now)

    def _is_time(self, now: float) -> bool:
        """Whether a step is due; while nobody waits it is before that."""
        return now >= self._due_at - (0.0 if self.n_waiting else self._early_s)

    def _judge_put_off(self) -> None:
        """One step; the more it took the longer the rest after it, and a round begins after a longer one.

        A step that came early is rested for from when it was due.
        """
        began = time.monotonic()
        early_s = min(max(self._due_at - began, 0.0), self._early_s)
        progress = self._engine.judge_put_off()
        ended = time.monotonic()
        self.figures.n_judged_again += progress.n_judged
        self._has_asked = not progress.is_done
        self._round_s += ended - began
        rest = min((ended - began) * (1 / self._share - 1), _PUT_OFF_S)
        if progress.is_round_over:
            self._share = min(max(self._round_s / _ROUND_S, _LEAST_SHARE), _MOST_SHARE)
            self._round_s, rest = 0.0, _PUT_OFF_S
        self._due_at, self._early_s = ended + early_s + rest, rest * _EARLY

    def _later(self, now: float) -> None:
        self._has_asked, self._due_at = True, now + _PUT_OFF_S
        with self._changed:
            self._changed.wait(_IDLE_S)
