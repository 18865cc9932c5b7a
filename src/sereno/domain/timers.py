"""What will happen to an incident by itself unless somebody is faster."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["Timer", "TimerKind"]


class TimerKind(StrEnum):
    """What a timer does when it is due."""

    ESCALATE = "escalate"
    UNSHELVE = "unshelve"
    UNACKNOWLEDGE = "unacknowledge"
    CLOSE = "close"
    CALM = "calm"


@dataclass(frozen=True, slots=True)
class Timer:
    """One thing that is due; at most one of each kind and step for an incident."""

    incident_id: str
    kind: TimerKind
    due_at: datetime
    step: int = 0
