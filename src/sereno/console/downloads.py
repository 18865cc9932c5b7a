"""Tables that people take away: CSV, as Excel of their country wants it or plain, XLSX, Parquet, JSON."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from fastapi.responses import Response

from sereno.console.page import Page
from sereno.domain.errors import UsageError
from sereno.flows.exports import Cell, TableFormat, write_table

__all__ = ["Download", "file_answer", "table_answer"]

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Download(StrEnum):
    """How a table leaves: `excel.csv` opens by a double click in Excel of the reader's country."""

    CSV = "csv"
    EXCEL_CSV = "excel.csv"
    XLSX = "xlsx"
    JSON = "json"
    PARQUET = "parquet"

    @classmethod
    def named(cls, name: str) -> "Download":
        """The one of that name.

        Raises:
            UsageError: There is none.
        """
        try:
            return cls(name)
        except ValueError:
            detail = f"'{name}' is none of svg, {', '.join(cls)}"
            raise UsageError(detail=detail, command="console") from None


def table_answer(page: Page, name: str, kind: Download, rows: Sequence[Mapping[str, object]]) -> Response:
    """Rows as a file, as many as the page asks for, all with the same columns; no text becomes a formula."""
    rows = rows[: page.row_limit]
    file_name = f"sereno-{name}-{page.workspace.now():%Y%m%d}.{kind.value.removeprefix('excel.')}"
    if kind is Download.JSON:
        text = json.dumps(rows, ensure_ascii=False, allow_nan=False, indent=1)
        return file_answer(text.encode(), "application/json", file_name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, file_name)
        columns = list(rows[0]) if rows else ["–"]
        write_table(
            path, columns, ([_cell(one) for one in row.values()] for row in rows), _format(page, kind)
        )
        return file_answer(path.read_bytes(), _MEDIA.get(kind, "text/csv; charset=utf-8"), file_name)


_MEDIA = {Download.XLSX: _XLSX, Download.PARQUET: "application/vnd.apache.parquet"}


def file_answer(content: bytes, media_type: str, name: str) -> Response:
    """A file that browsers keep rather than show."""
    plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
    headers = {"Content-Disposition": f'attachment; filename="{plain}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media_type, headers=headers)


def _format(page: Page, kind: Download) -> TableFormat:
    if kind is not Download.EXCEL_CSV:
        return TableFormat()
    return TableFormat(has_bom=True, has_decimal_comma=page.language == "es")


def _cell(value: object) -> Cell:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return value if isinstance(value, str | float | int | bool | datetime | None) else str(value)
