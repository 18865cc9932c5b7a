"""How long the same trouble remains the same incident, and how far what it explains may lie from it."""

from datetime import timedelta

from sereno.domain.incidents import Explains, explains
from sereno.domain.judgement import Detection, IncidentKind

__all__ = ["SPELLS", "explaining_slack", "reopen_window"]

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
SPELLS = {"behaviour.capacity": 10 * _DAY, "behaviour.excess": 5 * _DAY}
"""Days of which none is like the weeks before; within so many it is known when they began."""
_OF_WEEKS = frozenset({"behaviour.drift", *SPELLS, "behaviour.leak"})
"""What goes up and down about its limit for weeks."""


def reopen_window(detection: Detection, step: timedelta | None) -> timedelta:
    """How long after its end the same trouble still counts as the same incident."""
    if detection.check in _OF_WEEKS:
        return 7 * _DAY
    if step is None or step >= _DAY:
        if detection.kind is not IncidentKind.DATA:
            return 7 * _DAY
        return explaining_slack(step) if explains(detection) is Explains.ALL else timedelta(0)
    return _DAY if step >= _HOUR else 4 * _HOUR


def explaining_slack(step: timedelta | None) -> timedelta:
    """How much earlier than a mistake what it explains may begin, and how much later it may end."""
    return 2 * step if step is not None and step >= _DAY else _DAY
