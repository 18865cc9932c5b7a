"""Plant lines: operating point, blocks of 15 minutes, one variable or three."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sereno.simulate import simulate_world

START = datetime(2025, 3, 3, tzinfo=UTC)


def test_line_holds_its_operating_point() -> None:
    v = simulate_world("process", seed=2, start=START, rows=10_080, faults=()).readings.values

    assert v.mean(axis=0) == pytest.approx([25, 5, 100], rel=0.01)
    assert v.std(axis=0) == pytest.approx([0.2, 0.05, 1.0], rel=0.1)
    assert np.corrcoef(v.T)[0, 1] == pytest.approx(0.3, abs=0.1)


def test_faults_are_blocks_of_15_minutes() -> None:
    world = simulate_world("process", seed=2, start=START, rows=7200)
    lengths = [fault.ended_at - fault.started_at for fault in world.faults]

    assert len(lengths) == 15
    assert lengths.count(timedelta(minutes=15)) >= 14
    assert np.count_nonzero(world.labels) == round(0.03 * 7200)


def test_temperature_block_lies_at_45_to_50_degrees() -> None:
    world = simulate_world("process", seed=2, start=START, rows=2000, faults=("temperature_block",))
    hot = world.readings.values[world.labels, 0]

    assert 44 < hot.min() < hot.max() < 51


def test_one_variable_is_the_first_of_three() -> None:
    asked = {"seed": 2, "start": START, "rows": 500, "faults": ()}
    one = simulate_world("process", variables=1, **asked)  # type: ignore[arg-type]
    three = simulate_world("process", **asked)  # type: ignore[arg-type]

    assert one.readings.signals == ("temperature",)
    assert np.array_equal(one.readings.values[:, 0], three.readings.values[:, 0])


def test_faults_of_one_variable_are_those_it_can_show() -> None:
    world = simulate_world("process", seed=2, start=START, rows=4000, variables=1)

    assert {fault.name for fault in world.faults} == {"temperature_block", "small_shift", "frozen"}
    assert {fault.signals for fault in world.faults} == {("temperature",)}
