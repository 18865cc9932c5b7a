from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.atmosphere import atmospheric_pressure
from sereno.domain.errors import SettingsError
from sereno.domain.facts import AssetFacts
from sereno.prepare.gas import (
    absolute_pressure,
    amount_of_gas,
    base_volume,
    compressibility,
    ideal_gas_error,
    volume_at_base,
)

METHANE = {"methane": 1.0}
GAS_1 = {
    "methane": 0.965, "nitrogen": 0.003, "carbon_dioxide": 0.006, "ethane": 0.018, "propane": 0.0045,
    "isobutane": 0.001, "n_butane": 0.001, "isopentane": 0.0005, "n_pentane": 0.0003, "hexane": 0.0007,
}  # fmt: skip
"""The first gas of ISO 12213-2, annex C."""
RICH = {
    "methane": 0.812,
    "nitrogen": 0.057,
    "carbon_dioxide": 0.076,
    "ethane": 0.043,
    "propane": 0.009,
    "n_butane": 0.003,
}
SPANISH = AssetFacts(pressure="gauge", volume="line", base_temperature_c=0.0, altitude_m=650)


def one(value: float) -> np.ndarray:
    return np.array([value])


def test_pure_methane_at_20_bar() -> None:
    assert compressibility(one(20.0), one(15.0), METHANE)[0] == pytest.approx(0.961, abs=5e-4)


@pytest.mark.parametrize(
    ("celsius", "z"),
    [(-3.15, 0.84053), (6.85, 0.86199), (16.85, 0.88006), (36.85, 0.90867), (56.85, 0.93011)],
)
def test_natural_gas_at_60_bar_is_as_iso_12213_prints(celsius: float, z: float) -> None:
    assert compressibility(one(60.0), one(celsius), GAS_1)[0] == pytest.approx(z, abs=1e-4)


def test_a_kilomole_of_ideal_gas_fills_22_4_cubic_metres() -> None:
    # CODATA: molar volume of ideal gas at 273.15 K and 101.325 kPa, 22.41396954 m³/kmol.
    assert amount_of_gas(one(1.01325), one(0.0), one(22.41396954), 1.0)[0] == pytest.approx(1.0, rel=1e-8)


@pytest.mark.parametrize(("metres", "bar"), [(0, 1.01325), (1000, 0.898746), (2000, 0.794952)])
def test_atmosphere_is_that_of_the_standard_tables(metres: float, bar: float) -> None:
    assert atmospheric_pressure(metres) == pytest.approx(bar, abs=2e-5)


def test_gauge_and_absolute_pressures_of_the_same_gas_agree() -> None:
    absolute = replace(SPANISH, pressure="absolute")

    gauge = absolute_pressure(one(4.0), SPANISH, "a")

    assert gauge[0] == pytest.approx(4.0 + 0.9377, abs=1e-3)
    assert absolute_pressure(gauge, absolute, "a")[0] == gauge[0]


@given(st.floats(0.5, 100), st.floats(-20, 60), st.floats(0.01, 1e5), st.floats(0.7, 1.0))
def test_base_volume_holds_the_same_amount_of_gas(bar: float, celsius: float, m3: float, z: float) -> None:
    at_base = base_volume(one(bar), one(celsius), one(m3), z, (1.01325, 15.0))

    there = amount_of_gas(one(bar), one(celsius), one(m3), z)
    here = amount_of_gas(one(1.01325), one(15.0), at_base, 1.0)
    assert here[0] == pytest.approx(there[0], rel=1e-9)


@pytest.mark.parametrize("gas", [METHANE, GAS_1, RICH])
def test_error_of_an_ideal_gas_is_never_larger_than_the_bound(gas: dict[str, float]) -> None:
    bars, celsius = (grid.ravel() for grid in np.meshgrid(np.linspace(1, 80, 40), np.linspace(-5, 60, 14)))

    missed = 1 - compressibility(bars, celsius, gas) / compressibility(one(1.01325), one(0.0), gas)[0]
    true_share = missed / (1 - missed)

    assert (true_share <= ideal_gas_error(bars, celsius) + 1e-3).all()


def test_without_z_the_volume_comes_with_its_error_and_the_true_one_lies_within() -> None:
    ideal, error = volume_at_base(one(40.0), one(10.0), one(100.0), SPANISH, "a")
    real, none = volume_at_base(one(40.0), one(10.0), one(100.0), replace(SPANISH, composition=GAS_1), "a")

    assert 0.05 < error[0] < 0.2
    assert none[0] == 0
    assert ideal[0] < real[0] < ideal[0] * (1 + error[0])


def test_constant_z_divides() -> None:
    ideal, _ = volume_at_base(one(4.0), one(10.0), one(100.0), SPANISH, "a")
    half, _ = volume_at_base(one(4.0), one(10.0), one(100.0), replace(SPANISH, compressibility=0.5), "a")

    assert half[0] == pytest.approx(2 * ideal[0])


def test_corrected_volume_passes_unchanged_and_needs_no_pressure() -> None:
    volume, error = volume_at_base(one(4.0), one(10.0), one(100.0), AssetFacts(volume="corrected"), "a")

    assert (volume[0], error[0]) == (100.0, 0.0)


@pytest.mark.parametrize("fact", ["pressure", "volume", "base_temperature_c"])
def test_what_is_not_declared_is_refused_with_the_line_to_write(fact: str) -> None:
    with pytest.raises(SettingsError) as refused:
        volume_at_base(one(4.0), one(10.0), one(1.0), replace(SPANISH, **{fact: None}), "Norte")

    assert "assets.Norte" in str(refused.value)
    assert f"`{fact}: " in str(refused.value)


@pytest.mark.parametrize(("gas", "said"), [({"metano": 1.0}, "methane"), ({"methane": 0.5}, "0.5")])
def test_impossible_composition_is_refused(gas: dict[str, float], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        compressibility(one(4.0), one(10.0), gas, "Norte")


def test_missing_readings_stay_missing() -> None:
    found = compressibility(np.array([np.nan, 4.0, 4.0]), np.array([10.0, np.nan, 10.0]), GAS_1)

    assert np.isnan(found).tolist() == [True, True, False]
