from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.calibration import Hysteresis, calibrate, count_episodes
from sereno.domain.errors import BudgetTooSmall
from tests.support.builders import DAY, HOUR, NAN

AT_ONCE = Hysteresis(release=0.7, on_delay=1, off_delay=2)


def _calm(n_assets: int = 6, rows: int = 365, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.gamma(2.0, 0.4, size=rows) for _ in range(n_assets)]


@pytest.mark.parametrize("budget", [0.02, 0.1, 0.25, 1.0])
def test_realised_stays_within_the_budget(budget: float) -> None:
    scores = _calm()

    found = calibrate(scores, DAY, budget=budget, hysteresis=AT_ONCE)

    counted = sum(count_episodes(s, found.threshold, AT_ONCE) for s in scores)
    assert found.realised == pytest.approx(counted / found.asset_weeks)
    assert found.realised <= budget - 0.99 / found.asset_weeks


def test_threshold_is_the_smallest_that_the_budget_allows() -> None:
    scores = _calm()

    found = calibrate(scores, DAY, budget=0.1, hysteresis=AT_ONCE)

    lower = [s for s in np.concatenate(scores) if s < found.threshold]
    counted = sum(count_episodes(s, max(lower), AT_ONCE) for s in scores)
    assert counted > int(0.1 * found.asset_weeks) - 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.02, 3), st.floats(0.02, 3))
def test_threshold_never_rises_with_the_budget(seed: int, one: float, other: float) -> None:
    scores = _calm(4, 300, seed)

    low, high = (calibrate(scores, DAY, budget=b, hysteresis=AT_ONCE) for b in sorted((one, other)))

    assert low.threshold >= high.threshold


def test_budget_that_the_history_cannot_support_is_refused_with_the_smallest() -> None:
    scores = _calm(2, 70)

    with pytest.raises(BudgetTooSmall) as caught:
        calibrate(scores, DAY, budget=0.05, hysteresis=AT_ONCE)

    supported = caught.value.facts["supported"]
    assert caught.value.facts["weeks"] == 20.0
    assert supported == pytest.approx(0.1)
    assert calibrate(scores, DAY, budget=float(str(supported)), hysteresis=AT_ONCE).supported == supported


@given(rows=st.integers(1, 5_000))
def test_refusal_always_names_a_budget_that_works(rows: int) -> None:
    scores = [np.zeros(rows)]

    with pytest.raises(BudgetTooSmall) as caught:
        calibrate(scores, DAY, budget=1e-9, hysteresis=AT_ONCE)

    calibrate(scores, DAY, budget=float(str(caught.value.facts["supported"])), hysteresis=AT_ONCE)


def test_calibration_is_refused_when_nothing_was_scored() -> None:
    with pytest.raises(BudgetTooSmall):
        calibrate([np.full(10, NAN)], DAY, budget=10.0, hysteresis=AT_ONCE)


def test_weeks_count_only_scored_rows() -> None:
    scores = [np.where(np.arange(140) < 70, 0.5, NAN)]

    assert calibrate(scores, DAY, budget=1.0, hysteresis=AT_ONCE).asset_weeks == 10.0


def test_hours_weigh_as_hours() -> None:
    scores = [np.zeros(24 * 70)]

    assert calibrate(scores, HOUR, budget=1.0, hysteresis=AT_ONCE).asset_weeks == 10.0


def test_threshold_is_never_below_the_calm_quantile() -> None:
    assert calibrate([np.zeros(365)], DAY, budget=0.25, hysteresis=AT_ONCE).threshold == 1.0


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0, 3, 0, 0, 3, 0], 2),
        ([0, 3, 0, 3, 0, 0], 1),
        ([0, 3, 1.5, 1.5, 1.5, 3], 1),
        ([3, NAN, NAN, NAN, 3], 1),
        ([0, 0], 0),
        ([], 0),
    ],
    ids=["two", "one normal row does not end it", "hysteresis", "gap holds", "none", "empty"],
)
def test_episodes_are_counted_as_they_would_be_told(scores: list[float], expected: int) -> None:
    assert count_episodes(np.array(scores, dtype=float), 2.0, AT_ONCE) == expected


def test_short_runs_do_not_count_when_delay_asks_for_more() -> None:
    scores = np.array([3, 3, 0, 3, 3, 3, 0, 0], dtype=float)

    assert count_episodes(scores, 2.0, Hysteresis(on_delay=3, off_delay=2)) == 1


@pytest.mark.parametrize(
    ("step", "on_delay"), [(None, 1), (DAY, 1), (HOUR, 2), (timedelta(minutes=15), 3)], ids=str
)
def test_finer_steps_wait_for_more_rows(step: timedelta | None, on_delay: int) -> None:
    assert Hysteresis.for_step(step).on_delay == on_delay
