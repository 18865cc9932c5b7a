"""Files that are odd, huge or made to do harm: read, or refused by a sentence, and the others go on."""

import datetime as dt
from pathlib import Path

import pytest
import xlsxwriter

from sereno.flows.build import open_setup
from sereno.flows.ingest import check_file
from tests.ingest.builders import MADRID, UTC, codes, joined, read, write
from tests.ingest.sheets import gas_sheet, write_xlsx
from tests.ingest.test_archives import gas_text, write_zip

N_MEMBERS = 300
N_COLUMNS = 10_000


def day_of(number: int) -> bytes:
    """A day of hours whose date, day first, could often be read month first."""
    date = dt.date(2018, 1, 1) + dt.timedelta(days=number)
    lines = [f"{date:%d/%m/%Y} {h:02d}:00;{5 + h % 7},5" for h in range(24)]
    return "\n".join(["Fecha;Consumo (kWh)", *lines, ""]).encode()


def test_members_tell_each_other_the_order_of_day_and_month(tmp_path):
    path = write_zip(
        tmp_path / "PLANTA.zip",
        {f"{dt.date(2018, 1, 1) + dt.timedelta(days=k)}.csv": day_of(k) for k in range(N_MEMBERS)},
    )

    plan, report, batches = read(path, UTC)

    assert (report.totals.records_good, report.totals.records_quarantined) == (24 * N_MEMBERS, 0)
    assert len(joined(batches)) == 24 * N_MEMBERS
    assert [part.name.split()[-1] for part in plan.parts[:3]] == [
        "2018-01-01.csv",
        "2018-01-02.csv",
        "2018-01-03.csv",
    ]


def test_members_whose_dates_all_fit_both_orders_are_refused(tmp_path):
    path = write_zip(tmp_path / "PLANTA.zip", {"a.csv": day_of(2), "b.csv": day_of(3), "c.csv": gas_text(5)})

    plan, report, _ = read(path, UTC)

    assert codes(report)["read.ambiguous"] == 2
    assert [t.layout for t in plan.tables] == ["table", "refused", "refused"]


def test_names_of_members_are_no_paths(tmp_path):
    names = ["../../fuera.csv", "/etc/absoluto.csv", "C:\\windows\\x.csv", "..\\..\\y.csv"]
    (tmp_path / "in").mkdir()
    path = write_zip(tmp_path / "in" / "rutas.zip", {name: gas_text(24) for name in names})

    _, report, _ = read(path, UTC)

    assert report.totals.records_good + report.totals.duplicates_identical == 4 * 24
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["rutas.zip"]


def test_sixty_sheets_of_periods_are_one_series(tmp_path):
    first = dt.date(2024, 1, 1)
    sheets = {
        f"Día {k + 1}": gas_sheet(24, start=f"{first + dt.timedelta(days=k)}T00", level=10 + k % 5)
        for k in range(60)
    }

    _, report, batches = read(write_xlsx(tmp_path / "caldera.xlsx", sheets), UTC)

    assert report.totals.records_good == len(joined(batches)) == 60 * 24


def test_table_of_ten_thousand_columns_is_read(tmp_path):
    names = ";".join(f"Sensor {i}" for i in range(N_COLUMNS))
    rows = [f"1{3 + h // 24}/05/2024 {h % 24:02d}:00;" + f"{h % 7},5;" * N_COLUMNS for h in range(48)]

    plan, report, _ = read(write(tmp_path, "\n".join([f"Fecha;{names}", *rows, ""])), UTC)

    assert report.totals.records_good == 48
    assert len(plan.signals) == N_COLUMNS


def test_merged_cells_and_formulas_are_read_by_their_values(tmp_path):
    path = tmp_path / "combinadas.xlsx"
    with xlsxwriter.Workbook(path) as book:
        stamp, sheet = book.add_format({"num_format": "dd/mm/yyyy hh:mm"}), book.add_worksheet("Datos")
        sheet.merge_range(0, 0, 0, 3, "Informe 2024")
        sheet.merge_range(1, 1, 1, 2, "Energía")
        sheet.write_row(2, 0, ["Fecha", "Generación (kWh)", "Consumo (kWh)"])
        for i in range(48):
            sheet.write_datetime(
                3 + i, 0, dt.datetime.fromisoformat("2024-05-13") + dt.timedelta(hours=i), stamp
            )
            sheet.write(3 + i, 1, 2 + i % 5)
            sheet.write_formula(3 + i, 2, f"=B{4 + i}/2", None, (2 + i % 5) / 2)
        sheet.write(51, 0, "Total")
        sheet.write_formula(51, 1, "=1/0", None, "#DIV/0!")

    _, report, batches = read(path, UTC)

    assert (report.totals.records_good, report.totals.records_quarantined) == (48, 1)
    assert batches[-1].readings.values[0].tolist() == [2.0, 1.0]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\0" * 500])
@pytest.mark.parametrize("language", ["es", "en"])
def test_file_of_nothing_but_a_mark_is_refused_by_a_sentence(
    tmp_path: Path, mark: bytes, language: str
) -> None:
    path = tmp_path / "vacio.csv"
    path.write_bytes(mark)
    setup = open_setup(tmp_path / "w", language=language)

    found = check_file(path, setup, MADRID)

    assert found.is_refused
    (issue,) = found.entry["issues"]
    assert (issue["code"], "vacio.csv" in issue["message"]) == ("read.empty", True)
