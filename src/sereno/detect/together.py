"""Windows of many assets in one call: what counts on few rows is the number of calls."""

from collections.abc import Sequence

from sereno.contracts import TrainedDetector
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window

__all__ = ["Asked", "score_together"]

Asked = tuple[Window, Memory | None]
"""A window, and what the rows before it left."""


def score_together(detector: TrainedDetector, asked: Sequence[Asked]) -> list[tuple[Scores, Memory]]:
    """What `score` says of each window, to the last bit, in their order.

    A detector that has a `score_together` of its own is asked once; any other one window at a time.
    """
    together = getattr(detector, "score_together", None)
    if together is None:
        return [detector.score(window, memory) for window, memory in asked]
    scored: list[tuple[Scores, Memory]] = together(asked)
    return scored
