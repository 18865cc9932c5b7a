"""Workbooks: sheets as tables, whose readings they are, exact cells, and what a hostile one can do."""

import dataclasses
import datetime as dt
import gc
import os
import tempfile
import zipfile
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.errors import CorruptFile, EmptyFile, FileTooLarge, MissingColumns
from sereno.ingest import inspect_file
from sereno.ingest.containers.sheet_writer import number_text
from sereno.ingest.numbers import POINT_DECIMAL, CellKind, parse_cell
from sereno.ingest.series import specific_name
from tests.ingest.builders import MADRID, UTC, codes, joined, profiles, read, write
from tests.ingest.sheets import GAS_HEADER, gas_rows, gas_sheet, write_ods, write_xls, write_xlsx

JANUARY = dt.datetime.fromisoformat("2024-01-01")
SAMPLES = os.environ.get("SERENO_DATA")


def test_months_are_one_series_and_what_is_no_table_is_named(tmp_path):
    title = [["PLANTA NORTE – Enero"], [], GAS_HEADER, ["(hora local)", "bar", "°C", "m3"]]
    path = write_xlsx(
        tmp_path / "contador.xlsx",
        {
            "Portada": [["Informe de consumo"], [], ["Exportado el", JANUARY]],
            "Enero": [*title, *gas_rows(48), ["TOTAL", None, None, 4800.5]],
            "Febrero": [*title, *gas_rows(48, start="2024-02-01T00"), ["TOTAL", None, None, 4800.5]],
            "_aux": [["no leer"]],
            "Vacía": [],
        },
        hidden=["_aux"],
    )
    plan, report, batches = read(path, UTC)
    assert report.totals.records_good == 96
    assert {(i.code, i.where, i.count) for i in report.issues} >= {
        ("read.total_row", "contador.xlsx » Enero", 1),
        ("read.total_row", "contador.xlsx » Febrero", 1),
    }
    assert [(t.name.split(" » ")[1], t.layout) for t in plan.tables] == [
        ("Enero", "table"),
        ("Febrero", "table"),
        ("_aux", "hidden"),
        ("Vacía", "empty"),
        ("Portada", "cover"),
    ]
    assert [(t.header_row, t.unit_row, t.encoding, t.delimiter) for t in plan.tables[:2]] == [
        (3, 4, "xlsx", "")
    ] * 2
    assert {(a.site, a.asset) for b in batches for a in b.readings.assets} == {("contador", "contador")}
    assert [row.line for b in batches for row in b.quarantine] == [53, 53]
    assert [b.is_last for b in batches] == [False, True]
    assert [b.table for b in batches] == [0, 1]


def test_a_sheet_that_is_named_after_an_asset_is_that_asset(tmp_path):
    sheets = {"CLIENTE1": gas_sheet(24), "CLIENTE2": gas_sheet(30, level=3.0)}
    path = write_xlsx(tmp_path / "gas_2024.xlsx", sheets)
    plan, report, batches = read(path, UTC)
    assert {(a.site, a.asset) for b in batches for a in b.readings.assets} == {
        ("CLIENTE1", "CLIENTE1"),
        ("CLIENTE2", "CLIENTE2"),
    }
    assert [t.asset for t in plan.tables] == ["CLIENTE1", "CLIENTE2"]
    assert report.totals.records_good == 54
    _, _, batches = read(path, dataclasses.replace(UTC, site="Lima"))
    assert {(a.site, a.asset) for b in batches for a in b.readings.assets} == {
        ("Lima", "CLIENTE1"),
        ("Lima", "CLIENTE2"),
    }


def test_a_column_says_more_than_the_name_of_a_sheet(tmp_path):
    rows = [[*row, f"Client_{i % 3}"] for i, row in enumerate(gas_rows(30))]
    path = write_xlsx(tmp_path / "gas.xlsx", {"Zona norte": [[*GAS_HEADER, "Client_ID"], *rows]})
    _, _, batches = read(path, UTC)
    assert {a.asset for b in batches for a in b.readings.assets} == {"Client_0", "Client_1", "Client_2"}


def test_sheets_of_the_same_hours_are_not_one_series(tmp_path):
    path = write_xlsx(tmp_path / "dos.xlsx", {"Hoja1": gas_sheet(24), "Hoja2": gas_sheet(24, level=3.0)})
    _, report, batches = read(path, UTC)
    assert {a.asset for b in batches for a in b.readings.assets} == {"Hoja1", "Hoja2"}
    assert report.totals.records_good == 48


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Enero", ""),
        ("ene-24", ""),
        ("2024-01", ""),
        ("Hoja1", ""),
        ("Sheet 3", ""),
        ("Datos", ""),
        ("Q1 2024", ""),
        ("CLIENTE1", "CLIENTE1"),
        ("PLANTA NORTE – Enero", "PLANTA NORTE"),
        ("Contador 17", "Contador 17"),
        ("Caldera 2 2024", "Caldera 2"),
    ],
)
def test_what_the_name_of_a_sheet_says(label, name):
    assert specific_name(label) == name


@pytest.mark.parametrize("form", ["xlsx", "xlsm", "xls", "ods"])
def test_cells_come_exactly_in_every_form(tmp_path, form):
    sheets = {"CLIENTE1": gas_sheet(50), "CLIENTE2": gas_sheet(9, level=3.25)}
    writer = {"xls": write_xls, "ods": write_ods}.get(form, write_xlsx)
    _, report, batches = read(writer(tmp_path / f"libro.{form}", sheets), UTC)
    expected = {
        (name, row[0].isoformat()): tuple(row[1:]) for name, rows in sheets.items() for row in rows[1:]
    }
    found = {
        (readings.assets[k].asset, str(t)[:19]): tuple(values)
        for readings in (b.readings for b in batches)
        for k, t, values in zip(
            readings.asset_index.tolist(), readings.time, readings.values.tolist(), strict=True
        )
    }
    assert list(found) == list(expected)
    assert list(found.values()) == [pytest.approx(values, rel=1e-15) for values in expected.values()]
    assert report.verdict == "ok"


def test_instants_summed_up_row_by_row_are_the_hours_that_they_mean(tmp_path):
    serial, rows = 45292.0, []
    for i in range(3000):
        rows.append([serial, 16.123 + i, 20.125, 5.875])
        serial += 1 / 24
    path = tmp_path / "sumas.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("M1")
        sheet.write_row(0, 0, GAS_HEADER)
        stamp = book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
        for i, row in enumerate(rows, start=1):
            sheet.write_number(i, 0, row[0], stamp)
            sheet.write_row(i, 1, row[1:])
    _, report, batches = read(path, UTC)
    assert [str(t)[:19] for t in batches[-1].readings.time] == [
        (JANUARY + dt.timedelta(hours=i)).isoformat() for i in range(3000)
    ]
    assert batches[-1].readings.values[:, 0].tolist() == pytest.approx([row[1] for row in rows], rel=1e-15)
    assert report.totals.cells_converted == 0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_so_that_it_is_read_as_itself(value):
    text = number_text(value)
    assert float(text) == value
    if 1e-9 < abs(value) < 1e12:
        assert parse_cell(text, POINT_DECIMAL) == (value, CellKind.GOOD)


def test_a_table_that_is_not_understood_is_reported_and_the_others_are_read(tmp_path):
    days = [JANUARY + dt.timedelta(days=i) for i in range(9)]
    sheets = {
        "M1": gas_sheet(24),
        "raro": [["a"], *([day, float(i)] for i, day in enumerate(days))],
        "texto": [["uno", "dos"], *([day, "x"] for day in days)],
        "nota": [["Fecha", "zzz"], *([f"{i}/13/2024 zz", "?"] for i in range(9))],
    }
    path = write_xlsx(tmp_path / "mixto.xlsx", sheets)
    plan, report, _ = read(path, dataclasses.replace(UTC, profile="gas"))
    assert report.totals.records_good == 24
    layouts = {t.name.split(" » ")[1]: t.layout for t in plan.tables}
    assert layouts == {"M1": "table", "raro": "refused", "texto": "cover", "nota": "cover"}
    assert codes(report) == {"read.missing_columns": 1}
    assert report.verdict == "warnings"


def test_a_workbook_without_a_table_is_refused_by_name(tmp_path):
    with pytest.raises(MissingColumns):
        read(write_xlsx(tmp_path / "a.xlsx", {"Portada": [["Informe", "anual"]]}))
    with pytest.raises(EmptyFile):
        read(write_xlsx(tmp_path / "b.xlsx", {"Hoja1": [], "Hoja2": []}))


def test_cut_and_garbled_workbooks_are_corrupt(tmp_path):
    whole = write_xlsx(tmp_path / "entero.xlsx", {"M1": gas_sheet(500)})
    cut = tmp_path / "cortado.xlsx"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    garbled = tmp_path / "mal.xlsx"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(garbled, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            target.writestr(entry.filename, data[:200] if "sheet1" in entry.filename else data)
    noise = tmp_path / "ruido.xls"
    noise.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(256)) * 20)
    for path in (cut, garbled, noise):
        with pytest.raises(CorruptFile) as caught:
            inspect_file(path, profiles(), MADRID)
        assert caught.value.facts["file"] == path.name


def test_a_workbook_that_unfolds_beyond_a_limit_is_stopped(tmp_path):
    whole = write_xlsx(tmp_path / "grande.xlsx", {"M1": gas_sheet(2000)})
    with pytest.raises(FileTooLarge):
        inspect_file(whole, profiles(), dataclasses.replace(MADRID, max_expanded_bytes=50_000))


def test_two_cells_a_million_rows_apart_do_not_take_the_machine(tmp_path):
    path = tmp_path / "lejos.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("M1")
        sheet.write_row(0, 0, GAS_HEADER)
        sheet.write(1_048_575, 16_383, 1.0)
    with pytest.raises(FileTooLarge) as caught:
        inspect_file(path, profiles(), MADRID)
    assert caught.value.facts["file"] == "lejos.xlsx"


def test_nothing_stays_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    path = write_xlsx(tmp_path / "libro.xlsx", {"M1": gas_sheet(24), "M2": gas_sheet(24)})
    plan, _, batches = read(path, UTC)
    assert joined(batches)
    assert any((tmp_path / "tmp").iterdir())
    del plan
    gc.collect()
    assert not any((tmp_path / "tmp").iterdir())
    with pytest.raises(MissingColumns):
        read(write_xlsx(tmp_path / "a.xlsx", {"Portada": [["Informe", "anual"]]}))
    gc.collect()
    assert not any((tmp_path / "tmp").iterdir())


def test_a_formula_is_never_run_and_text_stays_text(tmp_path):
    names = ['=1+"x"', '#A;"b"', "uno\tdos\ntres"]
    rows = [[*row, name] for row, name in zip(gas_rows(3), names, strict=True)]
    path = write_xlsx(tmp_path / "m.xlsx", {"H": [[*GAS_HEADER, "Client_ID"], *rows]})
    _, report, batches = read(path, UTC)
    assert report.totals.records_good == 3
    assert {a.asset for b in batches for a in b.readings.assets} >= {'#A;"b"', "uno dos tres"}


def test_total_rows_of_other_widths_in_a_text_file_are_totals(tmp_path):
    text = "Fecha;Presion;Temperatura;Volumen\n"
    text += "".join(f"0{d}/02/2024 10:00;16,5;20,1;{d},25\n" for d in range(1, 9))
    path = write(tmp_path, text + "TOTAL;36\nMedia:;16,5;20,1;4,5\nroto;1\n", name="gas.csv")
    _, report, _ = read(path, UTC)
    assert codes(report) == {"read.total_row": 2, "read.broken_row": 1}
    assert report.totals.records_quarantined == 3


@pytest.mark.skipif(not SAMPLES, reason="SERENO_DATA names no folder with real files")
@pytest.mark.parametrize(
    ("name", "n_records", "n_assets"),
    [("hojas_por_cliente", 181, 4), ("columna_Client_ID", 480, 20), ("miad_adicion", 100, 1)],
)
def test_workbooks_of_a_gas_distributor(name, n_records, n_assets):
    _, report, batches = read(Path(SAMPLES or "") / f"gas_industrial/sample_{name}.xlsx", UTC)
    assert report.totals.records_good == n_records
    assert len({a for b in batches for a in b.readings.assets}) == n_assets
    assert report.verdict == "ok"
