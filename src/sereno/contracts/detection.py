"""What a detector is, built-in or third-party: hyper-parameters that learn, and what they become."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["MIN_ROWS", "Asked", "Detector", "TrainedDetector", "score_together"]

MIN_ROWS = 21
"""Rows of one asset below which a detector need not try to learn it."""


class TrainedDetector(Protocol):
    """Frozen, safe to share between threads."""

    @property
    def lookback(self) -> timedelta:
        """History wanted before the first scored row."""
        ...

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset."""
        ...

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """Strangeness of each row, given what the rows before left in `memory`.

        Returns:
            Scores in units of the asset's own calm 99 % quantile, NaN where there is nothing to judge, equal
            to the last bit however the rows are cut into windows; and the arrays for the next window, under
            names that no other detector uses. Arrays of others in `memory` are left out. A detector that
            knows regimes tells their changes in `Scores.changes`; others leave it empty.
        """
        ...

    def dump(self) -> bytes:
        """All that `Detector.load` needs, hyper-parameters included; never a pickle."""
        ...


Asked = tuple[Window, Memory | None]
"""A window to be scored, and what the rows before it left."""


def score_together(detector: TrainedDetector, asked: Sequence[Asked]) -> list[tuple[Scores, Memory]]:
    """What a detector says of windows of many assets: what `score` says of each, to the last bit, in order.

    One that has a `score_together` of its own, which takes and gives the same, is asked once: on a few rows
    the number of calls counts and not their size. Any other one is asked window by window.
    """
    together = getattr(detector, "score_together", None)
    if together is None:
        return [detector.score(window, memory) for window, memory in asked]
    scored: list[tuple[Scores, Memory]] = together(asked)
    return scored


class Detector(Protocol):
    """Hyper-parameters that learn from history: a frozen dataclass whose fields are its options.

    The first field is the profile; every other one has a default, so that the profile alone builds one.
    """

    @property
    def profile(self) -> Profile:
        """Gives the signals of the windows their meaning."""
        ...

    def fit(self, history: Sequence[Window]) -> TrainedDetector:
        """Learn the normal behaviour of the assets in `history`; cells that are NaN teach nothing.

        Raises:
            HistoryTooShort: No asset has enough rows.
        """
        ...

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> TrainedDetector:
        """As `fit`, from the rows marked in `use` alone; what moves with time still follows all rows.

        Args:
            use: Rows to learn from, one array (rows,) per window.
        """
        ...

    def load(self, state: bytes) -> TrainedDetector:
        """The trained detector that `dump` wrote, whatever the options of this one.

        Raises:
            ArchiveError: The bytes are no such archive.
        """
        ...
