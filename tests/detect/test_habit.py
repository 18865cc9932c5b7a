from datetime import timedelta

import numpy as np
import pytest

from sereno.detect.habit import Habit, Paces, blank_habit, kinds_of_day, slots_a_day, slots_of_day
from tests.support.builders import DAY, HOUR, steps

TIME = steps(24 * 60)
HOURS = np.arange(24 * 60) % 24
NOON = 12 * (HOURS == 12)


def _follow(values: np.ndarray, step: timedelta | None = HOUR) -> list[tuple[float, float, bool]]:
    n_slots = slots_a_day(step)
    habit = Habit(blank_habit(n_slots), step, Paces())
    calendar = zip(slots_of_day(TIME, n_slots).tolist(), kinds_of_day(TIME).tolist(), strict=True)
    return [habit.follow(v, slot, kind) for v, (slot, kind) in zip(values.tolist(), calendar, strict=False)]


def _noise(rows: int = 24 * 60) -> np.ndarray:
    return 0.5 * np.random.default_rng(2).normal(size=rows)


def test_usual_value_is_that_of_the_time_of_day() -> None:
    usual = [row[1] for row in _follow(20.0 + 10.0 * np.sin(2 * np.pi * HOURS / 24) + _noise())]

    assert usual[-18] == pytest.approx(30.0, abs=1.0)
    assert usual[-6] == pytest.approx(10.0, abs=1.0)


def test_usual_value_is_the_level_where_the_calendar_explains_nothing() -> None:
    values = 20.0 + 3.0 * _noise()

    usual = np.array([row[1] for row in _follow(values)])

    assert np.ptp(usual[-24:]) < 1.5
    assert usual[-24:].mean() == pytest.approx(20.0, abs=1.0)


def test_sunday_has_a_usual_value_of_its_own() -> None:
    days = kinds_of_day(TIME)
    usual = np.array([row[1] for row in _follow(np.where(days == 3, 5.0, 20.0) + _noise())])

    late = np.arange(len(TIME)) >= 24 * 42
    assert usual[late & (days == 3)].mean() < 10.0
    assert usual[late & (days == 1)].mean() > 17.0


def test_noon_is_no_news_but_the_same_value_at_night_is() -> None:
    values = NOON + _noise()
    values[24 * 50 + 3] = 12.0

    decades = [row[0] for row in _follow(values)]

    assert np.median(decades[24 * 30 + 12 :: 24]) < 2.0
    assert decades[24 * 50 + 3] > 4.0


def test_stream_that_never_varied_takes_up_a_new_level() -> None:
    values = np.zeros(24 * 60)
    values[24 * 20 :] = 50.0 + _noise(24 * 40)

    usual = [row[1] for row in _follow(values)]

    assert usual[-1] == pytest.approx(50.0, abs=1.0)


def test_one_spike_hardly_moves_what_is_usual() -> None:
    values = 20.0 + _noise()
    calm = _follow(values)
    values[24 * 40] = 1e6

    after = _follow(values)

    assert after[24 * 40 + 1][1] == pytest.approx(calm[24 * 40 + 1][1], abs=1.0)
    assert after[24 * 40][0] > 10.0
    assert max(row[0] for row in after[24 * 41 : 24 * 42]) < 4.0


def test_low_value_at_night_says_nothing_of_the_sun() -> None:
    sun = 10.0 * np.maximum(np.sin(np.pi * (HOURS - 6) / 12), 0.0)

    telling = [row[2] for row in _follow(sun)]

    assert telling[-24 + 12]
    assert not telling[-24 + 2]


@pytest.mark.parametrize(("step", "slots"), [(HOUR, 24), (DAY, 1), (None, 24), (timedelta(minutes=1), 96)])
def test_day_is_cut_into_bounded_slots(step: timedelta | None, slots: int) -> None:
    assert slots_a_day(step) == slots


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_unknown_value_is_not_judged_and_teaches_nothing(value: float) -> None:
    habit = Habit(blank_habit(24), HOUR, Paces())
    for row, known in enumerate((20.0 + _noise(100)).tolist()):
        habit.follow(known, row % 24, 1)
    before = habit.to_arrays()

    rarity, usual, _ = habit.follow(value, 0, 1)

    after = habit.to_arrays()
    assert np.isnan([rarity, usual]).all()
    assert all(np.array_equal(after[name], before[name]) for name in ("shape", "visits", "rarity"))
