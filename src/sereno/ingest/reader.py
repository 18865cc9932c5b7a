"""The reading pass: a planned file as batches of readings, in bounded memory.

Rows whose identity and instant come more than once are held back to the last batch, where all of them meet,
so that neither the order of rows nor the borders of batches decide which one is kept. Only where more than
`MAX_HELD_ROWS` rows contradict each other are they resolved batch by batch; then the store's upsert has the
last word, and the totals count what each batch saw.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.domain.issues import MAX_QUARANTINE_TEXT, DataIssue, QuarantinedRow
from sereno.domain.readings import Quality, Readings
from sereno.domain.time import to_numpy
from sereno.ingest.batch import Batch, FilePlan, Totals
from sereno.ingest.dialect import split_line
from sereno.ingest.duplicates import implausibility, resolve_duplicates
from sereno.ingest.headers import Role
from sereno.ingest.lines import LineBlock, LineKind
from sereno.ingest.overlaps import Overlaps
from sereno.ingest.pressures import refer_pressures
from sereno.ingest.repeats import MAX_HELD_ROWS, is_among, key_hashes
from sereno.ingest.report import merge_issues
from sereno.ingest.rows import Asides, AssetIndex, Rows, convert_table, is_total
from sereno.ingest.table import TextTable, text_tables
from sereno.ingest.titles import is_note

__all__ = ["read_batches"]

MAX_LONG_ROWS = 4_000_000
"""Long tables up to this size are one batch, so that all registers of an instant meet in one row."""
EXAMPLE_LENGTH = 30
N_TITLE_CELLS = 2
"""Cells of a line of which one may say that the line is a total."""
FUTURE_TOLERANCE = np.timedelta64(15, "m")
ASSUMED_ZONE_TOLERANCE = np.timedelta64(1, "D")


def read_batches(plan: FilePlan) -> Iterator[Batch]:
    """The readings of a planned file, batch by batch; the last one carries the issues.

    A file without rows gives one empty batch; of several tables each gives its batches in turn.
    """
    if not plan.parts:
        for batch in _table_batches(plan):
            yield replace(batch, issues=tuple(merge_issues(batch.issues)))
        return
    issues = list(plan.issues)
    batches = _batches_of_parts(plan)
    last = next(batches)
    for batch in batches:
        yield replace(last, is_last=False, issues=())
        issues += last.issues
        last = batch
    yield replace(last, is_last=True, issues=tuple(merge_issues([*issues, *last.issues])))


def _batches_of_parts(plan: FilePlan) -> Iterator[Batch]:
    overlaps = Overlaps(plan, _table_batches)
    for number, part in enumerate(plan.parts):
        for batch in _table_batches(part):
            yield overlaps.settle(replace(batch, table=number))
    yield from overlaps.remaining()


def _table_batches(plan: FilePlan) -> Iterator[Batch]:
    reader = _Reader(plan)
    for lines, table in text_tables(plan.source, plan.dialect, plan.layout):
        yield from reader.add(lines, table)
    yield reader.finish()


@dataclass(slots=True)
class _Pending:
    """Rows that wait for their batch, with the raw text of those that may yet be rejected."""

    parts: list[Rows] = field(default_factory=list)
    tables: list[TextTable] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    quarantine: list[QuarantinedRow] = field(default_factory=list)
    n_dropped: int = 0

    @property
    def n_rows(self) -> int:
        return sum(len(p) for p in self.parts) + len(self.quarantine)

    @property
    def n_waiting(self) -> int:
        return sum(len(t.lines) for t in self.tables)


class _Reader:
    """State between the blocks of one file."""

    def __init__(self, plan: FilePlan) -> None:
        self._plan = plan
        self._signals = plan.signals
        self._assets = AssetIndex()
        self._asides = Asides()
        self._open = _Pending()
        self._held = _Pending()
        self._n_forward = 0
        is_long = plan.layout.name == "long" and plan.n_rows <= MAX_LONG_ROWS
        self._batch_rows = MAX_LONG_ROWS if is_long else max(1, plan.options.batch_rows)
        self._is_whole = plan.n_rows <= self._batch_rows

    def add(self, lines: LineBlock, table: TextTable) -> Iterator[Batch]:
        self._set_aside(lines)
        step = self._batch_rows
        for start in range(0, len(table.lines), step):
            part = TextTable(table.cells[start : start + step], table.lines[start : start + step])
            if not self._is_whole and self._open.n_rows + len(part.lines) > step:
                yield self._close(self._open, is_last=False)
                self._open = _Pending()
            self._take(part, lines)

    def finish(self) -> Batch:
        if self._held.tables:
            cells = pl.concat([t.cells for t in self._held.tables])
            table = TextTable(cells, np.concatenate([t.lines for t in self._held.tables]))
            self._open.texts |= self._held.texts
            self._convert(table, self._held.texts.__getitem__)
        return self._close(self._open, is_last=True)

    def _set_aside(self, lines: LineBlock) -> None:
        """Lines that are no rows go to quarantine by number."""
        for i in np.flatnonzero(lines.kinds >= LineKind.BROKEN).tolist():
            text = lines.text(i)
            cells = split_line(text, self._plan.dialect.delimiter)
            reason = "read.note_row" if is_note(cells) else "read.broken_row"
            reason = "read.total_row" if any(map(is_total, cells[:N_TITLE_CELLS])) else reason
            row = QuarantinedRow(lines.first_line + i, reason, text)
            self._open.quarantine.append(row)
            self._asides.count(row.reason, self._plan.name, 1, [_example(row)])

    def _take(self, table: TextTable, lines: LineBlock) -> None:
        """Converts the rows of a table, but for those that must wait for their like."""

        def text_of(line: int) -> str:
            return lines.text(line - lines.first_line)

        repeats = self._plan.repeats
        if not self._is_whole and len(repeats.held):
            is_held = is_among(repeats.held, key_hashes(table, self._plan.layout))
            n_held = int(is_held.sum())
            if n_held and self._held.n_waiting + n_held <= MAX_HELD_ROWS:
                held = table.filter(is_held).compact()
                self._held.tables.append(held)
                self._held.texts |= {line: text_of(line) for line in held.lines.tolist()}
                table = table.filter(~is_held)
        if not self._is_whole and not repeats.dropped.is_empty:
            table = self._without_repetitions(table)
        if len(table.lines):
            self._convert(table, text_of)

    def _without_repetitions(self, table: TextTable) -> TextTable:
        """The table without rows that another one, here or in an earlier block, equals to the last digit."""
        is_dropped = self._plan.repeats.dropped.has(table.lines)
        n_assets = len({c.asset for c in self._plan.layout.of_role(Role.SIGNAL) if c.asset}) or 1
        n_dropped = int(np.count_nonzero(is_dropped)) * n_assets
        self._open.n_dropped += n_dropped
        self._asides.count("quality.duplicate_identical", self._plan.name, n_dropped)
        return table.filter(~is_dropped) if n_dropped else table

    def _convert(self, table: TextTable, text_of: Callable[[int], str]) -> None:
        converted = convert_table(
            table, self._plan, self._signals, self._assets, self._asides, is_backwards=self._is_backwards()
        )
        for position, reason in converted.bad:
            line = int(table.lines[position])
            row = QuarantinedRow(line, reason, text_of(line))
            self._open.quarantine.append(row)
            self._asides.count(reason, self._plan.name, 1, [_example(row)])
        rows = converted.rows
        if not len(rows):
            return
        refer_pressures(rows, self._plan, self._signals, self._assets.keys, self._asides)
        steps = np.diff(rows.time.astype(np.int64))
        self._n_forward += int(np.count_nonzero(steps > 0)) - int(np.count_nonzero(steps < 0))
        self._open.parts.append(rows)
        if self._is_whole:
            self._keep_texts(rows, text_of)

    def _is_backwards(self) -> bool | None:
        """Whether the rows so far run against time; None before the first rows."""
        return None if self._n_forward == 0 else self._n_forward < 0

    def _keep_texts(self, rows: Rows, text_of: Callable[[int], str]) -> None:
        """Raw text of the rows that may lose against another one of the same instant."""
        group, stamps = self._groups(rows), rows.time.astype(np.int64)
        order = np.lexsort((stamps, group))
        same = (group[order][1:] == group[order][:-1]) & (stamps[order][1:] == stamps[order][:-1])
        is_doubled = np.concatenate((same, [False])) | np.concatenate(([False], same))
        for line in np.unique(rows.lines[order[is_doubled]]).tolist():
            self._open.texts[line] = text_of(line)

    def _groups(self, rows: Rows) -> npt.NDArray[np.int64]:
        return rows.asset * max(1, len(self._signals)) + rows.register

    def _close(self, pending: _Pending, *, is_last: bool) -> Batch:
        totals = Totals(records_quarantined=len(pending.quarantine), duplicates_identical=pending.n_dropped)
        readings = self._plan.no_readings()
        lines = np.empty(0, dtype=np.int64)
        quarantine = list(pending.quarantine)
        if pending.parts:
            rows = Rows.concatenate(pending.parts)
            kept, losers, n_identical = self._resolve(rows)
            for line in losers:
                text = pending.texts.get(line, "")
                quarantine.append(QuarantinedRow(line, "quality.duplicate_conflicting", text))
            kept, from_the_future = self._without_future(kept)
            quarantine += from_the_future
            totals = self._totals(kept, n_identical + pending.n_dropped, len(losers), len(quarantine))
            kept = _pivot(kept, len(self._signals)) if self._plan.layout.name == "long" else kept
            readings, lines = self._readings(kept), kept.lines
        quarantine.sort(key=lambda row: row.line)
        return Batch(
            readings=readings,
            issues=self._issues() if is_last else (),
            quarantine=tuple(quarantine),
            is_last=is_last,
            totals=totals,
            lines=lines,
        )

    def _resolve(self, rows: Rows) -> tuple[Rows, list[int], int]:
        is_long = self._plan.layout.name == "long"
        points = None if is_long else implausibility(rows.values, self._signals, self._plan.profile)
        found = resolve_duplicates(self._groups(rows), rows.time, rows.values, points)
        kept = rows.take(found.kept)
        kept.quality[found.differs] |= np.int32(Quality.CONFLICT)
        name = self._plan.name
        losers = rows.lines[found.losers].tolist()
        self._asides.count("quality.duplicate_identical", name, found.n_identical)
        examples = [str(line) for line in sorted(losers)[:3]]
        self._asides.count("quality.duplicate_conflicting", name, len(losers), examples)
        return kept, losers, found.n_identical

    def _totals(self, kept: Rows, n_identical: int, n_conflicting: int, n_quarantined: int) -> Totals:
        return Totals(
            records_good=len(kept),
            records_quarantined=n_quarantined,
            duplicates_identical=n_identical,
            duplicates_conflicting=n_conflicting,
            cells_missing=int(np.count_nonzero(kept.quality & Quality.MISSING)),
            cells_converted=int(np.count_nonzero(kept.quality & Quality.CONVERTED)),
        )

    def _without_future(self, kept: Rows) -> tuple[Rows, list[QuarantinedRow]]:
        """The rows that have happened; a wrong clock must not move what counts as the latest reading."""
        now = self._plan.options.now
        if now is None:
            return kept, []
        options = self._plan.options
        # A zone that nobody declared may be wrong by hours without any clock being so.
        tolerance = ASSUMED_ZONE_TOLERANCE if options.is_timezone_assumed else FUTURE_TOLERANCE
        late = kept.time > to_numpy(now) + tolerance
        if not late.any():
            return kept, []
        column = self._plan.layout.of_role(Role.TIME)[0].source
        examples = [str(t)[:16] for t in kept.time[late][:3]]
        self._asides.count("quality.future", column, int(late.sum()), examples)
        aside = [
            QuarantinedRow(int(line), "quality.future", f"{time} {values}"[:MAX_QUARANTINE_TEXT])
            for line, time, values in zip(
                kept.lines[late], kept.time[late], kept.values[late].tolist(), strict=True
            )
        ]
        return kept.take(~late), aside

    def _readings(self, kept: Rows) -> Readings:
        present, index = np.unique(kept.asset, return_inverse=True)
        return Readings(
            profile=self._plan.profile.name,
            assets=tuple(self._assets.keys[i] for i in present.tolist()),
            asset_index=index.astype(np.int32),
            time=kept.time,
            signals=self._signals,
            values=np.ascontiguousarray(kept.values),
            quality=np.ascontiguousarray(kept.quality),
        )

    def _issues(self) -> tuple[DataIssue, ...]:
        return (*self._plan.issues, *self._asides.issues(self._plan.name))


def _example(row: QuarantinedRow) -> str:
    return f"{row.line}: {row.text[:EXAMPLE_LENGTH]}"


def _pivot(rows: Rows, n_signals: int) -> Rows:
    """A row per asset and instant from a row per register; rows are sorted by asset, register and instant."""
    stamps = rows.time.astype(np.int64)
    order = np.lexsort((stamps, rows.asset))
    asset, stamp = rows.asset[order], stamps[order]
    leads = np.concatenate(([True], (asset[1:] != asset[:-1]) | (stamp[1:] != stamp[:-1])))
    instance = np.cumsum(leads) - 1
    n_rows = int(leads.sum())
    values = np.full((n_rows, n_signals), np.nan)
    quality = np.zeros((n_rows, n_signals), dtype=np.int32)
    values[instance, rows.register[order]] = rows.values[order, 0]
    quality[instance, rows.register[order]] = rows.quality[order, 0]
    first = order[leads]
    return Rows(rows.asset[first], rows.register[first], rows.time[first], rows.lines[first], values, quality)
