import itertools
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.baseline import Baseline, Residuals, _by_slot, fit_baseline
from sereno.domain.calendar import local_time
from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.domain.signals import Profile
from tests.support.builders import (
    CONSUMPTION,
    GENERATION,
    HOUR,
    LINE,
    MADRID,
    SOLAR,
    a_roof,
    a_window,
    steps,
)


def _fit(window: Window, profile: Profile = SOLAR) -> Baseline:
    local = local_time(window.time, window.zone)
    return fit_baseline(window, profile, local, ~np.isnan(window.values))


def _follow(baseline: Baseline, window: Window, memory: Memory | None = None) -> tuple[Residuals, Memory]:
    return baseline.residuals(window.values, local_time(window.time, window.zone), memory or Memory())


def test_level_follows_an_enlargement_within_a_month() -> None:
    roof = a_roof(rows=400, generation={(250, None): 4.0})
    baseline = _fit(roof.rows(0, 240))

    residuals, _ = _follow(baseline, roof)

    after = np.abs(residuals.deviations[250:, GENERATION])
    assert after[:3].max() > 3
    assert np.mean(after[30:] > 3) < 0.02
    assert np.median(np.abs(np.log(residuals.expected[280:, 0] / roof.values[280:, 0]))) < 0.3


def test_enlargement_in_the_history_does_not_deviate_for_ever() -> None:
    roof = a_roof(rows=360, generation={(120, 240): 2.0, (240, None): 4.0})

    residuals, _ = _follow(_fit(roof), roof)

    months = np.abs(residuals.deviations[:, GENERATION]).reshape(12, 30)
    assert (np.median(months, axis=1) < 3).all()


def test_standstill_of_a_vital_signal_is_never_learnt() -> None:
    roof = a_roof(rows=400, generation={(300, None): 0.0})
    baseline = _fit(roof.rows(0, 300))

    _, before = _follow(baseline, roof.rows(0, 300))
    residuals, after = _follow(baseline, roof.rows(300, 400), before)

    assert residuals.is_still[:, GENERATION].all()
    assert np.array_equal(after.arrays["level"], before.arrays["level"])
    assert residuals.deviations[-1, GENERATION] == pytest.approx(residuals.deviations[0, GENERATION], rel=0.5)
    assert residuals.expected[-1, GENERATION] > 5


def test_other_signals_do_not_learn_from_a_plant_out_of_service() -> None:
    stopped = {(300, None): 0.0}
    roof = a_roof(rows=400, generation=stopped, consumption={(300, None): 3.0})
    baseline = _fit(roof.rows(0, 300))
    _, before = _follow(baseline, roof.rows(0, 300))

    residuals, _ = _follow(baseline, roof.rows(300, 400), before)

    assert residuals.deviations[-10:, CONSUMPTION].min() > 2


def test_standstill_is_forgotten_when_the_plant_is_back() -> None:
    roof = a_roof(rows=340, generation={(280, 320): 0.0})
    baseline = _fit(roof.rows(0, 270))

    residuals, _ = _follow(baseline, roof)

    assert np.abs(residuals.deviations[320:, GENERATION]).max() < 4


def test_weekend_has_a_shape_of_its_own() -> None:
    roof = a_roof(rows=280)

    residuals, _ = _follow(_fit(roof), roof)

    weekday = (roof.time.astype("datetime64[D]").astype(int) + 1 + 3) % 7
    expected = residuals.expected[100:, CONSUMPTION]
    is_weekend = (weekday >= 5)[100:]
    assert expected[is_weekend].mean() < 0.8 * expected[~is_weekend].mean()


def test_night_of_hourly_sun_expects_nothing() -> None:
    roof = a_roof(rows=24 * 60, step=HOUR)

    residuals, _ = _follow(_fit(roof), roof)

    night = local_time(roof.time, MADRID).astype("datetime64[h]").astype(int) % 24 < 5
    assert np.abs(residuals.expected[night, GENERATION]).max() == 0
    assert np.abs(residuals.deviations[night, GENERATION]).max() == 0


def test_sun_that_is_down_for_most_of_the_year_is_expected_by_day_all_the_same() -> None:
    roof = a_roof(rows=24 * 60, step=HOUR)
    values = roof.values.copy()
    hour = local_time(roof.time, roof.zone).astype("datetime64[h]").astype(int) % 24
    values[(hour < 9) | (hour > 16), GENERATION] = 0.0  # two rows in three are dark
    short_days = replace(roof, values=values)

    residuals, _ = _follow(_fit(short_days), short_days)

    noon, night = hour == 13, hour == 3
    assert np.allclose(residuals.expected[noon, GENERATION], values[noon, GENERATION], rtol=0.5)
    assert np.abs(residuals.expected[night, GENERATION]).max() < 0.05


def test_generation_at_night_deviates() -> None:
    roof = a_roof(rows=24 * 60, step=HOUR)
    values = roof.values.copy()
    midnight = 24 * 50
    values[midnight, GENERATION] = 1.0

    residuals, _ = _fit(roof).residuals(values, local_time(roof.time, MADRID), Memory())

    assert residuals.deviations[midnight, GENERATION] > 3


@pytest.mark.parametrize(
    ("zone", "start"), [("Europe/Madrid", "2024-02-15"), ("America/Santiago", "2024-03-01")], ids=str
)
def test_habits_follow_the_wall_clock_across_a_clock_change(zone: str, start: str) -> None:
    time = steps(24 * 80, start=start, zone=zone)
    hour = local_time(time, zone).astype("datetime64[h]").astype(int) % 24
    load = np.where((hour >= 8) & (hour < 18), 100.0, 10.0)[:, None]
    rng = np.random.default_rng(0)
    window = a_window(load + rng.normal(size=load.shape), signals=("draw",), start=start, zone=zone)

    residuals, _ = _follow(_fit(window, LINE), window)

    assert np.abs(residuals.deviations).max() < 8
    assert np.abs(residuals.expected - load).max() < 5


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 200), max_size=6))
def test_streamed_residuals_equal_those_of_the_batch(cuts: list[int]) -> None:
    roof = a_roof(rows=200, generation={(90, 110): 0.0, (150, None): 3.0}, missing=[slice(50, 60)])
    baseline = _fit(roof)
    whole, end = _follow(baseline, roof)

    edges = [0, *sorted(cuts), 200]
    memory, parts = Memory(), []
    for start, stop in itertools.pairwise(edges):
        part, memory = _follow(baseline, roof.rows(start, stop), memory)
        parts.append(part)

    assert np.array_equal(np.concatenate([p.deviations for p in parts]), whole.deviations, equal_nan=True)
    assert np.array_equal(np.concatenate([p.expected for p in parts]), whole.expected)
    assert memory.dump() == end.dump()


def test_baseline_returns_from_its_arrays() -> None:
    roof = a_roof(rows=120)
    baseline = _fit(roof)

    again = Baseline.from_arrays(baseline.to_arrays())

    assert np.array_equal(_follow(again, roof)[0].deviations, _follow(baseline, roof)[0].deviations)


def test_difference_signals_are_judged_by_differences() -> None:
    window = a_window(rows=24 * 30)

    residuals, _ = _follow(_fit(window, LINE), window)

    heat = residuals.deviations[200:, 1]
    assert 0.5 < heat.std() < 2
    assert abs(np.mean(heat)) < 0.5


def test_baseline_of_one_minute_data_has_at_most_a_slot_per_quarter_hour() -> None:
    window = a_window(rows=1_500, step=timedelta(minutes=1))

    assert _fit(window, LINE).slots_a_day == 96


@given(
    cells=st.lists(st.tuples(st.integers(0, 4), st.floats(-1e9, 1e9) | st.just(np.nan)), max_size=60),
    level=st.sampled_from([0.05, 0.5, 0.95]),
)
def test_quantiles_of_slots_are_those_of_numpy_to_the_last_bit(cells, level) -> None:
    slot = np.array([one for one, _ in cells], dtype=np.intp)
    rows = np.array([[value, -value / 3] for _, value in cells]).reshape(-1, 2)

    found = _by_slot(rows, slot, 5, level)

    for number in range(5):
        known = rows[slot == number]
        known = known[~np.isnan(known[:, 0])]
        if not len(known):
            assert np.isnan(found[number]).all()
            continue
        wanted = np.median(known, axis=0) if level == 0.5 else np.quantile(known, level, axis=0)
        np.testing.assert_array_equal(found[number], wanted)
