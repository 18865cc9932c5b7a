"""Whole files, from bytes to readings."""

import dataclasses
import json
import random
from datetime import UTC as UTC_ZONE
from datetime import datetime

import numpy as np
import pytest

from sereno.domain.errors import AmbiguousData, CorruptFile, MissingColumns, UnsupportedFormat, UsageError
from sereno.domain.readings import Quality
from sereno.ingest import ReadOptions
from tests.ingest.builders import (
    MADRID,
    SOLAR_HEADER,
    UTC,
    codes,
    hours,
    joined,
    read,
    solar_line,
    solar_lines,
    solar_text,
    write,
)

DAILY = (
    "Fecha,Generación total,Consumo total,Autoconsumo,"
    "Energía suministrada a la red,Energía obtenida de la red\n"
)
UNITS = "[dd.MM.yyyy],[Wh],[Wh],[Wh],[Wh],[Wh]\n"
DAYS = "01.01.2023,5181.0406,15641.0406,5175.0406,6.0,10466.0\n02.01.2023,5181.5,15641.5,5175.5,6.0,10466.0\n"


def test_daily_file_with_unit_row_becomes_kilowatt_hours_at_local_midnight(tmp_path):
    path = write(tmp_path, DAILY + UNITS + DAYS, name="22_10_PLANTA_10_01012023-01012024.csv")
    plan, report, batches = read(path)
    readings = batches[-1].readings
    assert plan.profile.name == "solar"
    assert [str(a) for a in readings.assets] == ["PLANTA_10"]
    assert readings.time.astype(str).tolist() == ["2022-12-31T23:00:00.000000", "2023-01-01T23:00:00.000000"]
    assert readings.values[0].tolist() == pytest.approx([5.1810406, 15.6410406, 5.1750406, 0.006, 10.466])
    assert (plan.tables[0].header_row, plan.tables[0].unit_row) == (1, 2)
    assert report.verdict == "ok"


def test_file_without_unit_row_keeps_its_first_record(tmp_path):
    _, report, batches = read(write(tmp_path, DAILY + DAYS))
    assert report.totals.records_good == 2
    assert batches[-1].readings.values[0, 0] == pytest.approx(5181.0406)
    assert codes(report)["read.ambiguous"] == 5


def test_report_is_json_with_the_promised_fields(tmp_path):
    _, report, _ = read(write(tmp_path, solar_text(solar_lines(24))))
    entry = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert set(entry) == {"file", "totals", "tables", "issues", "verdict"}
    assert set(entry["totals"]) == {
        "records_good", "records_quarantined", "duplicates_identical", "duplicates_conflicting",
        "cells_missing", "cells_converted",
    }  # fmt: skip
    assert set(entry["tables"][0]) == {
        "name", "layout", "encoding", "delimiter", "decimal", "thousands", "date_order", "timezone",
        "header_row", "unit_row", "columns",
    }  # fmt: skip
    column = entry["tables"][0]["columns"][1]
    assert (column["source"], column["signal"], column["unit"]) == (
        "Generación total (kWh)",
        "generation",
        "kWh",
    )
    assert [reason["code"] for reason in column["reasons"]][:2] == ["reason.signal", "reason.unit_written"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_encoding_is_found_by_evidence(tmp_path, encoding):
    _, report, batches = read(write(tmp_path, solar_text(solar_lines(48)), encoding=encoding))
    assert report.totals.records_good == 48
    assert report.tables[0].columns[1].source == "Generación total (kWh)"
    assert [str(a) for a in batches[-1].readings.assets] == ["PLANTA NORTE"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiter_and_line_end_are_found(tmp_path, delimiter, end):
    text = solar_text(solar_lines(48), end=end).replace(";", delimiter)
    _, report, _ = read(write(tmp_path, text))
    assert report.tables[0].delimiter == delimiter
    assert report.totals.records_good == 48


def test_trailing_delimiters_and_leading_blank_lines_are_tolerated(tmp_path):
    lines = [f"{line};" for line in solar_lines(24)]
    _, report, _ = read(write(tmp_path, "\r\n\r\n" + solar_text(lines, header=SOLAR_HEADER + ";")))
    assert (report.totals.records_good, report.totals.records_quarantined) == (24, 0)
    _, report, _ = read(write(tmp_path, solar_text(lines)))
    assert (report.totals.records_good, report.totals.records_quarantined) == (24, 0)


def test_broken_rows_are_quarantined_by_line_and_swallow_nothing(tmp_path):
    lines = solar_lines(100)
    lines[9] = "01.06.2023 09:00;0,740;0,305"
    lines[19] += ";sobra;sobra"
    lines[29] = '"sin cerrar;' + lines[29]
    lines[39] = lines[39].replace("PLANTA", "PLA\0NTA")
    lines[49] = "# comentario"
    lines[59] = ""
    lines[69] = lines[69].replace(";", "|")
    _, report, batches = read(write(tmp_path, solar_text(lines)))
    rows = [row for batch in batches for row in batch.quarantine]
    assert [row.line for row in rows] == [11, 21, 31, 41, 51, 71]
    assert {row.reason for row in rows} == {"read.broken_row"}
    assert report.totals.records_good == 93
    assert report.totals.records_quarantined == 6


def test_stray_quote_in_a_name_is_a_character(tmp_path):
    lines = solar_lines(24)
    lines[3] = lines[3].replace("PLANTA NORTE", 'TUBO 5" NORTE')
    _, report, batches = read(write(tmp_path, solar_text(lines)))
    assert report.totals.records_good == 24
    assert {a.site for a in batches[-1].readings.assets} == {"PLANTA NORTE", "TUBO 5 NORTE"}


def test_hostile_names_stay_names(tmp_path):
    names = [
        "\"=cmd|' /C calc'!A0\"",
        '"=H(""a"";""b"")"',
        "../../etc/passwd",
        "{{7*7}}",
        "A" * 5000,
        '"x\'; DROP --"',
    ]
    lines = [solar_line(s, 1.0, 2.0, site=n) for s, n in zip(hours(6), names, strict=True)]
    _, report, batches = read(write(tmp_path, solar_text(lines)))
    sites = {a.site for a in batches[-1].readings.assets}
    assert report.totals.records_good == 6
    assert '=H("a";"b")' in sites
    assert max(map(len, sites)) <= 200


def test_formula_text_is_unwrapped(tmp_path):
    lines = [solar_line(s, 1.0, 2.0, site='="00012"') for s in hours(5)]
    _, _, batches = read(write(tmp_path, solar_text(lines)))
    assert [a.site for a in batches[-1].readings.assets] == ["00012"]


def test_header_only_is_a_warning_and_no_error(tmp_path):
    _, report, batches = read(write(tmp_path, solar_text([])))
    assert [len(b.readings) for b in batches] == [0]
    assert (report.verdict, codes(report)["read.header_only"]) == ("warnings", 1)


def test_total_rows_are_no_readings(tmp_path):
    lines = [
        *solar_lines(24),
        "TOTAL;50,0;30,0;20,0;30,0;10,0;PLANTA NORTE",
        "Media mensual;1,0;1,0;1,0;1,0;1,0;",
        "Grand total;50,0;30,0;20,0;30,0;10,0;PLANTA NORTE",
    ]
    _, report, batches = read(write(tmp_path, solar_text(lines)))
    assert [q.reason for q in batches[-1].quarantine] == ["read.total_row"] * 3
    assert report.totals.records_good == 24


def test_missing_column_is_named_and_never_filled(tmp_path):
    text = " EMPRESA ;FECHA Y  HORA;consumo total (kWh);Generacion Total;Columna rara\n" + "\n".join(
        f"PLANTA;{s};0,423;0,100;x" for s in hours(24)
    )
    _, report, batches = read(write(tmp_path, text))
    assert batches[-1].readings.signals == ("generation", "consumption")
    assert {"read.missing_columns", "read.unknown_columns"} <= set(codes(report))


def test_unknown_columns_are_refused_with_the_nearest_names(tmp_path):
    path = write(tmp_path, "Fehca;Consuno total\n" + "\n".join(f"x{i};{i},5" for i in range(9)))
    with pytest.raises(MissingColumns, match="Consuno total") as caught:
        read(path, dataclasses.replace(MADRID, profile="solar"))
    assert "consumo total" in str(caught.value)


def test_file_without_a_header_is_refused(tmp_path):
    with pytest.raises(MissingColumns):
        read(write(tmp_path, "\n".join(f"{s};1,5" for s in hours(9))))


def test_unknown_profile_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="solar"):
        read(write(tmp_path, solar_text(solar_lines(3))), dataclasses.replace(MADRID, profile="lunar"))


def test_decimal_commas_between_delimiting_commas_are_refused(tmp_path):
    rows = "\n".join(f"{s},1,5,2,5" for s in hours(9))
    with pytest.raises(CorruptFile):
        read(write(tmp_path, "Fecha,Generación total,Consumo total\n" + rows))


def test_day_and_month_are_never_guessed(tmp_path):
    rows = "\n".join(f"{s};1,5" for s in hours(5, start="2025-04-03T00", form="%d/%m/%Y %H:%M"))
    path = write(tmp_path, "Fecha;Consumo (kWh)\n" + rows)
    with pytest.raises(AmbiguousData, match="date-order"):
        read(path)
    _, _, batches = read(path, dataclasses.replace(UTC, date_order="dmy"))
    assert str(batches[-1].readings.time[0]).startswith("2025-04-03")


def test_thousands_are_never_guessed(tmp_path):
    rows = "\n".join(f"{s};8{i}.000" for i, s in enumerate(hours(5)))
    path = write(tmp_path, "Fecha;Consumo (kWh)\n" + rows)
    with pytest.raises(AmbiguousData, match="decimal"):
        read(path)
    _, _, batches = read(path, dataclasses.replace(UTC, decimal=","))
    assert batches[-1].readings.values[:, 0].tolist() == [80000, 81000, 82000, 83000, 84000]


def test_written_unit_of_another_quantity_is_not_read_as_the_signal(tmp_path):
    rows = "\n".join(f"{s};1,5;2,5" for s in hours(5))
    _, report, batches = read(write(tmp_path, "Fecha;Generación total (kWh);Consumo total (°C)\n" + rows))
    assert batches[-1].readings.signals == ("generation",)
    assert codes(report)["read.unknown_columns"] == 1


def test_gas_units_are_converted_once(tmp_path):
    rows = "\n".join(f"{s};1500,0;50,0;100,0" for s in hours(5))
    _, _, batches = read(write(tmp_path, "Fecha;Presión (kPa);Temperatura [°F];Volumen dm3\n" + rows))
    readings = batches[-1].readings
    assert readings.signals == ("pressure", "temperature", "volume")
    assert readings.values[0].tolist() == pytest.approx([15.0, 10.0, 0.1])


def test_texts_in_number_columns_are_missing_or_converted_and_never_zero(tmp_path):
    lines = solar_lines(60)
    odd = [
        "##ERR",
        "",
        "N/D",
        "Bad",
        "-",
        "35%",
        "0x1F",
        "inf",
        "1e309",
        "NaN",
        "12,5 kWh",
        "(45)",
        "−7,5",
        "1 234,5",
    ]
    for i, text in enumerate(odd):
        cells = lines[3 * i + 1].split(";")
        cells[2] = text
        lines[3 * i + 1] = ";".join(cells)
    _, report, batches = read(write(tmp_path, solar_text(lines)))
    readings = batches[-1].readings
    values, quality = readings.values[1 : 3 * len(odd) : 3, 1], readings.quality[1 : 3 * len(odd) : 3, 1]
    assert np.isnan(values[:10]).all()
    assert values[10:].tolist() == [12.5, -45.0, -7.5, 1234.5]
    assert (quality[:10] == Quality.MISSING).all()
    assert (quality[10:] == Quality.CONVERTED).all()
    assert (report.totals.cells_missing, report.totals.cells_converted) == (10, 4)
    assert report.totals.records_good == 60


def test_duplicates_collapse_and_conflicts_keep_the_row_that_balances(tmp_path):
    lines = solar_lines(48)
    wrong = lines[5].split(";")
    wrong[2] = "999,999"
    lines += [lines[3], lines[4], ";".join(wrong)]
    random.Random(3).shuffle(lines)
    _, report, batches = read(write(tmp_path, solar_text(lines)))
    readings = batches[-1].readings
    assert report.totals.records_good == 48
    assert (report.totals.duplicates_identical, report.totals.duplicates_conflicting) == (2, 1)
    assert readings.values.max() < 999
    assert (np.diff(readings.time.astype(np.int64)) > 0).all()
    assert np.count_nonzero(readings.quality & Quality.CONFLICT) == 1
    assert [q.reason for q in batches[-1].quarantine] == ["quality.duplicate_conflicting"]


@pytest.mark.parametrize("batch_rows", [1, 7, 50, 1000])
def test_batches_and_row_order_do_not_change_the_result(tmp_path, batch_rows):
    lines = [*solar_lines(100), *solar_lines(100, site="PLANTA SUR")]
    wrong = lines[150].split(";")
    wrong[1] = "77,000"
    lines += [lines[2], lines[120], ";".join(wrong)]
    _, whole_report, whole = read(write(tmp_path, solar_text(lines)))
    random.Random(batch_rows).shuffle(lines)
    options = dataclasses.replace(MADRID, batch_rows=batch_rows)
    _, report, batches = read(write(tmp_path, solar_text(lines)), options)
    assert joined(batches) == joined(whole)
    assert report.totals == whole_report.totals
    assert [b.is_last for b in batches] == [False] * (len(batches) - 1) + [True]
    assert max(len(b.readings) for b in batches[:-1] or batches) <= max(batch_rows, 200)


def test_file_pasted_together_several_times_reads_like_one(tmp_path, monkeypatch):
    monkeypatch.setattr("sereno.ingest.repeats.MAX_HELD_ROWS", 20)
    lines = [solar_line(s, 0.0, 1.0) for s in hours(60, start="2023-10-28T00")]
    night = lines.index(next(line for line in lines if line.startswith("29.10.2023 02:00")))
    lines.insert(night, lines[night])
    wrong = lines[5].replace("1,000", "9,000", 1)
    broken = "99.99.2023;1;1;1;1;1;X"
    _, once_report, once = read(write(tmp_path, solar_text([*lines, wrong, broken])))
    options = dataclasses.replace(MADRID, batch_rows=10)
    _, report, batches = read(write(tmp_path, solar_text([*lines, broken, wrong, *lines, *lines])), options)
    assert joined(batches) == joined(once)
    assert report.totals.records_good == once_report.totals.records_good == 61
    assert report.totals.duplicates_identical == 2 * len(lines)
    assert (report.totals.duplicates_conflicting, report.totals.records_quarantined) == (1, 2)


@pytest.mark.parametrize("batch_rows", [3, 1000])
@pytest.mark.parametrize("is_backwards", [False, True])
def test_repeated_october_hour_is_two_hours(tmp_path, batch_rows, is_backwards):
    stamps = [f"29.10.2023 {h:02d}:00" for h in (0, 1, 2, 2, 3, 4)]
    lines = [solar_line(s, 0.0, i + 1.0) for i, s in enumerate(stamps)]
    options = dataclasses.replace(MADRID, batch_rows=batch_rows)
    _, report, batches = read(write(tmp_path, solar_text(lines[::-1] if is_backwards else lines)), options)
    by_time = sorted((t, v[1]) for (_, t), v in joined(batches).items())
    assert [v for _, v in by_time] == [1, 2, 3, 4, 5, 6]
    assert by_time[0][0].startswith("2023-10-28T22")
    assert by_time[-1][0].startswith("2023-10-29T03")
    assert report.totals.duplicates_conflicting == 0


def test_skipped_march_hour_moves_forward_and_is_reported(tmp_path):
    lines = [solar_line(f"26.03.2023 {h}", 0.0, 1.0) for h in ("00:30", "01:30", "02:30", "04:30")]
    _, report, batches = read(write(tmp_path, solar_text(lines)))
    assert [str(t)[11:16] for t in batches[-1].readings.time] == ["23:30", "00:30", "01:30", "02:30"]
    assert codes(report)["quality.ambiguous_date"] == 1


def test_assumed_zone_and_future_are_reported(tmp_path):
    options = ReadOptions(
        "Europe/Madrid", is_timezone_assumed=True, now=datetime(2023, 6, 1, 5, tzinfo=UTC_ZONE)
    )
    _, report, _ = read(write(tmp_path, solar_text(solar_lines(72))), options)
    assert codes(report)["quality.assumed_timezone"] == 1
    assert codes(report)["quality.future"] == 72 - 32


def test_long_table_makes_a_row_per_instant(tmp_path):
    header = "Desde (fecha);Desde (hora);Hasta (fecha);Hasta (hora);CUPS;Contador;"
    header += "Registro;Volumen;Unidad;Estado;\r\n"
    rows = "".join(
        f'01/06/2023;{h:02d}:00:00;01/06/2023;{h + 1:02d}:00:00;="ES01";F1;{r};{v};Wh;Leído;\r\n'
        for h in range(20)
        for r, v in (("Consumo", "1.423,00"), ("Exportación", "0,50"), ("Importación", "276,00"))
    )
    plan, report, batches = read(
        write(tmp_path, "\ufeff\r\n" + header + rows + rows.replace("01/06", "13/06"))
    )
    readings = batches[-1].readings
    assert (plan.profile.name, plan.layout.name) == ("solar", "long")
    assert report.totals.records_good == 120
    assert [str(a) for a in readings.assets] == ["ES01/F1"]
    assert readings.signals == ("consumption", "export", "import")
    assert readings.values.shape == (40, 3)
    assert readings.values[0].tolist() == pytest.approx([1.423, 0.0005, 0.276])


@pytest.mark.parametrize(
    ("registers", "profile"),
    [
        (("Consumo", "Vertido"), "solar"),
        (("Consumo", "Generación"), "solar"),
        (("Presión", "Volumen"), "gas"),
        (("Consumo",), "load"),
    ],
)
def test_long_table_is_of_the_profile_that_knows_most_of_its_registers(tmp_path, registers, profile):
    rows = [f"{stamp};{name};{i},5" for i, stamp in enumerate(hours(31), start=10) for name in registers]
    plan, report, _ = read(write(tmp_path, "\n".join(["Fecha;Registro;Valor", *rows, ""])))
    assert (plan.profile.name, plan.layout.name) == (profile, "long")
    assert (report.totals.records_good, report.totals.records_quarantined) == (31 * len(registers), 0)


@pytest.mark.parametrize("header", ["ID", "Nombre", "Description"])
@pytest.mark.parametrize("by_point", [True, False])
def test_column_that_names_points_parts_them_whatever_it_is_called(tmp_path, header, by_point):
    points = ("Caldera B-1 O2", "Caldera B-2 presión")
    cells = [
        (stamp, name, f"{i},{n}")
        for i, stamp in enumerate(hours(40), start=10)
        for n, name in enumerate(points)
    ]
    rows = sorted(cells, key=lambda cell: cell[1]) if by_point else cells
    text = "\n".join([f"Datetime;{header};Value", *map(";".join, rows), ""])

    plan, report, batches = read(write(tmp_path, text))

    assert (plan.profile.name, plan.layout.name) == ("process", "long")
    assert (report.totals.records_good, report.totals.records_quarantined) == (80, 0)
    assert set(batches[-1].readings.signals) == set(points)


@pytest.mark.parametrize("cell", [lambda i: f"{i}", lambda i: f"fila {i}"], ids=["numbers", "own names"])
def test_column_that_numbers_rows_parts_nothing(tmp_path, cell):
    rows = [f"{stamp};{cell(i)};{i},5" for i, stamp in enumerate(hours(40), start=10)]

    plan, report, batches = read(write(tmp_path, "\n".join(["Datetime;ID;Value", *rows, ""])))

    assert (plan.layout.name, report.totals.records_good) == ("table", 40)
    assert batches[-1].readings.signals == ("Value",)


def test_wide_table_makes_a_row_per_asset(tmp_path):
    header = (
        "DateTime,Temperature,Zone 1 Power Consumption,Zone 2  Power Consumption,Zone 3  Power Consumption\n"
    )
    rows = "".join(
        f"{m}/{d}/2017 0:00,{d}.5,3405{d}.6962, 1612{d}.8 ,2024{d}.9\n" for m in (1, 2) for d in (5, 6, 27)
    )
    plan, report, batches = read(write(tmp_path, header + rows, name="tetuan_2017_01-09.csv"), UTC)
    readings = batches[-1].readings
    assert (plan.profile.name, plan.layout.name, plan.tables[0].date_order) == ("load", "wide", "mdy")
    assert [str(a) for a in readings.assets] == ["tetuan/Zone 1", "tetuan/Zone 2", "tetuan/Zone 3"]
    assert report.totals.records_good == 18
    assert readings.signals == ("power", "temperature")
    assert readings.values[0].tolist() == [34055.6962, 5.5]


def test_open_profile_takes_what_nothing_else_explains(tmp_path):
    rows = "".join(f"{s},1.5,2.25,ok,{i}\n" for i, s in enumerate(hours(9, form="%Y-%m-%d %H:%M:%S")))
    plan, _, batches = read(write(tmp_path, "timestamp,FIT101,LIT101,Estado,P1\n" + rows), UTC)
    assert plan.profile.name == "process"
    assert batches[-1].readings.signals == ("FIT101", "LIT101", "P1")


def test_hour_columns_that_are_no_whole_day_are_refused(tmp_path):
    header = "Día;" + ";".join(f"{h:02d}:00-{h + 1:02d}:00" for h in range(21))
    with pytest.raises(UnsupportedFormat):
        read(write(tmp_path, header + "\n12/10/2022" + ";0,5" * 21 + "\n"))


def test_several_series_under_one_name_are_refused(tmp_path):
    rows = "".join(f"{s};{i},5;punto {k}\n" for i, s in enumerate(hours(30)) for k in range(4))
    with pytest.raises(AmbiguousData, match="Punto"):
        read(write(tmp_path, "Fecha;Consumo (kWh);Punto\n" + rows))


def test_mixed_date_formats_keep_what_is_certain(tmp_path):
    days = [f"{d:02d}.06.2023" for d in range(1, 21)]
    stamps = [f"{d} 00:00" for d in days]
    stamps += [f"2023-06-{d:02d}T10:00:00Z" for d in range(1, 11)]
    stamps += [f"06/{d:02d}/2023 07:00 AM" for d in range(1, 11)]
    stamps += ["31/02/2023 09:00", "1 de junio de 2023 03:00", "02-jun.-2023 04:00", "202306030600"]
    lines = [solar_line(s, 0.0, i + 1.0) for i, s in enumerate(stamps)]
    _, report, batches = read(write(tmp_path, solar_text(lines)))
    reasons = [q.reason for q in batches[-1].quarantine]
    assert reasons.count("quality.ambiguous_date") == 10
    assert reasons.count("read.broken_row") == 1
    assert report.totals.records_good == 33


def test_every_line_is_accounted_for(tmp_path):
    lines = solar_lines(50)
    lines += [lines[1], lines[2].replace("PLANTA NORTE", ""), "basura", "32.13.2023 00:00;1;1;1;1;1;X"]
    _, report, _ = read(write(tmp_path, solar_text(lines)))
    totals = report.totals
    assert totals.records_good + totals.records_quarantined + totals.duplicates_identical == len(lines)


@pytest.mark.parametrize("names", ["temperature", "temperature,pressure,flowrate"])
def test_line_of_temperature_pressure_and_flow_is_no_motor(tmp_path, names):
    cells = ",".join(["25.1", "5.02", "99.7"][: names.count(",") + 1])
    rows = "".join(f"2025-01-01 00:{minute:02},{cells}\n" for minute in range(30))

    _, _, batches = read(write(tmp_path, f"timestamp,{names}\n{rows}"))

    readings = batches[0].readings
    assert (readings.profile, readings.signals) == ("process", tuple(names.split(",")))


def test_column_of_a_line_that_begins_later_is_read_and_remarks_are_not(tmp_path):
    lines = ["Fecha;Presión (bar);Caudal (m³/h);Notas"]
    lines += [
        f"{stamp};{4 + i % 5},5;{'' if i < 300 else f'{50 + i % 7},1'};{'' if i < 300 else 'revisado'}"
        for i, stamp in enumerate(hours(400))
    ]

    _, _, batches = read(write(tmp_path, "\n".join([*lines, ""])), UTC)
    values = np.array(list(joined(batches).values()))

    assert batches[0].readings.signals == ("Presión (bar)", "Caudal (m³/h)")
    assert np.count_nonzero(~np.isnan(values), axis=0).tolist() == [400, 100]
