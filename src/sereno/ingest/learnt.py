"""What was understood of a file, as a mapping that the next file of its shape can be read by."""

from collections.abc import Mapping

from sereno.ingest.batch import FilePlan
from sereno.ingest.containers.held import PLACE_MARK
from sereno.ingest.dialect import split_line
from sereno.ingest.file_mapping import ColumnMapping, FileMapping
from sereno.ingest.headers import Role, repair_text
from sereno.ingest.layout import Column
from sereno.ingest.source_file import text_blocks

__all__ = ["mapping_of"]

REGISTER_SUFFIX = "_register"


def mapping_of(plan: FilePlan, name: str) -> FileMapping:
    """Every decision about the first table of a file; its sheets are those that were read.

    What was only assumed (a zone, a unit that nothing states) stays open, so that it goes on being said.
    """
    first = plan.each[0]
    report, is_text = first.tables[0], bool(first.tables[0].delimiter)
    hours = first.dates.hours
    return FileMapping(
        name=name,
        fingerprint=_names_in_file(first),
        columns=_columns(first),
        profile=first.profile.name,
        delimiter=report.delimiter,
        header_row=first.dialect.header_row,
        decimal=report.decimal if is_text else "",
        thousands=report.thousands if is_text else "",
        date_order=first.dates.order if is_text else "",
        timezone="" if first.options.is_timezone_assumed else first.options.timezone,
        stamp=first.options.stamp or ("" if hours is None else "start" if hours.base == 0 else "end"),
        sheets=()
        if is_text
        else tuple(p.name.split(PLACE_MARK)[-1] for p in plan.parts if PLACE_MARK in p.name),
    )


def _columns(plan: FilePlan) -> Mapping[str, ColumnMapping]:
    return {c.source: _column(c) for c in plan.layout.columns if c.source}


def _column(column: Column) -> ColumnMapping:
    if column.role is not Role.SIGNAL:
        return ColumnMapping(role="ignored" if column.role is Role.UNKNOWN else column.role.value)
    is_register = column.signal.endswith(REGISTER_SUFFIX)
    return ColumnMapping(
        signal=column.signal.removesuffix(REGISTER_SUFFIX),
        unit="" if column.is_unit_assumed else column.unit,
        asset=column.asset,
        is_register=is_register,
    )


def _names_in_file(plan: FilePlan) -> tuple[str, ...]:
    """The names as they stand in the header line, those of the steps of a day included."""
    block = next(text_blocks(plan.source))
    line = block.data.split(b"\n")[plan.dialect.header_row - 1].decode("utf-8", "replace").rstrip("\r")
    names = (" ".join(repair_text(cell).split()) for cell in split_line(line, plan.dialect.delimiter))
    return tuple(dict.fromkeys(name for name in names if name))
