"""Hours of a day by number: `01/03/2025 H5` is the fifth hour of that day.

Numbers begin at 0 (the hour that starts at midnight) or at 1 (the hour that ends at one). On the days of a
clock change they either count the hours that pass (1 to 23, 1 to 25) or follow the clock and leave out or
repeat one; all days of a file together tell which.
"""

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.ingest.zones import to_utc

__all__ = [
    "AMBIGUOUS",
    "HourEvidence",
    "HourStyle",
    "NumberedDays",
    "instants_of_hours",
    "join_hours",
    "split_hours",
    "without_hour",
]

MAX_DAYS = 200_000
US_PER_MINUTE = 60_000_000
MINUTES_PER_DAY = 1440
MINUTES_OF_LETTER = {"H": 60, "M": 30, "Q": 15}
FIRST_LONG_HOUR, SHORT_DAY = 25, 23
_NUMBERED = r"^(.*\S) ([HMQ])(\d{1,3})$"
_ONE_NUMBERED = re.compile(r" [HMQ]\d{1,3}\Z")
_HOUR_CELL = r"^\s*[Hh]?(\d{1,2})\s*$"
_MIDNIGHT = r"[T ]+0?0:00(?::00(?:[.,]0+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?\s*$"
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class HourStyle:
    """How the numbers of a file are meant.

    Attributes:
        base: The number of the first step of a day, 0 or 1.
        zone: Zone whose days have as many hours as pass; empty where numbers follow the clock.
    """

    base: int
    zone: str = ""


AMBIGUOUS = HourStyle(-1)
"""Numbers that neither begin at 0 nor end at 24: nothing tells whether 1 starts or ends at one o'clock."""


@dataclass(frozen=True, slots=True)
class NumberedDays:
    """Texts taken apart: date, number and minutes of a step; null where a text has no number."""

    dates: pl.Series
    numbers: pl.Series
    letters: pl.Series


def join_hours(dates: pl.Series, clocks: pl.Series) -> pl.Series:
    """Dates and times of day as one text; a bare number becomes the number of an hour."""
    marks = clocks.str.replace(_HOUR_CELL, "H$1")
    # Some programs write the midnight of every date.
    days = dates.str.replace(_MIDNIGHT, "")
    return pl.select(pl.concat_str([days, marks], separator=" ")).to_series()


def split_hours(texts: pl.Series) -> NumberedDays:
    """The parts of `01/03/2025 H5`."""
    parts = texts.str.extract_groups(_NUMBERED).struct
    return NumberedDays(parts.field("1"), parts.field("3").cast(pl.Int64), parts.field("2"))


def without_hour(text: str) -> str:
    """The date alone of one such text.

    Example:
        >>> without_hour("01/03/2025 H5")
        '01/03/2025'
    """
    return _ONE_NUMBERED.sub("", text)


@dataclass(slots=True)
class HourEvidence:
    """The numbers that each day of a file has, as bits of an integer by the date's text."""

    days: dict[str, int] = field(default_factory=dict)
    letter: str = "H"

    def add(self, texts: pl.Series) -> None:
        """Takes in more instants of the file."""
        if not len(texts) or not texts.head(100).str.contains(_NUMBERED).any():
            return
        parts = split_hours(texts)
        pairs = pl.DataFrame([parts.dates.alias("date"), parts.numbers.alias("k")]).drop_nulls().unique()
        for date, number in pairs.iter_rows():
            if len(self.days) < MAX_DAYS or date in self.days:
                self.days[date] = self.days.get(date, 0) | 1 << number
        self.letter = parts.letters.drop_nulls().first() or "H"  # type: ignore[assignment]

    def decide(self, zone: str, stamp: str | None) -> HourStyle | None:
        """How the numbers are meant; None where there are none, `AMBIGUOUS` where nothing tells.

        Args:
            zone: Of the file.
            stamp: What the caller says of its times: `start`, `end` or None.
        """
        if not self.days:
            return None
        seen = 0
        for bits in self.days.values():
            seen |= bits
        per_day = MINUTES_PER_DAY // MINUTES_OF_LETTER[self.letter]
        if seen & 1:
            base = 0
        elif seen >> per_day:
            base = 1
        elif stamp is not None:
            base = 0 if stamp == "start" else 1
        else:
            return AMBIGUOUS
        return HourStyle(base, zone if self._counts_hours(per_day, base) else "")

    def _counts_hours(self, per_day: int, base: int) -> bool:
        """A step beyond the 24th hour, or a day that lacks only the steps of its last hour."""
        per_hour = per_day // 24
        last = per_day - 1 + base
        if any(bits >> (last + 1) for bits in self.days.values()) and base == 1:
            return True
        short = ((1 << (per_day - per_hour)) - 1) << base
        n_short = sum(bits == short for bits in self.days.values())
        skipping = sum(
            bits.bit_count() == per_day - per_hour and bool(bits >> last & 1) for bits in self.days.values()
        )
        return n_short > skipping


def instants_of_hours(
    days: npt.NDArray[np.datetime64], parts: NumberedDays, style: HourStyle
) -> tuple[npt.NDArray[np.datetime64], bool]:
    """Start of each numbered step, and whether it is UTC.

    Args:
        days: Midnights, naive, shape (rows,); NaT where unreadable.
        parts: Numbers of the steps.
        style: How they are meant.

    Returns:
        Instants, NaT for a step that its day does not have.
    """
    minutes = parts.letters.replace_strict(MINUTES_OF_LETTER, default=None, return_dtype=pl.Int64)
    number = parts.numbers.fill_null(-1).to_numpy()
    step = minutes.fill_null(1).to_numpy()
    offset = ((number - style.base) * step * US_PER_MINUTE).astype("timedelta64[us]")
    is_bad = (number < style.base) | np.isnat(days)
    if not style.zone:
        found = days + offset
        is_bad |= offset > np.timedelta64(MINUTES_PER_DAY, "m")
        is_bad |= (offset == np.timedelta64(MINUTES_PER_DAY, "m")) & (style.base == 1)
    else:
        midnight, following = (to_utc(d, style.zone).utc for d in (days, days + _DAY))
        found = midnight + offset
        is_bad |= found >= following
    return np.where(is_bad, np.datetime64("NaT", "us"), found), bool(style.zone)
