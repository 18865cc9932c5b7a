"""Named points at which a test may end, stop or break a process; an unarmed one costs a look at a dictionary.

Points are armed by a call, or by the environment of a command line that also says that it is a test.
"""

import os
import signal
from collections.abc import Mapping

__all__ = ["ACTIONS", "FailpointReached", "arm", "arm_from", "disarm", "reach"]

ACTIONS = ("kill", "stop", "raise")
"""`kill` is SIGKILL, `stop` SIGSTOP until somebody sends SIGCONT, `raise` is an error of no known kind."""

_POINTS = "SERENO_FAILPOINT"
_IS_TEST = "SERENO_TESTING"
"""A variable that was left behind must not end an engine: it counts only beside this one."""

_armed: dict[str, tuple[str, int]] = {}
_reached: dict[str, int] = {}


class FailpointReached(RuntimeError):
    """The armed action `raise`; not one of ours, so that it is treated as any unforeseen fault."""


def arm(points: str) -> None:
    """Arm points written as `name:action` or `name:action@n` (the n-th time only), separated by commas.

    Raises:
        ValueError: An action is not one of `ACTIONS`, or n is no number.
    """
    for point in points.split(","):
        name, _, said = point.strip().partition(":")
        action, _, time = said.partition("@")
        if action not in ACTIONS:
            raise ValueError(f"failpoint '{point}': the action is one of {', '.join(ACTIONS)}")
        _armed[name] = action, int(time or 1)


def arm_from(environment: Mapping[str, str]) -> None:
    """Arm what `SERENO_FAILPOINT` names, where `SERENO_TESTING=1` stands beside it."""
    if environment.get(_POINTS) and environment.get(_IS_TEST) == "1":
        arm(environment[_POINTS])


def disarm() -> None:
    """Forget every armed point."""
    _armed.clear()
    _reached.clear()


def reach(name: str) -> None:
    """Do what is armed for this point; normally nothing is."""
    if _armed:
        _act(name)


def _act(name: str) -> None:
    action, wanted = _armed.get(name, ("", 0))
    _reached[name] = _reached.get(name, 0) + 1
    if _reached[name] != wanted:
        return
    if action == "raise":
        raise FailpointReached(name)
    if action:
        os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)
