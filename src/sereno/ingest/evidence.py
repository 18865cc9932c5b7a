"""What a whole table says about how it is to be read, and what is decided from it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl

from sereno.domain.errors import AmbiguousData, CorruptFile
from sereno.domain.readings import TimeArray
from sereno.domain.signals import SignalKind
from sereno.ingest.dates import DateEvidence, DateStyle, parse_times
from sereno.ingest.dialect import Dialect
from sereno.ingest.headers import Role
from sereno.ingest.hours import AMBIGUOUS, AMBIGUOUS_STEP
from sereno.ingest.layout import Column, Layout, register_signal
from sereno.ingest.lines import LineBlock, LineKind
from sereno.ingest.marks import choose_marks
from sereno.ingest.numbers import NumberEvidence, NumberStyle
from sereno.ingest.options import ReadOptions
from sereno.ingest.repeats import RepeatCensus
from sereno.ingest.stamps import common_step
from sereno.ingest.table import TextTable, instant_texts
from sereno.ingest.tags import tag_separator
from sereno.ingest.units import find_unit

__all__ = ["Evidence", "decide_columns", "decide_dates", "refuse_mixed_series"]

MIN_NUMERIC_SHARE = 0.5
MAX_REGISTERS = 10_000
MAX_MARKS = 1000
ONE_DAY = np.timedelta64(1, "D")
MAX_REPEATED_SHARE = 0.3
MARK_HEADERS = "'OPC Quality' / 'Confidence' / 'Good' / 'Bad' / 'Estimada'"
"""Names of a column of marks that say what a bare code in it means."""


class Evidence:
    """What the whole file says, gathered block by block.

    Args:
        dialect: Delimiter and header.
        layout: What each column seems to be.
        keys: Counts instants that come more than once.

    Attributes:
        numbers: Of each column of values, by position.
        dates: Of the column of instants.
        marks: Distinct texts of the column of marks, by its position.
        n_rows: Good lines.
        n_broken: Lines with another number of fields.
    """

    def __init__(self, dialect: Dialect, layout: Layout, keys: RepeatCensus) -> None:
        self._dialect = dialect
        self._layout = layout
        self._register = next((str(c.index) for c in layout.of_role(Role.REGISTER)), None)
        self._registers: set[str] = set()
        self.numbers = {
            c.index: NumberEvidence() for c in layout.columns if c.role in (Role.SIGNAL, Role.VALUE)
        }
        self.dates = DateEvidence(declared=dialect.declared_order)
        self.marks: dict[int, set[str]] = {c.index: set() for c in layout.of_role(Role.QUALITY)}
        self.n_rows = 0
        self.n_broken = 0
        self.keys = keys

    def add(self, lines: LineBlock, table: TextTable) -> None:
        """Takes in the rows of a block."""
        self.n_broken += int(np.count_nonzero(lines.kinds == LineKind.BROKEN))
        self.n_rows += len(table.lines)
        if not len(table.lines):
            return
        self.dates.add(instant_texts(table, self._layout))
        for column in self._layout.of_role(Role.END):
            self.dates.add_ends(table.cells[str(column.index)])
        for index, evidence in self.numbers.items():
            evidence.add(table.cells[str(index)])
        for index, seen in self.marks.items():
            if len(seen) < MAX_MARKS:
                seen.update(table.cells[str(index)].drop_nulls().unique().to_list())
        if self._register is not None and len(self._registers) < MAX_REGISTERS:
            self._registers.update(table.cells[self._register].drop_nulls().unique().to_list())
        self.keys.add(table, self._layout)

    def votes(self) -> "Counter[str]":
        """Cells of all columns that can only be read with `.`, or with `,`, as decimal sign."""
        votes: Counter[str] = Counter()
        for found in self.numbers.values():
            votes += found.votes
        return votes

    def check(self, file: str) -> None:
        """Refuses a file most of whose lines have another number of fields than its header."""
        if self.n_broken > self.n_rows and self.n_broken > 1:
            expected = self._dialect.n_columns
            n_lines = self.n_broken + self.n_rows
            detail = f"{self.n_broken} / {n_lines} lines ≠ {expected} (line {self._dialect.header_row})"
            raise CorruptFile(file=file, detail=detail)

    @property
    def is_matrix(self) -> bool:
        """One line holds a day: its steps are known by their columns."""
        return self._dialect.matrix is not None

    @property
    def end_name(self) -> str:
        """Header of the column of instants where it says that they are ends."""
        return next((c.source for c in self._layout.columns if c.is_end), "")

    @property
    def has_sums(self) -> bool:
        """Some signal is summed over its step, such as energy; a state has no step to end."""
        profile = self._layout.profile
        named = {c.signal for c in self._layout.of_role(Role.SIGNAL)} | set(self.registers(self._layout))
        if any(s.name in named and s.kind is SignalKind.INTERVAL for s in profile.signals):
            return True
        words = [w for c in self._layout.of_role(Role.SIGNAL) for w in (c.unit, *c.source.split("_"))]
        return any(unit.quantity == "energy" for word in words if (unit := find_unit(word)) is not None)

    @property
    def step_name(self) -> str:
        """Header of the column of times of day; empty where there is none."""
        return next((c.source for c in self._layout.of_role(Role.TIME_OF_DAY)), "")

    @property
    def tags(self) -> frozenset[str]:
        """What the cells of the register column say."""
        return frozenset(self._registers)

    def registers(self, layout: Layout) -> tuple[str, ...]:
        """The signals that a long table's rows speak of, in the profile's order."""
        profile = layout.profile
        found = {s.name for t in sorted(self._registers) if (s := register_signal(t, layout)) is not None}
        known = [name for name in profile.signal_names if name in found]
        return (*known, *sorted(found.difference(known)))


def refuse_mixed_series(evidence: Evidence, layout: Layout, file: str) -> None:
    """Many rows of one instant beside a column that is not read: several series under one name."""
    unread = [c.source for c in layout.columns if c.role is Role.UNKNOWN and c.source]
    n_again = evidence.keys.n_rows - evidence.keys.n_keys
    if unread and n_again > MAX_REPEATED_SHARE * evidence.n_rows:
        listed = ", ".join(f"'{name}'" for name in unread[:5])
        detail = f"{n_again / evidence.n_rows:.0%} ↔ {listed}"
        raise AmbiguousData(file=file, detail=detail, setting="asset_aliases (profiles/*.yaml)")


def decide_dates(evidence: Evidence, options: ReadOptions, file: str) -> DateStyle:
    """How the instants are written.

    Raises:
        AmbiguousData: Two readings fit; names the option that decides.
    """
    style = evidence.dates.decide(options.date_order, options.now)
    if style is None:
        example = evidence.dates.sample[0]
        raise AmbiguousData(
            file=file,
            detail=f"'{example}' = dd/MM / MM/dd",
            setting="--date-order dmy / --date-order mdy",
        )
    hours = evidence.dates.hours.decide(
        options.timezone,
        options.stamp,
        lambda dates: parse_times(pl.Series(dates, dtype=pl.String), style).local,
        evidence.step_name,
    )
    example = evidence.dates.sample[0] if evidence.dates.sample else ""
    if hours is AMBIGUOUS_STEP:
        detail = f"'{example}' = 15 min / 30 min"
        raise AmbiguousData(
            file=file, detail=detail, setting="'Cuarto' / 'Quarter', 'Media hora' / 'Half hour'"
        )
    if hours is AMBIGUOUS:
        detail = f"'{example}' = 0-23 / 1-24"
        raise AmbiguousData(file=file, detail=detail, setting="--stamp start / --stamp end")
    return _with_stamp(evidence, replace(style, hours=hours), options, file)


def _with_stamp(evidence: Evidence, style: DateStyle, options: ReadOptions, file: str) -> DateStyle:
    """The style with the step that ends at each instant, where anything says that they are ends."""
    if style.hours is not None or evidence.is_matrix:
        return style
    instants = parse_times(pl.Series(evidence.dates.sample, dtype=pl.String), style).local
    step = common_step(instants)
    reason = _reason_for_ends(evidence, options.stamp)
    if not reason and options.stamp is None:
        return replace(style, maybe_ends=_look_of_ends(evidence, style, instants, step))
    if not reason or (step is not None and step >= ONE_DAY):
        return style
    if step is None:
        detail = f"'{evidence.dates.sample[0]}' = {reason}"
        raise AmbiguousData(file=file, detail=detail, setting="--stamp start, 'Inicio' + 'Fin'")
    closes_day = evidence.dates.stamps.closes_own_day
    return replace(style, end_step=step, end_reason=reason, closes_day=closes_day)


def _reason_for_ends(evidence: Evidence, stamp: str | None) -> str:
    """What says that the instants end their steps; empty for nothing."""
    stamps = evidence.dates.stamps
    if stamp is not None or not stamps.days:
        return "--stamp end" if stamp == "end" and stamps.days else ""
    if evidence.end_name:
        return f"'{evidence.end_name}'"
    if stamps.says_24:
        return "24:00"
    return "23:… → 00:00" if stamps.closes_own_day else ""


def _look_of_ends(
    evidence: Evidence, style: DateStyle, instants: TimeArray, step: np.timedelta64 | None
) -> str:
    """Whole days from 01:00 to 00:00: ends, or a piece of a longer series cut an hour late; else empty.

    One file cannot tell, and a series whose pieces are read differently is worse than one that is read late.
    """
    stamps = evidence.dates.stamps
    if not stamps.days or not evidence.has_sums or step is None or step >= ONE_DAY:
        return ""
    starts = parse_times(pl.Series(list(stamps.days), dtype=pl.String), style).local
    first = np.sort(instants)[0]  # NaT is last
    is_filled = stamps.fills_days_by_ends(starts, first, step)
    return f"{str(first)[11:16]} … 00:00" if is_filled else ""


def decide_columns(
    evidence: Evidence, layout: Layout, options: ReadOptions, file: str, forced: NumberStyle | None = None
) -> Layout:
    """The layout with the signs of its numbers, the meaning of its marks and the parts of its tags.

    Args:
        forced: How a mapping says that numbers are written, over all evidence.

    Raises:
        AmbiguousData: Two readings fit; names what decides.
    """
    layout = _decide_marks(evidence, _decide_numbers(evidence, layout, options, file, forced), file)
    has_asset = bool(layout.of_role(Role.ASSET))
    separator = "" if has_asset or not layout.profile.is_open else tag_separator(evidence.tags)
    return replace(layout, tag_separator=separator)


def _decide_marks(evidence: Evidence, layout: Layout, file: str) -> Layout:
    styles = {}
    for column in layout.of_role(Role.QUALITY):
        texts = evidence.marks[column.index]
        style = choose_marks(column.source, texts)
        if style is None:
            shown = ", ".join(sorted(t.strip() for t in texts)[:5])
            detail = f"'{column.source}' = {shown}"
            raise AmbiguousData(file=file, detail=detail, setting=MARK_HEADERS)
        styles[column.index] = style
    columns = (replace(c, marks=styles[c.index]) if c.index in styles else c for c in layout.columns)
    return replace(layout, columns=tuple(columns))


def _maximum(column: Column, layout: Layout) -> float | None:
    """What the values of a column can be at most, in the unit that they are written in."""
    signal = layout.profile.signal(column.signal) if column.signal else None
    if signal is None or signal.maximum is None:
        return None
    return (signal.maximum - column.scale.offset) / column.scale.factor


def _agreed(evidence: Evidence, layout: Layout, column: Column) -> NumberStyle | None:
    """The style of a column that says nothing itself, where all columns that say something agree."""
    signs = set()
    for other in layout.columns:
        numbers = evidence.numbers.get(other.index)
        if numbers is not None and numbers.is_open:
            found = numbers.magnitudes.decimal_sign(_maximum(other, layout))
            signs |= {found[0]} if found else set()
    return evidence.numbers[column.index].decide(signs.pop()) if len(signs) == 1 else None


def _decide_numbers(
    evidence: Evidence, layout: Layout, options: ReadOptions, file: str, forced: NumberStyle | None
) -> Layout:
    votes = evidence.votes()
    fallback = max(votes, key=lambda s: votes[s]) if votes else options.decimal
    columns: list[Column] = []
    for column in layout.columns:
        numbers = evidence.numbers.get(column.index)
        if numbers is None:
            columns.append(column)
            continue
        style = (
            forced or numbers.decide(fallback, _maximum(column, layout)) or _agreed(evidence, layout, column)
        )
        if style is None:
            raise AmbiguousData(
                file=file,
                detail=f"'{column.source}': 80.000 = 80 / 80000",
                setting="--decimal . / --decimal ,",
            )
        is_numeric = numbers.numeric_share >= MIN_NUMERIC_SHARE or not layout.profile.is_open
        columns.append(
            replace(column, style=style) if is_numeric else replace(column, role=Role.UNKNOWN, signal="")
        )
    return replace(layout, columns=tuple(columns))
