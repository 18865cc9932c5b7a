import itertools
from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.precedent import WEEKS, are_habitual, beyond_precedent
from sereno.domain.judgement import Memory
from sereno.settings.profiles import load_profiles

HOUR, WEEK = timedelta(hours=1), 168
ROWS = (WEEKS + 2) * WEEK
TIME = np.datetime64("2024-01-01", "us") + np.arange(ROWS) * np.timedelta64(1, "h")
HABITUAL = np.array([True, False])
STOP = 100


def _stopping(*weeks: int) -> np.ndarray:
    """Small noise, and a deep low of three hours at one hour of these weeks, in both signals."""
    deviations = 0.3 * np.random.default_rng(5).standard_normal((ROWS, 2))
    for week in weeks:
        deviations[week * WEEK + STOP : week * WEEK + STOP + 3] = -6.0
    return deviations


def _at_stop(deviations: np.ndarray, week: int) -> np.ndarray:
    return beyond_precedent(deviations, TIME, HOUR, HABITUAL, Memory())[0][week * WEEK + STOP + 1]


def test_what_two_weeks_did_at_that_hour_is_no_news_in_the_third() -> None:
    deviations = _stopping(1, 2, 3)

    assert _at_stop(deviations, 1)[0] == _at_stop(deviations, 2)[0] == -6.0
    assert abs(_at_stop(deviations, 3)[0]) <= 1.0


def test_a_deeper_one_counts_by_what_it_is_deeper() -> None:
    deviations = _stopping(1, 2, 3)
    deviations[3 * WEEK + STOP + 1] = -10.0

    assert -6.0 < _at_stop(deviations, 3)[0] <= -4.0


def test_the_other_direction_and_other_signals_have_no_precedent() -> None:
    deviations = _stopping(1, 2)
    deviations[3 * WEEK + STOP + 1] = 6.0

    assert _at_stop(deviations, 3)[0] == 6.0
    assert _at_stop(_stopping(1, 2, 3), 3)[1] == -6.0


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, ROWS - 60), max_size=8))
def test_any_cutting_gives_the_same_to_the_last_bit(cuts: list[int]) -> None:
    kept = np.delete(np.arange(ROWS), np.s_[400:460])
    deviations, time = _stopping(1, 2, 3, 5)[kept], TIME[kept]
    deviations[50:60, 0] = np.nan
    whole, _ = beyond_precedent(deviations, time, HOUR, HABITUAL, Memory())

    memory, parts = Memory(), []
    for start, stop in itertools.pairwise([0, *sorted(cuts), len(kept)]):
        part, after = beyond_precedent(deviations[start:stop], time[start:stop], HOUR, HABITUAL, memory)
        memory = after
        parts.append(part)

    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_profiles_that_do_not_say_so_and_days_have_no_habits() -> None:
    profiles = load_profiles()

    assert are_habitual(("volume",), profiles["gas"], HOUR).all()
    assert not are_habitual(("volume",), profiles["gas"], timedelta(days=1)).any()
    assert not are_habitual(("generation", "consumption"), profiles["solar"], HOUR).any()
    silent = replace(profiles["gas"], has_weekly_habits=False)
    assert not are_habitual(("volume",), silent, HOUR).any()
