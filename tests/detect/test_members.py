"""Detectors of single rows, and several as one."""

from dataclasses import replace

import numpy as np
import pytest

from sereno.detect.ensemble import EnsembleDetector
from sereno.detect.forest_detector import ForestDetector
from sereno.detect.pca_detector import PcaDetector, fill_unknown
from sereno.detect.registry import build_detector
from sereno.detect.scale import fit_scale
from sereno.domain.archive import ArchiveError
from sereno.domain.errors import DetectorMisconfigured, HistoryTooShort
from sereno.domain.readings import Window
from tests.support.builders import LINE, NAN, a_window, with_cells

HEAT = 1


def _related(rows: int = 600, seed: int = 0) -> Window:
    """A line whose heat and draw follow what it makes."""
    rng = np.random.default_rng(seed)
    made = 100.0 * np.exp(0.3 * rng.normal(size=rows))
    heat = 20.0 + 0.4 * made + rng.normal(size=rows)
    draw = 5.0 + 0.1 * made + 0.3 * rng.normal(size=rows)
    return a_window(np.stack([made, heat, draw], axis=1))


def _broken(window: Window, row: int) -> Window:
    """Heat as of a small load while the load is large: no signal leaves its usual range."""
    order = np.argsort(window.values[:, 0])
    values = window.values.copy()
    values[row] = values[order[-40]]
    values[row, HEAT] = values[order[40], HEAT]
    return replace(window, values=values)


def test_broken_relation_is_seen_though_each_signal_is_in_its_range() -> None:
    window = _related()

    scores, _ = PcaDetector(LINE).fit([window]).score(_broken(window, 30))

    assert scores.values[30] == np.nanmax(scores.values)
    assert scores.values[30] > 1.3
    assert scores.contributions[30].argmax() == HEAT


def test_what_the_relation_says_is_expected() -> None:
    window = _related()
    broken = _broken(window, 30)

    scores, _ = PcaDetector(LINE).fit([window]).score(broken)

    usual = 20.0 + 0.4 * broken.values[30, 0]
    assert abs(scores.expected[30, HEAT] - usual) < 0.5 * abs(broken.values[30, HEAT] - usual)


@pytest.mark.parametrize(
    "detector", [PcaDetector(LINE), ForestDetector(LINE, n_trees=50)], ids=["pca", "forest"]
)
@pytest.mark.parametrize("missing", ["made", "heat", "draw"])
def test_missing_cell_is_unknown_and_no_broken_relation(
    detector: PcaDetector | ForestDetector, missing: str
) -> None:
    window = _related()
    trained = detector.fit([window])

    scores, _ = trained.score(with_cells(window, slice(None), missing, NAN))

    column = window.signals.index(missing)
    assert (scores.values > 1.0).mean() < 0.03
    assert (scores.contributions[:, column] == 0).all()


def test_filled_cells_lie_on_the_components() -> None:
    window = _related()
    trained = PcaDetector(LINE).fit([window])
    member, _ = trained.members.of(window)
    rows = member.scale.standardise(window.values)
    holed = np.where(np.arange(3) == HEAT, NAN, rows)

    filled = fill_unknown(member.components, holed)

    assert np.array_equal(filled[:, [0, 2]], rows[:, [0, 2]])
    assert np.corrcoef(filled[:, HEAT], rows[:, HEAT])[0, 1] > 0.95


def test_forest_shares_are_what_the_score_loses() -> None:
    window = _related()
    far = with_cells(window, 10, "draw", 200.0)

    scores, _ = ForestDetector(LINE, n_trees=50).fit([window]).score(far)

    assert scores.contributions[10].argmax() == 2
    assert scores.contributions[10, 2] > 0.7


def test_constant_signal_makes_no_news_of_rounding() -> None:
    window = with_cells(_related(), slice(None), "heat", 40.0)
    trained = PcaDetector(LINE).fit([window])

    scores, _ = trained.score(with_cells(window, 5, "heat", 40.0 + 1e-9))

    assert (scores.values > 1.0).mean() < 0.03
    assert scores.values[5] < 1.5


@pytest.mark.parametrize("detector", [PcaDetector(LINE), ForestDetector(LINE)], ids=["pca", "forest"])
def test_too_little_history_is_refused(detector: PcaDetector | ForestDetector) -> None:
    with pytest.raises(HistoryTooShort) as caught:
        detector.fit([a_window(rows=20)])

    assert caught.value.facts["found"] == "20 rows"


def test_several_windows_of_an_asset_are_one_history() -> None:
    window = _related()
    halves = [window.rows(0, 300), window.rows(300, 600)]

    assert PcaDetector(LINE).fit(halves).dump() == PcaDetector(LINE).fit([window]).dump()


def test_altered_state_is_refused() -> None:
    state = bytearray(PcaDetector(LINE).fit([_related()]).dump())
    state[-1] ^= 1

    with pytest.raises(ArchiveError):
        PcaDetector(LINE).load(bytes(state))


def test_scale_of_ratios_and_differences_restores_what_it_standardised() -> None:
    window = _related()
    scale = fit_scale(window.values, window.signals, LINE)

    standardised = scale.standardise(window.values)

    assert np.allclose(scale.restore(standardised), window.values)
    assert np.allclose(np.median(standardised, axis=0), 0.0, atol=1e-9)


def test_ensemble_is_the_loudest_of_its_members_and_says_who() -> None:
    window = _related()
    broken = with_cells(_broken(window, 30), 50, "draw", 900.0)
    trained = EnsembleDetector(
        LINE, members=("pca", "forest"), member_options={"forest": {"n_trees": 20}}
    ).fit([window])

    scores, _ = trained.score(broken)

    assert scores.voices is not None
    assert set(scores.voices) == {"pca", "forest"}
    loudest = np.max(list(scores.voices.values()), axis=0)
    assert np.allclose(scores.values, loudest)
    assert 0.002 <= (trained.score(window)[0].values > 1.0).mean() <= 0.02
    pca = PcaDetector(LINE).fit([window]).score(broken)[0]
    speaks = scores.voices["pca"] > scores.voices["forest"]
    assert np.array_equal(scores.contributions[speaks], pca.contributions[speaks])


def test_mean_of_an_ensemble_lies_between_its_members() -> None:
    window = _related()
    trained = EnsembleDetector(LINE, members=("pca", "forest"), combine="mean").fit([window])

    scores, _ = trained.score(_broken(window, 30))

    assert scores.voices is not None
    voices = np.array(list(scores.voices.values()))
    assert ((scores.values >= voices.min(axis=0) - 1e-9) & (scores.values <= voices.max(axis=0) + 1e-9)).all()


def test_ensemble_keeps_its_options_in_its_state() -> None:
    window = _related()
    trained = EnsembleDetector(LINE, members=("forest",), combine="mean").fit([window])

    again = EnsembleDetector(LINE).load(trained.dump())

    assert (list(again.members), again.combine) == (["forest"], "mean")


@pytest.mark.parametrize(
    "options",
    [
        {"members": []},
        {"members": ["pca", "pca"]},
        {"members": ["ensemble"]},
        {"combine": "product"},
        {"member_options": {"forest": {"n_trees": 3}}},
    ],
    ids=str,
)
def test_ensemble_that_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(DetectorMisconfigured):
        build_detector("ensemble", LINE, options)
