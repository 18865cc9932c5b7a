"""Files of the guide as tables, and what is said of those that are refused."""

from pathlib import Path

import pytest
import xlsxwriter

from sereno.compat.table import read_table, refusal
from sereno.domain.errors import DataError
from sereno.flows.workspace import Workspace
from tests.compat.fleet import days_of, write_csv


def _issue(code: str, count: int = 1) -> dict[str, object]:
    return {"code": code, "where": "datos.csv", "count": count, "message": f"sentence of {code}"}


@pytest.mark.parametrize(
    ("issues", "expected"),
    [
        ([], ""),
        ([_issue("read.empty")], "sentence of read.empty"),
        ([_issue("read.ambiguous", 9), _issue("quality.future", 2)], "sentence of quality.future"),
        ([_issue("read.broken_row", 2), _issue("quality.future", 7)], "sentence of quality.future"),
        ([_issue("quality.future", 2), _issue("read.broken_row", 7)], "sentence of read.broken_row"),
    ],
    ids=["nothing", "one error", "units beside rows", "mostly future", "mostly broken"],
)
def test_refusal_is_the_issue_of_most_rows_when_rows_are_set_aside(
    issues: list[dict[str, object]], expected: str
) -> None:
    assert refusal({"issues": issues}) == expected


def test_file_of_the_future_says_so_when_its_units_are_open_too(beside: Path, tmp_path: Path) -> None:
    rows = [("15.01.2123", *row[1:]) for row in days_of("NEUROCIENCIAS", 1)]
    path = write_csv(tmp_path / "datos.csv", rows, has_units=False)

    with Workspace.open(beside) as workspace, pytest.raises(DataError) as caught:
        read_table(workspace, path)

    assert "2123-01-14" in str(caught.value)
    assert "Wh" not in str(caught.value)


def test_workbook_is_no_csv_and_the_drop_in_says_what_to_do(beside: Path, tmp_path: Path) -> None:
    path = tmp_path / "datos.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("NEUROCIENCIAS")
        sheet.write_row(0, 0, ["Fecha y hora", "Generación total (Wh)", "Consumo total (Wh)"])
        for row, cells in enumerate(days_of("NEUROCIENCIAS", 5), start=1):
            sheet.write_row(row, 0, cells[:3])

    with Workspace.open(beside) as workspace, pytest.raises(DataError, match="plain CSV"):
        read_table(workspace, path)
