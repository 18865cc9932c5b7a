"""The one writer of tables: CSV and XLSX, whole or not at all, without text that runs as a formula."""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl
    import xlsxwriter

__all__ = ["PLAIN", "Cell", "TableFormat", "TableWriter", "open_table", "write_table"]

Cell = str | float | int | bool | datetime | None
"""NaN, the infinities and None are empty cells."""

_FORMULA_START = r"^[=+\-@\t\r]"
"""What a spreadsheet takes for a formula (OWASP, CSV injection)."""
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
"""Text that is a plain number is harmless, and stays what it is."""
_IS_FORMULA, _IS_NUMBER = re.compile(_FORMULA_START), re.compile(_NUMBER)

_XLSX, _PARQUET = ".xlsx", ".parquet"
_SHEET = "sereno"
_MAX_SHEET_ROWS = 1_048_575
"""Rows of a sheet below its header (Excel's limit)."""
_MAX_CELL_CHARACTERS = 32_767
"""Excel's limit for the text of a cell."""
_FIRST_EXCEL_YEAR = 1900
_MAX_TEXTS = 10_000
"""Different texts of a table whose mask is remembered."""


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How a CSV is written; an XLSX follows the country of whoever opens it.

    Attributes:
        has_bom: Begin with the mark by which Excel knows UTF-8.
        has_decimal_comma: Decimal comma, and `;` between cells, as Excel in Spanish expects them.
        line_end: Between rows.
        masked: What stands for a text in a cell, where somebody may not see every name.
    """

    has_bom: bool = False
    has_decimal_comma: bool = False
    line_end: str = "\r\n"
    masked: Callable[[str], str] | None = None


PLAIN = TableFormat()


class TableWriter(Protocol):
    """Takes the rows of a table in portions, so that no table has to be in memory."""

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Append rows; their cells stand in the order of the columns."""

    def add_frame(self, frame: "pl.DataFrame") -> None:
        """Append a polars DataFrame whose columns are those of the table."""


def write_table(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]], table_format: TableFormat = PLAIN
) -> None:
    """Write a table: XLSX or Parquet where the name ends so, CSV otherwise.

    Raises:
        OSError: The system refuses the file; what stood there before is still there.
    """
    with open_table(path, columns, table_format) as table:
        table.add(rows)


@contextmanager
def open_table(
    path: Path, columns: Sequence[str], table_format: TableFormat = PLAIN
) -> Iterator[TableWriter]:
    """A table to be filled; the file appears under its name when the context ends, or not at all.

    Raises:
        OSError: See `write_table`.
    """
    partial = path.with_name(path.name + ".part")
    opened = _opened(path.suffix.lower(), partial, table_format)
    try:
        with opened as table:
            table.add([columns])
            yield table if table_format.masked is None else _Masked(table, table_format.masked)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _opened(suffix: str, partial: Path, table_format: TableFormat) -> "AbstractContextManager[TableWriter]":
    if suffix == _XLSX:
        return _open_xlsx(partial)
    return _open_parquet(partial) if suffix == _PARQUET else _open_csv(partial, table_format)


class _Masked:
    """A table whose texts pass through something first."""

    def __init__(self, table: TableWriter, masked: Callable[[str], str]) -> None:
        self._table = table
        self._masked = lru_cache(_MAX_TEXTS)(masked)

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        self._table.add(
            [self._masked(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
        )

    def add_frame(self, frame: "pl.DataFrame") -> None:
        import polars as pl

        texts = [name for name, kind in frame.schema.items() if kind in (pl.String, pl.Categorical)]
        clean = pl.col(texts).cast(pl.String).map_elements(self._masked, return_dtype=pl.String)
        self._table.add_frame(frame.with_columns(clean) if texts else frame)


@contextmanager
def _open_csv(path: Path, table_format: TableFormat) -> Iterator["_CsvWriter"]:
    encoding = "utf-8-sig" if table_format.has_bom else "utf-8"
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        yield _CsvWriter(file, table_format)


class _CsvWriter:
    def __init__(self, file: io.TextIOWrapper, table_format: TableFormat) -> None:
        self._file = file
        self._format = table_format
        self._delimiter = ";" if table_format.has_decimal_comma else ","
        self._writer = csv.writer(file, delimiter=self._delimiter, lineterminator=table_format.line_end)

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        self._writer.writerows([self._written(cell) for cell in row] for row in rows)

    def add_frame(self, frame: "pl.DataFrame") -> None:
        text = frame.select(_as_csv(frame, has_decimal_comma=self._format.has_decimal_comma)).write_csv(
            include_header=False, separator=self._delimiter, line_terminator=self._format.line_end
        )
        self._file.write(text)

    def _written(self, cell: Cell) -> object:
        cell = _simple(cell)
        if isinstance(cell, str):
            return f"'{cell}" if _is_formula(cell) else cell
        if isinstance(cell, datetime):
            return cell.isoformat(sep=" ")
        if isinstance(cell, float) and self._format.has_decimal_comma:
            return repr(cell).replace(".", ",")
        return cell


def _as_csv(frame: "pl.DataFrame", *, has_decimal_comma: bool) -> "list[pl.Expr]":
    """The columns of a frame as `_CsvWriter` writes single cells."""
    import polars as pl

    def written(name: str, kind: pl.DataType) -> pl.Expr:
        column = pl.col(name)
        if kind == pl.String:
            is_formula = column.str.contains(_FORMULA_START) & ~column.str.contains(_NUMBER)
            return pl.when(is_formula).then(pl.concat_str(pl.lit("'"), column)).otherwise(column).alias(name)
        if kind.is_float():
            column = pl.when(column.is_finite()).then(column)
            as_text = column.cast(pl.String).str.replace(".", ",", literal=True)
            return (as_text if has_decimal_comma else column).alias(name)
        if kind.is_temporal():
            return column.dt.to_string("%Y-%m-%d %H:%M:%S")
        return column.cast(pl.String).str.to_titlecase() if kind == pl.Boolean else column

    return [written(name, kind) for name, kind in frame.schema.items()]


@contextmanager
def _open_xlsx(path: Path) -> Iterator["_XlsxWriter"]:
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    path.touch()  # a folder that does not exist or is closed is known now, not after the work
    workbook = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    try:
        yield _XlsxWriter(workbook)
    finally:
        try:
            workbook.close()
        except FileCreateError as error:
            raise error.args[0] if isinstance(error.args[0], OSError) else error from error


class _XlsxWriter:
    """Sheets of a workbook in constant memory: rows leave as they come.

    Text is written as text, so that it never runs; text that would run if somebody edited its cell has the
    apostrophe that Excel itself sets before such text.
    """

    def __init__(self, workbook: "xlsxwriter.Workbook") -> None:
        self._workbook = workbook
        self._sheet = workbook.add_worksheet(_SHEET)
        self._instant = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._quoted = workbook.add_format({"quote_prefix": True})
        self._header: Sequence[Cell] | None = None
        self._n_rows = 0

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        for row in rows:
            if self._n_rows > _MAX_SHEET_ROWS:
                self._begin_sheet()
            if self._header is None:
                self._header = list(row)
            self._put(row)

    def add_frame(self, frame: "pl.DataFrame") -> None:
        self.add(frame.iter_rows())

    def _begin_sheet(self) -> None:
        self._sheet = self._workbook.add_worksheet(f"{_SHEET} {len(self._workbook.worksheets()) + 1}")
        self._n_rows = 0
        self._put(self._header or [])

    def _put(self, row: Sequence[Cell]) -> None:
        for column, cell in enumerate(row):
            self._write(column, _simple(cell))
        self._n_rows += 1

    def _write(self, column: int, cell: object) -> None:
        place = (self._n_rows, column)
        if isinstance(cell, bool):
            self._sheet.write_boolean(*place, cell)
        elif isinstance(cell, int | float):
            self._sheet.write_number(*place, cell)
        elif isinstance(cell, datetime) and cell.tzinfo is None and cell.year >= _FIRST_EXCEL_YEAR:
            self._sheet.write_datetime(*place, cell, self._instant)
        elif cell is not None:
            text = str(cell)[:_MAX_CELL_CHARACTERS]
            self._sheet.write_string(*place, text, self._quoted if _is_formula(text) else None)


@contextmanager
def _open_parquet(path: Path) -> Iterator["_ParquetWriter"]:
    path.touch()
    writer = _ParquetWriter()
    yield writer
    writer.write(path)


class _ParquetWriter:
    """A typed table; it is in memory until it is written, as its columns are written one by one."""

    def __init__(self) -> None:
        self._header: list[str] | None = None
        self._frames: list[pl.DataFrame] = []

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        import polars as pl

        listed = [[_simple(cell) for cell in row] for row in rows]
        if self._header is None:
            self._header = [str(cell) for cell in listed.pop(0)]
        columns = zip(*listed, strict=True) if listed else ([] for _ in self._header)
        data = {name: list(column) for name, column in zip(self._header, columns, strict=True)}
        self._frames.append(pl.DataFrame(data, strict=False))

    def add_frame(self, frame: "pl.DataFrame") -> None:
        self._frames.append(frame)

    def write(self, path: Path) -> None:
        import polars as pl

        filled = [frame for frame in self._frames if frame.height] or self._frames[:1]
        pl.concat(filled, how="vertical_relaxed").write_parquet(path)


def _simple(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet would take the text for a formula."""
    return _IS_FORMULA.match(text) is not None and _IS_NUMBER.match(text) is None
