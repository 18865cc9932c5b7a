"""Whether the times of a file start their steps or end them.

A header may say it (`Fecha fin`), the texts may (`24:00`), or the days: stamps that begin one step after a
midnight and end on one, or midnights that come last among the rows of their date, close the steps of days.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["DayCounts", "StampEvidence", "common_step"]

MAX_DAYS = 200_000
MIN_STEP_SHARE = 0.5
MIN_LAST_SHARE = 0.9
MIN_ORDERED_SHARE = 0.9
"""Of the rows of a date, in rising or falling order; else the order says nothing."""
_DATE = r"^\s*(\d{1,4}[./-]\d{1,2}[./-]\d{1,4})[T\s]"
FULL_DATE = len("dd/mm/yyyy")
_MIDNIGHT = (
    r"[T\s](?:0?0:00(?::00(?:[.,]0+)?)?|12:00(?::00)?\s*[Aa]\.?\s?[Mm]\.?)\s*(?:Z|[+-]\d{2}:?\d{2})?\s*$"
)
_DAY = np.timedelta64(1, "D")


@dataclass(slots=True)
class DayCounts:
    """Rows of one date with a time of day, those of midnight, and those of `24:00`."""

    n_rows: int = 0
    n_midnight: int = 0
    n_twenty_four: int = 0


@dataclass(slots=True)
class StampEvidence:
    """What the times of day of a column say about its steps.

    Attributes:
        days: Counts by the text of the date.
        n_after: Midnights that follow a row of their own date.
        n_before: Midnights that a row of their own date follows.
        n_runs: Midnights, those of several series counted once.
        n_rising: Rows later than the one before them on the same date.
        n_falling: Rows earlier than that.
    """

    days: dict[str, DayCounts] = field(default_factory=dict)
    n_after: int = 0
    n_before: int = 0
    n_runs: int = 0
    n_rising: int = 0
    n_falling: int = 0

    def add(self, texts: pl.Series) -> None:
        """Takes in more instants of the file."""
        dates = _dates_of(texts)
        if dates.null_count() == len(dates) or len(self.days) > MAX_DAYS:
            return
        frame = pl.DataFrame({"text": texts, "date": dates, "midnight": _are_midnights(texts)})
        self._add_order(frame)
        last = pl.col("text").str.contains(r"[T\s]24:00").sum().alias("last")
        counts = frame.drop_nulls("date").group_by("date").agg(pl.len(), pl.col("midnight").sum(), last)
        for date, n_rows, n_midnight, n_last in counts.iter_rows():
            day = self.days.setdefault(date, DayCounts())
            day.n_rows += n_rows
            day.n_midnight += n_midnight
            day.n_twenty_four += n_last

    def _add_order(self, frame: pl.DataFrame) -> None:
        is_same = pl.col("date") == pl.col("date").shift(1)
        here, before = pl.col("midnight"), pl.col("midnight").shift(1)
        pair = is_same & ~here & ~before
        # On one date the texts are in the order of their times, but for `9:45` and `10:00`.
        rises, falls = pl.col("text") > pl.col("text").shift(1), pl.col("text") < pl.col("text").shift(1)
        after, first, runs, up, down = frame.select(
            (is_same & here & ~before).sum().alias("after"),
            (is_same & ~here & before).sum().alias("first"),
            (here & ~(is_same & before).fill_null(value=False)).sum().alias("runs"),
            (pair & rises).sum().alias("up"),
            (pair & falls).sum().alias("down"),
        ).row(0)
        self.n_after += after
        self.n_before += first
        self.n_runs += runs
        self.n_rising += up
        self.n_falling += down

    @property
    def says_24(self) -> bool:
        """Days end at `24:00`, and none begins at `00:00`."""
        has_24 = any(day.n_twenty_four for day in self.days.values())
        return has_24 and not any(day.n_midnight for day in self.days.values())

    @property
    def closes_own_day(self) -> bool:
        """Each midnight comes last among the rows of its own date."""
        n_rising, n_pairs = self.n_rising, self.n_rising + self.n_falling
        if max(n_rising, n_pairs - n_rising) < max(1.0, MIN_ORDERED_SHARE * n_pairs):
            return False
        is_rising = 2 * n_rising > n_pairs
        n_last, n_first = (self.n_after, self.n_before) if is_rising else (self.n_before, self.n_after)
        return n_first == 0 and 0 < MIN_LAST_SHARE * self.n_runs <= n_last

    def fills_days_by_ends(
        self, starts: npt.NDArray[np.datetime64], first: np.datetime64, step: np.timedelta64
    ) -> bool:
        """Stamps begin one step after a midnight, end on one, and no other midnight is missing.

        Args:
            starts: Midnight of each of `days`, in their order, naive; NaT where unreadable.
            first: The first instant that is known.
            step: Between two instants.
        """
        if len(starts) < 2 or np.isnat(starts).any():
            return False
        counts = list(self.days.values())
        order = np.argsort(starts)
        head, *inner, tail = (counts[i] for i in order.tolist())
        n_series = tail.n_rows
        is_closed = head.n_midnight == 0 and 0 < tail.n_rows == tail.n_midnight
        is_whole = head.n_rows == n_series * (int(_DAY / step) - 1) or first == starts[order[0]] + step
        return is_closed and is_whole and all(day.n_midnight for day in inner)


def _dates_of(texts: pl.Series) -> pl.Series:
    """The date of each text with a time of day; null for the others."""
    lengths = texts.str.len_bytes()
    example = texts.drop_nulls().head(1).str.extract(_DATE, 1).to_list()
    is_plain = len(example) == 1 and len(example[0] or "") == FULL_DATE
    if is_plain and lengths.min() == lengths.max() and not texts.null_count():
        return texts.str.head(FULL_DATE)
    return texts.str.extract(_DATE, 1)


def _are_midnights(texts: pl.Series) -> pl.Series:
    may_be = (texts.str.contains("0:00", literal=True) | texts.str.contains("12:00", literal=True)).fill_null(
        value=False
    )
    found = np.zeros(len(texts), dtype=np.bool_)
    rows = np.flatnonzero(may_be.to_numpy())
    found[rows] = texts.gather(rows).str.contains(_MIDNIGHT).to_numpy()
    return pl.Series(found)


def common_step(instants: npt.NDArray[np.datetime64]) -> np.timedelta64 | None:
    """The step between most instants that follow each other; None where there is no such step.

    Args:
        instants: datetime64[us], shape (rows,), in any order; NaT is left out.
    """
    steps = np.diff(np.unique(instants[~np.isnat(instants)]))
    if not len(steps):
        return None
    values, counts = np.unique(steps, return_counts=True)
    best = int(counts.argmax())
    return values[best] if counts[best] >= MIN_STEP_SHARE * len(steps) else None
