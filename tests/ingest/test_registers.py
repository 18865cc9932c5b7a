"""Which columns hold the readings of a register: their headers say it, their values confirm it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sereno.ingest import ReadOptions, inspect_file
from sereno.ingest.headers import match_header, parse_header
from sereno.settings.profiles import load_profiles

PROFILES = load_profiles()
ROWS = 60


def a_file(folder: Path, headers: Sequence[str], columns: Sequence[Sequence[object]]) -> Path:
    path = folder / "lecturas.csv"
    stamps = [f"2024-03-{1 + h // 24:02} {h % 24:02}:00" for h in range(len(columns[0]))]
    lines = [";".join(["Fecha", *headers])]
    lines += [";".join(map(str, row)) for row in zip(stamps, *columns, strict=True)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def signals_of(path: Path, profile: str | None = None) -> list[str]:
    plan = inspect_file(path, PROFILES, ReadOptions(timezone="UTC", profile=profile))
    return [column.signal for column in plan.tables[0].columns[1:]]


def growing(*, first: float = 4_000.0, seed: int = 0) -> list[str]:
    amounts = np.random.default_rng(seed).gamma(2, 0.5, ROWS)
    return [f"{value:.3f}" for value in first + np.cumsum(amounts)]


def varying(seed: int = 0) -> list[str]:
    return [f"{value:.3f}" for value in np.random.default_rng(seed).gamma(2, 0.5, ROWS)]


@pytest.mark.parametrize(
    ("header", "signal"),
    [
        ("Lectura (m³)", "volume_register"),
        ("Contador gas [m3]", "volume_register"),
        ("Índice m³", "volume_register"),
        ("Meter reading (kWh)", "energy_register"),
        ("Cumulative energy (kWh)", "energy_register"),
        ("Totalizador kWh", "energy_register"),
        ("Total (m³)", "volume_register"),
    ],
)
def test_header_of_a_register_is_read_as_one(tmp_path: Path, header: str, signal: str) -> None:
    assert signals_of(a_file(tmp_path, [header], [growing()])) == [signal]


def test_registers_of_all_meters_of_a_plant_are_told_apart(tmp_path: Path) -> None:
    headers = ["Contador generación (kWh)", "Lectura consumo (kWh)", "Energía vertida acumulada (kWh)"]

    found = signals_of(a_file(tmp_path, headers, [growing(seed=k) for k in range(3)]))

    assert found == ["generation_register", "consumption_register", "export_register"]


def test_values_that_only_grow_make_a_register_of_any_amount(tmp_path: Path) -> None:
    assert signals_of(a_file(tmp_path, ["Volumen (m³)"], [growing()])) == ["volume_register"]


@pytest.mark.parametrize("header", ["Lectura (m³)", "Total (m³)", "Volumen (m³)"])
def test_values_that_rise_and_fall_are_amounts_whatever_the_header_says(tmp_path: Path, header: str) -> None:
    assert signals_of(a_file(tmp_path, [header], [varying()])) == ["volume"]


def test_register_beside_the_amount_keeps_its_own_signal(tmp_path: Path) -> None:
    path = a_file(tmp_path, ["Lectura (m³)", "Volumen (m³)"], [growing(), varying()])

    assert signals_of(path) == ["volume_register", "volume"]


def test_few_resets_do_not_make_amounts_of_a_register(tmp_path: Path) -> None:
    values = [*growing()[:30], *growing(first=0.0)[:30]]

    assert signals_of(a_file(tmp_path, ["Lectura (m³)"], [values])) == ["volume_register"]


def test_meters_in_one_column_are_each_followed_by_their_own_readings(tmp_path: Path) -> None:
    meters = ["A", "B"] * (ROWS // 2)
    readings = [value for pair in zip(growing(), growing(first=90_000.0), strict=True) for value in pair][
        :ROWS
    ]

    found = signals_of(a_file(tmp_path, ["Contador", "Lectura (kWh)"], [meters, readings]))

    assert found == ["", "energy_register"]


def test_process_keeps_unknown_columns_unless_the_header_says_register(tmp_path: Path) -> None:
    path = a_file(tmp_path, ["Caudal", "Contador de agua"], [growing(), growing(seed=1)])

    assert signals_of(path, "process") == ["Caudal", "Contador de agua_register"]


@pytest.mark.parametrize("text", ["total a [total]", "lectura x (contador)", "Lectura [kWh total]"])
@pytest.mark.parametrize("profile", ["gas", "process", "solar"])
def test_header_whose_unit_speaks_of_a_register_again_is_settled(text, profile):
    match = match_header(parse_header(text), PROFILES[profile])

    assert match.roles
