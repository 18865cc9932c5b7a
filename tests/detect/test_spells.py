import itertools
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.spells import CAPACITY, EXCESS, LEAST_SHIFTS, LONG_DAYS, score_spells
from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.settings.profiles import load_profiles
from tests.support.builders import DAY, HOUR, a_window

SOLAR = load_profiles()["solar"]
DAYS = LEAST_SHIFTS + LONG_DAYS + 120
BEGUN = DAYS - 40
TEN_DAYS, FIVE_DAYS = 10, 5


def a_plant(*, left: float = 1.0, from_day: int = BEGUN, to_day: int = DAYS, step: timedelta = DAY) -> Window:
    """A roof under changing clouds, of which `left` is left between two days."""
    rng = np.random.default_rng(5)
    daily = 60.0 * rng.beta(3, 1.2, DAYS)
    daily[from_day:to_day] *= left
    if step == DAY:
        return a_window(daily[:, None], signals=("generation",), step=DAY)
    sun = np.maximum(np.sin((np.arange(24) - 6) / 12 * np.pi), 0)
    hourly = (daily[:, None] * sun / sun.sum()).ravel()
    return a_window(hourly[:, None], signals=("generation",), step=HOUR)


def told_on(window: Window) -> np.ndarray:
    """The days on which the plant is said to make less than it can."""
    found, _ = score_spells(window, SOLAR, Memory())
    rows = found[0].exceedance >= 1.0 if found else np.zeros(len(window), dtype=bool)
    return np.unique(
        np.flatnonzero(rows) * len(np.unique(window.time.astype("datetime64[D]"))) // len(window)
    )


@pytest.mark.parametrize("step", [DAY, HOUR])
def test_half_a_plant_is_told_when_no_day_of_ten_was_a_clear_one(step: timedelta) -> None:
    days = told_on(a_plant(left=0.5, step=step))

    assert BEGUN < days.min() <= BEGUN + TEN_DAYS + 2


@pytest.mark.parametrize("step", [DAY, HOUR])
def test_weather_and_a_few_bad_days_are_not_told(step: timedelta) -> None:
    assert not len(told_on(a_plant(step=step)))
    assert not len(told_on(a_plant(left=0.2, to_day=BEGUN + TEN_DAYS - 3, step=step)))


def test_it_is_dated_from_the_first_of_the_ten_days_and_says_what_is_lost() -> None:
    window = a_plant(left=0.5)
    evidence = score_spells(window, SOLAR, Memory())[0][0]
    first = int(np.argmax(evidence.exceedance >= 1.0))

    assert evidence.check == CAPACITY
    assert evidence.since is not None
    assert abs((evidence.since[first] - window.time[BEGUN]) / np.timedelta64(1, "D")) <= 3
    assert evidence.expected[-1, 0] == pytest.approx(2 * window.values[-1, 0], rel=0.2)


def test_at_night_nothing_is_said() -> None:
    window = a_plant(left=0.5, step=HOUR)
    evidence = score_spells(window, SOLAR, Memory())[0][0]

    assert not (evidence.exceedance[window.values[:, 0] == 0] >= 1.0).any()


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, DAYS), max_size=6), step=st.sampled_from([DAY, HOUR]))
def test_any_cutting_gives_the_same_to_the_last_bit(cuts: list[int], step: timedelta) -> None:
    plant, house = a_plant(left=0.5, step=step), a_house(more=2.0, step=step)
    both = np.column_stack((plant.values, house.values))
    window = a_window(both, signals=("generation", "consumption"), step=step)
    window.values[len(window) // 3 : len(window) // 3 + 9] = np.nan
    whole, _ = score_spells(window, SOLAR, Memory())

    memory, rows = Memory(), []
    for start, stop in itertools.pairwise([0, *sorted(c * len(window) // DAYS for c in cuts), len(window)]):
        found, memory = score_spells(window.rows(start, stop), SOLAR, memory)
        told = {one.check: one.exceedance >= 1.0 for one in found}
        rows.append([told.get(check, np.zeros(stop - start, dtype=bool)) for check in (CAPACITY, EXCESS)])

    assert (np.concatenate(rows, axis=1) == [one.exceedance >= 1.0 for one in whole]).all()


def a_house(*, more: float = 0.0, from_day: int = BEGUN, to_day: int = DAYS, step: timedelta = DAY) -> Window:
    """A house of moods, whose guests take `more` of its usual day."""
    rng = np.random.default_rng(7)
    daily = 20.0 * np.exp(0.35 * rng.standard_normal(DAYS))
    daily[from_day:to_day] += more * 20.0
    if step == DAY:
        return a_window(daily[:, None], signals=("consumption",), step=DAY)
    return a_window(np.repeat(daily / 24, 24)[:, None], signals=("consumption",), step=HOUR)


@pytest.mark.parametrize("step", [DAY, HOUR])
def test_five_days_of_which_the_least_is_above_nearly_all_before_are_an_excess(step: timedelta) -> None:
    window = a_house(more=1.5, step=step)
    evidence = score_spells(window, SOLAR, Memory())[0][0]
    days = told_on(window)

    assert evidence.check == EXCESS
    assert BEGUN < days.min() <= BEGUN + FIVE_DAYS + 2
    told = evidence.exceedance >= 1.0
    assert np.nanmean(evidence.expected[told]) == pytest.approx(20.0 / (DAY / step), rel=0.35)


@pytest.mark.parametrize("step", [DAY, HOUR])
def test_moods_and_a_few_busy_days_are_no_excess(step: timedelta) -> None:
    assert not len(told_on(a_house(step=step)))
    assert not len(told_on(a_house(more=4.0, to_day=BEGUN + FIVE_DAYS - 2, step=step)))


@pytest.mark.parametrize("step", [DAY, HOUR])
def test_usual_days_after_weeks_of_standstill_are_no_excess(step: timedelta) -> None:
    window = a_house(step=step)
    per_day = round(DAY / step)
    window.values[(BEGUN - 42) * per_day : (BEGUN - 2) * per_day] = 0.0

    assert not len(told_on(window))
