"""Columns for learning: calendar, amount of gas, partition, scale."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.cleaning import Normalization
from sereno.domain.errors import SettingsError
from sereno.domain.facts import AssetFacts
from sereno.prepare.features import amount_of_gas_mol, calendar_features, normalized, partition_rows
from tests.support.builders import NAN


def _of(instant: str, zone: str = "UTC") -> dict[str, float]:
    found = calendar_features(np.array([instant], dtype="datetime64[us]"), zone)
    return {name: float(values[0]) for name, values in found.items()}


def test_calendar_is_the_site_s_clock() -> None:
    found = _of("2023-12-31T03:30", "America/Lima")  # Saturday 30 December, half past ten in the evening

    assert (found["hora_dia"], found["dia_mes"], found["dia_semana"]) == (22, 30, 5)
    assert (found["mes"], found["trimestre"], found["anio"], found["es_findesemana"]) == (12, 4, 2023, 1)
    assert (found["dia_anio"], found["semana_anio"]) == (364, 52)


@given(st.dates(date(1971, 1, 1), date(2100, 12, 31)))
def test_calendar_agrees_with_python(day: date) -> None:
    found = _of(day.isoformat())

    assert found["semana_anio"] == day.isocalendar().week
    assert found["dia_semana"] == day.weekday()
    assert found["dia_anio"] == day.timetuple().tm_yday
    assert found["trimestre"] == (day.month + 2) // 3


@pytest.mark.parametrize(
    ("instant", "name", "wanted"),
    [
        ("2024-01-01T06:00", "hora", (1.0, 0.0)),
        ("2024-01-01T00:00", "dia_semana", (0.0, 1.0)),
        ("2024-03-01T00:00", "mes", (1.0, 0.0)),
    ],
)
def test_cycles_are_points_of_a_circle(instant: str, name: str, wanted: tuple[float, float]) -> None:
    found = _of(instant)

    assert (found[f"{name}_sin"], found[f"{name}_cos"]) == pytest.approx(wanted, abs=1e-12)


def test_amount_of_gas_is_that_of_the_ideal_gas_law() -> None:
    # One mole at 0 °C and 1 atm fills 22.414 l (CODATA, molar volume of ideal gas).
    facts = AssetFacts(pressure="absolute", volume="line")
    one = np.array([1.0])

    found = amount_of_gas_mol(1.01325 * one, 0.0 * one, 0.022413970 * one, facts, "a")

    assert found[0] == pytest.approx(1.0, rel=1e-6)


def test_gauge_pressure_has_the_atmosphere_added() -> None:
    pressure, rest = np.array([17.0]), (np.array([20.0]), np.array([100.0]))
    gauge = amount_of_gas_mol(pressure, *rest, AssetFacts(pressure="gauge", volume="line"), "a")
    absolute = amount_of_gas_mol(pressure, *rest, AssetFacts(pressure="absolute", volume="line"), "a")

    assert gauge[0] / absolute[0] == pytest.approx((17 + 1.01325) / 17)


def test_corrected_volume_is_taken_at_its_base_conditions() -> None:
    facts = AssetFacts(pressure="gauge", volume="corrected", base_temperature_c=0.0)

    found = amount_of_gas_mol(np.array([NAN]), np.array([NAN]), np.array([22.413970]), facts, "a")

    assert found[0] == pytest.approx(1000.0, rel=1e-6)


@pytest.mark.parametrize(
    "facts",
    [AssetFacts(), AssetFacts(pressure="gauge"), AssetFacts(volume="line"), AssetFacts(volume="corrected")],
)
def test_undeclared_facts_are_asked_for(facts: AssetFacts) -> None:
    one = np.ones(1)

    with pytest.raises(SettingsError, match=r"assets\.Planta"):
        amount_of_gas_mol(one, one, one, facts, "Planta")


def test_partition_takes_the_last_rows_for_testing() -> None:
    found = partition_rows(100, test_size=0.2, validation_size=0.15)

    assert found.labels() == ["train"] * 68 + ["validation"] * 12 + ["test"] * 20


@given(st.integers(0, 500), st.floats(0, 0.99), st.floats(0, 0.99))
def test_partition_loses_no_row(n_rows: int, test_size: float, validation_size: float) -> None:
    found = partition_rows(n_rows, test_size=test_size, validation_size=validation_size)

    assert len(found.labels()) == n_rows


def test_scale_knows_nothing_of_the_rows_after_training() -> None:
    values = np.array([1.0, 2.0, 3.0, NAN, 1000.0])

    assert normalized(values, Normalization.MIN_MAX, learn_rows=3)[:3].tolist() == [0.0, 0.5, 1.0]
    standard = normalized(values, Normalization.STANDARD, learn_rows=3)
    assert standard[:3].mean() == pytest.approx(0.0)
    assert standard[:3].std() == pytest.approx(1.0)
    assert np.isnan(standard[3])


def test_scale_of_a_constant_is_finite() -> None:
    assert normalized(np.array([5.0, 5.0, 7.0]), Normalization.STANDARD, learn_rows=2).tolist() == [0, 0, 2]
