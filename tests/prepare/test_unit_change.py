"""A stretch in another unit is one event; growth, seasons and standstills are none."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from sereno.detect.episodes import find_detections
from sereno.domain.judgement import Detection, Memory
from sereno.domain.readings import FloatArray, Quality, Window
from sereno.domain.time import from_numpy
from sereno.prepare.checks import check_window
from sereno.prepare.unit_change import UNIT_CHANGE
from sereno.simulate.simulator import simulate_world
from tests.support.builders import DAY, GENERATION, HOUR, PROFILES, SOLAR, a_roof, a_window, with_cells

CUBIC_FEET = 35.3147


def found_in(window: Window, cuts: Sequence[int] = ()) -> list[Detection]:
    profile, memory, found = PROFILES[window.profile], Memory(), {}
    edges = [0, *cuts, len(window)]
    for start, stop in pairwise(edges):
        checked = check_window(window.rows(start, stop), profile, memory)
        arrays = dict(checked.memory.arrays)
        for one in checked.evidence:
            told, state = find_detections(one, checked.window, profile, memory)
            found |= {(d.check, d.started_at): d for d in told}
            arrays |= state.arrays
        memory = Memory(arrays)
    return [one for one in found.values() if one.check == UNIT_CHANGE]


def in_unit(window: Window, rows: slice, factor: float, column: int | None = None) -> Window:
    values = window.values.copy()
    values[rows, slice(None) if column is None else column] *= factor
    return replace(window, values=values)


@pytest.mark.parametrize("n_days", [1, 2])
@pytest.mark.parametrize("factor", [1000, 0.001])
def test_all_signals_that_leap_alike_are_a_unit_from_the_second_day_on(n_days: int, factor: float) -> None:
    roof = a_roof(rows=240, step=HOUR)
    rows = slice(24 * n_days, 24 * n_days + 48)

    found = found_in(in_unit(roof, rows, factor), cuts=(60, 61))

    assert len(found) == 1
    assert found[0].started_at < from_numpy(roof.time[rows.start + 12])
    assert found[0].observed / found[0].expected == pytest.approx(factor, rel=1e-6)


def test_one_signal_that_leaps_on_the_second_day_is_no_unit() -> None:
    roof = a_roof(rows=48, step=HOUR)

    assert found_in(in_unit(roof, slice(24, 48), 1000, GENERATION)) == []


def a_load(rows: int = 24 * 60, *, seed: int = 0) -> FloatArray:
    """An office by the hour, shape (rows,) [kWh]."""
    hour = np.arange(rows) % 24
    shape = np.where((hour > 7) & (hour < 19), 40.0, 8.0)
    return shape * np.random.default_rng(seed).lognormal(0, 0.12, rows)


@pytest.mark.parametrize("factor", [1000, 0.001, 1e6], ids=["Wh", "MWh", "mWh"])
@pytest.mark.parametrize("step", [HOUR, DAY], ids=["hour", "day"])
def test_all_signals_in_another_unit_are_one_event_of_that_stretch(factor: float, step: object) -> None:
    roof = a_roof(rows=720 if step == HOUR else 240, step=step)  # type: ignore[arg-type]
    rows = slice(300, 348) if step == HOUR else slice(150, 170)

    found = found_in(in_unit(roof, rows, factor))

    assert len(found) == 1
    assert from_numpy(roof.time[rows.start]) <= found[0].started_at <= from_numpy(roof.time[rows.start + 12])
    assert found[0].ended_at is not None
    assert found[0].observed / found[0].expected == pytest.approx(factor, rel=1e-6)


def test_one_column_in_another_unit_names_that_signal() -> None:
    found = found_in(in_unit(a_roof(rows=1440, step=HOUR), slice(700, 900), 1000, GENERATION))

    assert [one.signals for one in found] == [("generation",)]


@pytest.mark.parametrize("factor", [CUBIC_FEET, 12, 3.6, 1 / 12], ids=["ft3", "5 min", "MJ", "5 min back"])
def test_small_factor_is_a_unit_when_all_signals_move_by_it(factor: float) -> None:
    found = found_in(in_unit(a_roof(rows=1440, step=HOUR), slice(700, 900), factor))

    assert len(found) == 1


@pytest.mark.parametrize("factor", [CUBIC_FEET, 12, 4], ids=["ft3", "5 min", "15 min"])
def test_small_factor_of_one_signal_may_be_a_season_and_is_no_unit(factor: float) -> None:
    load = a_load()
    load[800:1000] *= factor

    assert found_in(a_window(load, signals=("energy",), profile="load")) == []


def test_cells_in_another_unit_reach_neither_behaviour_nor_physics() -> None:
    window = in_unit(a_roof(rows=720, step=HOUR), slice(300, 348), 1000)

    checked = check_window(window, SOLAR, Memory())

    assert np.nanmax(checked.clean.values) < np.nanmax(checked.window.values[348:]) * 10
    assert (checked.flags[310:340] & Quality.UNIT_CHANGE).any(axis=1).all()
    assert not (checked.flags[:300] & Quality.UNIT_CHANGE).any()


@pytest.mark.parametrize("n_rows", [1, 2, 5, 10])
@pytest.mark.parametrize("value", [90.0, 900.0])
@pytest.mark.parametrize("hour", [2, 10, 14])
def test_broken_balance_that_another_unit_would_not_mend_is_told_from_its_first_row(
    hour: int, value: float, n_rows: int
) -> None:
    rows = slice(240, 240 + n_rows)
    roof = a_roof(rows=rows.stop + 5, step=HOUR, zone="UTC", start=f"2026-08-24T{hour:02d}")

    checked = check_window(with_cells(roof, rows, "import", value), SOLAR, Memory())

    (balance,) = (one for one in checked.evidence if one.check == "physics.consumption_balance")
    assert balance.exceedance[rows.start] >= 1.0


@pytest.mark.parametrize("n_rows", [1, 3, 11])
def test_amount_that_falls_to_a_thousandth_for_hours_is_left_to_be_judged(n_rows: int) -> None:
    rows = slice(700, 700 + n_rows)
    roof = a_roof(rows=720, step=HOUR)
    window = a_window(roof.values[:, [1]], signals=("consumption",), profile="solar", step=HOUR)

    checked = check_window(with_cells(window, rows, "consumption", 0.001), SOLAR, Memory())

    assert np.array_equal(checked.clean.values[rows, 0], np.full(n_rows, 0.001))


@pytest.mark.parametrize("n_rows", [1, 3, 6])
def test_import_where_the_sun_gave_all_is_a_broken_balance_however_well_a_smaller_unit_would_fit(
    n_rows: int,
) -> None:
    roof = a_roof(rows=24 * 40, step=HOUR)
    rows = slice(24 * 39 + 11, 24 * 39 + 11 + n_rows)
    sunny = np.flatnonzero(np.arange(len(roof)) % 24 // 6 == 1)
    for name, value in (("self_consumption", roof.values[:, 1]), ("import", np.full(len(roof), 0.002))):
        column = roof.signals.index(name)
        roof.values[sunny, column] = value[sunny]
    roof.values[sunny, 1] = roof.values[sunny, 2] + 0.002

    checked = check_window(with_cells(roof, rows, "import", 2.0), SOLAR, Memory())

    (balance,) = (one for one in checked.evidence if one.check == "physics.consumption_balance")
    assert (balance.exceedance[rows] >= 1.0).all()


@pytest.mark.parametrize(("month", "minutes"), [(9, 60), (3, 15)])
def test_import_that_ends_on_a_clear_day_is_in_no_other_unit_and_not_frozen(month: int, minutes: int) -> None:
    start, step = datetime(2025, month, 3, tzinfo=UTC), timedelta(minutes=minutes)
    calm = simulate_world(
        "solar", seed=month, start=start, end=start + 60 * DAY, assets=4, faults=(), step=step
    )
    is_own = calm.readings.asset_index == 2
    values, time = calm.readings.values[is_own], calm.readings.time[is_own]
    quality = calm.readings.quality[is_own]
    asset = calm.readings.assets[2]

    window = Window(asset, "solar", calm.readings.signals, time, values, quality, step, "Europe/Madrid")
    found = check_window(window, SOLAR, Memory()).evidence

    assert [one.check for one in found if (one.exceedance >= 1.0).any()] == []


def test_another_unit_of_one_meter_is_no_broken_balance() -> None:
    checked = check_window(
        in_unit(a_roof(rows=1440, step=HOUR), slice(700, 900), 1000, GENERATION), SOLAR, Memory()
    )

    assert not any(
        (one.exceedance[700:900] >= 1.0).any() for one in checked.evidence if one.check.startswith("physics.")
    )


def _grown() -> Window:
    roof = a_roof(rows=24 * 180, step=HOUR)
    return replace(roof, values=roof.values * np.linspace(1, 4, len(roof))[:, None])


def _started() -> Window:
    load = np.zeros(1440)
    load[500:] = a_load(940)
    return a_window(load, signals=("energy",), profile="load")


def _stopped() -> Window:
    load = a_load()
    load[500:700] = 0.0
    return a_window(load, signals=("energy",), profile="load")


def _woken() -> Window:
    load = np.full(1440, 0.05) * np.random.default_rng(2).lognormal(0, 0.05, 1440)
    load[700:] = a_load(740)
    return a_window(load, signals=("energy",), profile="load")


def _heavy_hour() -> Window:
    load = a_load()
    load[700:703] *= 1000
    return a_window(load, signals=("energy",), profile="load")


@pytest.mark.parametrize(
    "build",
    [
        lambda: a_roof(rows=700),
        lambda: a_roof(rows=4000, step=HOUR),
        _grown,
        _started,
        _stopped,
        _woken,
        _heavy_hour,
    ],
    ids=["years of days", "half a year of hours", "grown", "started", "stopped", "woken", "heavy hours"],
)
def test_what_a_plant_does_is_no_other_unit(build: object) -> None:
    assert found_in(build()) == []  # type: ignore[operator]


def test_another_unit_for_good_is_accepted_after_two_months() -> None:
    found = found_in(in_unit(a_roof(rows=24 * 150, step=HOUR), slice(24 * 30, None), 1000))

    assert len(found) == 1
    assert found[0].ended_at is not None
    assert found[0].n_rows < 24 * 64


def test_streamed_equals_batch_however_it_is_cut() -> None:
    window = in_unit(a_roof(rows=600, step=HOUR), slice(300, 348), 1000)
    window = in_unit(window, slice(450, 520), 1000, GENERATION)
    cuts = sorted(np.random.default_rng(4).choice(np.arange(1, 600), 11, replace=False).tolist())

    whole = found_in(window)

    assert whole
    assert found_in(window, range(1, len(window))) == whole == found_in(window, cuts)


def counted(flows: FloatArray, step: float = 0.01) -> Window:
    """A client's meter that counts in steps [m³]."""
    volumes = np.diff(np.floor(np.concatenate(([0.0], np.cumsum(flows))) / step)) * step
    return a_window(np.round(volumes, 6), signals=("volume",), profile="gas", step=HOUR)


@pytest.mark.parametrize("factor", [CUBIC_FEET, 12.0, 11.63, 4.0, 3.6, 1 / 4, 1 / 3.6])
def test_small_factor_of_one_signal_is_a_unit_where_its_steps_change_with_it(factor: float) -> None:
    window, rows = counted(a_load()), slice(24 * 40, 24 * 50)
    values = window.values.copy()
    values[rows] = np.round(values[rows] * factor, 5)

    (found,) = found_in(replace(window, values=values))

    assert found.observed / found.expected == pytest.approx(factor, rel=0.01)
    assert abs(found.started_at - from_numpy(window.time[rows.start])) <= 2 * DAY
    assert found.ended_at is not None


@pytest.mark.parametrize("factor", [2.0, 3.6, 4.0, 11.63, 12.0, CUBIC_FEET])
@pytest.mark.parametrize("decimals", [0, 2, 6])
def test_growth_by_a_small_factor_that_keeps_the_steps_is_none(factor: float, decimals: int) -> None:
    flows = a_load()
    flows[24 * 40 :] *= factor

    for window in (counted(flows, 10.0**-decimals), counted(flows, 0.25)):
        assert found_in(window) == []


def test_lost_decimals_are_no_unit() -> None:
    flows = a_load()
    flows[24 * 40 :] *= 4
    window = counted(flows, 0.001)
    values = window.values.copy()
    values[24 * 40 :] = np.round(values[24 * 40 :], 1)

    assert found_in(replace(window, values=values)) == []


@pytest.mark.parametrize("cut", [1, 37, 1000])
def test_small_factor_is_found_by_record_as_in_one_piece(cut: int) -> None:
    window, rows = counted(a_load(24 * 30)), slice(24 * 20, 24 * 26)
    values = window.values.copy()
    values[rows] = np.round(values[rows] * 4, 5)
    changed = replace(window, values=values)

    assert found_in(changed, range(cut, len(changed), cut)) == found_in(changed) != []
