"""Files read by a mapping: what it decides, what it overrules, where it does not fit; and the portals."""

from dataclasses import replace

import pytest

from sereno.domain.errors import MappingMisfit, UsageError
from sereno.flows.build import open_setup, read_options
from sereno.ingest import ColumnMapping, FileMapping, ReadOptions, mapping_of
from tests.ingest.builders import codes, hours, joined, read, write
from tests.ingest.sheets import write_xlsx

MADRID = ReadOptions(timezone="Europe/Madrid")
HEADER = "Fecha;Consumo;Notas"
PLANT = FileMapping(
    name="planta",
    fingerprint=("Fecha", "Consumo", "Notas"),
    profile="load",
    columns={
        "Fecha": ColumnMapping(role="time"),
        "Consumo": ColumnMapping(signal="energy", unit="kWh"),
        "Notas": ColumnMapping(role="ignored"),
    },
)


def plant_file(tmp_path, header=HEADER, name="datos.csv", cell="{},5"):
    return write(
        tmp_path, "\n".join([header, *(f"{t};{cell.format(i)};x" for i, t in enumerate(hours(6)))]), name=name
    )


def by(mapping, **changes):
    return replace(MADRID, mappings=(replace(mapping, **changes),))


def test_file_of_the_shape_is_read_by_the_mapping_and_says_so(tmp_path):
    _, report, batches = read(plant_file(tmp_path), by(PLANT))

    assert report.tables[0].mapping == "planta"
    assert report.tables[0].columns[1].reasons[0].code == "reason.mapping"
    assert "read.mapping_used" in codes(report)
    assert "read.mapping_overrules" not in codes(report)
    assert batches[-1].readings.values[:, 0].tolist() == [i + 0.5 for i in range(6)]


def test_signal_and_unit_of_the_mapping_win_over_the_name(tmp_path):
    columns = {**PLANT.columns, "Consumo (MWh)": ColumnMapping(signal="power", unit="W")}
    del columns["Consumo"]
    mapping = by(PLANT, columns=columns, fingerprint=("Fecha", "Consumo (MWh)"))

    _, report, batches = read(plant_file(tmp_path, "Fecha;Consumo (MWh);Notas"), mapping)

    assert batches[-1].readings.signals == ("power",)
    assert batches[-1].readings.values[1, 0] == pytest.approx(0.0015)
    issue = next(i for i in report.issues if i.code == "read.mapping_overrules")
    assert "'Consumo (MWh)': energy → power" in str(issue.facts["detail"])


def test_unit_of_the_mapping_wins_over_the_written_one(tmp_path):
    columns = {
        "Fecha": ColumnMapping(role="time"),
        "Consumo (kWh)": ColumnMapping(signal="energy", unit="Wh"),
    }
    path = plant_file(tmp_path, "Fecha;Consumo (kWh);Notas")

    _, report, batches = read(path, by(PLANT, columns=columns, fingerprint=tuple(columns)))

    assert batches[-1].readings.values[1, 0] == pytest.approx(0.0015)
    issue = next(i for i in report.issues if i.code == "read.mapping_overrules")
    assert "kWh → Wh" in str(issue.facts["detail"])


def test_decimal_sign_of_the_mapping_decides_what_the_file_leaves_open(tmp_path):
    path = plant_file(tmp_path, cell="8{}.000")

    _, _, batches = read(path, by(PLANT, decimal=",", thousands="."))

    assert batches[-1].readings.values[0, 0] == 80_000


def test_date_order_of_the_mapping_wins_over_the_rhythm(tmp_path):
    lines = "\n".join([HEADER, *(f"0{i}/06/2023 00:00;1,5;x" for i in range(1, 7))])
    path = write(tmp_path, lines)

    _, _, plain = read(path, by(PLANT))
    _, _, mapped = read(path, by(PLANT, date_order="mdy"))

    assert str(plain[-1].readings.time[1])[:10] == "2023-06-01"
    assert str(mapped[-1].readings.time[1])[:10] == "2023-02-05"


def test_date_order_that_most_dates_contradict_does_not_fit(tmp_path):
    lines = "\n".join([HEADER, *(f"{i}/06/2023 00:00;1,5;x" for i in range(13, 25))])

    with pytest.raises(MappingMisfit, match="date_order: mdy"):
        read(write(tmp_path, lines), by(PLANT, date_order="mdy"))


def test_header_row_and_delimiter_of_the_mapping_win(tmp_path):
    text = "Fecha;Consumo;Notas\nsin uso\nT|E\n" + "\n".join(f"{t}|{i},5" for i, t in enumerate(hours(6)))
    mapping = FileMapping(
        name="rara",
        fingerprint=("T", "E"),
        columns={"T": ColumnMapping(role="time"), "E": ColumnMapping(signal="energy", unit="kWh")},
        profile="load",
        delimiter="|",
        header_row=3,
    )

    _, report, batches = read(write(tmp_path, text), by(mapping))

    assert report.tables[0].header_row == 3
    assert len(batches[-1].readings) == 6


def test_zone_and_site_of_the_mapping_hold_unless_the_caller_says_another(tmp_path):
    path = plant_file(tmp_path)
    options = by(PLANT, timezone="America/Lima", site="Planta 7")

    plan, _, batches = read(path, options)
    said, _, _ = read(path, replace(options, said=frozenset({"timezone"})))

    assert (plan.options.timezone, plan.site) == ("America/Lima", "Planta 7")
    assert str(batches[-1].readings.time[0])[:13] == "2023-06-01T05"
    assert said.options.timezone == "Europe/Madrid"


def test_step_of_the_mapping_settles_power_in_an_energy_column(tmp_path):
    stamps = ["01.06.2023 00:00", "01.06.2023 00:07", "01.06.2023 03:11", "02.06.2023 10:00"]
    path = write(tmp_path, "Fecha;Consumo;Notas\n" + "".join(f"{t};2,0;x\n" for t in stamps))
    columns = {**PLANT.columns, "Consumo": ColumnMapping(signal="energy", unit="kW")}

    _, _, batches = read(path, by(PLANT, columns=columns, step_s=900.0))

    assert batches[-1].readings.values[:, 0].tolist() == [0.5] * 4


@pytest.mark.parametrize(
    ("changes", "header", "detail"),
    [
        ({"pattern": "datos*.csv"}, "Fecha;Consumos;Notas", "'Consumo'"),
        ({"header_row": 4}, HEADER, "header_row: 4 ≠ 1"),
        ({"fingerprint": ("Fecha",)}, "Fecha;Gasto;Notas", "'Consumo'"),
        ({"columns": {"Consumo": ColumnMapping(signal="energia")}}, HEADER, "'energia'"),
        (
            {"columns": {"Consumo": ColumnMapping(signal="energy", is_register=True)}, "profile": "motor"},
            HEADER,
            "'energy_register'",
        ),
    ],
    ids=["file name fits, columns do not", "header row", "column", "signal", "register"],
)  # fmt: skip
def test_mapping_that_does_not_fit_names_what_differs(tmp_path, changes, header, detail):
    with pytest.raises(MappingMisfit) as caught:
        read(plant_file(tmp_path, header), by(PLANT, **changes))

    assert detail in str(caught.value.facts["detail"])
    assert caught.value.facts["mapping"] == "planta"


def test_file_of_another_shape_is_read_without_it(tmp_path):
    _, report, _ = read(plant_file(tmp_path, "Instante;Energía;Obs"), by(PLANT))

    assert report.tables[0].mapping == ""
    assert not [code for code in codes(report) if code.startswith("read.mapping")]


def test_file_that_nearly_has_the_shape_is_told(tmp_path):
    _, report, _ = read(plant_file(tmp_path, "Fecha;Consumo;Observaciones"), by(PLANT))

    issue = next(i for i in report.issues if i.code == "read.mapping_near")
    assert issue.facts["missing"] == "'Notas'"


def test_mapping_that_is_asked_for_must_exist_and_fit(tmp_path):
    path = plant_file(tmp_path, "Instante;Energía;Obs")

    with pytest.raises(UsageError, match="planta"):
        read(path, replace(by(PLANT), mapping="otra"))
    with pytest.raises(MappingMisfit, match="'Consumo'"):
        read(path, replace(by(PLANT), mapping="planta"))


def test_only_the_sheets_of_the_mapping_are_read(tmp_path):
    rows = [["Fecha", "Consumo", "Notas"], *([t, i + 0.5, "x"] for i, t in enumerate(hours(6)))]
    path = tmp_path / "libro.xlsx"
    write_xlsx(path, {"Datos": rows, "Borrador": rows})

    _, report, batches = read(path, by(PLANT, sheets=("dat*",)))

    assert [t.layout for t in report.tables] == ["table", "not_selected"]
    assert sum(len(b.readings) for b in batches) == 6


@pytest.mark.parametrize(
    "text",
    [
        "Fecha;Consumo (Wh);Notas\n" + "".join(f"{t};1{i}00,5;x\n" for i, t in enumerate(hours(8))),
        "Informe;;\n\nCUPS;Fecha;Hora;Consumo\n"
        + "".join(f"ES1;{d:02d}/06/2023;{h};0,{h:03d}\n" for d in (1, 2, 14) for h in range(1, 25)),
        "Día;" + ";".join(f"H{h}" for h in range(1, 25)) + "\n"
        + "".join(f"{d}/06/2023;" + ";".join(f"{d},{h:02d}" for h in range(24)) + "\n" for d in (1, 2, 14)),
        "Fecha,Zone 1 Power (kW),Zone 2 Power (kW)\n"
        + "".join(f"{t},{i}.5,{i}.25\n" for i, t in enumerate(hours(8, form="%Y-%m-%d %H:%M"))),
        "Fecha;Registro;Valor;Unidad\n"
        + "".join(f"{t};{r};{i},5;{u}\n" for i, t in enumerate(hours(8))
                  for r, u in (("Presión", "bar"), ("Temperatura", "°C"))),
    ],
    ids=["table", "hours by number", "matrix", "wide", "long"],
)  # fmt: skip
def test_what_was_understood_reads_the_file_again_to_the_same_readings(tmp_path, text):
    path = write(tmp_path, text)
    plan, report, batches = read(path)

    mapping = mapping_of(plan, "igual")
    _, again, mapped = read(path, replace(MADRID, mappings=(mapping,)))

    assert again.tables[0].mapping == "igual"
    assert joined(mapped) == joined(batches)
    assert "read.mapping_overrules" not in codes(again)
    assert (again.tables[0].layout, again.tables[0].decimal) == (
        report.tables[0].layout,
        report.tables[0].decimal,
    )


def spanish_days(header, line, days=("01", "02", "15")):
    return (
        header
        + "\n"
        + "".join(line.format(d=d, h=h, v=f"0,{h:03d}") + "\n" for d in days for h in range(1, 25))
    )


PORTALS = {
    "datadis": (
        spanish_days("CUPS;Fecha;Hora;Consumo_kWh;Metodo_obtencion", "ES0021AA;{d}/06/2024;{h};{v};R"),
        {"energy": 0.001},
        "2024-05-31T22",
    ),
    "cnmc": (
        spanish_days("CUPS;Fecha;Hora;Consumo;Metodo_obtencion", "ES0021AA;{d}/06/2024;{h};{v};R"),
        {"energy": 0.001},
        "2024-05-31T22",
    ),
    "e-distribucion": (
        spanish_days("CUPS;Fecha;Hora;AE_kWh;REAL/ESTIMADO", "ES0031AA;{d}/06/2024;{h};{v};R"),
        {"energy": 0.001},
        "2024-05-31T22",
    ),
    "e-distribucion-autoconsumo": (
        spanish_days(
            "CUPS;Fecha;Hora;AE_kWh;AS_KWh;AE_AUTOCONS_kWh;REAL/ESTIMADO",
            "ES0031AA;{d}/06/2024;{h};{v};1{v};2{v};R",
        ),
        {"import": 0.001, "export": 10.001, "self_consumption": 20.001},
        "2024-05-31T22",
    ),
    "e-distribucion-excedentes": (
        spanish_days("CUPS;Fecha;Hora;AE_kWh;AS_kWh;REAL/ESTIMADO", "ES0031AA;{d}/06/2024;{h};{v};1{v};R"),
        {"import": 0.001, "export": 10.001},
        "2024-05-31T22",
    ),
    "datadis-autoconsumo": (
        spanish_days(
            "cups;fecha;hora;consumo_kWh;metodoObtencion;energiaVertida_kWh;energiaGenerada_kWh;"
            "energiaAutoconsumida_kWh",
            "ES0021AA;2024/06/{d};{h:02d}:00;{v};Real;1{v};3{v};2{v}",
        ),
        {"import": 0.001, "export": 10.001, "generation": 30.001, "self_consumption": 20.001},
        "2024-05-31T22",
    ),
    "huawei-inverter": (
        "Plant report;;;;;\n"
        "Site Name;ManageObject;Start Time;Active power(kW);Total yield(kWh);Temperature(degC)\n"
        + "".join(f"Nave;INV-1;2024-06-01 {h:02d}:00:00;{h};{1000 + h}.5;35\n" for h in range(24)),
        {"generation_register": 1000.5},
        "2024-05-31T22",
    ),
    "i-de": (
        "CUPS;FECHA-HORA;INV / VER;CONSUMO Wh;GENERACION Wh;\n"
        + "".join(f"ES0021AA;2021/06/01 {h:02d}:00;1;{h + 51};{h};\n" for h in range(24)),
        {"import": 0.051, "export": 0.0},
        None,
    ),
    "solaredge": (
        "Time,System Production (Wh),Consumption (Wh),Export (Wh),Import (Wh),Self Consumption (Wh)\n"
        + "".join(f"06/{d:02d}/2024,{d}500,2000,100,300,1700\n" for d in range(1, 25)),
        {"generation": 1.5, "consumption": 2.0, "export": 0.1, "import": 0.3, "self_consumption": 1.7},
        "2024-05-31T22",
    ),
    "esios": (
        "id;name;geoid;geoname;value;datetime\n"
        + "".join(
            f'1161;"Generación T.Real Solar fotovoltaica";8741;Península;{h}.5;'
            f"2024-06-01T{h:02d}:00:00+02:00\n"
            for h in range(24)
        ),
        {"Generación T.Real Solar fotovoltaica": 0.5},
        "2024-05-31T22",
    ),
    "fusionsolar": (
        "Plant report;;;;;\nStatistical Period;PV Yield (kWh);Inverter Yield (kWh);Export (kWh);Import (kWh);"
        "Consumption (kWh);Self-consumption (kWh)\n"
        + "".join(f"2024-06-{d:02d};{d}.5;{d}.4;1.25;2;{d}.75;{d}.1\n" for d in range(1, 25)),
        {"generation": 1.5, "export": 1.25, "import": 2.0, "consumption": 1.75, "self_consumption": 1.1},
        "2024-05-31T22",
    ),
    "fusionsolar-time": (
        "Statistical Time;Export (kWh);PV Yield (kWh);Import (kWh)\n"
        + "".join(f"2024-06-{d:02d};1.25;{d}.5;2\n" for d in range(1, 25)),
        {"generation": 1.5, "export": 1.25, "import": 2.0},
        "2024-05-31T22",
    ),
}  # fmt: skip


@pytest.mark.parametrize("portal", PORTALS)
def test_export_of_a_portal_is_recognised_and_read(tmp_path, portal):
    text, first, start = PORTALS[portal]
    options = read_options(open_setup(tmp_path / "w"))

    _, report, batches = read(
        write(tmp_path, text, name="descarga.csv"), replace(options, timezone="Europe/Madrid")
    )

    readings = batches[-1].readings
    assert report.tables[0].mapping == portal
    assert report.totals.records_good == len(text.strip().split("\n")) - 1 - text.startswith("Plant")
    assert dict(zip(readings.signals, readings.values[0].tolist(), strict=True)) == pytest.approx(first)
    if start is not None:
        assert str(readings.time[0]).startswith(start)


def test_every_portal_has_its_file(tmp_path):
    known = {m.name for m in read_options(open_setup(tmp_path / "w")).mappings if m.is_portal}

    assert known == set(PORTALS)


def test_own_mapping_wins_over_the_portal_of_the_same_files(tmp_path):
    text, _, _ = PORTALS["datadis"]
    own = FileMapping(
        name="mia",
        fingerprint=("CUPS", "Consumo_kWh"),
        columns={"Consumo_kWh": ColumnMapping(signal="energy", unit="Wh")},
    )
    options = read_options(open_setup(tmp_path / "w"))

    _, report, _ = read(
        write(tmp_path, text),
        replace(options, stamp="end", mappings=(*options.mappings, own), profile="load"),
    )

    assert report.tables[0].mapping == "mia"


def test_of_two_mappings_only_the_one_that_is_used_must_fit(tmp_path):
    general = replace(PLANT, name="general", fingerprint=("Fecha",), header_row=7)

    _, report, _ = read(plant_file(tmp_path), replace(MADRID, mappings=(general, PLANT)))

    assert report.tables[0].mapping == "planta"
