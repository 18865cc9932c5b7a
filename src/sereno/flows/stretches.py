"""Judging the next rows of assets in stretches that end where checkpoints are due; no storage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from sereno.detect.peering import NO_REFERENCE, Reference
from sereno.domain.judgement import IncidentKind, Memory
from sereno.domain.readings import FloatArray, Quality, Window
from sereno.domain.signals import Profile
from sereno.domain.time import from_numpy
from sereno.flows.judge import Case, Judgement, judge_windows
from sereno.flows.models import TrainedModel

__all__ = ["Beside", "Course", "Stretch", "count_flags", "judge_courses", "judge_next"]

_AGE = "age"
_CHECKPOINT_ROWS = 1_000
"""Rows between two states to which a late reading can go back."""
_FEW_ROWS = 5
"""Rows that are judged again as fast as one."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A judged stretch of a window."""

    judgement: Judgement
    raw: Window
    memory: Memory
    last_at: datetime
    is_checkpoint: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known beside an asset's own rows."""

    twin: FloatArray | None
    reference: Reference
    factors: Mapping[str, float]

    @property
    def is_with_others(self) -> bool:
        """Whether other assets have a say: what they read may come a little later."""
        return self.twin is not None or self.reference is not NO_REFERENCE


@dataclass(slots=True)
class Course:
    """An asset's next rows on their way, in stretches that end where checkpoints are due.

    Checkpoints are where they are wherever batches happened to end before.

    Attributes:
        before: What the rows before these left.
        stretches: Those that have been judged.
    """

    window: Window
    before: Memory
    beside: Beside
    stretches: list[Stretch] = field(default_factory=list)
    _n_done: int = 0

    @property
    def is_done(self) -> bool:
        """Whether all rows have been judged."""
        return self._n_done == len(self.window)

    @property
    def memory(self) -> Memory:
        """What the rows that have been judged left."""
        return self.stretches[-1].memory if self.stretches else self.before

    @property
    def _age(self) -> int:
        """Rows since the last checkpoint."""
        return int(self.memory.arrays.get(_AGE, np.zeros(1))[0])

    def next_case(self, most: int | None = None) -> Case:
        """The stretch that comes next.

        Args:
            most: Rows of it.
        """
        start, n_rows = self._n_done, len(self.window)
        stop = min(start + min(_CHECKPOINT_ROWS - self._age, most or n_rows), n_rows)
        is_short = stop - start <= (most if most and self.stretches else _FEW_ROWS)
        if self.beside.is_with_others and stop == n_rows and not is_short:
            stop -= 1  # the newest state is that before the last row; of few it may be that before them all
        return Case(
            self.window.rows(start, stop),
            self.memory,
            None if self.beside.twin is None else self.beside.twin[start:stop],
            self.beside.reference.rows(start, stop),
            self.beside.factors,
        )

    def add(self, case: Case, judgement: Judgement) -> None:
        """The stretch has been judged."""
        age = (self._age + len(case.window)) % _CHECKPOINT_ROWS
        memory = Memory({**judgement.memory.arrays, _AGE: np.array([age])})
        last_at = from_numpy(case.window.time[-1])
        self.stretches.append(Stretch(judgement, case.window, memory, last_at, is_checkpoint=age == 0))
        self._n_done += len(case.window)


def judge_courses(courses: Sequence[Course], profile: Profile, model: TrainedModel | None) -> None:
    """Judge all rows: the next stretch of every asset in one call, until none is left."""
    while left := [course for course in courses if not course.is_done]:
        judge_next(left, profile, model)


def judge_next(
    courses: Sequence[Course], profile: Profile, model: TrainedModel | None, *, most: int | None = None
) -> None:
    """Judge the next stretch of courses none of which is done.

    Args:
        most: Rows of each.
    """
    cases = [course.next_case(most) for course in courses]
    for course, case, judgement in zip(courses, cases, judge_windows(cases, profile, model), strict=True):
        course.add(case, judgement)


def count_flags(stretches: Sequence[Stretch]) -> Counter[str]:
    """Rows that break an identity by more than rounding and open nothing."""
    counts: Counter[str] = Counter()
    for stretch in stretches:
        flagged = ((stretch.judgement.flags & int(Quality.IMBALANCE)) != 0).any(axis=1)
        for one in stretch.judgement.evidence:
            if one.kind is IncidentKind.PHYSICS:
                flagged &= ~(one.exceedance >= 1.0)
        counts["physics.imbalance"] += int(flagged.sum())
    return +counts
