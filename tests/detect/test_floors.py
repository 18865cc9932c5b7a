import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.floors import LEAK, LEAST_RISES, LONG_DAYS, score_floors
from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.settings.profiles import load_profiles
from tests.support.builders import HOUR, a_window

GAS = load_profiles()["gas"]
DAYS = LEAST_RISES + LONG_DAYS + 60
BEGUN = DAYS - 30


def a_meter(*, leak: float = 0.0, from_day: int = BEGUN, to_day: int = DAYS) -> Window:
    """A client that never rests: 100 m³/h by day, 60 by night, each hour and day of its own."""
    rng = np.random.default_rng(3)
    hours = np.arange(DAYS * 24) % 24
    usual = np.where((hours > 6) & (hours < 20), 100.0, 60.0)
    days = np.repeat(np.exp(0.05 * rng.standard_normal(DAYS)), 24)
    volume = usual * days * np.exp(0.1 * rng.standard_normal(DAYS * 24))
    volume[from_day * 24 : to_day * 24] += leak
    return a_window(volume[:, None], signals=("volume",), step=HOUR)


def told_on(window: Window) -> np.ndarray:
    """The days on which a leak is told."""
    found, _ = score_floors(window, GAS, Memory())
    rows = found[0].exceedance >= 1.0 if found else np.zeros(len(window), dtype=bool)
    return np.unique(np.flatnonzero(rows) // 24)


def test_a_leak_in_a_meter_that_never_rests_is_told_within_two_weeks() -> None:
    days = told_on(a_meter(leak=16.0))

    assert BEGUN < days.min() <= BEGUN + 14


def test_what_the_meter_does_of_itself_and_an_odd_day_are_no_leak() -> None:
    assert not len(told_on(a_meter()))
    assert not len(told_on(a_meter(leak=40.0, from_day=BEGUN, to_day=BEGUN + 1)))


def test_expected_is_what_flowed_without_the_leak() -> None:
    window = a_meter(leak=16.0)
    evidence = score_floors(window, GAS, Memory())[0][0]

    assert evidence.check == LEAK
    last = window.values[-1, 0] - evidence.expected[-1, 0]
    assert last == pytest.approx(16.0, rel=0.35)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, DAYS * 24), max_size=6))
def test_any_cutting_gives_the_same_to_the_last_bit(cuts: list[int]) -> None:
    window = a_meter(leak=16.0)
    window.values[3000:3100] = np.nan
    whole, _ = score_floors(window, GAS, Memory())

    memory, rows = Memory(), []
    for start, stop in itertools.pairwise([0, *sorted(cuts), len(window)]):
        found, memory = score_floors(window.rows(start, stop), GAS, memory)
        rows.append(found[0].exceedance >= 1.0 if found else np.zeros(stop - start, dtype=bool))

    assert (np.concatenate(rows) == (whole[0].exceedance >= 1.0)).all()
