"""Rooftops: balances to the last bit, a sun that sets, and faults with coherent meters."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sereno.domain.readings import BoolArray, FloatArray, Readings
from sereno.domain.time import to_numpy
from sereno.simulate import World, simulate_world
from sereno.simulate.solar import settle

START = datetime(2025, 5, 1, tzinfo=UTC)
GENERATION, CONSUMPTION, SELF, EXPORT, IMPORT = range(5)


def rooftops(*faults: str, **options: object) -> World:
    asked = {"seed": 11, "start": START, "rows": 8 * 720, "faults": faults, **options}
    return simulate_world("solar", **asked)  # type: ignore[arg-type]


def is_deep_night(readings: Readings) -> BoolArray:
    """23:00 to 3:00 UTC: the sun is down in Madrid all year."""
    hour = readings.time.astype("datetime64[h]").astype(np.int64) % 24
    return np.asarray((hour >= 23) | (hour < 3))


def during(world: World) -> tuple[FloatArray, FloatArray]:
    """Values during the only fault and those of the undisturbed twin at the same time."""
    clean = rooftops().readings.values
    return world.readings.values[world.labels], clean[world.labels]


def test_balances_hold_to_the_last_bit_when_nothing_is_wrong() -> None:
    v = rooftops().readings.values

    assert np.array_equal(v[:, GENERATION], v[:, SELF] + v[:, EXPORT])
    assert np.array_equal(v[:, CONSUMPTION], v[:, SELF] + v[:, IMPORT])
    assert (v >= 0).all()
    assert (v[:, CONSUMPTION] > 0).all()


@pytest.mark.parametrize("month", [1, 6, 12])
def test_nothing_is_generated_at_night_and_something_by_day(month: int) -> None:
    readings = rooftops(start=datetime(2025, month, 1, tzinfo=UTC)).readings
    at_noon = readings.time.astype("datetime64[h]").astype(np.int64) % 24 == 12

    assert not readings.values[is_deep_night(readings), GENERATION].any()
    assert (readings.values[at_noon, GENERATION] > 0).all()


def test_yield_is_that_of_a_spanish_spring() -> None:
    world = rooftops()
    kwh_per_day = world.readings.of_asset(0).values[:, GENERATION].sum() / 30

    # A plant of 2.7 to 3.3 kWp; PVGIS gives about 4 to 5.5 kWh per kWp and day for Madrid in May.
    assert 3 * 2.7 <= kwh_per_day <= 6.5 * 3.3


def test_sites_span_two_orders_of_magnitude() -> None:
    readings = rooftops().readings
    totals = [readings.of_asset(i).values[:, GENERATION].sum() for i in range(8)]

    assert totals[-1] / totals[0] > 70
    assert len({str(key) for key in readings.assets}) == 8
    assert readings.assets[0].site == "Cubierta Norte 01"


def test_sites_share_most_of_the_sky() -> None:
    readings = rooftops().readings
    noon = readings.time.astype("datetime64[h]").astype(np.int64) % 24 == 12
    middays = np.array([readings.values[noon & (readings.asset_index == i), GENERATION] for i in range(8)])

    assert np.corrcoef(middays)[np.triu_indices(8, 1)].mean() > 0.6


def test_dead_plant_takes_everything_from_the_grid() -> None:
    faulty, clean = during(rooftops("dead_plant"))

    assert not faulty[:, [GENERATION, SELF, EXPORT]].any()
    assert np.array_equal(faulty[:, IMPORT], faulty[:, CONSUMPTION])
    assert np.allclose(faulty[:, CONSUMPTION], clean[:, CONSUMPTION], atol=1e-9)


def test_half_generation_is_about_half_and_balances() -> None:
    faulty, clean = during(rooftops("half_generation"))

    assert 0.44 < faulty[:, GENERATION].sum() / clean[:, GENERATION].sum() < 0.56
    assert np.array_equal(faulty[:, GENERATION], faulty[:, SELF] + faulty[:, EXPORT])


def test_broken_balance_is_off_by_a_fifth_in_consumption_alone() -> None:
    faulty, clean = during(rooftops("broken_balance"))

    off = np.abs(faulty[:, CONSUMPTION].sum() / clean[:, CONSUMPTION].sum() - 1)
    assert off == pytest.approx(0.2, abs=0.01)
    assert np.array_equal(
        faulty[:, [GENERATION, SELF, EXPORT, IMPORT]], clean[:, [GENERATION, SELF, EXPORT, IMPORT]]
    )


def test_night_generation_is_there_at_night() -> None:
    world = rooftops("night_generation")
    at_night = is_deep_night(world.readings) & world.labels

    assert at_night.any()
    assert (world.readings.values[at_night, GENERATION] > 0).all()


def test_frozen_logger_repeats_a_daylight_row() -> None:
    faulty, _ = during(rooftops("frozen"))

    assert (faulty == faulty[0]).all()
    assert faulty[0, GENERATION] > 0


def test_excess_consumption_is_several_times_the_usual() -> None:
    faulty, clean = during(rooftops("excess_consumption"))

    assert 2.4 < faulty[:, CONSUMPTION].sum() / clean[:, CONSUMPTION].sum() < 4.1
    # A sum of other parts may differ in its last bit.
    assert np.allclose(faulty[:, GENERATION], clean[:, GENERATION], rtol=1e-12)


def test_only_labelled_rows_break_a_balance() -> None:
    world = rooftops("broken_balance", "night_generation", "dead_plant")
    v = world.readings.values
    is_balanced = v[:, CONSUMPTION] == v[:, SELF] + v[:, IMPORT]

    assert is_balanced[~world.labels].all()
    assert not is_balanced.all()


def test_daily_steps_add_up_like_hourly_ones() -> None:
    hourly = rooftops(assets=1, rows=24 * 30).readings.values[:, GENERATION].sum()

    daily = rooftops(assets=1, rows=30, step=timedelta(days=1)).readings.values[:, GENERATION]

    assert len(daily) == 30
    assert daily.sum() == pytest.approx(hourly, rel=0.35)


def test_settle_uses_less_on_site_than_either_total() -> None:
    meters = settle(np.array([0.0, 1.0, 5.0, 0.0004]), np.array([1.0, 1.0, 0.5, 0.0]))

    assert meters[0].tolist() == [0.0, 1.0, 0.0, 0.0, 1.0]
    assert meters[1, SELF] == pytest.approx(0.891)
    assert meters[2, SELF] == pytest.approx(0.5, abs=0.001)
    assert meters[3].tolist() == [0.0] * 5


def test_twin_seeds_differ_in_weather() -> None:
    one, other = (rooftops(seed=seed).readings.values[:, GENERATION].sum() for seed in (1, 2))

    assert one != other


def test_clock_change_leaves_no_gap_in_utc() -> None:
    readings = rooftops(start=datetime(2025, 10, 25, tzinfo=UTC), rows=72, assets=1).readings

    assert readings.time[0] == to_numpy(datetime(2025, 10, 25, tzinfo=UTC))
    assert np.unique(np.diff(readings.time)).tolist() == [timedelta(hours=1)]


@pytest.mark.parametrize(
    ("zone", "least", "most"),
    [("America/Lima", 1.05, 1.2), ("America/Santiago", 1.3, 1.5), ("Europe/Madrid", 0.6, 0.75)],
)
def test_days_are_as_long_as_those_of_the_zones_city(zone: str, least: float, most: float) -> None:
    start, quarter = datetime(2024, 1, 1, tzinfo=UTC), timedelta(minutes=15)
    year = rooftops(zone=zone, assets=1, rows=366 * 96, step=quarter, start=start).readings
    months = year.time.astype("datetime64[M]").astype(np.int64) % 12
    january, july = (np.count_nonzero(year.values[months == month, GENERATION]) for month in (0, 6))

    assert least < january / july < most
