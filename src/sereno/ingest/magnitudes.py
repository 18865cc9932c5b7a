"""What the sign in cells such as `5.606` means, by the size of the numbers beside them."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import polars as pl

__all__ = ["Magnitudes"]

MIN_ADVANTAGE = 1.0
"""How many powers of ten one reading must be nearer to its neighbours than the other."""
LOG_THOUSAND = 3.0
FIRST_THOUSAND = 1000
SIGNS = (".", ",")


@dataclass(slots=True)
class Magnitudes:
    """Sizes of the cells of a column; sums, so that the order of rows plays no part.

    Attributes:
        n_grouped: By sign, cells with three digits behind it, such as `5.606`.
        log_grouped: By sign, sum of their decimal logarithms with the sign as decimal sign.
        n_whole: Cells without any sign, but zero.
        log_whole: Sum of their decimal logarithms.
        n_long: Those of them above 999.
    """

    n_grouped: Counter[str] = field(default_factory=Counter)
    log_grouped: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SIGNS, 0.0))
    n_whole: int = 0
    log_whole: float = 0.0
    n_long: int = 0

    def add_grouped(self, cells: pl.Series, sign: str) -> None:
        """Takes in cells that are one to three digits, the sign and three digits."""
        numbers = cells.str.strip_chars().str.replace(sign, ".", literal=True).cast(pl.Float64)
        self.n_grouped[sign] += len(cells)
        self.log_grouped[sign] += float(np.log10(np.abs(numbers.to_numpy())).sum())

    def add_whole(self, numbers: pl.Series) -> None:
        """Takes in numbers that are written without any sign."""
        sizes = np.abs(numbers.to_numpy())
        sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
        self.n_whole += len(sizes)
        self.log_whole += float(np.log10(sizes).sum())
        self.n_long += int(np.count_nonzero(sizes >= FIRST_THOUSAND))

    def decimal_sign(self, maximum: float | None) -> tuple[str, str] | None:
        """The decimal sign and the key of the reason; None where both readings are as likely.

        Whole numbers above 999 without a sign show that thousands are not parted here; otherwise the reading
        that is nearer to the whole numbers of the column is meant, or the one that the signal can have.

        Args:
            maximum: What the signal can be at most, in the column's unit; None where there is no limit.
        """
        signs = [sign for sign in SIGNS if self.n_grouped[sign]]
        if len(signs) != 1:
            return None
        sign, other = signs[0], SIGNS[1 - SIGNS.index(signs[0])]
        if self.n_long:
            return sign, "reason.decimal_long"
        size = self.log_grouped[sign] / self.n_grouped[sign]
        if self.n_whole:
            usual = self.log_whole / self.n_whole
            advantage = abs(size + LOG_THOUSAND - usual) - abs(size - usual)
            if abs(advantage) >= MIN_ADVANTAGE:
                return (sign if advantage > 0 else other), "reason.decimal_size"
        if maximum is not None and maximum > 0 and size + LOG_THOUSAND > np.log10(maximum) >= size:
            return sign, "reason.decimal_range"
        return None
