"""How critical one abnormal hour is, on the scale of the field: five words, ordered."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["Criticality", "CriticalityScale", "criticality_of_word"]


class Criticality(IntEnum):
    """From what nobody can say to what cannot wait."""

    UNDETERMINED = 0
    """An hour inside an anomaly that has no score of its own."""
    VERY_LOW = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4

    @property
    def word(self) -> str:
        """As the tables of the field write it."""
        return _WORDS[self]


_WORDS = {
    Criticality.UNDETERMINED: "Indeterminada",
    Criticality.VERY_LOW: "Muy Baja",
    Criticality.LOW: "Baja",
    Criticality.MEDIUM: "Media",
    Criticality.HIGH: "Alta",
}
_OTHER_WORDS = {
    "high": Criticality.HIGH,
    "critical": Criticality.HIGH,
    "critica": Criticality.HIGH,
    "crítica": Criticality.HIGH,
    "medium": Criticality.MEDIUM,
    "moderate": Criticality.MEDIUM,
    "low": Criticality.LOW,
    "leve": Criticality.LOW,
    "very low": Criticality.VERY_LOW,
    "undetermined": Criticality.UNDETERMINED,
    "unknown": Criticality.UNDETERMINED,
}
_BY_WORD = {word.casefold(): level for level, word in _WORDS.items()} | _OTHER_WORDS


def criticality_of_word(word: str) -> Criticality | None:
    """The level that a word means, in Spanish or English; None for any other word.

    Example:
        >>> criticality_of_word("Muy baja").name, criticality_of_word("high").word
        ('VERY_LOW', 'Alta')
    """
    return _BY_WORD.get(" ".join(word.replace("_", " ").split()).casefold())


_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class CriticalityScale:
    """Bands of criticality in sigmas, where the calibrated threshold is worth some of them.

    Attributes:
        detection: Sigmas that the threshold is worth.
        high, medium, low: Sigmas from which an hour is of that level; below, it is very low.
    """

    detection: float = 2.0
    high: float = 3.0
    medium: float = 2.0
    low: float = 1.5

    def grade(self, exceedance: FloatArray) -> np.ndarray:
        """Level of each hour, int8, shape (rows,); undetermined where the score is NaN.

        Args:
            exceedance: Score over threshold.
        """
        is_known = np.isfinite(exceedance)
        sigmas = np.where(is_known, exceedance, 0.0) * self.detection
        bounds = np.array([self.low, self.medium, self.high]) * (1 - _ROUNDING)
        # A score that lies on a bound belongs above it, whatever the last bit of the product says.
        level = np.searchsorted(bounds, sigmas, side="right") + Criticality.VERY_LOW
        return np.where(is_known, level, Criticality.UNDETERMINED).astype(np.int8)
