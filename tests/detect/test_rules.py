from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.calibration import Hysteresis, calibrate, count_episodes, episode_peaks
from sereno.detect.rules import METHODS, CalibrationRule, calibrate_by
from sereno.detect.severity import grade
from sereno.domain.errors import BudgetTooSmall, HistoryTooShort
from sereno.domain.judgement import Calibration, Claim, Severity
from sereno.domain.readings import FloatArray
from sereno.settings.tree import CalibrationSettings
from tests.support.builders import DAY, HOUR, NAN

AT_ONCE = Hysteresis(release=0.7, on_delay=1, off_delay=2)
SCORES = st.lists(st.one_of(st.just(NAN), st.floats(0, 4)), max_size=60)
DELAYS = st.builds(
    Hysteresis,
    release=st.sampled_from([0.5, 0.7, 1.0]),
    on_delay=st.integers(1, 4),
    off_delay=st.integers(1, 6),
)


def _calm(n_assets: int = 6, rows: int = 365, seed: int = 0) -> list[FloatArray]:
    rng = np.random.default_rng(seed)
    scores = [rng.gamma(2.0, 1.0, size=rows) for _ in range(n_assets)]
    return [one / 6.64 for one in scores]


def _by(method: str, scores: list[FloatArray], budget: float, *sigmas: float) -> Calibration:
    return calibrate_by(CalibrationRule(method, sigmas), scores, DAY, budget=budget, hysteresis=AT_ONCE)


def _counted_row_by_row(scores: FloatArray, threshold: float, hysteresis: Hysteresis) -> int:
    n_episodes = above = below = 0
    is_open = False
    for score in scores[~np.isnan(scores)].tolist():
        above = above + 1 if score >= threshold else 0
        below = below + 1 if score < hysteresis.release * threshold else 0
        if is_open:
            is_open = below < hysteresis.off_delay
        elif above >= hysteresis.on_delay:
            is_open, n_episodes = True, n_episodes + 1
    return n_episodes


@settings(max_examples=300, deadline=None)
@given(scores=SCORES, threshold=st.floats(0.1, 4), hysteresis=DELAYS)
def test_episodes_are_those_of_the_state_machine(
    scores: list[float], threshold: float, hysteresis: Hysteresis
) -> None:
    series = np.array(scores, dtype=float)

    assert count_episodes(series, threshold, hysteresis) == _counted_row_by_row(series, threshold, hysteresis)


@settings(max_examples=200, deadline=None)
@given(scores=SCORES, hysteresis=DELAYS)
def test_peak_is_the_largest_threshold_that_opens_an_episode(
    scores: list[float], hysteresis: Hysteresis
) -> None:
    series = np.array(scores, dtype=float)
    peaks = episode_peaks(series, 0.5, hysteresis)

    if peaks:
        assert count_episodes(series, max(peaks), hysteresis) >= 1
        assert count_episodes(series, float(np.nextafter(max(peaks), np.inf)), hysteresis) == 0


def test_settings_and_rules_have_the_same_names() -> None:
    annotation = CalibrationSettings.model_fields["method"].annotation

    assert set(annotation.__args__) == set(METHODS)  # type: ignore[union-attr]


def test_long_history_is_calibrated_by_its_own_episodes() -> None:
    scores = _calm(20, 3 * 365)

    found = _by("auto", scores, 0.02)

    counted = calibrate(scores, DAY, budget=0.02, hysteresis=AT_ONCE)
    assert (found.threshold, found.method) == (counted.threshold, "conformal")
    assert found.claim is Claim.CALIBRATED


def test_history_of_few_allowed_episodes_is_calibrated_by_its_tail() -> None:
    scores = _calm(3, 365)
    weeks = sum(map(len, scores)) / 7

    found = _by("auto", scores, 4.0 / weeks)

    assert (found.method, found.claim) == ("pot", Claim.CALIBRATED)
    fresh = _calm(200, 3 * 365, seed=1)
    rate = sum(count_episodes(s, found.threshold, AT_ONCE) for s in fresh) / (sum(map(len, fresh)) / 7)
    assert 0.5 < rate / found.budget < 2.0


def test_tail_supports_a_smaller_budget_than_counting_does() -> None:
    scores = _calm(3, 365)
    weeks = sum(map(len, scores)) / 7

    with pytest.raises(BudgetTooSmall):
        _by("conformal", scores, 1.2 / weeks)
    found = _by("auto", scores, 1.2 / weeks)

    assert (found.method, found.claim) == ("pot", Claim.INDICATIVE)
    assert found.supported == pytest.approx(1.0 / weeks, rel=0.1)


def test_tail_is_not_believed_beyond_the_history() -> None:
    scores = _calm(3, 365)
    weeks = sum(map(len, scores)) / 7

    with pytest.raises(BudgetTooSmall) as caught:
        _by("pot", scores, 0.5 / weeks)

    supported = float(str(caught.value.facts["supported"]))
    assert _by("pot", scores, supported).supported == supported


def test_tail_of_too_few_episodes_is_refused() -> None:
    with pytest.raises(HistoryTooShort):
        _by("pot", _calm(1, 60), 1.0)
    with pytest.raises(BudgetTooSmall):
        _by("auto", _calm(1, 60), 0.1)


def test_tail_that_the_count_belies_is_not_believed() -> None:
    # Long episodes of small scores that a higher threshold cuts into many: no tail of independent peaks.
    rng = np.random.default_rng(0)
    burst = np.concatenate([np.tile([1.2, 1.2, 3.0, 1.2, 1.2], 60), np.full(60, 0.1)])
    scores = [np.concatenate([burst * rng.uniform(0.9, 1.1) for _ in range(40)])]
    budget = 5.0 / (scores[0].size / 7)

    tail, chosen = _by("pot", scores, budget), _by("auto", scores, budget)

    assert tail.claim is Claim.DOUBTFUL
    assert chosen.method == "conformal"


def test_nothing_scored_is_refused_by_every_rule_that_promises() -> None:
    nothing = [np.full(30, NAN)]

    for method in ("auto", "conformal", "pot"):
        with pytest.raises((BudgetTooSmall, HistoryTooShort)):
            _by(method, nothing, 1.0)


def test_generous_budget_never_tells_what_is_calm() -> None:
    found = _by("auto", _calm(), 5.0)

    assert (found.threshold, found.claim) == (1.0, Claim.AT_MOST)
    assert found.realised < 5.0


def test_mean_and_sigmas_promise_nothing() -> None:
    scores = _calm()
    pooled = np.concatenate(scores)

    usual, other = _by("mean_3sigma", scores, 0.1), _by("mean_3sigma", scores, 0.1, 4.0)

    assert usual.threshold == pytest.approx(pooled.mean() + 3 * pooled.std())
    assert other.threshold == pytest.approx(pooled.mean() + 4 * pooled.std())
    assert (usual.claim, usual.method) == (Claim.NONE, "mean_3sigma")
    assert usual.realised > 0.1


@settings(max_examples=40, deadline=None)
@given(
    sigmas=st.lists(st.integers(1, 60), min_size=4, max_size=4, unique=True).map(
        lambda ten: [n / 10 for n in sorted(ten)]
    ),
    seed=st.integers(0, 50),
)
def test_every_band_is_a_severity_that_is_reached(sigmas: list[float], seed: int) -> None:
    scores = _calm(2, 200, seed)
    pooled = np.concatenate(scores)

    found = _by("sigma_bands", scores, 0.25, *sigmas)

    edges = (pooled.mean() + np.array(sigmas) * pooled.std()) / found.threshold
    assert edges[0] == pytest.approx(1.0)
    reached = [grade(float(edge) * (1 + 1e-9), 1, DAY, bands=found.bands) for edge in edges]
    assert reached == list(Severity)


@given(
    st.lists(st.floats(1.0, 50), min_size=3, max_size=3).map(sorted),
    st.floats(1, 100),
    st.floats(1, 100),
    st.integers(1, 10_000),
    st.sampled_from([None, DAY, HOUR, timedelta(seconds=1)]),
)
def test_severity_by_bands_never_falls_when_exceedance_rises(
    bands: list[float], a: float, b: float, rows: int, step: timedelta | None
) -> None:
    assert grade(min(a, b), rows, step, bands=bands) <= grade(max(a, b), rows, step, bands=bands)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["auto", "conformal", "pot"]), st.floats(0.03, 1), st.floats(0.03, 1))
def test_threshold_never_rises_with_the_budget(method: str, one: float, other: float) -> None:
    scores = _calm(8, 365)

    small, large = (_by(method, scores, budget) for budget in sorted((one, other)))

    if small.method == large.method:
        assert small.threshold >= large.threshold
