"""A row by itself and beside its peers: only what is strange both ways is strange.

A cloudy day is strange by itself and ordinary beside the roofs around; a roof whose neighbour has failed is
ordinary by itself and strange beside it.
"""

from dataclasses import replace

import numpy as np

from sereno.contracts import TrainedDetector
from sereno.detect.peering import Reference
from sereno.detect.together import score_together
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window

__all__ = ["weigh_beside"]

_BESIDE = "beside/"
"""Begins the names of what the detector remembers of the rows without what peers show too."""


def weigh_beside(
    detector: TrainedDetector, window: Window, reference: Reference, memory: Memory
) -> tuple[Scores, Memory]:
    """The smaller score of each row, with what belongs to it; by itself alone where no peers are known."""
    if not reference.fast:
        return detector.score(window, memory)
    own = {
        name.removeprefix(_BESIDE): part for name, part in memory.arrays.items() if name.startswith(_BESIDE)
    }
    without = reference.without_common(window), Memory(own) if own else memory
    (scores, learnt), (beside, after) = score_together(detector, [(window, memory), without])
    kept = {_BESIDE + name: part for name, part in after.arrays.items()}
    beside = reference.with_common(window, beside)
    is_milder = beside.values < scores.values
    rows = is_milder[:, None]
    chosen = replace(
        scores,
        values=np.where(is_milder, beside.values, scores.values),
        contributions=np.where(rows, beside.contributions, scores.contributions),
        expected=np.where(rows, beside.expected, scores.expected),
        is_telling=np.where(rows, beside.is_telling, scores.is_telling),
    )
    return chosen, Memory({**learnt.arrays, **kept})
