"""Goals, and whether the figures of an evaluation meet them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import isnan

from sereno.evaluate.scores import Scoreboard

__all__ = ["Criterion", "Goals", "acceptance"]


@dataclass(frozen=True, slots=True)
class Goals:
    """What is wanted.

    Attributes:
        false_positive_rate: Largest share of normal rows said abnormal.
        recall: Smallest share of abnormal rows found.
        recall_by_variable: Smallest share of any variable's abnormal rows found under its name.
        severity: Smallest share of found rows whose criticality agrees.
        latency: Longest that judging all rows may take.
    """

    false_positive_rate: float = 0.15
    recall: float = 0.80
    recall_by_variable: float = 0.80
    severity: float = 0.90
    latency: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One row of the table of acceptance.

    Attributes:
        name: Stable: `false_positive_rate`, `recall`, `recall:<variable>`, `severity`, `latency_minutes`.
        goal: The bound.
        value: The figure; NaN where nothing could be counted.
        is_upper: Whether the figure must not be above the bound, rather than not below it.
    """

    name: str
    goal: float
    value: float
    is_upper: bool = False

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None where there is no figure."""
        if isnan(self.value):
            return None
        return self.value <= self.goal if self.is_upper else self.value >= self.goal


def acceptance(board: Scoreboard, goals: Goals, *, judging: timedelta) -> list[Criterion]:
    """The table of acceptance, a row per goal.

    Args:
        judging: How long judging all rows took.
    """
    rows = board.ours.rows
    return [
        Criterion("false_positive_rate", goals.false_positive_rate, rows.false_positive_rate, is_upper=True),
        Criterion("recall", goals.recall, rows.recall),
        *_by_variable(board, goals.recall_by_variable),
        Criterion("severity", goals.severity, board.level_agreement),
        Criterion(
            "latency_minutes",
            goals.latency / timedelta(minutes=1),
            judging / timedelta(minutes=1),
            is_upper=True,
        ),
    ]


def _by_variable(board: Scoreboard, goal: float) -> Iterator[Criterion]:
    for name, score in sorted(board.variables.items()):
        value = score.n_named / score.n_rows if score.n_rows else float("nan")
        yield Criterion(f"recall:{name}", goal, value)
