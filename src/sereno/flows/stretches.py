"""Judging an asset's next rows in stretches that end where checkpoints are due; no storage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from sereno.detect.peering import NO_REFERENCE, Reference
from sereno.domain.judgement import IncidentKind, Memory
from sereno.domain.readings import FloatArray, Quality, Window
from sereno.domain.signals import Profile
from sereno.domain.time import from_numpy
from sereno.flows.judge import Judgement, judge_window
from sereno.flows.models import TrainedModel

__all__ = ["Beside", "Stretch", "count_flags", "judge_in_stretches"]

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


def judge_in_stretches(
    window: Window, profile: Profile, model: TrainedModel | None, memory: Memory, beside: Beside
) -> list[Stretch]:
    """The window in stretches that end where checkpoints are due, wherever batches happened to end before."""
    stretches = []
    start = 0
    while start < len(window):
        age = int(memory.arrays.get(_AGE, np.zeros(1))[0])
        stop = min(start + _CHECKPOINT_ROWS - age, len(window))
        if beside.is_with_others and start + _FEW_ROWS < len(window) == stop:
            stop -= 1  # the newest state is that before the last row; of few it may be that before them all
        part = window.rows(start, stop)
        judgement = judge_window(
            part,
            profile,
            model,
            memory,
            None if beside.twin is None else beside.twin[start:stop],
            beside.reference.rows(start, stop),
            beside.factors,
        )
        age = (age + stop - start) % _CHECKPOINT_ROWS
        memory = Memory({**judgement.memory.arrays, _AGE: np.array([age])})
        last_at = from_numpy(part.time[-1])
        stretches.append(Stretch(judgement, part, memory, last_at, is_checkpoint=age == 0))
        start = stop
    return stretches


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
