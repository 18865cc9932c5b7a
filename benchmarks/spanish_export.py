"""A generated export in the Spanish dialect, CSV or workbook, whose values are known to the watt-hour."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.solar_fleet import HEADERS

__all__ = ["ASSET_HEADER", "TIME_HEADER", "SpanishExport", "write_spanish_csv", "write_spanish_workbook"]

ASSET_HEADER, TIME_HEADER = "Planta", "Fecha y hora"
UNITS = ["", "[dd/MM/yyyy HH:mm]", *["[kWh]"] * len(HEADERS)]
START = datetime(2022, 1, 1)  # noqa: DTZ001 - the clock of the site
STEP = timedelta(minutes=15)
SITE_ROWS = 100_000
"""2.9 years of quarters of an hour."""
MAX_WH = 90_000
SEED = 20_220_101


@dataclass(frozen=True, slots=True)
class SpanishExport:
    """A file and what a reader must find in it.

    Attributes:
        total_kwh: Sum of all values.
        first, last: First and last time, by the clock of the site.
    """

    path: Path
    n_rows: int
    total_kwh: float
    first: datetime
    last: datetime


def write_spanish_csv(path: Path, n_rows: int) -> SpanishExport:
    """Semicolons, decimal comma, day first, a row of units; UTF-8."""
    total, rows_of_first = 0, 0
    with path.open("w", encoding="utf-8", newline="") as file:
        for row in ([ASSET_HEADER, TIME_HEADER, *HEADERS], UNITS):
            file.write(";".join(row) + "\n")
        for block in _blocks(n_rows):
            file.write(block.select(_in_spanish()).write_csv(include_header=False, separator=";"))
            total += _total_wh(block)
            rows_of_first = max(rows_of_first, block.height)
    return _described(path, n_rows, total, rows_of_first)


def write_spanish_workbook(path: Path, n_rows: int) -> SpanishExport:
    """One sheet with times and numbers in cells of their own kind, and a row of units."""
    import xlsxwriter

    total, rows_of_first, row = 0, 0, 2
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        instant = book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
        sheet = book.add_worksheet("Datos")
        sheet.write_row(0, 0, [ASSET_HEADER, TIME_HEADER, *HEADERS])
        sheet.write_row(1, 0, UNITS)
        for block in _blocks(n_rows):
            for name, time, *values in block.iter_rows():
                sheet.write_string(row, 0, name)
                sheet.write_datetime(row, 1, time, instant)
                for column, wh in enumerate(values, start=2):
                    sheet.write_number(row, column, wh / 1000)
                row += 1
            total += _total_wh(block)
            rows_of_first = max(rows_of_first, block.height)
    return _described(path, n_rows, total, rows_of_first)


def _blocks(n_rows: int) -> Iterator[pl.DataFrame]:
    """Site after site; values in whole Wh that balance, as those of a roof do."""
    random = np.random.default_rng(SEED)
    for number, start in enumerate(range(0, n_rows, SITE_ROWS), start=1):
        rows = min(SITE_ROWS, n_rows - start)
        made, taken = random.integers(1, MAX_WH, size=(2, rows))
        used = 8 * np.minimum(made, taken) // 10
        values = np.stack((made, taken, used, made - used, taken - used), axis=1)
        time = np.datetime64(START, "us") + np.arange(rows) * np.timedelta64(STEP)
        columns = {name: values[:, column] for column, name in enumerate(HEADERS)}
        yield pl.DataFrame({ASSET_HEADER: [f"Planta {number:02d}"] * rows, TIME_HEADER: time, **columns})


def _in_spanish() -> list[pl.Expr]:
    return [
        pl.col(ASSET_HEADER),
        pl.col(TIME_HEADER).dt.to_string("%d/%m/%Y %H:%M"),
        *(
            pl.concat_str(
                (pl.col(name) // 1000).cast(pl.String),
                pl.lit(","),
                (pl.col(name) % 1000).cast(pl.String).str.zfill(3),
            ).alias(name)
            for name in HEADERS
        ),
    ]


def _total_wh(block: pl.DataFrame) -> int:
    return int(block.select(pl.sum_horizontal(pl.col(HEADERS).sum())).item())


def _described(path: Path, n_rows: int, total_wh: int, rows_of_first: int) -> SpanishExport:
    return SpanishExport(path, n_rows, total_wh / 1000, START, START + (rows_of_first - 1) * STEP)
