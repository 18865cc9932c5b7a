"""The process of `EngineProcess`: asked on stdin, answers on stdout, pickled; what it logs goes the same way.

It ends when stdin closes: then nobody is there any more who would hear the answer. What it is doing is
finished first, whatever signal its group gets, for those who wait for an answer still get it.
"""

import copy
import gc
import logging
import os
import pickle
import secrets
import signal
import sys
from typing import BinaryIO

from sereno.domain.errors import InternalFault, SerenoError
from sereno.domain.failpoints import arm_from, reach
from sereno.flows.engine_apart import Asked, Told, send
from sereno.flows.workspace import Workspace

__all__ = ["main"]

log = logging.getLogger(__name__)

_SETTLED_AFTER = 20
"""Answers after which what is kept at hand is there: from then on nobody looks through it for garbage."""


def main(asked: BinaryIO, told: BinaryIO) -> None:
    """Do what is asked for until there is nobody left who asks."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logging.getLogger().addHandler(_Telling(told))
    opened: dict[str, Workspace] = {}
    n_done = 0
    while True:
        try:
            request: Asked = pickle.load(asked)
        except EOFError:
            break
        answer = Told(_value(opened, request))
        reach("engine.before_answer")
        try:
            send(told, answer)
        except BrokenPipeError:
            break
        n_done += 1
        if n_done == _SETTLED_AFTER:
            gc.collect()
            gc.freeze()
    for workspace in opened.values():
        workspace.close()


def _value(opened: dict[str, Workspace], request: Asked) -> object:
    """What the work gives; an error that it ends with is an answer, too."""
    try:
        return request.work(_opened(opened, request))
    except SerenoError as error:
        return error
    except Exception:  # the supervisor: the next request is another one
        number = secrets.token_hex(6)
        log.exception("work failed", extra={"fault": number})
        return InternalFault(id=number)


def _opened(opened: dict[str, Workspace], request: Asked) -> Workspace:
    if request.reopens and request.folder in opened:
        opened.pop(request.folder).close()
    workspace = opened.get(request.folder)
    if workspace is None:
        workspace = opened[request.folder] = Workspace.open(request.folder, language=request.language)
        logging.getLogger("sereno").setLevel(workspace.settings.logging.level.upper())
    return workspace


class _Telling(logging.Handler):
    """Gives what is logged to the process that keeps the log."""

    def __init__(self, told: BinaryIO) -> None:
        super().__init__()
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        """Say it before the answer; a traceback goes as its text."""
        said = copy.copy(record)
        if record.exc_info:
            said.exc_text = logging.Formatter().formatException(record.exc_info)
        said.msg, said.args, said.exc_info = record.getMessage(), None, None
        send(self._told, Told(logged=said))


if __name__ == "__main__":
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    arm_from(os.environ)
    main(sys.stdin.buffer, answers)
