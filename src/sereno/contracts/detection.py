"""What a detector is, built-in or third-party: hyper-parameters that learn, and what they become."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window

__all__ = ["Detector", "TrainedDetector"]


class TrainedDetector(Protocol):
    """Frozen, safe to share between threads."""

    @property
    def lookback(self) -> timedelta:
        """History wanted before the first scored row."""
        ...

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """Strangeness of each row, given what the rows before left in `memory`."""
        ...

    def dump(self) -> bytes:
        """All that `Detector.load` needs; never a pickle."""
        ...


class Detector(Protocol):
    """Frozen hyper-parameters that learn from history."""

    def fit(self, history: Sequence[Window]) -> TrainedDetector:
        """Learn the normal behaviour of the assets in `history`."""
        ...

    def load(self, state: bytes) -> TrainedDetector:
        """The trained detector that `dump` wrote."""
        ...
