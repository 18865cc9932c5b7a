"""Where trouble that goes on is heading."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

__all__ = ["Course", "Outlook", "Unlearnt"]


class Course(StrEnum):
    """How a deviation moves."""

    WORSENING = "worsening"
    EASING = "easing"
    STEADY = "steady"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the last rows of an open incident say of the next ones, if all goes on as it does.

    Attributes:
        reaches: What comes: `double` the deviation, `nothing` left of the signal, `normal` again; empty where
            the course is steady.
        after: When, from the last row on; None where the course is steady.
    """

    course: Course
    reaches: str = ""
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unlearnt:
    """Behaviour that has been unusual for so long that it may be a regime that was never learnt.

    Attributes:
        learnt: Length of the history that it is judged by.
        lasted: Abnormal rows, as a length of time.
    """

    learnt: timedelta
    lasted: timedelta
