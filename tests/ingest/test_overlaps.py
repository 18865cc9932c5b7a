"""The same readings on two sheets of a workbook, or in two members of an archive."""

import pytest

from sereno.domain.readings import Quality
from tests.ingest.builders import UTC, codes, joined, read
from tests.ingest.sheets import Cell, gas_sheet, write_xlsx
from tests.ingest.test_archives import gas_text, write_zip
from tests.support.builders import a_workspace

N_ROWS = 30
LONG_HEADER = "Fecha;Variable;Valor"


def wobbling_sheet() -> list[list[Cell]]:
    """Volumes that rise and fall, as amounts of hours do and registers do not."""
    rows = [list(row) for row in gas_sheet(N_ROWS)]
    return [rows[0], *([*row[:3], 100.0 + 7 * (i % 5)] for i, row in enumerate(rows[1:]))]


def test_a_copied_sheet_is_counted_and_read_once(tmp_path):
    path = write_xlsx(tmp_path / "caldera.xlsx", {"Hoja1": gas_sheet(N_ROWS), "Hoja2": gas_sheet(N_ROWS)})

    _, report, batches = read(path, UTC)

    totals = report.totals
    assert (totals.records_good, totals.duplicates_identical, totals.records_quarantined) == (
        N_ROWS,
        N_ROWS,
        0,
    )
    assert {a.asset for b in batches for a in b.readings.assets} == {"caldera"}
    assert len(joined(batches)) == N_ROWS
    assert codes(report)["quality.duplicate_identical"] == N_ROWS


@pytest.mark.parametrize("is_reversed", [False, True], ids=["first", "last"])
def test_readings_that_contradict_each_other_are_decided_by_the_rule_not_by_the_order(tmp_path, is_reversed):
    good, bad = wobbling_sheet(), wobbling_sheet()
    bad[3][3] = -5.0  # no volume is negative
    pair = {"Hoja1": bad, "Hoja2": good} if is_reversed else {"Hoja1": good, "Hoja2": bad}
    path = write_xlsx(tmp_path / "caldera.xlsx", pair)

    plan, report, batches = read(path, UTC)

    totals = report.totals
    assert (totals.records_good, totals.duplicates_identical) == (N_ROWS, N_ROWS - 1)
    assert (totals.duplicates_conflicting, totals.records_quarantined) == (1, 1)
    assert all(row[-1] > 0 for row in joined(batches).values())
    table, lost = next((b.table, row) for b in batches for row in b.quarantine)
    assert (plan.parts[table].name, lost.line) == (f"caldera.xlsx » Hoja{1 if is_reversed else 2}", 4)
    assert sum(int((b.readings.quality & Quality.CONFLICT != 0).sum()) for b in batches) == 1
    assert [b.is_last for b in batches] == [False] * (len(batches) - 1) + [True]


def test_what_check_counts_is_stored_once_and_a_second_time_adds_nothing(tmp_path):
    good, bad = wobbling_sheet(), wobbling_sheet()
    bad[3][3] = -5.0
    path = write_xlsx(tmp_path / "caldera.xlsx", {"Hoja1": good, "Hoja2": bad})
    (tmp_path / "again").mkdir()
    resaved = write_xlsx(tmp_path / "again" / "caldera.xlsx", {"Hoja2": bad, "Hoja1": good})

    with a_workspace(tmp_path / "w") as workspace:
        (checked,) = workspace.check(path)
        (first,) = workspace.ingest(path)
        (again,) = workspace.ingest(path)
        (other,) = workspace.ingest(resaved)

    assert first.entry["totals"] == checked.entry["totals"]
    assert int(str(first.entry["readings_new"])) > 0
    assert (again.entry["readings_new"], other.entry["readings_new"]) == (0, 0)


def test_months_that_overlap_in_an_archive_are_one_series(tmp_path):
    files = {"2024-01.csv": gas_text(N_ROWS), "2024-02.csv": gas_text(N_ROWS, start="2024-01-02T00")}
    path = write_zip(tmp_path / "CALDERA.zip", files)

    _, report, batches = read(path, UTC)

    n_shared = N_ROWS - 24
    # The second member has other values at the hours that both have.
    assert report.totals.duplicates_conflicting == n_shared
    assert len(joined(batches)) == report.totals.records_good == 2 * N_ROWS - n_shared


def test_registers_of_two_long_tables_are_counted_as_records(tmp_path):
    lines = [
        f"{i % 24 + 1:02d}/03/2024 {i % 24:02d}:00;{name};{value + i}.5"
        for i in range(24)
        for name, value in (("Presion", 16), ("Volumen", 100))
    ]
    text = "\n".join([LONG_HEADER, *lines, ""]).encode()
    path = write_zip(tmp_path / "CALDERA.zip", {"2024-03.csv": text, "marzo-2024.csv": text})

    _, report, batches = read(path, UTC)

    assert (report.totals.records_good, report.totals.duplicates_identical) == (48, 48)
    assert len(joined(batches)) == 24


def test_sheets_of_other_assets_share_nothing(tmp_path):
    path = write_xlsx(
        tmp_path / "clientes.xlsx", {"CLIENTE1": gas_sheet(N_ROWS), "CLIENTE2": gas_sheet(N_ROWS)}
    )

    _, report, batches = read(path, UTC)

    assert (report.totals.records_good, report.totals.duplicates_identical) == (2 * N_ROWS, 0)
    assert len(joined(batches)) == 2 * N_ROWS


def test_more_contradictions_than_can_wait_lose_no_reading(tmp_path, monkeypatch):
    monkeypatch.setattr("sereno.ingest.repeats.MAX_HELD_ROWS", 5)
    files = {"2024-01.csv": gas_text(N_ROWS), "2024-02.csv": gas_text(N_ROWS, start="2024-01-01T01")}

    _, report, _ = read(write_zip(tmp_path / "CALDERA.zip", files), UTC)

    totals = report.totals
    assert totals.duplicates_conflicting == 5
    assert totals.records_good + totals.records_quarantined == 2 * N_ROWS
