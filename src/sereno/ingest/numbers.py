"""Texts to numbers: the sign of decimals and thousands by evidence, every other rule stated here.

A cell is read as it stands when it fits its column's style. Otherwise one of these rules turns it into a
number and marks it converted: surrounding unit (`12,5 kWh`), brackets for negative (`(45)`), Unicode minus,
digits of other scripts, spaces or apostrophes between thousands, the other decimal sign where it can only be
that (`12.5` in a column of commas). Everything else is missing, with a reason; nothing becomes 0.
"""

import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.domain.readings import FloatArray
from sereno.ingest.magnitudes import Magnitudes
from sereno.ingest.marks import is_state
from sereno.ingest.units import conversion, unit_of_cell

__all__ = [
    "MAX_MAGNITUDE",
    "POINT_DECIMAL",
    "CellKind",
    "NumberEvidence",
    "NumberStyle",
    "is_ambiguous",
    "parse_cell",
    "parse_column",
]

MAX_MAGNITUDE = 1e15
"""No meter reads more, and sums of more lose their units digit; larger magnitudes are no measurements."""

MISSING_WORDS = frozenset(
    [
        "-",
        "--",
        "---",
        "null",
        "none",
        "n/a",
        "na",
        "n/d",
        "nd",
        "s/d",
        "sd",
        "sin_dato",
        "sin_datos",
        "missing",
        "#n/a",
        "#n/d",
        ".",
        "..",
        "?",
        "*",
    ]
)


class CellKind(IntEnum):
    """How a cell became a number, or why it did not."""

    GOOD = 0
    CONVERTED = 1
    MISSING = 2
    NOT_A_NUMBER = 3
    STATE = 4
    """A historian's word for why there is no number."""


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """Signs of a column: `decimal` is `.` or `,`; `thousands` parts thousands, empty for none."""

    decimal: str = "."
    thousands: str = ""


POINT_DECIMAL = NumberStyle()

_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?\Z")
_GROUPED = {
    sign: re.compile(rf"[+-]?\d{{1,3}}(?:{re.escape(sign)}\d{{3}})+(?:{re.escape(other)}\d*)?\Z")
    for sign, other in ((".", ","), (",", "."), (" ", ","), ("'", "."))
}
_SPACED = re.compile(r"[+-]?\d{1,3}(?: \d{3})+(?:[.,]\d+)?\Z")
_APOSTROPHE = re.compile(r"[+-]?\d{1,3}(?:'\d{3})+(?:[.,]\d+)?\Z")
_SIGNS = str.maketrans({"−": "-", "–": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'", "，": ","})
_NEGATIVE = re.compile(r"\(\s*([^()]*\d[^()]*)\)\Z")
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}\Z")


def parse_cell(text: str, style: NumberStyle, *, unit: str = "") -> tuple[float, CellKind]:
    """The number in a cell and how it was found.

    Args:
        text: The cell.
        style: Signs of its column.
        unit: Unit of the column's values; a unit in the cell is converted to it.

    Returns:
        The value (NaN when there is none) and the kind.

    Example:
        >>> parse_cell("1.234,56", NumberStyle(",", "."))
        (1234.56, <CellKind.GOOD: 0>)
    """
    stripped = text.strip()
    if not stripped or stripped.casefold().replace(" ", "_") in MISSING_WORDS:
        return math.nan, CellKind.MISSING
    value = _in_style(stripped, style)
    if value is not None:
        return _bounded(value, CellKind.GOOD)
    value = _by_rule(_western(stripped), style, unit)
    if value is None:
        return math.nan, CellKind.STATE if is_state(stripped) else CellKind.NOT_A_NUMBER
    return _bounded(value, CellKind.CONVERTED)


def parse_column(
    cells: pl.Series, style: NumberStyle, *, unit: str = ""
) -> tuple[FloatArray, npt.NDArray[np.uint8]]:
    """The numbers of a text column, whole.

    Returns:
        Values, shape (rows,), NaN where there is none; `CellKind` of each, shape (rows,).
    """
    parsed = _vector(cells, style)
    values = parsed.fill_null(math.nan).to_numpy(allow_copy=True).copy()
    kinds = np.zeros(len(cells), dtype=np.uint8)
    is_null = cells.is_null().to_numpy()
    kinds[is_null] = CellKind.MISSING
    with np.errstate(invalid="ignore"):
        is_left = ~is_null & ~(np.abs(values) <= MAX_MAGNITUDE)
    rows = np.flatnonzero(is_left)
    if len(rows):
        _parse_leftovers(cells, rows, style, unit, values, kinds)
    return values, kinds


@dataclass(slots=True)
class NumberEvidence:
    """Counts over the whole column that tell what its signs mean.

    Attributes:
        n_cells: Cells that hold something other than a historian's state.
        n_numeric: Cells that are numbers under one of the two decimal signs.
        votes: Cells that can only be read with `.` or `,` as decimal sign.
        n_ambiguous: By sign, cells such as `80.000` that fit both readings.
        thousands: Signs seen between thousands where no doubt is possible.
        magnitudes: Sizes of cells that fit both readings, and of those without a sign.
        why: Key of the reason of `decide` where no cell votes; empty where the rest of the file decides.
    """

    n_cells: int = 0
    n_numeric: int = 0
    votes: Counter[str] = field(default_factory=Counter)
    n_ambiguous: Counter[str] = field(default_factory=Counter)
    thousands: Counter[str] = field(default_factory=Counter)
    magnitudes: Magnitudes = field(default_factory=Magnitudes)
    why: str = ""

    def add(self, cells: pl.Series) -> None:
        """Counts more cells of the column."""
        cells = cells.drop_nulls()
        self.n_cells += len(cells)
        has_dot = cells.str.contains(".", literal=True)
        has_comma = cells.str.contains(",", literal=True)
        self._add_single(cells.filter(has_dot & ~has_comma), ".", ",")
        self._add_single(cells.filter(has_comma & ~has_dot), ",", ".")
        self._add_both(cells.filter(has_dot & has_comma))
        signless = cells.filter(~has_dot & ~has_comma)
        numbers = signless.str.strip_chars().cast(pl.Float64, strict=False)
        is_number = numbers.is_not_null()
        self.n_numeric += int(is_number.sum())
        self.magnitudes.add_whole(numbers.drop_nulls())
        words = signless.filter(~is_number).value_counts()
        self.n_cells -= sum(count for text, count in words.iter_rows() if is_state(text))

    def _add_single(self, cells: pl.Series, sign: str, other: str) -> None:
        if not len(cells):
            return
        mark = re.escape(sign)
        number = rf"^\s*[+-]?\d*{mark}\d*(?:[eE][+-]?\d+)?\s*$"
        n_number = int(cells.str.contains(number).sum())
        ambiguous = cells.filter(cells.str.contains(rf"^\s*[+-]?[1-9]\d{{0,2}}{mark}\d{{3}}\s*$"))
        n_ambiguous = len(ambiguous)
        self.magnitudes.add_grouped(ambiguous, sign)
        n_multi = int(cells.str.contains(rf"^\s*[+-]?[1-9]\d{{0,2}}(?:{mark}\d{{3}}){{2,}}\s*$").sum())
        self.n_numeric += n_number + n_multi
        self.votes[sign] += n_number - n_ambiguous
        self.n_ambiguous[sign] += n_ambiguous
        self.votes[other] += n_multi
        self.thousands[sign] += n_multi

    def _add_both(self, cells: pl.Series) -> None:
        for sign, other in ((".", ","), (",", ".")):
            if len(cells):
                pattern = rf"^\s*[+-]?\d{{1,3}}(?:{re.escape(other)}\d{{3}})+{re.escape(sign)}\d*\s*$"
                n_cells = int(cells.str.contains(pattern).sum())
                self.n_numeric += n_cells
                self.votes[sign] += n_cells
                self.thousands[other] += n_cells

    @property
    def numeric_share(self) -> float:
        """Share of the filled cells that are numbers."""
        return self.n_numeric / self.n_cells if self.n_cells else 0.0

    @property
    def is_open(self) -> bool:
        """Some cells fit both readings, and none tells which."""
        return not (self.votes["."] or self.votes[","]) and sum(self.n_ambiguous.values()) > 0

    def decide(self, fallback: str | None, maximum: float | None = None) -> NumberStyle | None:
        """The column's style; None when it fits both readings and nothing decides.

        Args:
            fallback: Decimal sign that the rest of the file, or the caller, uses.
            maximum: What the values can be at most, in the column's unit; None where there is no limit.
        """
        dot, comma = self.votes["."], self.votes[","]
        if fallback is None and self.is_open and (found := self.magnitudes.decimal_sign(maximum)):
            fallback, self.why = found
        if dot or comma:
            decimal = "." if dot >= comma else ","
        elif sum(self.n_ambiguous.values()) == 0:
            decimal = fallback or "."
        elif fallback is None:
            return None
        else:
            decimal = fallback
        other = "," if decimal == "." else "."
        has_thousands = self.thousands[other] or self.n_ambiguous[other]
        return NumberStyle(decimal, other if has_thousands else "")


def is_ambiguous(text: str) -> bool:
    """True for texts such as `80.000` that fit both readings."""
    return _AMBIGUOUS.match(text.strip()) is not None


def _vector(cells: pl.Series, style: NumberStyle) -> pl.Series:
    """Fast reading of the cells that fit the style; null for the others."""
    if style.decimal == ".":
        return cells.cast(pl.Float64, strict=False)
    has_dot = cells.str.contains(".", literal=True)
    swapped = cells.str.replace(",", ".", literal=True)
    if has_dot.any():
        is_grouped = cells.str.contains(r"^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?$") & has_dot
        ungrouped = cells.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
        swapped = swapped.zip_with(
            ~has_dot.fill_null(value=False), pl.Series([None], dtype=pl.String).new_from_index(0, len(cells))
        )
        swapped = ungrouped.zip_with(is_grouped.fill_null(value=False), swapped)
    return swapped.cast(pl.Float64, strict=False)


def _parse_leftovers(
    cells: pl.Series,
    rows: npt.NDArray[np.int64],
    style: NumberStyle,
    unit: str,
    values: FloatArray,
    kinds: npt.NDArray[np.uint8],
) -> None:
    known: dict[str, tuple[float, CellKind]] = {}
    for row, text in zip(rows.tolist(), cells.gather(rows).to_list(), strict=True):
        if text not in known:
            known[text] = parse_cell(text, style, unit=unit)
        values[row], kinds[row] = known[text]


def _bounded(value: float, kind: CellKind) -> tuple[float, CellKind]:
    return (value, kind) if abs(value) <= MAX_MAGNITUDE else (math.nan, CellKind.NOT_A_NUMBER)


def _in_style(text: str, style: NumberStyle) -> float | None:
    if not text.isascii():
        return None
    other = "," if style.decimal == "." else "."
    if other in text:
        if style.decimal not in text and style.decimal == "." and not style.thousands:
            return None
        if not _GROUPED[other].match(text):
            return None
        text = text.replace(other, "")
    plain = text if style.decimal == "." else text.replace(",", ".", 1)
    return float(plain) if _PLAIN.match(plain) else None


def _western(text: str) -> str:
    """Digits of any script, signs and blanks as ASCII has them."""
    text = text.translate(_SIGNS)
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def _by_rule(text: str, style: NumberStyle, unit: str) -> float | None:
    bracketed = _NEGATIVE.match(text)
    if bracketed:
        inner = _by_rule(bracketed.group(1).strip(), style, unit)
        return None if inner is None else -inner
    value = _in_either_style(text, style)
    if value is not None:
        return value
    with_unit = unit_of_cell(text)
    if with_unit is None:
        return None
    number, found = with_unit
    step = conversion(found.name, unit) if unit else None
    value = _in_either_style(number, style)
    return None if value is None or step is None else value * step.factor + step.offset


def _in_either_style(text: str, style: NumberStyle) -> float | None:
    value = _in_style(text, style)
    if value is not None:
        return value
    if _SPACED.match(text) or _APOSTROPHE.match(text):
        return float(re.sub(r"[ ']", "", text).replace(",", "."))
    if _AMBIGUOUS.match(text):
        return None  # the column's signs leave both readings open
    other = NumberStyle("," if style.decimal == "." else ".")
    return _in_style(text, other)
