"""The evidence pass: the whole file once, in bounded memory, and every decision about how to read it."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from sereno.domain.errors import AmbiguousData, CorruptFile, DataError, EmptyFile, MissingColumns, UsageError
from sereno.domain.issues import DataIssue
from sereno.domain.signals import Profile, metered_name
from sereno.ingest.batch import FilePlan
from sereno.ingest.containers import HeldTable, Opened, open_container
from sereno.ingest.dates import DateEvidence, DateStyle, time_shape
from sereno.ingest.dialect import DELIMITERS, Dialect, looks_numeric, sniff_dialect, split_line
from sereno.ingest.headers import Role, nearest_hint, nearest_names
from sereno.ingest.hours import AMBIGUOUS
from sereno.ingest.identity import clean_name, site_from_file_name
from sereno.ingest.layout import Column, Layout, choose_layout, register_signal
from sereno.ingest.lines import LineBlock, LineKind
from sereno.ingest.numbers import NumberEvidence, NumberStyle
from sereno.ingest.options import ReadOptions
from sereno.ingest.registers import settle_registers
from sereno.ingest.repeats import NO_REPEATS, LineSet, RepeatCensus, Repeats, split_repeats
from sereno.ingest.series import SheetName, name_series, specific_name
from sereno.ingest.source_file import SourceFile, TextBlock, content_sha256, examine, text_blocks
from sereno.ingest.table import (
    ColumnReport,
    TableReport,
    TextTable,
    instant_texts,
    passed_over,
    text_tables,
)

__all__ = ["inspect_file", "layout_issues"]

log = logging.getLogger(__name__)

N_HEAD_LINES = 400
MIN_NUMERIC_SHARE = 0.5
MAX_REGISTERS = 10_000
MAX_REPEATED_SHARE = 0.3
MIN_READINGS = 3
"""Lines with an instant and a number that make a sheet more than a cover with a date on it."""
ASSUMED_ZONE = "quality.assumed_timezone"


def inspect_file(path: Path, profiles: Mapping[str, Profile], options: ReadOptions) -> FilePlan:
    """How the file is to be read, from all of its content.

    Raises:
        EmptyFile: There is no content.
        CorruptFile: The content is cut or not a table.
        FileTooLarge: A limit of `options` is reached.
        FileMissing: There is no such file.
        FileUnreadable: The operating system refuses.
        MissingColumns: No column is a signal or a time; the nearest names are suggested.
        UnsupportedFormat: The file is of a kind that is not read.
        AmbiguousData: Two readings fit; names the option that decides.
        UsageError: `options.profile` is no profile, or `options.timezone` no zone.
        DiskFull: There is no space for the temporary file that a large file needs.
        SystemRefused: That file cannot be written.
    """
    path = Path(path)
    if options.profile is not None and options.profile not in profiles:
        known = ", ".join(sorted(profiles))
        raise UsageError(
            detail=f"there is no profile '{options.profile}', there are {known}", command="check"
        )
    _refuse_unknown_zone(options.timezone)
    opened = open_container(path, options)
    if opened is None:
        whole = HeldTable(path.name, "", path, "text", path.name)
        return _inspect_table(whole, profiles, options, site=site_from_file_name(path.name))
    return _inspect_container(path, opened, profiles, options)


def _inspect_table(
    table: HeldTable, profiles: Mapping[str, Profile], options: ReadOptions, *, site: str
) -> FilePlan:
    """The plan of one text table; `site` is what its file's name speaks of."""
    name = table.name
    source = examine(table.path, options)
    delimiters = ("\t",) if table.is_typed else DELIMITERS
    dialect = sniff_dialect(_head(source), profiles, name, delimiters=delimiters)
    layout = choose_layout(dialect.headers, dialect.sample, profiles, asked=options.profile, file=name)
    evidence = _gather(source, dialect, layout)
    evidence.check(name)
    _refuse_mixed_series(evidence, layout, name)
    dates = _decide_dates(evidence, options, name)
    layout = settle_registers(_decide_numbers(evidence, layout, options, name), dialect, dates)
    log.debug(
        "table inspected", extra={"file": name, "rows": evidence.n_rows, "profile": layout.profile.name}
    )
    return FilePlan(
        path=table.path,
        sha256=source.sha256,
        profile=layout.profile,
        tables=(_table_report(table, source, dialect, layout, dates, options),),
        source=source,
        dialect=dialect,
        layout=layout,
        dates=dates,
        site=clean_name(options.site) if options.site else site,
        n_rows=evidence.n_rows,
        repeats=_find_repeats(evidence, source, dialect, layout, dates, options),
        issues=(*_garbled_issues(name, source), *_file_issues(name, layout, evidence, options)),
        options=options,
        registers=evidence.registers(),
        name=name,
    )


@dataclass(slots=True)
class _Found:
    """What the tables of a container turned out to be."""

    sheets: list[SheetName] = field(default_factory=list)
    passed: list[TableReport] = field(default_factory=list)
    issues: list[DataIssue] = field(default_factory=list)
    refused: list[DataError] = field(default_factory=list)

    def refuse(self, place: str, error: DataError, *, is_cover: bool = False) -> None:
        """A table that cannot be read; a cover is only passed over."""
        self.refused.append(error)
        self.passed.append(passed_over(place, "cover" if is_cover else "refused"))
        if not is_cover:
            self.issues.append(DataIssue(error.code, where=place, facts=error.facts))


def _inspect_container(
    path: Path, opened: Opened, profiles: Mapping[str, Profile], options: ReadOptions
) -> FilePlan:
    """The plan of a file that holds tables; those that are none are passed over and named."""
    found = _Found(passed=[passed_over(one.name, one.why) for one in opened.passed])
    for place, error in opened.refused:
        found.refuse(place, error)
    for table in opened.tables:
        try:
            plan = _inspect_table(table, profiles, options, site=_site_of(table, path))
        except DataError as error:
            is_cover = isinstance(error, MissingColumns | EmptyFile) and not _has_readings(table)
            found.refuse(table.name, _renamed(error, table), is_cover=is_cover)
            continue
        found.sheets.append(SheetName(plan, table.label, table.file))
    if not found.sheets:
        raise found.refused[0]
    return _whole_plan(path, opened, found, clean_name(options.site) if options.site else None)


def _whole_plan(path: Path, opened: Opened, found: _Found, site: str | None) -> FilePlan:
    """One plan of all tables; that the zone is assumed is said once of the whole file."""
    by_file = groupby(found.sheets, key=lambda sheet: sheet.file)
    parts = [plan for _, group in by_file for plan in name_series(list(group), site)]
    assumed = [issue for part in parts for issue in part.issues if issue.code == ASSUMED_ZONE][:1]
    said = [replace(one, where=path.name, facts={**one.facts, "file": path.name}) for one in assumed]
    own = tuple(
        replace(part, issues=tuple(i for i in part.issues if i.code != ASSUMED_ZONE)) for part in parts
    )
    return replace(
        own[0],
        path=path,
        sha256=content_sha256(path),
        tables=(*(replace(part.tables[0], asset=part.asset) for part in own), *found.passed),
        n_rows=sum(part.n_rows for part in own),
        issues=(*found.issues, *said),
        registers=tuple(dict.fromkeys(name for part in own for name in part.registers)),
        name=path.name,
        parts=own,
        scratch=opened.scratch,
    )


def _site_of(table: HeldTable, path: Path) -> str:
    """The site that the name of a member speaks of, or that of its archive where it is but a period."""
    is_period = not specific_name(Path(table.file).stem)
    return site_from_file_name(path.name if is_period else table.file)


def _renamed(error: DataError, table: HeldTable) -> DataError:
    """The error with the name that people know the table by."""
    return type(error)(**{**error.facts, "file": table.name}) if "file" in error.facts else error


def _has_readings(table: HeldTable) -> bool:
    """Some lines hold an instant and a number: a table, if not one that can be understood."""
    with table.path.open(encoding="utf-8", errors="replace") as file:
        lines = [line.rstrip("\r\n") for line in islice(file, N_HEAD_LINES)]
    delimiters = ("\t",) if table.is_typed else DELIMITERS
    return any(sum(_is_reading(split_line(line, d)) for line in lines) >= MIN_READINGS for d in delimiters)


def _is_reading(cells: Sequence[str]) -> bool:
    return any(time_shape(c) == "date" for c in cells) and any(looks_numeric(c) for c in cells)


def _refuse_unknown_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(detail=f"there is no time zone '{name}'", command="check") from error


def _gather(source: SourceFile, dialect: Dialect, layout: Layout) -> "_Evidence":
    with RepeatCensus(source.n_lines) as keys:
        evidence = _Evidence(dialect, layout, keys)
        for lines, table in text_tables(source, dialect, layout):
            evidence.add(lines, table)
        keys.finish()
    return evidence


class _Evidence:
    """What the whole file says, gathered block by block."""

    def __init__(self, dialect: Dialect, layout: Layout, keys: RepeatCensus) -> None:
        self._dialect = dialect
        self._layout = layout
        self._register = next((str(c.index) for c in layout.of_role(Role.REGISTER)), None)
        self._registers: set[str] = set()
        self.numbers = {
            c.index: NumberEvidence() for c in layout.columns if c.role in (Role.SIGNAL, Role.VALUE)
        }
        self.dates = DateEvidence(declared=dialect.declared_order)
        self.n_rows = 0
        self.n_broken = 0
        self.keys = keys

    def add(self, lines: LineBlock, table: TextTable) -> None:
        self.n_broken += int(np.count_nonzero(lines.kinds == LineKind.BROKEN))
        self.n_rows += len(table.lines)
        if not len(table.lines):
            return
        self.dates.add(instant_texts(table, self._layout))
        for index, evidence in self.numbers.items():
            evidence.add(table.cells[str(index)])
        if self._register is not None and len(self._registers) < MAX_REGISTERS:
            self._registers.update(table.cells[self._register].drop_nulls().unique().to_list())
        self.keys.add(table, self._layout)

    def check(self, file: str) -> None:
        """Refuses a file most of whose lines have another number of fields than its header."""
        if self.n_broken > self.n_rows and self.n_broken > 1:
            expected = self._dialect.n_columns
            n_lines = self.n_broken + self.n_rows
            detail = f"{self.n_broken} / {n_lines} lines ≠ {expected} (line {self._dialect.header_row})"
            raise CorruptFile(file=file, detail=detail)

    def registers(self) -> tuple[str, ...]:
        """The signals that a long table's rows speak of, in the profile's order."""
        profile = self._layout.profile
        found = {s.name for t in sorted(self._registers) if (s := register_signal(t, profile)) is not None}
        known = [name for name in profile.signal_names if name in found]
        return (*known, *sorted(found.difference(known)))


def _head(source: SourceFile) -> list[str]:
    blocks: Iterator[TextBlock] = text_blocks(source)
    first = next(blocks).data
    end = 0
    for _ in range(N_HEAD_LINES):
        following = first.find(b"\n", end) + 1
        if not following:
            break
        end = following
    return [line.rstrip("\r") for line in first[:end].decode("utf-8", "replace").split("\n")]


def _refuse_mixed_series(evidence: _Evidence, layout: Layout, file: str) -> None:
    """Many rows of one instant beside a column that is not read: several series under one name."""
    unread = [c.source for c in layout.columns if c.role is Role.UNKNOWN and c.source]
    n_again = evidence.keys.n_rows - evidence.keys.n_keys
    if unread and n_again > MAX_REPEATED_SHARE * evidence.n_rows:
        listed = ", ".join(f"'{name}'" for name in unread[:5])
        detail = f"{n_again / evidence.n_rows:.0%} ↔ {listed}"
        raise AmbiguousData(file=file, detail=detail, setting="asset_aliases (profiles/*.yaml)")


def _find_repeats(
    evidence: _Evidence,
    source: SourceFile,
    dialect: Dialect,
    layout: Layout,
    dates: DateStyle,
    options: ReadOptions,
) -> Repeats:
    """The keys that come more than once; none where one batch sees all rows."""
    if evidence.n_rows <= options.batch_rows:
        return NO_REPEATS
    if evidence.keys.are_few:
        return Repeats(evidence.keys.keys, LineSet(0))
    tables = (table for _, table in text_tables(source, dialect, layout))
    return split_repeats(tables, layout, dates, options.timezone, source.n_lines)


def _decide_dates(evidence: _Evidence, options: ReadOptions, file: str) -> DateStyle:
    style = evidence.dates.decide(options.date_order, options.now)
    if style is None:
        example = evidence.dates.sample[0]
        raise AmbiguousData(
            file=file,
            detail=f"'{example}' = dd/MM / MM/dd",
            setting="--date-order dmy or --date-order mdy",
        )
    hours = evidence.dates.hours.decide(options.timezone, options.stamp)
    if hours is AMBIGUOUS:
        example = evidence.dates.sample[0]
        detail = f"'{example}' = 0-23 / 1-24"
        raise AmbiguousData(file=file, detail=detail, setting="--stamp start or --stamp end")
    return replace(style, hours=hours)


def _decide_numbers(evidence: _Evidence, layout: Layout, options: ReadOptions, file: str) -> Layout:
    votes: Counter[str] = Counter()
    for found in evidence.numbers.values():
        votes += found.votes
    fallback = max(votes, key=lambda s: votes[s]) if votes else options.decimal
    columns: list[Column] = []
    for column in layout.columns:
        numbers = evidence.numbers.get(column.index)
        if numbers is None:
            columns.append(column)
            continue
        style = numbers.decide(fallback)
        if style is None:
            raise AmbiguousData(
                file=file,
                detail=f"'{column.source}': 80.000 = 80 / 80000",
                setting="--decimal . or --decimal ,",
            )
        is_numeric = numbers.numeric_share >= MIN_NUMERIC_SHARE or not layout.profile.is_open
        columns.append(
            replace(column, style=style) if is_numeric else replace(column, role=Role.UNKNOWN, signal="")
        )
    return replace(layout, columns=tuple(columns))


def _table_report(
    table: HeldTable,
    source: SourceFile,
    dialect: Dialect,
    layout: Layout,
    dates: DateStyle,
    options: ReadOptions,
) -> TableReport:
    styles = Counter(c.style for c in layout.columns if c.role in (Role.SIGNAL, Role.VALUE))
    style = styles.most_common(1)[0][0] if styles else NumberStyle()
    thousands = next((s.thousands for s in styles if s.decimal == style.decimal and s.thousands), "")
    return TableReport(
        name=table.name,
        layout=layout.name,
        encoding=table.form if table.is_typed else source.encoding,
        delimiter="" if table.is_typed else dialect.delimiter,
        decimal=style.decimal,
        thousands=thousands,
        date_order=dates.order,
        timezone=options.timezone,
        header_row=dialect.header_row,
        unit_row=dialect.unit_row,
        columns=tuple(_column_report(c) for c in layout.columns),
    )


def _column_report(column: Column) -> ColumnReport:
    is_read = column.role is Role.SIGNAL
    return ColumnReport(column.source, column.signal if is_read else "", column.unit if is_read else "")


def _file_issues(name: str, layout: Layout, evidence: _Evidence, options: ReadOptions) -> Iterator[DataIssue]:
    if evidence.n_rows == 0 and evidence.n_broken == 0:
        yield DataIssue("read.header_only", where=name, facts={"file": name})
    if options.is_timezone_assumed:
        yield DataIssue(ASSUMED_ZONE, where=name, facts={"file": name, "zone": options.timezone})
    yield from layout_issues(layout, name)


def _garbled_issues(name: str, source: SourceFile) -> Iterator[DataIssue]:
    if source.n_garbled:
        yield DataIssue("read.garbled_text", name, source.n_garbled, {"file": name})


def layout_issues(layout: Layout, file: str) -> Iterator[DataIssue]:
    """What the columns lack, hold beyond the profile, or leave open."""
    has = {metered_name(c.signal) for c in layout.columns if c.role is Role.SIGNAL}
    missing = [s.name for s in layout.profile.signals if s.name not in has and not s.is_optional]
    if missing and layout.name != "long":
        found = ", ".join(f"'{c.source}'" for c in layout.of_role(Role.SIGNAL))
        hint = f"Missing: {', '.join(missing)}."
        facts = {"file": file, "profile": layout.profile.name, "found": found, "hint": hint}
        yield DataIssue("read.missing_columns", where=file, count=len(missing), facts=facts)
    unknown = [c.source for c in layout.columns if c.role is Role.UNKNOWN and c.source]
    if unknown:
        listed = ", ".join(f"'{u}'" for u in unknown[:20])
        near = nearest_hint(nearest_names(unknown[:20], layout.profile))
        facts = {"file": file, "profile": layout.profile.name, "columns": listed, "near": near}
        yield DataIssue("read.unknown_columns", where=file, count=len(unknown), facts=facts)
    yield from _unit_issues(layout, file)


def _unit_issues(layout: Layout, file: str) -> Iterator[DataIssue]:
    """Units that nothing states: written so that the sentence reads alike in every language."""
    energies = {s.name for s in layout.profile.signals if s.quantity == "energy"}
    signals = layout.of_role(Role.SIGNAL)
    assumed = [c for c in signals if c.is_unit_assumed and metered_name(c.signal) in energies]
    if assumed:
        unit = layout.profile.signal(assumed[0].signal).unit
        listed = ", ".join(f"'{c.source}'" for c in assumed)
        other = "Wh" if unit != "Wh" else "kWh"
        facts = {"file": file, "detail": f"{listed} = {unit} / {other} → {unit}", "setting": f"'… ({unit})'"}
        yield DataIssue("read.ambiguous", where=file, count=len(assumed), facts=facts)
    for column in layout.columns:
        if column.doubt and column.role is Role.SIGNAL:
            unit = layout.profile.signal(column.signal).unit
            detail = f"'{column.source}' = {column.doubt} / {unit} → {column.doubt}"
            yield DataIssue(
                "read.ambiguous", column.source, 1, {"file": file, "detail": detail, "setting": unit}
            )
