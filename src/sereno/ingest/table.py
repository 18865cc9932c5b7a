"""What was understood of a table, and its good lines as columns of text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.ingest.dialect import split_line
from sereno.ingest.lines import LineBlock, LineKind

__all__ = ["ColumnReport", "TableReport", "TextTable", "read_text_table"]


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """One column as it was understood; `signal` is empty for a column that is not read."""

    source: str
    signal: str
    unit: str


@dataclass(frozen=True, slots=True)
class TableReport:
    """What was understood of one table, for people; `asdict` of it is JSON."""

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


@dataclass(frozen=True, slots=True)
class TextTable:
    """The good lines of a block, cell by cell.

    Attributes:
        cells: One text column per column of the file, named by its position.
        lines: 1-based line number of each row, shape (rows,).
    """

    cells: pl.DataFrame
    lines: npt.NDArray[np.int64]


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
