"""What is natural of a signal that repeats itself is learnt; what a stuck sensor repeats is not."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.prepare.quality import QualityRules, check_quality
from sereno.prepare.witness import Witness
from tests.support.builders import LINE, a_window

ROWS = 24 * 40
LEAST = 12


def coarse(*, n_stuck: int = 0) -> Window:
    """A temperature in half degrees that stands still for 14 hours of the night; stuck at the end."""
    hour, day = np.arange(ROWS) % 24, np.arange(ROWS) // 24
    by_day = 20.0 + 0.5 * ((hour - 14) // 2)
    values = np.where(hour < 14, 12.0 + day % 3, by_day)
    if n_stuck:
        values[-n_stuck:] = 31.0
    return a_window(values, signals=("heat",))


def fine(n_stuck: int, times: int) -> Window:
    """A signal that never repeats itself but for stretches in which its sensor is stuck."""
    values = np.random.default_rng(4).normal(20, 1, ROWS)
    for start in range(100, 100 + 120 * times, 120):
        values[start : start + n_stuck] = values[start]
    return a_window(values, signals=("heat",))


def frozen_rows(window: Window, cuts: tuple[int, ...] = ()) -> np.ndarray:
    rules, memory, found = QualityRules.for_window(window, {}), Memory(), []
    for start, stop in pairwise((0, *cuts, len(window))):
        part = window.rows(start, stop)
        nothing = np.zeros(part.values.shape, dtype=bool)
        _, bad, memory = check_quality(
            part, LINE, rules, (nothing, nothing), 0.0 * nothing, Witness(part, memory), memory
        )
        found.append(bad[:, 0])
    return np.concatenate(found)


def test_runs_that_a_coarse_sensor_has_shown_thrice_are_natural() -> None:
    frozen = frozen_rows(coarse())

    assert frozen[: 24 * 3].any()
    assert not frozen[24 * 3 :].any()


def test_coarse_sensor_that_is_stuck_is_found_once_the_run_is_unnatural() -> None:
    frozen = frozen_rows(coarse(n_stuck=72))

    assert frozen[-24:].all()


def test_sensor_that_was_often_stuck_is_found_again() -> None:
    frozen = frozen_rows(fine(n_stuck=24, times=7))

    expected = np.zeros(ROWS, dtype=bool)
    for start in range(100, 100 + 120 * 7, 120):
        expected[start + LEAST : start + 24] = True
    assert frozen.tolist() == expected.tolist()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, ROWS - 1), max_size=8, unique=True).map(sorted))
def test_what_is_learnt_does_not_depend_on_the_batches(cuts: list[int]) -> None:
    window = coarse(n_stuck=72)

    assert frozen_rows(window, tuple(cuts)).tolist() == frozen_rows(window).tolist()
