"""What was understood of a table, and its good lines as columns of text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.ingest.dialect import Dialect, split_line, suffix_pattern
from sereno.ingest.headers import Role
from sereno.ingest.hours import join_hours
from sereno.ingest.layout import Layout
from sereno.ingest.lines import LineBlock, LineKind, scan_lines
from sereno.ingest.matrix import Matrix
from sereno.ingest.source_file import SourceFile, text_blocks

__all__ = [
    "ColumnReport",
    "Reason",
    "TableReport",
    "TextTable",
    "instant_texts",
    "passed_over",
    "read_text_table",
    "text_tables",
]

_SHORT_YEAR = 2


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something of a column was decided: a key of the catalogue and what fills its sentence."""

    code: str
    facts: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """One column as it was understood; `signal` is empty for a column that is not read."""

    source: str
    signal: str
    unit: str
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class TableReport:
    """What was understood of one table, for people; `asdict` of it is JSON.

    `asset` is whose readings all of its rows are by the name of its sheet; empty where columns say it.
    `mapping` is the saved mapping, or that of a portal, that it was read by; empty for none.
    """

    name: str
    layout: str
    encoding: str
    delimiter: str
    decimal: str
    thousands: str
    date_order: str
    timezone: str
    header_row: int
    unit_row: int | None
    columns: tuple[ColumnReport, ...]
    asset: str = ""
    mapping: str = ""


def passed_over(name: str, why: str) -> TableReport:
    """The entry of something that is in a file and was not read; its layout says why."""
    return TableReport(
        name=name,
        layout=why,
        encoding="",
        delimiter="",
        decimal="",
        thousands="",
        date_order="",
        timezone="",
        header_row=0,
        unit_row=None,
        columns=(),
    )


@dataclass(frozen=True, slots=True)
class TextTable:
    """The good lines of a block, cell by cell.

    Attributes:
        cells: One text column per column of the file, named by its position.
        lines: 1-based line number of each row, shape (rows,).
    """

    cells: pl.DataFrame
    lines: npt.NDArray[np.int64]

    def compact(self) -> "TextTable":
        """The same rows in memory of their own; a few rows of a block would keep all of its text alive."""
        own = {name: self.cells[name].to_list() for name in self.cells.columns}
        return TextTable(pl.DataFrame(own, schema=dict.fromkeys(own, pl.String)), self.lines.copy())

    def filter(self, is_chosen: npt.NDArray[np.bool_]) -> "TextTable":
        """The chosen rows."""
        return TextTable(self.cells.filter(pl.Series(is_chosen)), self.lines[is_chosen])


def read_text_table(
    lines: LineBlock, delimiter: str, n_columns: int, *, wanted: Sequence[int], first_line: int
) -> TextTable:
    """The cells of the wanted columns.

    Args:
        lines: Scanned lines; those before `first_line` are dropped.
        delimiter: One character.
        n_columns: Columns of the file.
        wanted: Positions of the columns to read.
        first_line: 1-based number of the first line that holds data.
    """
    n_before = first_line - lines.first_line
    if n_before > 0:
        lines.kinds[:n_before] = LineKind.BLANK
    numbers = lines.good() + lines.first_line
    if not len(numbers):
        empty = pl.DataFrame({str(i): [] for i in wanted}, schema={str(i): pl.String for i in wanted})
        return TextTable(empty, numbers)
    cells = _split_fast(lines, delimiter, n_columns, wanted)
    if cells is None or cells.height != len(numbers):
        cells = _split_slowly(lines, delimiter, n_columns, wanted)
    return TextTable(cells, numbers)


def text_tables(
    source: SourceFile, dialect: Dialect, layout: Layout
) -> Iterator[tuple[LineBlock, TextTable]]:
    """The file block by block: its lines, and the cells of those that are good."""
    n_columns, matrix = dialect.n_columns, dialect.matrix
    wanted = _used_columns(layout) if matrix is None else list(range(n_columns))
    for block in text_blocks(source):
        lines = scan_lines(block, dialect.delimiter, n_columns)
        table = read_text_table(
            lines, dialect.delimiter, n_columns, wanted=wanted, first_line=dialect.first_data_line
        )
        table = _without_suffixes(table, dialect.suffixes)
        yield lines, table if matrix is None else _readings_of_days(table, matrix, layout)


def _without_suffixes(table: TextTable, suffixes: Sequence[tuple[int, str]]) -> TextTable:
    """The table without the unit that the cells of a column repeat; a cell with another one keeps it."""
    bare = [
        pl.col(str(i)).str.replace(suffix_pattern(suffix), "$1")
        for i, suffix in suffixes
        if str(i) in table.cells.columns
    ]
    return TextTable(table.cells.with_columns(bare), table.lines) if bare else table


def _readings_of_days(table: TextTable, matrix: Matrix, layout: Layout) -> TextTable:
    cells, source = matrix.unpivot(table.cells)
    return TextTable(cells.select([str(i) for i in _used_columns(layout)]), table.lines[source.to_numpy()])


def instant_texts(table: TextTable, layout: Layout) -> pl.Series:
    """The instant of each row as one text: parts of its date, and date and time of day, joined."""
    dates = _dates(table, layout)
    clocks = layout.of_role(Role.TIME_OF_DAY)
    return join_hours(dates, table.cells[str(clocks[0].index)]) if clocks else dates


def _dates(table: TextTable, layout: Layout) -> pl.Series:
    """The date of each row, or its instant where one column says all of it."""
    names = [str(c.index) for role in (Role.YEAR, Role.MONTH, Role.TIME) for c in layout.of_role(role)]
    if len(names) == 1:
        return table.cells[names[0]]
    year, *rest = (pl.col(name).str.strip_chars().str.replace(r"[.,]0+$", "") for name in names)
    year = pl.when(year.str.len_chars() == _SHORT_YEAR).then("20" + year).otherwise(year)
    rest = [part.str.zfill(2) for part in rest] if len(rest) > 1 else [rest[0].str.zfill(2), pl.lit("01")]
    return table.cells.select(pl.concat_str([year, *rest], separator="-").alias("date")).to_series()


def _used_columns(layout: Layout) -> list[int]:
    unused = (Role.UNKNOWN, Role.IGNORED)
    return [c.index for c in layout.columns if c.role not in unused]


def _split_fast(
    lines: LineBlock, delimiter: str, n_columns: int, wanted: Sequence[int]
) -> pl.DataFrame | None:
    """All lines at once; None where quotes or trailing delimiters are not as the fast reader wants them."""
    data = lines.good_bytes()
    names = [str(i) for i in range(max(n_columns, lines.n_most_fields))]
    try:
        return pl.read_csv(
            data,
            has_header=False,
            columns=sorted(wanted),
            schema=dict.fromkeys(names, pl.String),
            separator=delimiter,
            quote_char='"' if b'"' in data else None,
            infer_schema=False,
        )
    except pl.exceptions.PolarsError:
        return None


def _split_slowly(lines: LineBlock, delimiter: str, n_columns: int, wanted: Sequence[int]) -> pl.DataFrame:
    """Line by line with Python's own reader, where the fast one sees other lines than we do."""
    rows = []
    for i in lines.good().tolist():
        text = lines.data[lines.starts[i] : lines.ends[i]].decode("utf-8", "replace").rstrip("\r")
        cells = split_line(text.replace('"', "") if i in lines.stray else text, delimiter)
        rows.append([c or None for c in [*cells, *[""] * n_columns][:n_columns]])
    schema = {str(i): pl.String for i in range(n_columns)}
    return pl.DataFrame(rows, schema=schema, orient="row").select([str(i) for i in sorted(wanted)])
