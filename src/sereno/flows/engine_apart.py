"""Storing and judging in processes of their own, so that those who ask are answered meanwhile.

Python computes in one thread at a time: in a service that judges and answers in one process, each waits for
the other, and one core of the machine does all. On an embedded store one at a time writes anyway, so one
process is enough for all organizations; what is judged and not stored is so in another, and waits for no
transaction.
"""

import logging
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import IO, TypeVar

from sereno.domain.errors import EngineLost, SerenoError
from sereno.flows.build import Setup
from sereno.flows.put_off import Progress
from sereno.flows.records_path import Heard, Opinion, Question
from sereno.flows.supervision import PartStatus
from sereno.flows.taking import Receipt, Submission
from sereno.flows.workspace import Workspace

__all__ = ["Asked", "AskedApart", "EngineProcess", "JudgedApart", "Told", "send"]

log = logging.getLogger(__name__)

_TRIES = 2
"""How often something is begun whose process ends: what is stored already is known the second time."""
_RETRY_S = 1

_Given = TypeVar("_Given")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the other process is to do.

    Attributes:
        folder: Of the workspace.
        reopens: Its settings have changed since it was asked for last.
        work: A function of a module, or a `partial` of one.
    """

    folder: str
    language: str
    reopens: bool
    work: Callable[[Workspace], object]


@dataclass(frozen=True, slots=True)
class Told:
    """What the other process says.

    Attributes:
        value: What the work gave, or the error that it ended with.
        logged: What it has to log meanwhile; then the work goes on.
    """

    value: object = None
    logged: logging.LogRecord | None = None


class EngineProcess:
    """Another process that works on workspaces, one thing after the other; safe to share between threads.

    It begins with the first that is asked for, ends with this process, and is begun again when it has ended.
    """

    def __init__(self, name: str = "engine process") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._known: dict[str, Setup] = {}
        """As whom it has opened each folder."""
        self._n_ended, self._problem = 0, ""

    @property
    def number(self) -> int | None:
        """Of the process; None while there is none."""
        process = self._process
        return None if process is None else process.pid

    @property
    def status(self) -> PartStatus:
        """How it is doing: not well from when something was given up until something is done again."""
        return PartStatus(self._name, not self._problem, self._n_ended, self._problem)

    def do(self, workspace: Workspace, work: Callable[[Workspace], _Given]) -> _Given:
        """Let a function of a module be called there with that workspace.

        Raises:
            EngineLost: The process ended, and so did the one that was begun after it; or none can be begun.
            SerenoError: As the function raises.
        """
        n_tried = 0
        with self._lock:
            while True:
                n_tried += 1
                try:
                    told = self._told(workspace, work)
                except (EOFError, OSError, pickle.UnpicklingError) as error:
                    code = self._ended()
                    why = str(error) if code is None else code
                    self._n_ended += 1
                    log.error("%s ended", self._name, extra={"code": why, "times": n_tried})
                    if n_tried >= _TRIES:
                        lost = EngineLost(code=why, attempts=n_tried, retry_after_s=_RETRY_S)
                        self._problem = str(lost)
                        raise lost from error
                else:
                    self._problem = ""
                    if isinstance(told.value, SerenoError):
                        raise told.value
                    return told.value  # type: ignore[return-value]

    def close(self) -> None:
        """Let it end; what it is doing is finished first."""
        with self._lock:
            self._ended()

    def _told(self, workspace: Workspace, work: Callable[[Workspace], object]) -> Told:
        process = self._process = self._process or _started()
        folder, setup = str(workspace.folder.resolve()), workspace.setup
        known = self._known.setdefault(folder, setup)
        assert process.stdin is not None
        assert process.stdout is not None
        send(process.stdin, Asked(folder, setup.language, known is not setup, work))
        self._known[folder] = setup
        while True:
            told: Told = pickle.load(process.stdout)
            if told.logged is None:
                return told
            logging.getLogger(told.logged.name).handle(told.logged)

    def _ended(self) -> int | None:
        """Let go of the process; returns the code that it ended with, None where there was none."""
        process, self._process = self._process, None
        self._known.clear()
        if process is None:
            return None
        with suppress(BrokenPipeError), process:  # closes its stdin, which ends it
            pass
        return process.returncode


@dataclass(frozen=True, slots=True)
class JudgedApart:
    """A workspace whose submissions another process stores and judges."""

    workspace: Workspace
    process: EngineProcess

    def take(self, submissions: Sequence[Submission]) -> tuple[list[Receipt | SerenoError], int]:
        """As `Workspace.take`.

        Raises:
            EngineLost: The process ended time and again; what it had stored by then is stored.
            StoreError: Nothing of any of them is stored.
        """
        try:
            return self.process.do(self.workspace, partial(_take, submissions=submissions))
        finally:  # what was stored before the process ended is there
            self.workspace.forget_records()

    def judge_put_off(self) -> Progress:
        """As `Workspace.judge_put_off`."""
        progress = self.process.do(self.workspace, _judge_put_off)
        if progress.n_judged:
            self.workspace.forget_records()
        return progress

    def refresh_models(self) -> None:
        """As `Workspace.refresh_models`, here and there."""
        self.workspace.refresh_models()
        self.process.do(self.workspace, partial(_refresh, heard=self.workspace.heard))


@dataclass(frozen=True, slots=True)
class AskedApart:
    """A workspace of which another process says what it thinks of records."""

    workspace: Workspace
    process: EngineProcess

    def judge_all(self, questions: Sequence[Question]) -> list[Opinion | SerenoError]:
        """As `Workspace.judge_all`.

        Raises:
            EngineLost: The process ended time and again.
        """
        work = partial(_judge_all, questions=questions, heard=self.workspace.heard)
        return self.process.do(self.workspace, work)


def send(stream: IO[bytes], said: Asked | Told) -> None:
    """Say something as a whole; what cannot be said is not begun."""
    stream.write(pickle.dumps(said, pickle.HIGHEST_PROTOCOL))
    stream.flush()


def _started() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "sereno.flows.engine_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _take(
    workspace: Workspace, *, submissions: Sequence[Submission]
) -> tuple[list[Receipt | SerenoError], int]:
    workspace.forget_records()  # sources store in the process that asks
    return workspace.take(submissions)


def _judge_all(
    workspace: Workspace, *, questions: Sequence[Question], heard: Heard
) -> list[Opinion | SerenoError]:
    workspace.catch_up(heard)
    return workspace.judge_all(questions)


def _judge_put_off(workspace: Workspace) -> Progress:
    return workspace.judge_put_off()


def _refresh(workspace: Workspace, *, heard: Heard) -> None:
    workspace.catch_up(heard)
    workspace.refresh_models()
