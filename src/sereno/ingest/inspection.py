"""The evidence pass: the whole file once, in bounded memory, and every decision about how to read it."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sereno.domain.errors import AmbiguousData, DataError, EmptyFile, Fact, MissingColumns, UsageError
from sereno.domain.issues import DataIssue
from sereno.domain.signals import Profile, metered_name
from sereno.ingest.batch import FilePlan
from sereno.ingest.containers import HeldTable, Opened, open_container
from sereno.ingest.dates import DateStyle, time_shape
from sereno.ingest.dialect import DELIMITERS, Dialect, looks_numeric, sniff_dialect, split_line
from sereno.ingest.evidence import Evidence, decide_columns, decide_dates, refuse_mixed_series
from sereno.ingest.headers import Role, nearest_hint, nearest_names
from sereno.ingest.identity import clean_name, site_from_file_name
from sereno.ingest.layout import Layout, choose_layout
from sereno.ingest.mappings import Mapped, find_mapping, selecting_mapping
from sereno.ingest.numbers import NumberStyle
from sereno.ingest.options import ReadOptions
from sereno.ingest.reasons import Asked, explain_columns, mapping_issues
from sereno.ingest.registers import settle_registers
from sereno.ingest.repeats import NO_REPEATS, LineSet, RepeatCensus, Repeats, split_repeats
from sereno.ingest.series import SheetName, name_series, specific_name
from sereno.ingest.settling import sampled_step, settle_rates, unit_issues
from sereno.ingest.source_file import SourceFile, TextBlock, content_sha256, examine, text_blocks
from sereno.ingest.table import (
    TableReport,
    passed_over,
    text_tables,
)
from sereno.ingest.units import are_kin

__all__ = ["inspect_file", "layout_issues", "refuse_unknown_zone"]

log = logging.getLogger(__name__)

N_HEAD_LINES = 400
MIN_READINGS = 3
"""Lines with an instant and a number that make a sheet more than a cover with a date on it."""
MAX_NAMED = 20
"""Columns that a sentence names."""
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
    refuse_unknown_zone(options.timezone)
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
    head = _head(source)
    mapped = find_mapping(head, table, options, delimiters)
    if mapped is None:
        dialect = sniff_dialect(head, profiles, name, delimiters=delimiters)
    else:
        options = mapped.options(options)
        dialect = mapped.read_dialect(head, profiles, options.profile, name)
    layout = choose_layout(dialect.headers, dialect.sample, profiles, asked=options.profile, file=name)
    evidence = _gather(source, dialect, layout, mapped)
    evidence.check(name)
    refuse_mixed_series(evidence, layout, name)
    if mapped is not None:
        mapped.refuse_impossible_dates(evidence.dates, name)
    dates = decide_dates(evidence, options, name)
    style, step_s = (mapped.mapping.number_style, mapped.mapping.step_s) if mapped else (None, None)
    layout = settle_registers(decide_columns(evidence, layout, options, name, style), dialect, dates)
    layout, settled = settle_rates(layout, step_s or sampled_step(layout, dialect.sample, dates), name)
    said = mapping_issues(mapped, head, layout, Asked(profiles, options, delimiters, name), evidence.votes())
    site = clean_name(options.site or dialect.site or site)
    log.debug(
        "table inspected", extra={"file": name, "rows": evidence.n_rows, "profile": layout.profile.name}
    )
    return FilePlan(
        path=table.path,
        sha256=source.sha256,
        profile=layout.profile,
        tables=(
            replace(
                _table_report(table, source, dialect, layout, dates, options),
                columns=explain_columns(layout, dialect, dates, evidence.numbers, mapped),
                mapping=mapped.mapping.name if mapped else "",
            ),
        ),
        source=source,
        dialect=dialect,
        layout=layout,
        dates=dates,
        site=site,
        n_rows=evidence.n_rows,
        repeats=_find_repeats(evidence, source, dialect, layout, dates, options),
        issues=(
            *_garbled_issues(name, source),
            *_file_issues(name, layout, evidence, dates, options, site),
            *settled,
            *said,
        ),
        options=options,
        registers=evidence.registers(layout),
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
    selection = selecting_mapping(opened.tables, options)
    undecided: list[HeldTable] = []
    for table in opened.tables:
        if selection is not None and not selection.reads_sheet(table.label):
            found.passed.append(passed_over(table.name, "not_selected"))
            continue
        _add_table(found, table, path, profiles, options, undecided)
    order = _proven_order(found.sheets)
    for table in undecided:
        _add_table(found, table, path, profiles, replace(options, date_order=order), None)
    position = {table.name: i for i, table in enumerate(opened.tables)}
    found.sheets.sort(key=lambda sheet: position[sheet.plan.name])
    if not found.sheets:
        raise found.refused[0]
    return _whole_plan(path, opened, found, clean_name(options.site) if options.site else None)


def _add_table(
    found: _Found,
    table: HeldTable,
    path: Path,
    profiles: Mapping[str, Profile],
    options: ReadOptions,
    undecided: list[HeldTable] | None,
) -> None:
    """Adds the plan of a table or why there is none; one whose dates are open waits for the others."""
    try:
        plan = _inspect_table(table, profiles, options, site=_site_of(table, path))
    except AmbiguousData as error:
        if (
            undecided is not None
            and options.date_order is None
            and "--date-order" in str(error.facts["setting"])
        ):
            undecided.append(table)
        else:
            found.refuse(table.name, _renamed(error, table))
    except DataError as error:
        is_cover = isinstance(error, MissingColumns | EmptyFile) and not _has_readings(table)
        found.refuse(table.name, _renamed(error, table), is_cover=is_cover)
    else:
        found.sheets.append(SheetName(plan, table.label, table.file))


def _proven_order(sheets: Sequence[SheetName]) -> str | None:
    """The order of day and month that the dates of the tables prove; None where they prove none or two."""
    orders = {sheet.plan.dates.order for sheet in sheets if sheet.plan.dates.is_proven} - {"ymd"}
    return orders.pop() if len(orders) == 1 else None


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


def refuse_unknown_zone(name: str) -> None:
    """Refuse what is no IANA time zone.

    Raises:
        UsageError: It is none.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        detail = (
            f"there is no time zone '{name}', only such as Europe/Madrid or, an hour ahead of UTC, Etc/GMT-1"
        )
        raise UsageError(detail=detail, command="check") from error


def _gather(source: SourceFile, dialect: Dialect, layout: Layout, mapped: Mapped | None) -> "Evidence":
    with RepeatCensus(source.n_lines) as keys:
        evidence = Evidence(dialect, layout, keys)
        if mapped is not None and mapped.mapping.date_order in ("dmy", "mdy"):
            evidence.dates.forced = mapped.mapping.date_order
        for lines, table in text_tables(source, dialect, layout):
            evidence.add(lines, table)
        keys.finish()
    return evidence


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


def _find_repeats(
    evidence: Evidence,
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
        columns=(),
    )


def _file_issues(
    name: str, layout: Layout, evidence: Evidence, dates: DateStyle, options: ReadOptions, site: str
) -> Iterator[DataIssue]:
    if evidence.n_rows == 0 and evidence.n_broken == 0:
        yield DataIssue("read.header_only", where=name, facts={"file": name})
    if options.is_timezone_assumed:
        yield DataIssue(ASSUMED_ZONE, where=name, facts={"file": name, "zone": options.timezone})
    yield from layout_issues(layout, name, site)
    if dates.end_step is not None:
        facts: dict[str, Fact] = {"file": name, "detail": dates.end_reason, "minutes": dates.end_minutes}
        yield DataIssue("read.interval_end", where=name, facts=facts)
    if dates.maybe_ends:
        detail, setting = f"'{dates.maybe_ends}' = start / end → start", "--stamp start / --stamp end"
        facts = {"file": name, "detail": detail, "setting": setting}
        yield DataIssue("read.ambiguous", where=name, facts=facts)


def _garbled_issues(name: str, source: SourceFile) -> Iterator[DataIssue]:
    if source.n_garbled:
        yield DataIssue("read.garbled_text", name, source.n_garbled, {"file": name})


def layout_issues(layout: Layout, file: str, site: str) -> Iterator[DataIssue]:
    """What the columns lack, hold beyond the profile, or leave open; energy stands for power as well."""
    has = {metered_name(c.signal) for c in layout.columns if c.role is Role.SIGNAL}
    units = [layout.profile.signal(name).unit for name in has]
    missing = [
        s.name
        for s in layout.profile.signals
        if s.name not in has and not s.is_optional and not any(are_kin(unit, s.unit) for unit in units)
    ]
    if missing and layout.name != "long":
        found = ", ".join(f"'{c.source}'" for c in layout.of_role(Role.SIGNAL)[:MAX_NAMED])
        hint = f"Missing: {', '.join(missing)}."
        facts = {"file": file, "profile": layout.profile.name, "found": found, "hint": hint}
        yield DataIssue("read.missing_columns", where=file, count=len(missing), facts=facts)
    unknown = [c.source for c in layout.columns if c.role is Role.UNKNOWN and c.source]
    if unknown:
        listed = ", ".join(f"'{u}'" for u in unknown[:MAX_NAMED])
        near = nearest_hint(nearest_names(unknown[:MAX_NAMED], layout.profile))
        if not near and len(unknown) >= len(has):
            near = "Profile 'process' takes every column of numbers: --profile process."
        facts = {"file": file, "profile": layout.profile.name, "columns": listed, "near": near}
        yield DataIssue("read.unknown_columns", where=file, count=len(unknown), facts=facts)
    yield from unit_issues(layout, file, site)
