"""Motors: the seed plant's figures, its six faults, and the one fault that must not be recomputed away."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sereno.domain.readings import FloatArray
from sereno.simulate import World, fault_names, simulate_world

START = datetime(2025, 1, 15, 9, tzinfo=UTC)
CURRENT, VOLTAGE, POWER, TEMPERATURE, FACTOR = range(5)
SIX = (
    "corriente_alta",
    "voltaje_bajo",
    "temperatura_alta",
    "potencia_irregular",
    "ruido_extremo",
    "fallo_comb_inicial",
)


def seconds(*faults: str, **options: object) -> World:
    asked = {"seed": 4, "start": START, "rows": 10_000, "faults": faults or None, **options}
    return simulate_world("motor", **asked)  # type: ignore[arg-type]


def ratios(world: World, column: int) -> FloatArray:
    """What a fault made of a signal, relative to the undisturbed twin, in the faulty rows."""
    clean = seconds(faults=()).readings.values
    return np.asarray(world.readings.values[world.labels, column] / clean[world.labels, column])


def test_normal_rows_have_the_figures_of_the_plant() -> None:
    v = seconds(faults=()).readings.values

    assert v[:, CURRENT].mean() == pytest.approx(25, abs=0.2)
    assert v[:, CURRENT].std() == pytest.approx(3, abs=0.2)
    assert v[:, VOLTAGE].mean() == pytest.approx(220, abs=0.5)
    assert v[:, VOLTAGE].std() == pytest.approx(5, abs=0.3)
    assert v[:, TEMPERATURE].mean() == pytest.approx(45, abs=4)
    assert 0.8 <= v[:, FACTOR].min() <= v[:, FACTOR].max() <= 0.95


def test_power_follows_from_current_voltage_and_factor_except_when_irregular() -> None:
    world = seconds()
    v = world.readings.values
    follows = np.isclose(v[:, POWER], v[:, CURRENT] * v[:, VOLTAGE] * v[:, FACTOR] / 1000, atol=0.01)
    irregular = sum(
        (fault.ended_at - fault.started_at) // world.step
        for fault in world.faults
        if fault.name == "potencia_irregular"
    )

    assert follows[~world.labels].all()
    assert np.count_nonzero(~follows) == irregular > 0


def test_one_row_in_ten_is_faulty_and_all_six_faults_occur() -> None:
    world = seconds()

    assert len(world.readings) == 10_000
    assert np.count_nonzero(world.labels) == 1000
    assert {fault.name for fault in world.faults} == set(SIX) == set(fault_names("motor"))
    assert max(fault.ended_at - fault.started_at for fault in world.faults) <= timedelta(seconds=3)


@pytest.mark.parametrize("ratio", [0.0, 0.02, 0.08, 0.4])
def test_faulty_rows_are_exactly_the_ratio_asked_for(ratio: float) -> None:
    assert np.count_nonzero(seconds(fault_ratio=ratio).labels) == round(ratio * 10_000)


@pytest.mark.parametrize(
    ("name", "column", "low", "high"),
    [
        ("corriente_alta", CURRENT, 2.5, 4.0),
        ("voltaje_bajo", VOLTAGE, 0.4, 0.6),
        ("potencia_irregular", POWER, 2.0, 3.0),
        ("potencia_irregular", CURRENT, 0.5, 0.5),
        ("fallo_comb_inicial", CURRENT, 2.0, 3.0),
        ("fallo_comb_inicial", VOLTAGE, 0.7, 0.85),
    ],
)
def test_fault_has_its_stated_size(name: str, column: int, low: float, high: float) -> None:
    found = ratios(seconds(name), column)

    # A burst of 2 or 3 rows cools off in its last ones: those are back at 1.
    found = found[np.abs(found - 1) > 0.01]
    assert len(found) >= 500
    assert low - 0.005 <= found.min() <= found.max() <= high + 0.005


def test_hot_winding_is_50_to_100_degrees_warmer_at_the_same_current() -> None:
    world = seconds("temperatura_alta")
    clean = seconds(faults=()).readings.values
    more = (world.readings.values - clean)[world.labels]

    assert 49.9 <= more[:, TEMPERATURE].min() <= more[:, TEMPERATURE].max() <= 100.1
    assert not more[:, [CURRENT, VOLTAGE, POWER]].any()


def test_extreme_noise_leaves_the_usual_band_in_every_row() -> None:
    world = seconds("ruido_extremo")
    clean = seconds(faults=()).readings.values
    off = np.abs(world.readings.values - clean)[world.labels]

    assert off[:, VOLTAGE].min() >= 19.9
    assert np.median(off[:, CURRENT]) >= 12
    assert (world.readings.values[:, CURRENT] >= 0).all()


def test_overload_heats_the_winding_and_it_cools_within_the_episode() -> None:
    asked = {"rows": 10 * 288, "step": timedelta(minutes=5)}
    world, clean = seconds("corriente_alta", fault_ratio=None, **asked), seconds(faults=(), **asked)
    more = (world.readings.values - clean.readings.values)[world.labels, TEMPERATURE]

    assert more.max() > 20
    assert np.abs(more[-1]) < 0.25 * more.max()
    assert not (world.readings.values - clean.readings.values)[~world.labels].any()


def test_load_falls_at_night_and_at_weekends() -> None:
    world = seconds(
        faults=(), rows=7 * 288, step=timedelta(minutes=5), start=datetime(2025, 1, 13, tzinfo=UTC)
    )
    hour = world.readings.time.astype("datetime64[h]").astype(np.int64) % 24
    current = world.readings.values[:, CURRENT]
    is_weekday = np.arange(len(current)) < 5 * 288

    on_shift = current[is_weekday & (hour >= 6) & (hour < 20)].mean()
    assert current[is_weekday & (hour < 4)].mean() < 0.7 * on_shift
    assert current[~is_weekday].mean() < 0.7 * on_shift
