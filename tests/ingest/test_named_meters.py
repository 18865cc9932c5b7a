"""A column per meter, headed by names that people gave: meters of a profile, not the signals of a plant."""

import pytest

from sereno.ingest import ReadOptions
from tests.ingest.builders import codes, read, write

MADRID = ReadOptions(timezone="Europe/Madrid")
LOAD = ReadOptions(timezone="Europe/Madrid", profile="load")
VARIABLES = (("active_energy", 1.5, "kWh"), ("temperature", 20.5, "°C"), ("voltage", 231.2, "V"))


def table(*names: str, rows: int = 30) -> str:
    """Numbers by the hour under these names."""
    lines = [
        f"{13 + i // 24:02d}/03/2024 {i % 24:02d}:00;"
        + ";".join(f"{n + 1},{i % 10}{n}" for n in range(len(names)))
        for i in range(rows)
    ]
    return "\n".join([f"Fecha y hora;{';'.join(names)}", *lines]) + "\n"


@pytest.mark.parametrize(
    "names",
    [
        ("Colegio Norte (kWh)", "Polideportivo (kWh)", "Ayuntamiento (kWh)"),
        ("Colegio Norte kWh", "Polideportivo kWh", "Ayuntamiento kWh"),
        ("Colegio Norte [Wh]", "Polideportivo [Wh]", "Ayuntamiento [Wh]"),
    ],
)
def test_every_column_of_energy_is_a_meter(tmp_path, names):
    plan, report, batches = read(write(tmp_path, table(*names)), MADRID)

    readings = batches[-1].readings
    assert (plan.profile.name, plan.layout.name, readings.signals) == ("load", "wide", ("energy",))
    assert sorted(key.asset for key in readings.assets) == ["Ayuntamiento", "Colegio Norte", "Polideportivo"]
    assert codes(report) == {}
    assert len(readings) == 3 * 30


def test_columns_of_volume_are_gas_meters_where_that_is_said(tmp_path):
    file = write(tmp_path, table("Caldera A (m3)", "Cocina (m3)"))

    plan, _, _ = read(file, MADRID)
    _, _, batches = read(file, ReadOptions(timezone="Europe/Madrid", profile="gas"))

    assert plan.profile.name == "process"
    assert batches[-1].readings.signals == ("volume",)
    assert {key.asset for key in batches[-1].readings.assets} == {"Caldera A", "Cocina"}


def test_the_sum_of_the_meters_is_none_of_them_and_the_weather_is_of_all(tmp_path):
    text = table("Colegio (kWh)", "Biblioteca (kWh)", "Total (kWh)", "Temperatura (°C)")

    plan, report, batches = read(write(tmp_path, text), MADRID)

    assert plan.profile.name == "load"
    assert {key.asset for key in batches[-1].readings.assets} == {"Colegio", "Biblioteca"}
    assert "read.unknown_columns" not in codes(report)


@pytest.mark.parametrize(
    "names",
    [
        ("Bomba 7A (kWh)", "Compresor (kWh)", "Caudal de agua (m3/h)"),
        ("Horno (kWh)", "Depósito (m3)"),
        ("Horno", "Depósito"),
        ("Horno (kWh)",),
    ],
)
def test_a_plant_with_other_signals_beside_stays_a_plant(tmp_path, names):
    plan, _, batches = read(write(tmp_path, table(*names)), MADRID)

    assert (plan.profile.name, len(batches[-1].readings.assets)) == ("process", 1)


def test_meters_without_a_unit_are_read_where_the_profile_is_asked_for(tmp_path):
    plan, _, batches = read(write(tmp_path, table("MT_001", "MT_002", "Ayto. viejo")), LOAD)

    assert {key.asset for key in batches[-1].readings.assets} == {"MT_001", "MT_002", "Ayto. viejo"}
    assert all(column.is_unit_assumed for column in plan.layout.columns if column.signal)


def test_a_lone_column_of_consumption_is_a_load_and_not_half_a_rooftop(tmp_path):
    plan, report, _ = read(write(tmp_path, table("Consumo (kWh)")), MADRID)

    assert plan.profile.name == "load"
    assert codes(report) == {}


def test_rows_of_variables_that_nobody_knows_are_named_as_such(tmp_path):
    rows = [
        f"2024-03-01 {h:02d}:00;M1;{name};{value};{unit}"
        for h in range(24)
        for name, value, unit in VARIABLES
    ]

    _, report, batches = read(
        write(tmp_path, "timestamp;meter_id;variable;value;unit\n" + "\n".join(rows) + "\n"), MADRID
    )

    assert codes(report)["read.unknown_signal"] == 24
    assert "read.broken_row" not in codes(report)
    assert len(batches[-1].readings) == 24
