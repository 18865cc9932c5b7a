"""What every simulated world keeps: seeds, grids, labels, and faults that show where the truth says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.domain.errors import UsageError
from sereno.domain.readings import BoolArray, FloatArray, Readings
from sereno.domain.time import to_numpy
from sereno.simulate import Fault, World, fault_names, simulate_world

START = datetime(2025, 2, 10, tzinfo=UTC)
PROFILES = ("solar", "gas", "motor", "process", "load")
ROWS = {"solar": 2880, "gas": 4320, "motor": 5184, "process": 4000, "load": 2880}
EVERY_FAULT = [(profile, name) for profile in PROFILES for name in fault_names(profile)]


def a_world(profile: str, *, seed: int = 7, faults: tuple[str, ...] | None = None) -> World:
    """Two assets over weeks; motors at 5 minutes, so that their faults are episodes."""
    step = timedelta(minutes=5) if profile == "motor" else None
    return simulate_world(
        profile, seed=seed, start=START, rows=ROWS[profile], assets=2, faults=faults, step=step
    )


def on_grid(world: World, rows: int) -> FloatArray:
    """Values on the whole grid of both assets; NaN where a row is absent."""
    readings, each = world.readings, rows // 2
    values = np.full((rows, len(readings.signals)), np.nan)
    position = (readings.time - to_numpy(START)) // np.timedelta64(world.step)
    values[readings.asset_index * each + position] = readings.values
    return values


def is_changed(world: World, clean: World, rows: int) -> BoolArray:
    """Where a world differs from its undisturbed twin, shape (rows, signals)."""
    ours, theirs = on_grid(world, rows), on_grid(clean, rows)
    return np.asarray((ours != theirs) & ~(np.isnan(ours) & np.isnan(theirs)))


def rows_of(fault: Fault, world: World, rows: int) -> slice:
    offset = world.readings.assets.index(fault.asset) * (rows // 2)
    first, stop = ((at - START) // world.step for at in (fault.started_at, fault.ended_at))
    return slice(offset + first, offset + stop)


def same_bytes(one: Readings, other: Readings) -> bool:
    arrays = ("asset_index", "time", "values", "quality")
    same = all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in arrays)
    return same and one.assets == other.assets


@pytest.mark.parametrize("profile", PROFILES)
def test_world_is_the_same_to_the_byte_when_seed_is_the_same(profile: str) -> None:
    one, again, other = a_world(profile), a_world(profile), a_world(profile, seed=8)

    assert same_bytes(one.readings, again.readings)
    assert one.faults == again.faults
    assert np.array_equal(one.labels, again.labels)
    assert not same_bytes(one.readings, other.readings)


@pytest.mark.parametrize("profile", ["solar", "motor", "process", "load"])
def test_assets_stay_as_they_are_when_more_are_added(profile: str) -> None:
    few, many = (
        simulate_world(profile, seed=3, start=START, rows=500 * n, assets=n, faults=()) for n in (2, 4)
    )

    # The sizes of rooftops spread over the world's assets; their shape does not depend on it.
    first, same = (w.readings.of_asset(0).values for w in (few, many))
    assert np.allclose(first, same, rtol=1e-9)


@pytest.mark.parametrize("profile", PROFILES)
def test_readings_are_sorted_on_a_regular_utc_grid(profile: str) -> None:
    world = a_world(profile)
    readings = world.readings

    assert readings.time.dtype == np.dtype("datetime64[us]")
    assert np.all(np.diff(readings.asset_index) >= 0)
    assert not np.isnan(readings.values).any()
    for i in range(len(readings.assets)):
        offset = readings.of_asset(i).time - to_numpy(START)
        assert np.all(np.diff(offset) > np.timedelta64(0, "us"))
        assert not np.any(offset % np.timedelta64(world.step))


@pytest.mark.parametrize("profile", PROFILES)
def test_labels_are_the_rows_of_the_faults(profile: str) -> None:
    world = a_world(profile)
    readings = world.readings

    expected = np.zeros(len(readings), dtype=np.bool_)
    for fault in world.faults:
        own = readings.asset_index == readings.assets.index(fault.asset)
        inside = (readings.time >= to_numpy(fault.started_at)) & (readings.time < to_numpy(fault.ended_at))
        expected |= own & inside

    assert world.faults
    assert np.array_equal(world.labels, expected)


@pytest.mark.parametrize(("profile", "name"), EVERY_FAULT, ids=[f"{p}-{n}" for p, n in EVERY_FAULT])
def test_fault_shows_in_its_signals_and_only_where_labelled(profile: str, name: str) -> None:
    world, clean = a_world(profile, faults=(name,)), a_world(profile, faults=())
    changed = is_changed(world, clean, ROWS[profile])

    assert {fault.name for fault in world.faults} == {name}
    is_labelled = np.zeros(len(changed), dtype=np.bool_)
    for fault in world.faults:
        rows = rows_of(fault, world, ROWS[profile])
        is_labelled[rows] = True
        for signal in fault.signals:
            assert changed[rows, world.readings.signals.index(signal)].any(), signal
    assert not changed[~is_labelled].any()


@pytest.mark.parametrize("profile", ["solar", "gas"])
def test_missing_stretch_has_no_rows(profile: str) -> None:
    world = a_world(profile, faults=("missing_stretch",))
    (fault,) = world.faults

    assert len(world.readings) == ROWS[profile] - (fault.ended_at - fault.started_at) // world.step
    assert not world.labels.any()


def test_each_fault_occurs_once_when_no_ratio_is_given() -> None:
    world = simulate_world("solar", seed=1, start=START, end=START + timedelta(days=120))

    assert sorted(fault.name for fault in world.faults) == sorted(fault_names("solar"))


@pytest.mark.parametrize(
    ("profile", "ratio"), [("solar", 0.1), ("gas", 0.05), ("process", 0.2), ("load", 0.02)]
)
def test_share_of_faulty_rows_is_the_one_asked_for(profile: str, ratio: float) -> None:
    kept = tuple(name for name in fault_names(profile) if name != "missing_stretch")

    world = simulate_world(profile, seed=5, start=START, rows=9000, assets=3, fault_ratio=ratio, faults=kept)

    assert world.labels.mean() == pytest.approx(ratio, abs=1e-3)


def test_rows_are_shared_among_assets_when_they_do_not_divide() -> None:
    world = simulate_world("load", seed=1, start=START, rows=100, faults=())

    assert np.bincount(world.readings.asset_index).tolist() == [34, 33, 33]


def test_world_ends_before_its_end() -> None:
    end = START + timedelta(days=3, minutes=30)

    world = simulate_world("gas", seed=1, start=START, end=end, assets=1, faults=())

    assert len(world.readings) == 72
    assert world.readings.time[-1] + np.timedelta64(world.step) <= to_numpy(end)


def test_fault_is_left_out_when_the_world_is_too_short_for_it() -> None:
    world = simulate_world("solar", seed=1, start=START, rows=6, assets=1, faults=("dead_plant",))

    assert world.faults == ()
    assert len(world.readings) == 6


def test_full_world_ends_when_the_ratio_cannot_be_reached() -> None:
    world = simulate_world("load", seed=1, start=START, rows=30, assets=3, fault_ratio=0.5)

    assert 0 < world.labels.mean() <= 0.5


ASKED = {"profile": "solar", "seed": 1, "start": START, "rows": 100}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"profile": "wind"}, "wind"),
        ({"faults": ("gremlin",)}, "gremlin"),
        ({"rows": None}, "one of the two"),
        ({"end": START}, "one of the two"),
        ({"rows": 0}, "found 0"),
        ({"rows": 10**9}, "found 1000000000"),
        ({"assets": 0}, "found 0"),
        ({"seed": -1}, "-1"),
        ({"fault_ratio": 0.9}, "0.9"),
        ({"step": timedelta()}, "step"),
        ({"zone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"zone": ""}, "zone"),
        ({"variables": 2}, "variables"),
        ({"profile": "process", "variables": 4}, "variables"),
        ({"profile": "process", "variables": 1, "faults": ("flow_loss",)}, "flow_loss"),
        ({"start": datetime(2025, 1, 1)}, "start"),  # noqa: DTZ001 - the refused case
        ({"rows": None, "end": datetime(2025, 3, 1)}, "end"),  # noqa: DTZ001 - the refused case
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_request_is_refused_when_it_makes_no_sense(change: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError) as refused:
        simulate_world(**{**ASKED, **change})  # type: ignore[arg-type]

    assert refused.value.code == "usage"
    assert named in str(refused.value.facts["detail"])


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), profile=st.sampled_from(PROFILES), rows=st.integers(2, 400))
def test_small_world_is_whole_whatever_the_seed(seed: int, profile: str, rows: int) -> None:
    world = simulate_world(profile, seed=seed, start=START, rows=rows, assets=2)
    readings = world.readings

    assert len(readings) == len(world.labels) <= rows
    assert np.isfinite(readings.values).all()
    assert all(fault.started_at < fault.ended_at for fault in world.faults)
    assert not np.any(np.diff(readings.of_asset(0).time) <= np.timedelta64(0, "us"))


def test_zone_moves_the_day_when_the_site_lives_elsewhere() -> None:
    lima = simulate_world("solar", seed=1, start=START, rows=24, assets=1, faults=(), zone="America/Lima")
    best = lima.readings.time[np.argmax(lima.readings.values[:, 0])]

    noon = datetime(2025, 2, 10, 12, tzinfo=ZoneInfo("America/Lima"))
    assert abs(best - to_numpy(noon)) <= np.timedelta64(3, "h")


@pytest.mark.parametrize("profile", PROFILES)
def test_healthy_meter_does_not_look_frozen(profile: str) -> None:
    v = a_world(profile, faults=()).readings.values
    same = (v[1:] == v[:-1]) & (v[1:] != 0)

    # A step in which 12 hourly values repeat is what a frozen meter looks like.
    runs = np.lib.stride_tricks.sliding_window_view(same, 11, axis=0).all(axis=-1)
    assert not runs.any()


def test_truth_is_frozen() -> None:
    world = a_world("load")

    assert replace(world.faults[0], name="other") != world.faults[0]
    with pytest.raises(AttributeError):
        world.faults[0].name = "other"  # type: ignore[misc]
