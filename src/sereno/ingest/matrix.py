"""Tables with one row per day and one column per hour or quarter, turned into one row per reading.

A column is named by its number (`H1`, `Hora 24`, `1`), by a clock time (`00:00`) or by both ends of its step
(`00:00-01:00`), perhaps beside what it measures (`Consumo H1 (kWh)`). Numbers count the steps of the day: the
days of a clock change have 23 or 25 hours. Times that begin at the first step and end at `24:00` or `00:00`
are the ends of their steps. Empty cells are no readings: they stand where a day has no such hour.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from sereno.ingest.headers import Header, key_of
from sereno.ingest.units import find_unit

__all__ = ["Matrix", "find_matrix", "is_matrix_header"]

MINUTES_PER_DAY = 1440
# Steps of an hour, a half and a quarter, by the letter that stands before the number of a step.
STEP_LETTERS = {60: "H", 30: "M", 15: "Q"}
TIME_HEADER = "hora"
# What the values of a table without a word about them are called, by the quantity of their unit.
NAMES_OF_QUANTITY = {
    "energy": "energía",
    "power": "potencia",
    "volume": "volumen",
    "normal_volume": "volumen",
}
_STEP_WORDS = frozenset(
    [
        *("h", "hr", "hora", "horas", "hour", "hours", "he", "p", "periodo", "period", "q", "qh", "cuarto"),
        *(
            "cuartohora",
            "quarter",
            "v",
            "valor",
            "value",
            "val",
            "int",
            "intervalo",
            "interval",
            "de",
            "from",
        ),
    ]
)
_BRACKETED = re.compile(r"[(\[{][^)\]}]*[)\]}]")
_CLOCK = r"(\d{1,2})\s*(?::(\d{2})(?::00)?|h(\d{2})?)"
_SPAN = re.compile(
    r"(?P<rest>.*?)[\s_]*(?<!\d)(?P<a>\d{1,2})(?:[:.h](?P<am>\d{2})?(?::00)?)?\s*(?:[-–_/]|a|to|hasta)\s*"
    r"(?P<b>\d{1,2})(?:[:.h](?P<bm>\d{2})?(?::00)?)?\s*h?\Z",
    re.IGNORECASE,
)
_TIME = re.compile(rf"(?P<rest>.*?)[\s_]*(?<!\d){_CLOCK}\Z", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<rest>.*?)[\s_.-]*(?<!\d)(?P<k>\d{1,3})\Z")


class _Label(NamedTuple):
    """What a header says of its step: a `span` or `time` with its start [min], or a `number`."""

    kind: str
    rest: str
    at: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """Which columns of a file are the steps of a day.

    Attributes:
        n_columns: Columns of the file.
        kept: Positions of the other columns.
        steps: Positions of the columns of the steps, in the order of the day.
        marks: What is put behind the date of each step: `02:00`, or `H3` for the third hour.
        headers: Of the table of readings: the kept columns, the step and the value.
    """

    n_columns: int
    kept: tuple[int, ...]
    steps: tuple[int, ...]
    marks: tuple[str, ...]
    headers: tuple[Header, ...]

    @property
    def time_index(self) -> int:
        """Position of the step among the columns of readings."""
        return len(self.kept)

    def unpivot(self, cells: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """One row per filled cell of a step, and the row of `cells` that each comes from.

        Args:
            cells: All columns of the file as text, named by position.
        """
        numbered = cells.select(
            [pl.col(str(i)).alias(f"k{n}") for n, i in enumerate(self.kept)]
            + [pl.col(str(i)).alias(f"s{n}") for n, i in enumerate(self.steps)]
        ).with_row_index("row")
        long = numbered.unpivot(
            on=[f"s{n}" for n in range(len(self.steps))],
            index=["row", *(f"k{n}" for n in range(len(self.kept)))],
            variable_name="step",
            value_name="value",
        )
        is_filled = pl.col("value").str.strip_chars().str.len_chars() > 0
        position = pl.col("step").str.slice(1).cast(pl.Int32)
        long = long.filter(is_filled).with_columns(position).sort("row", "step", maintain_order=True)
        marks = pl.Series(self.marks, dtype=pl.String)
        names = [pl.col(f"k{n}").alias(str(n)) for n in range(len(self.kept))]
        step = marks.gather(long["step"]) if long.height else marks.clear()
        found = long.select(
            [*names, step.alias(str(self.time_index)), pl.col("value").alias(str(self.time_index + 1))]
        )
        return found, long["row"]

    def unpivot_rows(self, rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
        """The same for a few rows of cells."""
        return tuple(
            (*(row[i] for i in self.kept), mark, row[i])
            for row in rows
            for i, mark in zip(self.steps, self.marks, strict=True)
            if row[i].strip()
        )


def is_matrix_header(cells: Sequence[str]) -> bool:
    """True for a line whose cells name the steps of a day."""
    return _find_steps([_BRACKETED.sub(" ", c).strip().strip('"') for c in cells]) is not None


def find_matrix(headers: Sequence[Header]) -> Matrix | None:
    """How a table with one row per day is to be read; None for every other table.

    Args:
        headers: One per column.
    """
    found = _find_steps([_BRACKETED.sub(" ", h.source).strip() for h in headers])
    if found is None:
        return None
    steps, marks, rest = found
    kept = tuple(i for i in range(len(headers)) if i not in steps)
    units = {headers[i].unit for i in steps}
    unit = units.pop() if len(units) == 1 else ""
    value = _value_header(rest, unit, f"{headers[steps[0]].source} … {headers[steps[-1]].source}")
    step = Header(TIME_HEADER, key_of(TIME_HEADER), key_of(TIME_HEADER))
    return Matrix(len(headers), kept, steps, marks, (*(headers[i] for i in kept), step, value))


def _value_header(rest: str, unit: str, span: str) -> Header:
    """What is measured: by the headers' own words, else by the quantity of the unit."""
    name = rest
    if not name:
        known = find_unit(unit) if unit else None
        name = NAMES_OF_QUANTITY.get(known.quantity if known else "", NAMES_OF_QUANTITY["energy"])
    key = key_of(name)
    return Header(span, key, key, unit, is_unit_explicit=bool(unit))


def _find_steps(texts: Sequence[str]) -> tuple[tuple[int, ...], tuple[str, ...], str] | None:
    """Columns of the steps, the mark of each, and the words that all of them share."""
    families: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for i, text in enumerate(texts):
        for label in _labels(text):
            families[label.kind, label.rest].append((i, label.at))
    for kind in ("span", "time", "number"):
        for (own_kind, rest), members in families.items():
            marks = _marks(kind, [at for _, at in members]) if own_kind == kind else None
            if marks is not None:
                return tuple(i for i, _ in members), marks, rest
    return None


def _labels(text: str) -> list[_Label]:
    """The readings of a header text, the most telling first."""
    found = []
    span = _SPAN.match(text)
    if span:
        start = 60 * int(span["a"]) + int(span["am"] or 0)
        found.append(_Label("span", _rest(span["rest"]), start))
    time = _TIME.match(text)
    if time:
        at = 60 * int(time.group(2)) + int(time.group(3) or time.group(4) or 0)
        found.append(_Label("time", _rest(time["rest"]), at))
    number = _NUMBER.match(text)
    if number:
        found.append(_Label("number", _rest(number["rest"]), int(number["k"])))
    return found


def _rest(text: str) -> str:
    """The words beside the step that are not words for a step."""
    return " ".join(w for w in re.split(r"[\s_.:-]+", text) if w and key_of(w) not in _STEP_WORDS)


def _marks(kind: str, at: Sequence[int]) -> tuple[str, ...] | None:
    """The mark of each step; None where the labels are not the steps of a day in order."""
    if kind == "number":
        return _number_marks(at)
    step = next((s for s in STEP_LETTERS if s == _commonest_step(at)), None)
    if step is None:
        return None
    starts = np.array(at)
    if kind == "time" and starts[0] == step and starts[-1] in (0, MINUTES_PER_DAY):
        starts = np.where(starts == 0, MINUTES_PER_DAY, starts) - step
    n_steps = MINUTES_PER_DAY // step
    n_hour = 60 // step
    is_whole = set(range(0, MINUTES_PER_DAY, step)) <= set(starts.tolist())
    if starts[0] != 0 or not is_whole or len(starts) > n_steps + n_hour or (np.diff(starts) < 0).any():
        return _repeated_in_place(starts, step) if is_whole and starts[0] == 0 else None
    if starts.max() >= MINUTES_PER_DAY:
        return tuple(f"{STEP_LETTERS[step]}{s // step + 1}" for s in starts.tolist())
    return tuple(_clock(s) for s in starts.tolist())


def _repeated_in_place(
    starts: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]", step: int
) -> tuple[str, ...] | None:
    """Marks where the hour that comes twice is written twice, one after the other, quarter by quarter."""
    n_extra = len(starts) - MINUTES_PER_DAY // step
    falls = int((np.diff(starts) < 0).sum())
    return tuple(_clock(s) for s in starts.tolist()) if n_extra == 60 // step and falls == 1 else None


def _number_marks(numbers: Sequence[int]) -> tuple[str, ...] | None:
    first = numbers[0]
    if first not in (0, 1) or list(numbers) != list(range(first, first + len(numbers))):
        return None
    for step, letter in STEP_LETTERS.items():
        n_steps, n_hour = MINUTES_PER_DAY // step, 60 // step
        if len(numbers) in (n_steps, n_steps + n_hour):
            return tuple(f"{letter}{k + 1 - first}" for k in numbers)
    return None


def _commonest_step(at: Sequence[int]) -> int:
    steps, counts = np.unique(np.diff(at), return_counts=True)
    return int(steps[counts.argmax()]) if len(steps) else 0


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
