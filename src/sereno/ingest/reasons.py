"""Why each column is read as it is, and where a mapping and the evidence disagree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sereno.domain.errors import MissingColumns
from sereno.domain.issues import DataIssue
from sereno.domain.signals import Profile
from sereno.ingest.dates import DateStyle
from sereno.ingest.dialect import Dialect, sniff_dialect
from sereno.ingest.headers import Role
from sereno.ingest.layout import Column, Layout, columns_for
from sereno.ingest.mappings import Mapped, near_miss
from sereno.ingest.numbers import NumberEvidence
from sereno.ingest.options import ReadOptions
from sereno.ingest.table import ColumnReport, Reason
from sereno.ingest.units import find_unit

__all__ = ["Asked", "explain_columns", "mapping_issues"]

MAX_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """What a table is read with: profiles, options, the delimiters that may be, and its name."""

    profiles: Mapping[str, Profile]
    options: ReadOptions
    delimiters: Sequence[str]
    file: str


def explain_columns(
    layout: Layout,
    dialect: Dialect,
    dates: DateStyle,
    numbers: Mapping[int, NumberEvidence],
    mapped: Mapped | None,
) -> tuple[ColumnReport, ...]:
    """Each column as it was understood, with the reason of each decision.

    Args:
        numbers: What the cells of each column said, by its position.
    """
    reports = []
    for column, header in zip(layout.columns, dialect.headers, strict=True):
        reasons = [_role_reason(column, layout, mapped if header.declared is not None else None)]
        if column.role is Role.TIME and dates.order:
            reasons.append(Reason("reason.order", {"order": dates.order}))
        if column.role in (Role.SIGNAL, Role.VALUE):
            reasons += _unit_reasons(column, layout, dialect)
            reasons += _number_reasons(column, numbers.get(column.index))
        is_read = column.role is Role.SIGNAL
        signal, unit = (column.signal, column.unit) if is_read else ("", "")
        reports.append(ColumnReport(column.source, signal, unit, tuple(reasons)))
    return tuple(reports)


def mapping_issues(
    mapped: Mapped | None,
    lines: Sequence[str],
    layout: Layout,
    asked: Asked,
    votes: Mapping[str, int],
) -> tuple[DataIssue, ...]:
    """That a mapping was used, what it decided against the evidence, or that one nearly fits.

    Args:
        lines: The first lines of the table.
        votes: Cells that can only be read with a decimal sign, by the sign.
    """
    if mapped is None:
        near = near_miss(lines, asked.options, asked.delimiters)
        facts = {"file": asked.file, "mapping": near[0], "missing": near[1]} if near else {}
        return (DataIssue("read.mapping_near", asked.file, 1, facts),) if near else ()
    facts = {"file": asked.file, "mapping": mapped.mapping.name}
    used = DataIssue("read.mapping_used", asked.file, 1, facts)
    if mapped.mapping.is_portal:
        return (used,)
    differing = [*_decimal_differences(mapped, votes), *_evidence_differences(mapped, lines, layout, asked)]
    if not differing:
        return (used,)
    overruled = {**facts, "detail": "; ".join(differing[:MAX_SHOWN])}
    return (used, DataIssue("read.mapping_overrules", asked.file, len(differing), overruled))


def _role_reason(column: Column, layout: Layout, mapped: Mapped | None) -> Reason:
    if mapped is not None:
        code = "reason.portal" if mapped.mapping.is_portal else "reason.mapping"
        return Reason(code, {"mapping": mapped.mapping.name})
    if column.role is Role.SIGNAL and column.asset:
        return Reason("reason.meter", {"asset": column.asset, "signal": column.signal})
    if column.role is Role.SIGNAL:
        code = "reason.numeric" if layout.profile.is_open else "reason.signal"
        return Reason(code, {"signal": column.signal, "profile": layout.profile.name})
    return Reason(f"reason.{column.role.value}", {"profile": layout.profile.name})


def _unit_reasons(column: Column, layout: Layout, dialect: Dialect) -> Iterator[Reason]:
    if column.role is not Role.SIGNAL or not column.unit:
        return
    if column.is_unit_assumed:
        yield Reason("reason.unit_assumed", {"unit": column.unit})
        return
    is_in_cells = any(index == column.index for index, _ in dialect.suffixes)
    place = "cells" if is_in_cells else "row" if dialect.unit_row is not None else "written"
    yield Reason(f"reason.unit_{place}", {"unit": column.unit})
    if not column.scale.is_identity:
        target = layout.profile.signal(column.signal).unit
        shift = f" {column.scale.offset:+g}" if column.scale.offset else ""
        yield Reason("reason.converted", {"unit": target, "factor": f"{column.scale.factor:.9g}{shift}"})


def _number_reasons(column: Column, found: NumberEvidence | None) -> Iterator[Reason]:
    if found is None:
        return
    sign = column.style.decimal
    if found.votes[sign]:
        yield Reason("reason.decimal_seen", {"sign": sign, "count": found.votes[sign]})
    elif sum(found.n_ambiguous.values()):
        yield Reason(found.why or "reason.decimal_elsewhere", {"sign": sign})


def _evidence_differences(
    mapped: Mapped, lines: Sequence[str], layout: Layout, asked: Asked
) -> Iterator[str]:
    """What the file alone would have been read as, where that is something else."""
    try:
        plain = sniff_dialect(lines, asked.profiles, asked.file, delimiters=asked.delimiters)
    except MissingColumns:
        return
    if plain.header_row != mapped.header_row:
        yield f"header_row: {plain.header_row} → {mapped.header_row}"
    if plain.delimiter != mapped.delimiter:
        yield f"delimiter: {plain.delimiter!r} → {mapped.delimiter!r}"
    by_name = columns_for(plain.headers, plain.sample, layout.profile)
    read_as = {column.source: column for column in layout.columns}
    for own in by_name.of_role(Role.SIGNAL):
        column = read_as.get(own.source)
        if column is not None and own.signal != column.signal:
            yield f"'{own.source}': {own.signal} → {column.signal or column.role.value}"
        elif column is not None and not own.is_unit_assumed and find_unit(own.unit) != find_unit(column.unit):
            yield f"'{own.source}': {own.unit} → {column.unit}"


def _decimal_differences(mapped: Mapped, votes: Mapping[str, int]) -> Iterator[str]:
    decimal = mapped.mapping.decimal
    other = "," if decimal == "." else "."
    if decimal and votes.get(other, 0) > votes.get(decimal, 0):
        yield f"decimal: {other} → {decimal}"
