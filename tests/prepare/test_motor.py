from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.prepare.motor import (
    VOLTAGE_UNBALANCE_LIMIT,
    derating,
    electric_power,
    percent_unbalance,
    power_residual,
    winding_temperature,
)
from sereno.simulate import simulate_world

MINUTE = timedelta(minutes=1)


def one(value: float) -> np.ndarray:
    return np.array([value])


def test_unbalance_of_460_467_and_450_volts_is_that_of_nema() -> None:
    # NEMA MG 1, 14.36: mean 459 V, largest deviation 9 V, 1.96 %.
    found = percent_unbalance(np.array([[460.0, 467.0, 450.0]]))

    assert found[0] == pytest.approx(1.96, abs=0.005)
    assert found[0] > VOLTAGE_UNBALANCE_LIMIT


@given(st.floats(1, 1e4), st.floats(1, 1e4), st.floats(1, 1e4), st.floats(1e-3, 1e3))
def test_unbalance_depends_on_neither_scale_nor_order(a: float, b: float, c: float, scale: float) -> None:
    found = percent_unbalance(np.array([[a, b, c], [c * scale, a * scale, b * scale]]))

    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert 0 <= found[0] <= 200


def test_missing_phase_and_standstill_have_no_unbalance() -> None:
    assert np.isnan(percent_unbalance(np.array([[400.0, np.nan, 400.0], [0.0, 0.0, 0.0]]))).all()


@pytest.mark.parametrize(
    ("unbalance", "share"), [(0.5, 1.0), (2.0, 0.95), (3.0, 0.89), (5.0, 0.76), (5.1, 0.0)]
)
def test_derating_is_that_of_the_curve(unbalance: float, share: float) -> None:
    assert derating(one(unbalance))[0] == pytest.approx(share)


def test_power_of_one_and_of_three_phases() -> None:
    # 400 V, 10 A, cos φ 0.8: 5.54 kW between three lines; 3.2 kW in one phase.
    three, single = (electric_power(one(10.0), one(400.0), one(0.8), phases)[0] for phases in (3, 1))

    assert three == pytest.approx(5.5426, abs=1e-4)
    assert single == pytest.approx(3.2)


def test_power_that_does_not_follow_shows_in_the_residual() -> None:
    residual = power_residual(
        np.array([3.2, 6.4, 1.0]), np.array([10, 10, 0.0]), *np.full((2, 3), [[400], [0.8]]), 1
    )

    assert residual[:2] == pytest.approx([0.0, 1.0])
    assert np.isnan(residual[2])


@pytest.mark.parametrize(
    ("faults", "is_broken"), [(["corriente_alta", "voltaje_bajo"], False), (["potencia_irregular"], True)]
)
def test_power_of_a_simulated_motor_breaks_only_where_it_was_made_to(
    faults: list[str], is_broken: bool
) -> None:
    world = simulate_world(
        "motor", seed=2, start=datetime(2024, 1, 1, tzinfo=UTC), rows=4000, step=MINUTE, faults=faults
    )
    current, voltage, power, _, factor = world.readings.values.T

    residual = np.abs(power_residual(power, current, voltage, factor, 1))

    assert residual[~world.labels].max() < 0.01
    assert (residual[world.labels].max() > 0.5) == is_broken


def test_winding_reaches_63_percent_after_one_time_constant_and_all_of_it_in_the_end() -> None:
    rows = 600
    found = winding_temperature(np.ones(rows), 60.0, timedelta(minutes=30), MINUTE, np.full(rows, 20.0))

    assert found[29] == pytest.approx(20 + 60 * (1 - np.exp(-1)))
    assert found[-1] == pytest.approx(80.0, abs=1e-4)


def test_winding_at_twice_the_current_warms_four_times_as_much() -> None:
    once, twice = (
        winding_temperature(np.full(50, share), 10.0, timedelta(minutes=9), MINUTE, np.zeros(50))
        for share in (1.0, 2.0)
    )

    np.testing.assert_allclose(twice, 4 * once)


def test_missing_current_holds_the_rise() -> None:
    found = winding_temperature(np.array([1.0, np.nan, np.nan]), 10.0, MINUTE, MINUTE, np.zeros(3))

    assert found[0] == found[1] == found[2] > 0
