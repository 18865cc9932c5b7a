"""Gas clients and city zones: twins, idle hours, weather, and the size of their faults."""

from datetime import UTC, datetime

import numpy as np
import pytest

from sereno.domain.readings import FloatArray
from sereno.simulate import World, simulate_world

START = datetime(2025, 2, 3, tzinfo=UTC)
PRESSURE, TEMPERATURE, VOLUME = range(3)
POWER = 0


def clients(*faults: str) -> World:
    return simulate_world("gas", seed=9, start=START, rows=12 * 1000, faults=faults)


def zones(*faults: str) -> World:
    return simulate_world("load", seed=9, start=START, rows=3 * 1000, faults=faults)


def of_signal(world: World, column: int) -> FloatArray:
    """One signal of all assets, shape (assets, rows)."""
    readings = world.readings
    return np.array([readings.of_asset(i).values[:, column] for i in range(len(readings.assets))])


def test_clients_hang_on_a_high_and_a_low_network() -> None:
    levels = np.median(of_signal(clients(), PRESSURE), axis=1)

    assert np.count_nonzero((levels > 16) & (levels < 18)) == 10
    assert levels[-2:] == pytest.approx([3.5, 3.5], rel=0.03)


def test_several_clients_are_idle_most_of_the_time() -> None:
    idle = (of_signal(clients(), VOLUME) == 0).mean(axis=1)

    assert np.count_nonzero(idle > 0.45) >= 6
    assert np.count_nonzero(idle == 0) >= 2


def test_twins_move_together() -> None:
    volume, pressure = (np.corrcoef(of_signal(clients(), column)) for column in (VOLUME, PRESSURE))

    for first in range(0, 12, 2):
        assert volume[first, first + 1] > 0.75
        assert pressure[first, first + 1] > 0.9


@pytest.mark.parametrize(
    ("name", "column", "low", "high"),
    [("pressure_sag", PRESSURE, 0.75, 0.88), ("register_x10", VOLUME, 10, 10)],
)
def test_gas_fault_has_its_stated_size(name: str, column: int, low: float, high: float) -> None:
    world, clean = clients(name), clients()
    before = clean.readings.values[world.labels, column]
    is_at_work = before > 0
    ratio = world.readings.values[world.labels, column][is_at_work] / before[is_at_work]

    # A sag takes a while to be reached: the lowest value is its size.
    assert low - 0.01 <= ratio.min() <= high + 0.01


def test_leak_flows_also_when_the_client_is_idle() -> None:
    world, clean = clients("leak_floor"), clients()
    more = (world.readings.values - clean.readings.values)[world.labels, VOLUME]

    assert more.min() > 0
    assert more.std() / more.mean() < 0.05


def test_stuck_meter_sends_one_volume() -> None:
    world = clients("stuck_volume")

    assert len(np.unique(world.readings.values[world.labels, VOLUME])) == 1
    assert world.readings.values[world.labels, VOLUME][0] > 0


def test_zones_peak_in_the_evening_and_rest_at_weekends() -> None:
    world = zones()
    local = (world.readings.time.astype("datetime64[h]").astype(np.int64) + 1) % 24
    power = world.readings.values[:, POWER]

    assert power[local == 20].mean() > 1.4 * power[local == 4].mean()
    assert (power > 0).all()
    assert len({zone.site for zone in world.readings.assets}) == 3


@pytest.mark.parametrize(
    ("name", "low", "high"), [("outage", 0.0, 0.05), ("spike", 2.5, 4.0), ("level_drop", 0.6, 0.75)]
)
def test_load_fault_has_its_stated_size(name: str, low: float, high: float) -> None:
    world, clean = zones(name), zones()
    ratio = world.readings.values[world.labels, POWER] / clean.readings.values[world.labels, POWER]

    assert low - 1e-3 <= ratio.min() <= ratio.max() <= high + 1e-3
