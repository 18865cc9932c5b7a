"""A course is told only when it is clear."""

import numpy as np
import pytest

from sereno.detect.trend import find_trend
from sereno.domain.outlook import Course
from sereno.domain.readings import FloatArray

TRIALS = 400


def noise(blocks: int, correlation: float, seed: int) -> FloatArray:
    """Standard noise in which neighbours are correlated, shape (trials, blocks)."""
    fresh = np.random.default_rng(seed).normal(size=(TRIALS, blocks + 50))
    values = np.zeros_like(fresh)
    for block in range(1, blocks + 50):
        step = np.sqrt(1 - correlation**2) * fresh[:, block]
        values[:, block] = correlation * values[:, block - 1] + step
    return values[:, 50:]


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.8], ids=lambda one: f"correlation {one}")
@pytest.mark.parametrize("blocks", [10, 14, 30], ids=lambda blocks: f"{blocks} blocks")
@pytest.mark.parametrize("spread", [0.1, 0.4], ids=lambda spread: f"spread {spread}")
def test_noise_about_a_level_is_seldom_called_a_course(
    blocks: int, correlation: float, spread: float
) -> None:
    found = [find_trend(1 + spread * row) for row in noise(blocks, correlation, seed=5)]

    false = sum(one is not None and one.course is not Course.STEADY for one in found)
    assert false <= 0.05 * TRIALS


@pytest.mark.parametrize(
    ("last", "course"),
    [(2.0, Course.WORSENING), (1.0, Course.STEADY), (0.3, Course.EASING)],
    ids=["rises", "stays", "falls"],
)
def test_clear_course_is_told(last: float, course: Course) -> None:
    line = np.linspace(1, last, 20)

    found = [find_trend(line + 0.05 * row) for row in noise(20, 0.0, seed=6)]

    assert sum(one is not None and one.course is course for one in found) >= 0.95 * TRIALS
    paces = [one.slope for one in found if one is not None and one.course is course]
    assert np.median(paces) == pytest.approx((last - 1) / 19, abs=0.004)


def test_figures_of_a_line_are_exact() -> None:
    found = find_trend(np.arange(1.0, 13.0))

    assert found is not None
    assert (found.slope, found.now) == pytest.approx((1.0, 12.0))


def test_unknown_blocks_keep_their_place() -> None:
    line = np.arange(1.0, 25.0)
    line[[0, 3, 4, 11, 23]] = np.nan

    found = find_trend(line)

    assert found is not None
    assert (found.slope, found.now) == pytest.approx((1.0, 23.0))


@pytest.mark.parametrize(
    "deviations",
    [np.arange(9.0), np.full(30, np.nan), -np.arange(1.0, 20.0)],
    ids=["few blocks", "unknown", "in the other direction"],
)
def test_nothing_is_told_of_what_tells_nothing(deviations: FloatArray) -> None:
    assert find_trend(deviations) is None


def test_movement_that_may_be_the_season_is_not_told() -> None:
    slow = np.linspace(0.2, 0.4, 30)

    assert find_trend(slow, least=0.01) is None
    assert find_trend(slow) is not None


def test_one_wild_block_changes_nothing() -> None:
    line = np.arange(1.0, 21.0)
    wild = line.copy()
    wild[7] = 1e6

    found, calm = find_trend(wild), find_trend(line)

    assert found is not None
    assert calm is not None
    assert found.slope == pytest.approx(calm.slope, rel=0.02)
