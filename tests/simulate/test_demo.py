"""The bundled worlds: sizes, calm months, a week in which something happens everywhere."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sereno.domain.judgement import IncidentKind
from sereno.simulate import World, demo_worlds

ENDS = [
    datetime(2025, 9, 14, 10, 20, tzinfo=UTC),
    datetime(2025, 4, 1, 0, 0, tzinfo=UTC),
    datetime(2024, 11, 2, 23, 59, tzinfo=UTC),
]
WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return demo_worlds(7, ENDS[0])


def test_demo_has_the_promised_assets_and_stays_light(worlds: list[World]) -> None:
    sizes = {world.readings.profile: len(world.readings.assets) for world in worlds}
    n_rows = sum(len(world.readings) for world in worlds)

    assert sizes == {"solar": 8, "gas": 12, "motor": 6, "process": 2, "load": 3}
    assert 70_000 < n_rows < 110_000


@pytest.mark.parametrize("end", ENDS, ids=str)
def test_last_week_has_clear_faults_and_the_time_before_is_almost_clean(end: datetime) -> None:
    for world in demo_worlds(1, end):
        recent = [fault for fault in world.faults if fault.started_at >= end - WEEK]
        earlier = [fault for fault in world.faults if fault.started_at < end - WEEK]

        assert 1 <= len(recent) <= 4
        assert len(earlier) <= 3
        assert all(fault.ended_at - fault.started_at <= timedelta(hours=10) for fault in earlier)
        assert all(fault.ended_at <= end for fault in world.faults)


def test_last_week_has_the_kinds_that_the_demo_tells(worlds: list[World]) -> None:
    recent = [f for world in worlds for f in world.faults if f.started_at >= ENDS[0] - WEEK]
    names = {fault.name for fault in recent}

    assert {"dead_plant", "leak_floor", "stuck_volume", "temperatura_alta"} <= names
    assert {"missing_stretch", "broken_balance"} <= names
    assert {fault.kind for fault in recent} == set(IncidentKind)


def test_dead_plant_lasts_for_days_up_to_the_end(worlds: list[World]) -> None:
    (dead,) = (fault for fault in worlds[0].faults if fault.name == "dead_plant")

    assert dead.ended_at - dead.started_at > timedelta(days=4)
    assert dead.ended_at == ENDS[0].replace(minute=0)


def test_demo_is_the_same_to_the_byte_when_seed_is_the_same(worlds: list[World]) -> None:
    again = demo_worlds(7, ENDS[0])

    for one, other in zip(worlds, again, strict=True):
        assert one.readings.values.tobytes() == other.readings.values.tobytes()
        assert np.array_equal(one.readings.time, other.readings.time)
        assert one.faults == other.faults
