"""The one writer of tables: safe, whole or absent, in the dialect that was asked for."""

import csv
import math
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from sereno.report import exports
from sereno.report.exports import PLAIN, TableFormat, open_table, write_table

openpyxl = pytest.importorskip("openpyxl", reason="workbooks are read back with openpyxl: extra `bench`")

FORMULAS = ["=1+1", "+CMD()", "-2+3", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://x")']
SPANISH = TableFormat(has_decimal_comma=True)


def _rows_of(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter, strict=True))


def _cells_of(path: Path, sheet: int = 0) -> list[tuple[object, ...]]:
    return list(openpyxl.load_workbook(path).worksheets[sheet].iter_rows(values_only=True))


@pytest.mark.parametrize("text", FORMULAS, ids=repr)
@pytest.mark.parametrize("is_frame", [False, True], ids=["rows", "frame"])
def test_formula_in_a_csv_gets_an_apostrophe(tmp_path: Path, text: str, is_frame: bool) -> None:
    path = tmp_path / "t.csv"

    with open_table(path, ["name"]) as table:
        table.add_frame(pl.DataFrame({"name": [text]})) if is_frame else table.add([[text]])

    assert _rows_of(path) == [["name"], [f"'{text}"]]


@pytest.mark.parametrize("text", FORMULAS, ids=repr)
def test_formula_in_a_workbook_is_quoted_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.xlsx"

    write_table(path, ["name", text], [["bueno", text]])

    cell = openpyxl.load_workbook(path).active["B2"]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    assert cell.value.replace("_x000D_", "\r").strip() == text.strip()  # as ECMA-376 writes a CR


def test_formula_in_a_header_gets_an_apostrophe(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", ["=A1"], [])

    assert _rows_of(tmp_path / "t.csv") == [["'=A1"]]


@pytest.mark.parametrize("number", [-1.5, "-1.5", "+3", "-.5", "-1e-7", -2])
def test_number_below_zero_stays_a_number(tmp_path: Path, number: object) -> None:
    write_table(tmp_path / "t.csv", ["n"], [[number]])

    assert float(_rows_of(tmp_path / "t.csv")[1][0]) == float(str(number))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
@pytest.mark.parametrize("name", ["t.csv", "t.xlsx"])
def test_what_is_no_number_is_an_empty_cell(tmp_path: Path, name: str, value: float | None) -> None:
    path = tmp_path / name

    with open_table(path, ["a", "b"]) as table:
        table.add([["x", value]])
        table.add_frame(pl.DataFrame({"a": ["y"], "b": [value]}, schema={"a": pl.String, "b": pl.Float64}))

    rows = _rows_of(path) if name.endswith("csv") else _cells_of(path)
    assert [row[1] for row in rows[1:]] == ([""] * 2 if name.endswith("csv") else [None] * 2)


def test_rows_and_frames_are_written_alike(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "text": ["a;b,c", 'dice "sí"', "=x", "dos\nlíneas", None],
            "number": [0.1, -1234567.25, 1e-7, 3.0, None],
            "count": [1, -2, 3, 4, 5],
            "is": [True, False, None, True, False],
            "at": [datetime(2024, 10, 27, hour) for hour in range(5)],  # noqa: DTZ001 - a site's clock
        }
    )
    for table_format in (PLAIN, SPANISH):
        with open_table(tmp_path / "frame.csv", frame.columns, table_format) as table:
            table.add_frame(frame)
        write_table(tmp_path / "rows.csv", frame.columns, frame.rows(), table_format)

        delimiter = ";" if table_format.has_decimal_comma else ","
        found, wanted = (_rows_of(tmp_path / f"{name}.csv", delimiter) for name in ("frame", "rows"))
        wanted = [[cell.replace("1e-07", "1e-7") for cell in row] for row in wanted]
        assert found == wanted


def test_spanish_format_is_read_as_excel_in_spanish_writes_it(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", ["a", "b"], [[1.5, "x;y"]], TableFormat(True, True))

    raw = (tmp_path / "t.csv").read_bytes()
    assert raw == '\N{ZERO WIDTH NO-BREAK SPACE}a;b\r\n1,5;"x;y"\r\n'.encode()


def test_plain_csv_has_no_mark(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", ["año"], [["ñ"]])

    assert (tmp_path / "t.csv").read_bytes() == "año\r\nñ\r\n".encode()


def test_workbook_keeps_types(tmp_path: Path) -> None:
    instant = datetime(2024, 5, 1, 10, 15)  # noqa: DTZ001 - a site's clock
    row = ["texto", 1.25, 7, True, instant, datetime(2024, 5, 1, tzinfo=UTC)]

    write_table(tmp_path / "t.xlsx", list("abcdef"), [row])

    assert _cells_of(tmp_path / "t.xlsx")[1] == (*row[:5], "2024-05-01 00:00:00+00:00")


def test_workbook_goes_on_in_another_sheet_when_one_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_MAX_SHEET_ROWS", 10)

    write_table(tmp_path / "t.xlsx", ["n"], [[i] for i in range(25)])

    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    found = [[cell for (cell,) in sheet.iter_rows(values_only=True)] for sheet in book.worksheets]
    assert [column[0] for column in found] == ["n"] * 3
    assert [n for column in found for n in column[1:]] == list(range(25))


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx"])
def test_failure_midway_leaves_the_old_file_and_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")

    with pytest.raises(ZeroDivisionError):
        write_table(path, ["a"], ([1 / (1 - i)] for i in range(2)))

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx"])
def test_folder_that_is_not_there_is_the_system_s_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        write_table(tmp_path / "none" / name, ["a"], [])


def test_text_too_long_for_a_cell_of_a_workbook_is_cut_not_dropped(tmp_path: Path) -> None:
    write_table(tmp_path / "t.xlsx", ["a"], [["x" * 40_000]])

    assert _cells_of(tmp_path / "t.xlsx")[1] == ("x" * 32_767,)


def test_parquet_keeps_types_and_leaves_texts_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, ["site", "kwh", "rows", "note"], [["=a", 1.5, 3, None], ["b", None, 4, "x"]])
    found = pl.read_parquet(path)

    assert found.rows() == [("=a", 1.5, 3, None), ("b", None, 4, "x")]
    assert found.schema == {"site": pl.String, "kwh": pl.Float64, "rows": pl.Int64, "note": pl.String}
