"""Workbooks for the reader's tests, written as offices write them."""

import datetime as dt
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import xlsxwriter
import xlwt

Cell = float | str | dt.datetime | dt.date | None
Sheets = Mapping[str, Sequence[Sequence[Cell]]]

GAS_HEADER = ("Fecha", "Presion", "Temperatura", "Volumen")


def gas_rows(count: int, *, start: str = "2024-01-01T00", level: float = 16.0) -> list[list[Cell]]:
    first = dt.datetime.fromisoformat(start)
    return [[first + dt.timedelta(hours=i), level + i / 7, 20 + i / 11, 100 + i / 13] for i in range(count)]


def gas_sheet(count: int, *, start: str = "2024-01-01T00", level: float = 16.0) -> list[Sequence[Cell]]:
    return [GAS_HEADER, *gas_rows(count, start=start, level=level)]


def write_xlsx(
    path: Path, sheets: Sheets, *, hidden: Sequence[str] = (), form: str = "dd/mm/yyyy hh:mm"
) -> Path:
    with xlsxwriter.Workbook(path) as book:
        stamp = book.add_format({"num_format": form})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    if isinstance(cell, dt.date):
                        sheet.write_datetime(i, j, cell, stamp)
                    elif cell is not None:
                        sheet.write(i, j, cell)
            if name in hidden:
                sheet.hide()
    return path


def write_xls(path: Path, sheets: Sheets) -> Path:
    book = xlwt.Workbook()
    stamp = xlwt.easyxf(num_format_str="DD/MM/YYYY HH:MM")
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                if isinstance(cell, dt.date):
                    sheet.write(i, j, cell, stamp)
                elif cell is not None:
                    sheet.write(i, j, cell)
    book.save(str(path))
    return path


def write_ods(path: Path, sheets: Sheets) -> Path:
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    tables = "".join(
        f'<table:table table:name="{escape(name)}">'
        + "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces} office:version="1.2">'
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
        "</office:document-content>"
    )
    manifest = (
        '<?xml version="1.0"?><manifest:manifest '
        'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)
    return path


def _ods_cell(cell: Cell) -> str:
    if cell is None:
        return "<table:table-cell/>"
    if isinstance(cell, dt.date):
        return f'<table:table-cell office:value-type="date" office:date-value="{cell.isoformat()}"/>'
    if isinstance(cell, str):
        return (
            f'<table:table-cell office:value-type="string"><text:p>{escape(cell)}</text:p></table:table-cell>'
        )
    return f'<table:table-cell office:value-type="float" office:value="{cell!r}"/>'
