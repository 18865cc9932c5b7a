"""A row by itself and beside its peers: only what is strange both ways is strange.

A cloudy day is strange by itself and ordinary beside the roofs around; a roof whose neighbour has failed is
ordinary by itself and strange beside it. Levels of weeks are compared with those of the peers anyway: there
one look says both.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sereno.contracts import TrainedDetector
from sereno.contracts.detection import Asked, score_together
from sereno.detect.peering import Reference
from sereno.detect.peers import TrainedPeers, with_references
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window

__all__ = ["weigh_all_beside", "weigh_beside"]

_BESIDE = "beside/"
"""Begins the names of what the detector remembers of the rows without what peers show too."""


def weigh_beside(
    detector: TrainedDetector, window: Window, reference: Reference, memory: Memory
) -> tuple[Scores, Memory]:
    """The smaller score of each row, with what belongs to it; by itself alone where no peers are known."""
    return weigh_all_beside(detector, [(window, reference, memory)])[0]


def weigh_all_beside(
    detector: TrainedDetector, asked: Sequence[tuple[Window, Reference, Memory]]
) -> list[tuple[Scores, Memory]]:
    """As `weigh_beside`, of windows of many assets in one call."""
    if isinstance(detector, TrainedPeers):
        return [_level_beside(detector, *one) for one in asked]
    looks: list[Asked] = [(window, memory) for window, _, memory in asked]
    looks += [_without_common(one) for one in asked if one[1].fast]
    found = iter(score_together(detector, looks))
    alone = [next(found) for _ in asked]
    return [
        _milder(one, mine, next(found)) if one[1].fast else mine
        for one, mine in zip(asked, alone, strict=True)
    ]


def _level_beside(
    levels: TrainedPeers, window: Window, reference: Reference, memory: Memory
) -> tuple[Scores, Memory]:
    scores, after = levels.score(with_references(window, reference), memory)
    return scores.of_signals(len(window.signals)), after


def _without_common(asked: tuple[Window, Reference, Memory]) -> Asked:
    """The second look: had the peers shown what is usual."""
    window, reference, memory = asked
    own = {
        name.removeprefix(_BESIDE): part for name, part in memory.arrays.items() if name.startswith(_BESIDE)
    }
    return reference.without_common(window), Memory(own) if own else memory


def _milder(
    asked: tuple[Window, Reference, Memory], alone: tuple[Scores, Memory], beside: tuple[Scores, Memory]
) -> tuple[Scores, Memory]:
    """Of two looks at each row the milder one, and the memory of both."""
    window, reference, _ = asked
    scores, learnt = alone
    other = reference.with_common(window, beside[0])
    is_milder = other.values < scores.values
    rows = is_milder[:, None]
    chosen = replace(
        scores,
        values=np.where(is_milder, other.values, scores.values),
        contributions=np.where(rows, other.contributions, scores.contributions),
        expected=np.where(rows, other.expected, scores.expected),
        is_telling=np.where(rows, other.is_telling, scores.is_telling),
    )
    kept = {_BESIDE + name: part for name, part in beside[1].arrays.items()}
    return chosen, Memory({**learnt.arrays, **kept})
