"""Saved readings of a file's shape: which mapping a table is read by, and what it says of its columns.

A mapping of the workspace wins over all evidence and must fit; a portal's, which comes with the package, is
evidence that is already gathered: columns that an export lacks are not missed.
"""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from sereno.domain.errors import MappingMisfit, UsageError
from sereno.domain.signals import Profile, metered_name
from sereno.ingest.containers import HeldTable
from sereno.ingest.dates import DateEvidence
from sereno.ingest.dialect import Dialect, sniff_dialect, split_line
from sereno.ingest.file_mapping import ColumnMapping, FileMapping
from sereno.ingest.headers import Header, key_of, parse_header, repair_text
from sereno.ingest.options import ReadOptions

__all__ = ["Mapped", "find_mapping", "near_miss", "selecting_mapping"]

N_HEAD_LINES = 60
NEAR_SHARE = 0.5
"""Share of a fingerprint that a file must hold to be told that a mapping nearly fits."""
MAX_SHOWN = 8
NOON = 12


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping and where in a table its header stands."""

    mapping: FileMapping
    delimiter: str
    header_row: int

    def options(self, options: ReadOptions) -> ReadOptions:
        """The options with what the mapping says where the caller says nothing."""
        said = {
            name: value
            for name in ("profile", "stamp", "date_order", "decimal", "site", "timezone")
            if name not in options.said and (value := getattr(self.mapping, name))
        }
        if "timezone" in said:
            return replace(options, **said, is_timezone_assumed=False)
        return replace(options, **said)

    def read_dialect(
        self, lines: Sequence[str], profiles: Mapping[str, Profile], profile: str | None, file: str
    ) -> Dialect:
        """The dialect with the header of the mapping, whose names say what the mapping says of them.

        Args:
            lines: The first lines of the table.
            profile: Name of the profile, where one is asked for.

        Raises:
            MappingMisfit: A column is not in the file, or a signal not in the profile.
        """
        dialect = sniff_dialect(
            lines, profiles, file, delimiters=(self.delimiter,), header_row=self.header_row
        )
        columns = {_name_key(name): one for name, one in self.mapping.columns.items()}
        if not self.mapping.is_portal:
            self._refuse_misfit(dialect.headers, profiles[profile] if profile else None, file)
        headers = tuple(_declared(header, columns) for header in dialect.headers)
        matrix = dialect.matrix and replace(dialect.matrix, headers=headers)
        return replace(dialect, headers=headers, matrix=matrix)

    def _refuse_misfit(self, headers: Sequence[Header], profile: Profile | None, file: str) -> None:
        present = {key for header in headers for key in _keys(header)}
        for name, column in self.mapping.columns.items():
            if _name_key(name) not in present and column.role != "ignored":
                found = _listed(header.source for header in headers)
                raise self.misfit(file, f"columns: '{name}' ∉ {found}")
            signal = column.declared.signal
            if (
                signal
                and profile
                and not profile.is_open
                and metered_name(signal) not in profile.signal_names
            ):
                raise self.misfit(
                    file, f"columns.{name}.signal: '{signal}' ∉ {_listed(profile.signal_names)}"
                )

    def refuse_impossible_dates(self, evidence: DateEvidence, file: str) -> None:
        """Raises where most dates cannot be read in the order that the mapping says."""
        order = self.mapping.date_order
        triples = [triple for group in evidence.distinct.values() for triple in group]
        n_bad = sum((b if order == "dmy" else a) > NOON for a, b, _ in triples)
        if order in ("dmy", "mdy") and n_bad * 2 > len(triples):
            raise self.misfit(file, f"date_order: {order} ≠ '{evidence.sample[0]}'")

    def misfit(self, file: str, detail: str) -> MappingMisfit:
        """The error that names what differs."""
        return MappingMisfit(mapping=self.mapping.name, file=file, detail=detail)


def find_mapping(
    lines: Sequence[str], table: HeldTable, options: ReadOptions, delimiters: Sequence[str]
) -> Mapped | None:
    """The mapping that a table is read by: the one asked for, else one of the workspace, else a portal's.

    Args:
        lines: The first lines of the table.
        delimiters: Those that may be.

    Raises:
        MappingMisfit: The mapping asked for, or one whose file pattern fits, does not fit the table.
        UsageError: There is no mapping of the name that is asked for.
    """
    head = _head(lines)
    if options.mapping is not None:
        return _asked(head, table, options, delimiters)
    found = []
    for mapping in options.mappings:
        has_pattern = bool(mapping.pattern) and fnmatch.fnmatch(
            table.file.casefold(), mapping.pattern.casefold()
        )
        if mapping.pattern and not has_pattern:
            continue
        place = _place(head, mapping, delimiters)
        if place is not None:
            rank = (not mapping.is_portal, has_pattern, len(mapping.fingerprint))
            found.append((rank, Mapped(mapping, *place)))
        elif has_pattern and mapping.reads_sheet(table.label):
            raise _unplaced(head, mapping, table.name, delimiters)
    return _checked(max(found, key=lambda pair: pair[0])[1], table.name) if found else None


def selecting_mapping(tables: Sequence[HeldTable], options: ReadOptions) -> FileMapping | None:
    """The mapping that says which sheets of a workbook are read; None reads all of them."""
    for table in tables:
        if table.is_typed and any(mapping.sheets for mapping in options.mappings):
            with table.path.open(encoding="utf-8", errors="replace") as file:
                lines = [line.rstrip("\n") for line in islice(file, N_HEAD_LINES)]
            mapped = find_mapping(lines, table, options, ("\t",))
            if mapped is not None and mapped.mapping.sheets:
                return mapped.mapping
    return None


def near_miss(
    lines: Sequence[str], options: ReadOptions, delimiters: Sequence[str]
) -> tuple[str, str] | None:
    """Name of a mapping of the workspace that nearly fits, and the columns that it misses."""
    own = [mapping for mapping in options.mappings if mapping.fingerprint and not mapping.is_portal]
    head = _head(lines) if own else []
    for mapping in own:
        best, missing = _closest(head, mapping, delimiters)
        if best >= NEAR_SHARE:
            return mapping.name, _listed(missing)
    return None


@dataclass(frozen=True, slots=True)
class _Line:
    """A line among the first, and all its letters and digits, folded: what a name in it must be a part of."""

    number: int
    text: str
    key: str


def _head(lines: Sequence[str]) -> list[_Line]:
    numbered = enumerate(lines[:N_HEAD_LINES], start=1)
    return [_Line(number, text, key_of.__wrapped__(repair_text(text))) for number, text in numbered]


def _asked(
    head: Sequence[_Line], table: HeldTable, options: ReadOptions, delimiters: Sequence[str]
) -> Mapped | None:
    mapping = next((one for one in options.mappings if one.name == options.mapping), None)
    if mapping is None:
        known = ", ".join(one.name for one in options.mappings)
        raise UsageError(
            detail=f"there is no mapping '{options.mapping}', there are {known}", command="check"
        )
    if not mapping.reads_sheet(table.label):
        return None
    place = _place(head, mapping, delimiters)
    if place is None:
        raise _unplaced(head, mapping, table.name, delimiters)
    return _checked(Mapped(mapping, *place), table.name)


def _checked(mapped: Mapped, file: str) -> Mapped:
    row = mapped.mapping.header_row
    if row is not None and row != mapped.header_row:
        raise mapped.misfit(file, f"header_row: {row} ≠ {mapped.header_row}")
    return mapped


def _unplaced(
    head: Sequence[_Line], mapping: FileMapping, file: str, delimiters: Sequence[str]
) -> MappingMisfit:
    _, missing = _closest(head, mapping, delimiters)
    written = "" if not mapping.delimiter else f"; delimiter: {mapping.delimiter!r}"
    return MappingMisfit(
        mapping=mapping.name, file=file, detail=f"match.columns: {_listed(missing)} ∉{written}"
    )


def _place(head: Sequence[_Line], mapping: FileMapping, delimiters: Sequence[str]) -> tuple[str, int] | None:
    """Delimiter and line of the header, where all names of the fingerprint stand."""
    wanted = _wanted(mapping)
    hopeful = [line for line in head if wanted and all(key in line.key for key in wanted)]
    for number, delimiter, keys in _keyed(hopeful, mapping, delimiters):
        if wanted <= keys:
            return delimiter, number
    return None


def _closest(
    head: Sequence[_Line], mapping: FileMapping, delimiters: Sequence[str]
) -> tuple[float, list[str]]:
    """Largest share of the fingerprint on one line, and the names that are missing there."""
    wanted = _wanted(mapping)
    hopeful = [line for line in head if any(key in line.key for key in wanted)]
    best = max((keys & wanted for _, _, keys in _keyed(hopeful, mapping, delimiters)), key=len, default=set())
    names = mapping.fingerprint or tuple(mapping.columns)
    return len(best) / max(1, len(wanted)), [name for name in names if _name_key(name) not in best]


def _wanted(mapping: FileMapping) -> set[str]:
    return {_name_key(name) for name in mapping.fingerprint or tuple(mapping.columns)}


def _keyed(
    head: Sequence[_Line], mapping: FileMapping, delimiters: Sequence[str]
) -> Iterator[tuple[int, str, set[str]]]:
    """What the cells of each line may be called, under each delimiter that is allowed."""
    allowed = [
        d for d in delimiters if not mapping.delimiter or len(delimiters) == 1 or d == mapping.delimiter
    ]
    for line in head:
        for delimiter in allowed:
            headers = [parse_header(cell) for cell in split_line(line.text, delimiter)]
            yield line.number, delimiter, {key for header in headers for key in _keys(header)}


def _name_key(name: str) -> str:
    return key_of(" ".join(repair_text(name).split()))


def _keys(header: Header) -> tuple[str, ...]:
    """What a name in a mapping may be to mean this column: with its unit in brackets, or without."""
    return (_name_key(header.source), header.key, header.bare_key)


def _declared(header: Header, columns: Mapping[str, ColumnMapping]) -> Header:
    column = next((columns[key] for key in _keys(header) if key in columns), None)
    if column is None:
        return header
    unit = column.unit or header.unit
    return replace(header, unit=unit, is_unit_explicit=bool(unit), declared=column.declared)


def _listed(names: Iterator[str] | Sequence[str]) -> str:
    kept = [name for name in names if name]
    more = ", …" if len(kept) > MAX_SHOWN else ""
    return ", ".join(f"'{name}'" for name in kept[:MAX_SHOWN]) + more
