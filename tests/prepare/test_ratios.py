import sys
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.errors import ExtraMissing
from sereno.prepare.clear_sky import Plane, clear_sky_energy
from sereno.prepare.peers import performance_to_peers
from sereno.prepare.ratios import self_use
from sereno.prepare.sun import solar_elevation
from sereno.simulate.solar import settle

HOUR = timedelta(hours=1)
MADRID = Plane(latitude=40.4, longitude=-3.7, tilt=30.0, azimuth=180.0, peak_kw=10.0, altitude_m=650.0)


def test_half_of_what_is_made_is_used_and_covers_a_quarter() -> None:
    found = self_use(np.array([4.0, 0.0, np.nan]), np.array([4.0, 4.0, 9.0]), np.array([2.0, 0.0, 1.0]))

    assert (found.self_consumption_ratio, found.self_sufficiency_ratio) == (0.5, 0.25)
    assert found.n_steps == 2


def test_ratios_of_nothing_are_unknown() -> None:
    found = self_use(np.zeros(3), np.zeros(3), np.zeros(3))

    assert np.isnan([found.self_consumption_ratio, found.self_sufficiency_ratio]).all()


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=30))
def test_ratios_of_balanced_meters_lie_between_0_and_1(pairs: list[tuple[float, float]]) -> None:
    generation, consumption, used, _, _ = settle(*np.array(pairs).T).T

    found = self_use(generation, consumption, used)

    for ratio in (found.self_consumption_ratio, found.self_sufficiency_ratio):
        assert np.isnan(ratio) or 0 <= ratio <= 1 + 1e-9


def fleet(n_plants: int = 6, n_days: int = 60) -> np.ndarray:
    """Plants of 5 to 500 kWh a day under one weather, each with noise of its own."""
    rng = np.random.default_rng(7)
    weather = rng.uniform(0.1, 1.0, n_days)
    return (
        np.geomspace(5, 500, n_plants) * weather[:, None] * np.exp(0.05 * rng.normal(size=(n_days, n_plants)))
    )


def test_plants_under_one_sky_perform_as_their_peers_whatever_the_weather() -> None:
    performance = performance_to_peers(fleet())

    assert np.abs(np.log(performance)).max() < 0.25
    assert np.median(performance) == pytest.approx(1, abs=0.01)


def test_plant_that_loses_half_shows_half_and_its_peers_do_not_move() -> None:
    daily = fleet()
    daily[40:, 2] *= 0.5

    performance = performance_to_peers(daily)

    assert np.median(performance[40:, 2]) == pytest.approx(0.5, abs=0.05)
    assert np.median(performance[40:, [0, 1, 3, 4, 5]]) == pytest.approx(1, abs=0.02)


def test_dead_plant_is_0_and_a_missing_day_is_unknown() -> None:
    daily = fleet()
    daily[50:, 1], daily[10:20, 3] = 0.0, np.nan

    performance = performance_to_peers(daily)

    assert not performance[50:, 1].any()
    assert np.isnan(performance[10:20, 3]).all()
    assert np.median(performance[:10, 3]) == pytest.approx(1, abs=0.1)


def test_fewer_than_three_peers_say_nothing() -> None:
    assert np.isnan(performance_to_peers(fleet(2))).all()
    assert performance_to_peers(np.empty((0, 4))).shape == (0, 4)


def test_performance_does_not_depend_on_the_size_of_plants() -> None:
    daily = fleet()

    np.testing.assert_allclose(performance_to_peers(daily * np.arange(1, 7)), performance_to_peers(daily))


@pytest.mark.parametrize("day", ["2024-03-20", "2024-06-21", "2024-12-21"])
def test_clear_day_on_a_level_plane_is_that_of_haurwitz(day: str) -> None:
    # Haurwitz (1945): 1098 cos(z) exp(-0.057 / cos(z)) W/m², an independent model of a clear sky.
    pytest.importorskip("pvlib", reason="the extra `solar` is not installed")
    minutes = np.datetime64(f"{day}T00:00", "us") + np.arange(1440) * np.timedelta64(1, "m")
    height = np.sin(np.radians(solar_elevation(minutes, 40.4, -3.7)))
    is_day = height > 0.01
    haurwitz = (1.098 * height[is_day] * np.exp(-0.057 / height[is_day])).sum() / 60

    energy = clear_sky_energy(minutes[::60], HOUR, replace(MADRID, tilt=0.0))

    assert energy.sum() / MADRID.peak_kw / MADRID.performance_ratio == pytest.approx(haurwitz, rel=0.1)
    is_dark = solar_elevation(minutes[::60], 40.4, -3.7) < -15
    assert is_dark.any()
    assert not energy[is_dark].any()


def test_without_pvlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pvlib", None)

    with pytest.raises(ExtraMissing, match=r"sereno\[solar\]"):
        clear_sky_energy(np.array(["2024-01-01"], dtype="datetime64[us]"), HOUR, MADRID)


def test_energy_of_a_day_does_not_depend_on_the_step() -> None:
    pytest.importorskip("pvlib", reason="the extra `solar` is not installed")
    quarter = np.datetime64("2024-03-01T00:00", "us") + np.arange(96) * np.timedelta64(15, "m")

    fine = clear_sky_energy(quarter, HOUR / 4, MADRID).sum()

    assert clear_sky_energy(quarter[::4], HOUR, MADRID).sum() == pytest.approx(fine, rel=0.01)
