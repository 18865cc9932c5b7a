"""Headers over several rows, lines about the site before them, notes behind the data."""

import dataclasses

import pytest

from tests.ingest.builders import MADRID, codes, joined, read, write
from tests.ingest.sheets import write_xlsx

STAMPS = [f"{d}/02/2025 {h:02d}:00" for d in (13, 14, 15) for h in range(24)]


def text_of(titles, n_columns, *, before=(), after=()):
    """Cell j of the first row holds 100 j; the values rise and fall, as no register's do."""
    rows = [
        ";".join([s, *(f"{100 * j + 7 * i % 72}" for j in range(n_columns))]) for i, s in enumerate(STAMPS)
    ]
    return "\n".join([*before, *titles, *rows, *after, ""])


def signals_of(batches):
    """By asset, the first value of each signal."""
    readings = batches[-1].readings
    return {
        str(asset): dict(zip(readings.signals, readings.of_asset(k).values[0].tolist(), strict=True))
        for k, asset in enumerate(readings.assets)
    }


GROUPED = {
    "units below groups": (
        [";Generación;Consumo", "Fecha;kWh;kWh"],
        2,
        {"generation": 0, "consumption": 100},
    ),
    "merged groups": (
        [";Generación;;Consumo;", "Fecha;kWh;kW máx;kWh;kW máx"],
        4,
        {"generation": 0, "consumption": 200},
    ),
    "second names below": (
        ["Fecha;Nivel del tanque;;Apertura;", ";media;mín;media;mín"],
        4,
        {
            "Nivel del tanque media": 0,
            "Nivel del tanque mín": 100,
            "Apertura media": 200,
            "Apertura mín": 300,
        },
    ),
    "two rows of units": (
        ["Fecha;Generación;Consumo", ";kWh;kWh", ";total;total"],
        2,
        {"generation": 0, "consumption": 100},
    ),
    "nothing but repeated names": (["Fecha;Nivel;Nivel"], 2, {"Nivel": 0, "Nivel 2": 100}),
}


@pytest.mark.parametrize(("titles", "n_columns", "expected"), GROUPED.values(), ids=list(GROUPED))
def test_names_over_several_rows_are_put_together(tmp_path, titles, n_columns, expected):
    _, report, batches = read(write(tmp_path, text_of(titles, n_columns)))
    assert signals_of(batches) == {"datos": expected}
    assert report.totals.records_good == 72
    assert report.totals.records_quarantined == 0


def test_groups_that_name_equipment_are_assets(tmp_path):
    titles = [";Inversor 1;;Inversor 2;", ";Generación;Consumo;Generación;Consumo", "Fecha;kWh;kWh;kWh;kWh"]
    for lines in (titles, [titles[0], "Fecha;Generación (kWh);Consumo (kWh);Generación (kWh);Consumo (kWh)"]):
        plan, report, batches = read(write(tmp_path, text_of(lines, 4)))
        assert plan.layout.name == "wide"
        assert signals_of(batches) == {
            "datos/Inversor 1": {"generation": 0, "consumption": 100},
            "datos/Inversor 2": {"generation": 200, "consumption": 300},
        }
        assert report.totals.records_good == 144


@pytest.mark.parametrize(
    ("before", "site"),
    [
        (["CUPS: ES0021000000000009ZZ", "Cliente: Hotel Sol", ""], "ES0021000000000009ZZ"),
        (["Cliente;Hotel Sol;", "CUPS;ES0021;", "Periodo;01/02/2025;28/02/2025"], "ES0021"),
        (["Informe de consumos", "Planta:;Norte 2", ";;"], "Norte 2"),
        (["Plant Name;Roof 7"], "Roof 7"),
        (["Informe de consumos", "Fecha de emisión: 01/03/2025"], "datos"),
    ],
)  # fmt: skip
def test_lines_before_the_header_name_the_site(tmp_path, before, site):
    text = text_of(["Fecha;Consumo (kWh);Generación (kWh)"], 2, before=before)
    _, report, batches = read(write(tmp_path, text))
    assert list(signals_of(batches)) == [site]
    assert report.totals.records_good == 72


def test_the_caller_names_the_site_over_the_file(tmp_path):
    text = text_of(["Fecha;Consumo (kWh)"], 1, before=["CUPS: ES01"])
    _, _, batches = read(write(tmp_path, text), dataclasses.replace(MADRID, site="Mía"))
    assert list(signals_of(batches)) == ["Mía"]


def test_notes_behind_the_data_are_notes(tmp_path):
    after = ["", "Fuente: Distribuidora", "* Valores provisionales;", "Fin del informe;;", "15/02/2025 x;1"]
    text = text_of(["Fecha;Consumo (kWh);Generación (kWh)"], 2, after=after)
    _, report, batches = read(write(tmp_path, text))
    assert codes(report)["read.note_row"] == 3
    assert codes(report)["read.broken_row"] == 1
    assert [row.line for row in batches[-1].quarantine] == [75, 76, 77, 78]


def test_merged_titles_of_a_workbook(tmp_path):
    rows = [["CUPS", "ES0099"], [None], [None, "Generación", None, "Consumo"], ["Fecha", "kWh", "kW", "kWh"]]
    rows += [[s, i, 2 * i, 3 * i] for i, s in enumerate(STAMPS)]
    _, report, batches = read(write_xlsx(tmp_path / "libro.xlsx", {"Hoja1": rows}))
    assert report.totals.records_good == 72
    last = joined(batches)["ES0099", "2025-02-15T22:00:00.000000"]
    assert last[:2] == (71.0, 213.0)
