"""Hours of a day by number: `01/03/2025 H5` is the fifth hour of that day.

Numbers begin at 0 (the hour that starts at midnight) or at 1 (the hour that ends at one). On the days of a
clock change they either count the hours that pass (1 to 23, 1 to 25) or follow the clock and leave out or
repeat one, perhaps with letters (`2A`, `2B`); all days of a file together tell which. Numbers that go up to
50 or 100 count half hours or quarters.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.ingest.zones import to_utc

__all__ = [
    "AMBIGUOUS",
    "AMBIGUOUS_STEP",
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
LAST_HOUR = 25
HALF_HOURS, QUARTERS = range(46, 51), range(92, 101)
"""The last number of a file whose days have 23 to 25 hours."""
_NUMBERED = r"^(.*\S) ([HMQ])(\d{1,3})([AB]?)$"
_ONE_NUMBERED = re.compile(r" [HMQ]\d{1,3}[AB]?\Z")
_HOUR_CELL = r"^\s*[Hh]?(\d{1,3})\s*([AaBb]?)\s*$"
_SMALL_HALF = r"^H\d{1,3}[ab]$"
_MIDNIGHT = r"[T ]+0?0:00(?::00(?:[.,]0+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?\s*$"
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class HourStyle:
    """How the numbers of a file are meant.

    Attributes:
        base: The number of the first step of a day, 0 or 1.
        zone: Of the days.
        is_counting: Days have as many hours as pass; else numbers follow the clock.
        minutes: Length of a step that is numbered without a letter [min].
        lettered: Number of the hour that comes as `A` and `B`, by the text of its date.
    """

    base: int
    zone: str = ""
    is_counting: bool = False
    minutes: int = 60
    lettered: Mapping[str, int] = field(default_factory=dict)


AMBIGUOUS = HourStyle(-1)
"""Numbers that neither begin at 0 nor end at 24: nothing tells whether 1 starts or ends at one o'clock."""
AMBIGUOUS_STEP = HourStyle(-2)
"""Numbers beyond 25 that are those of no whole day: half hours or quarters."""
Midnights = Callable[[Sequence[str]], npt.NDArray[np.datetime64]]


@dataclass(frozen=True, slots=True)
class NumberedDays:
    """Texts taken apart: date, number, kind and `A` or `B` of a step; null where a text has no number."""

    dates: pl.Series
    numbers: pl.Series
    letters: pl.Series
    halves: pl.Series


def join_hours(dates: pl.Series, clocks: pl.Series) -> pl.Series:
    """Dates and times of day as one text; a bare number becomes the number of an hour."""
    marks = clocks.str.replace(_HOUR_CELL, "H$1$2")
    if marks.str.contains(_SMALL_HALF).any():
        marks = marks.str.to_uppercase()
    # Some programs write the midnight of every date.
    days = dates.str.replace(_MIDNIGHT, "")
    return pl.select(pl.concat_str([days, marks], separator=" ")).to_series()


def split_hours(texts: pl.Series) -> NumberedDays:
    """The parts of `01/03/2025 H5`."""
    parts = texts.str.extract_groups(_NUMBERED).struct
    return NumberedDays(parts.field("1"), parts.field("3").cast(pl.Int64), parts.field("2"), parts.field("4"))


def without_hour(text: str) -> str:
    """The date alone of one such text.

    Example:
        >>> without_hour("01/03/2025 H5")
        '01/03/2025'
    """
    return _ONE_NUMBERED.sub("", text)


@dataclass(slots=True)
class HourEvidence:
    """The numbers that each day of a file has, as bits of an integer by the date's text.

    Attributes:
        days: Bits of the numbers of each day.
        lettered: The number that comes with `A` and `B`, of days that have one.
        letter: What stands before the numbers.
    """

    days: dict[str, int] = field(default_factory=dict)
    lettered: dict[str, int] = field(default_factory=dict)
    letter: str = "H"

    def add(self, texts: pl.Series) -> None:
        """Takes in more instants of the file."""
        if not len(texts) or not texts.head(100).str.contains(_NUMBERED).any():
            return
        parts = split_hours(texts)
        columns = [parts.dates.alias("date"), parts.numbers.alias("k"), parts.halves.alias("half")]
        for date, number, half in pl.DataFrame(columns).drop_nulls("k").unique().iter_rows():
            if half == "B":
                self.lettered[date] = number
            if len(self.days) < MAX_DAYS or date in self.days:
                self.days[date] = self.days.get(date, 0) | 1 << number
        self.letter = parts.letters.drop_nulls().first() or "H"  # type: ignore[assignment]

    def decide(self, zone: str, stamp: str | None, midnights: Midnights, name: str = "") -> HourStyle | None:
        """How the numbers are meant; None where there are none, `AMBIGUOUS` or its like where nothing tells.

        Args:
            zone: Of the file.
            stamp: What the caller says of its times: `start`, `end` or None.
            midnights: Reads the texts of dates, naive, NaT where unreadable.
            name: Of the column of numbers, which may say what they count.
        """
        if not self.days:
            return None
        seen = 0
        for bits in self.days.values():
            seen |= bits
        minutes = self._minutes(seen.bit_length() - 1, name)
        if minutes is None:
            return AMBIGUOUS_STEP
        per_day = MINUTES_PER_DAY // minutes
        if seen & 1:
            base = 0
        elif seen >> per_day:
            base = 1
        elif stamp is not None:
            base = 0 if stamp == "start" else 1
        else:
            return AMBIGUOUS
        is_counting = not self.lettered and self._counts_hours(per_day, base, zone, midnights)
        return HourStyle(base, zone, is_counting, minutes, dict(self.lettered))

    def _minutes(self, last: int, name: str) -> int | None:
        """Length of a step [min]: by its letter, by how far the numbers go, or by what they are called."""
        if self.letter != "H" or last <= LAST_HOUR:
            return MINUTES_OF_LETTER[self.letter]
        word = name.casefold()
        if last in QUARTERS or "cuart" in word or "quarter" in word:
            return 15
        return 30 if last in HALF_HOURS or "media" in word or "half" in word else None

    def _counts_hours(self, per_day: int, base: int, zone: str, midnights: Midnights) -> bool:
        """A step beyond the 24th hour of a day that has one, or a day that lacks only its last hour."""
        per_hour = per_day // 24
        last = per_day - 1 + base
        longer = [date for date, bits in self.days.items() if bits >> (last + 1)]
        if longer:
            starts = midnights(longer)
            starts = starts[~np.isnat(starts)]
            lengths = to_utc(starts + _DAY, zone).utc - to_utc(starts, zone).utc
            # Numbers from 0 to 24 on a common day name both of its midnights.
            return base == 1 or bool((lengths > _DAY).any())
        short = ((1 << (per_day - per_hour)) - 1) << base
        n_short = sum(bits == short for bits in self.days.values())
        skipping = sum(
            bits.bit_count() == per_day - per_hour and bool(bits >> last & 1) for bits in self.days.values()
        )
        return n_short > skipping


def instants_of_hours(
    days: npt.NDArray[np.datetime64], parts: NumberedDays, style: HourStyle
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.bool_]]:
    """Start of each numbered step, and whether it is UTC, shapes (rows,).

    Args:
        days: Midnights, naive, shape (rows,); NaT where unreadable.
        parts: Numbers of the steps.
        style: How they are meant.

    Returns:
        Instants, NaT for a step that its day does not have.
    """
    of_letter = {**MINUTES_OF_LETTER, "H": style.minutes}
    minutes = parts.letters.replace_strict(of_letter, default=None, return_dtype=pl.Int64)
    number = parts.numbers.fill_null(-1).to_numpy()
    step = minutes.fill_null(1).to_numpy()
    is_lettered, n_more = _lettered(parts, style)
    offset = ((number - style.base + n_more) * step * US_PER_MINUTE).astype("timedelta64[us]")
    is_bad = (number < style.base) | np.isnat(days)
    found = days + offset
    is_past = (offset > _DAY) | ((offset == _DAY) & (style.base == 1))
    is_counted = is_lettered | np.full(len(days), style.is_counting)
    if is_counted.any():
        midnight, following = (to_utc(d, style.zone).utc for d in (days, days + _DAY))
        found = np.where(is_counted, midnight + offset, found)
        is_past = np.where(is_counted, found >= following, is_past)
    return np.where(is_bad | is_past, np.datetime64("NaT", "us"), found), is_counted


def _lettered(parts: NumberedDays, style: HourStyle) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Rows of days with an hour `A` and `B`, and how many hours more than their number says have passed."""
    if not style.lettered:
        n_rows = len(parts.dates)
        return np.zeros(n_rows, dtype=np.bool_), np.zeros(n_rows, dtype=np.int64)
    at = parts.dates.replace_strict(dict(style.lettered), default=None, return_dtype=pl.Int64)
    is_later = (parts.numbers > at) | ((parts.numbers == at) & (parts.halves == "B"))
    return at.is_not_null().to_numpy(), is_later.fill_null(value=False).cast(pl.Int64).to_numpy()
