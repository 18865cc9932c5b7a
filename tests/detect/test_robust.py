import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.contracts import MIN_ROWS
from sereno.detect.robust import RobustDetector, TrainedRobust
from sereno.domain.archive import ArchiveError
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from tests.support.builders import (
    GENERATION,
    HOUR,
    LINE,
    SOLAR,
    SOLAR_SIGNALS,
    a_fleet,
    a_roof,
    a_window,
    with_cells,
)

DETECTOR = RobustDetector(SOLAR, n_trees=10)
FLEET = a_fleet(3, rows=150)
DISTURBED = a_roof(
    "Planta 1",
    rows=150,
    size=5.0,
    generation={(60, 75): 0.0, (100, None): 3.0},
    missing=[slice(30, 33)],
)


@pytest.fixture(scope="module")
def trained() -> TrainedRobust:
    return DETECTOR.fit(FLEET)


def _bytes(scores: Scores) -> bytes:
    return b"".join(part.tobytes() for part in (scores.values, scores.contributions, scores.expected))


def test_dead_day_is_stranger_than_any_calm_one(trained: TrainedRobust) -> None:
    scores, _ = trained.score(DISTURBED)

    assert scores.values[60] > 2 * np.nanquantile(scores.values[:60], 0.99)
    assert SOLAR_SIGNALS[scores.contributions[65].argmax()] == "generation"
    assert scores.expected[60, GENERATION] > 1


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 150), max_size=8))
def test_streamed_scores_equal_the_batch_whatever_the_split(trained: TrainedRobust, cuts: list[int]) -> None:
    whole, end = trained.score(DISTURBED)

    edges = [0, *sorted(cuts), 150]
    memory, parts = None, []
    for start, stop in itertools.pairwise(edges):
        part, memory = trained.score(DISTURBED.rows(start, stop), memory)
        parts.append(part)

    for name in ("values", "contributions", "expected"):
        streamed = np.concatenate([getattr(part, name) for part in parts])
        assert streamed.tobytes() == getattr(whole, name).tobytes(), name
    assert memory is not None
    assert memory.dump() == end.dump()


def test_row_by_row_equals_the_batch(trained: TrainedRobust) -> None:
    whole, _ = trained.score(DISTURBED)

    memory, values = Memory(), []
    for row in range(len(DISTURBED)):
        scores, memory = trained.score(DISTURBED.rows(row, row + 1), memory)
        values.append(scores.values)

    assert np.concatenate(values).tobytes() == whole.values.tobytes()


def test_scoring_leaves_its_input_untouched(trained: TrainedRobust) -> None:
    _, memory = trained.score(DISTURBED.rows(0, 50))
    window, before = DISTURBED.rows(50, 150), (DISTURBED.values.copy(), memory.dump())
    state = trained.dump()

    trained.score(window, memory)

    assert np.array_equal(DISTURBED.values, before[0], equal_nan=True)
    assert memory.dump() == before[1]
    assert trained.dump() == state


def test_fitting_leaves_its_input_untouched() -> None:
    before = [window.values.copy() for window in FLEET]

    RobustDetector(SOLAR, n_trees=10).fit(FLEET)

    assert all(np.array_equal(a, w.values) for a, w in zip(before, FLEET, strict=True))


def test_detector_is_the_same_bytes_when_the_seed_is(trained: TrainedRobust) -> None:
    assert DETECTOR.fit(FLEET).dump() == trained.dump()
    assert replace(DETECTOR, seed=1).fit(FLEET).dump() != trained.dump()


def test_loaded_detector_scores_bit_for_bit(trained: TrainedRobust) -> None:
    again = DETECTOR.load(trained.dump())

    assert _bytes(again.score(DISTURBED)[0]) == _bytes(trained.score(DISTURBED)[0])
    assert again.dump() == trained.dump()


def test_new_process_scores_bit_for_bit(trained: TrainedRobust, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(trained.dump())
    program = (
        "import sys, pathlib\n"
        "from tests.detect import test_robust as t\n"
        "trained = t.DETECTOR.load(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "sys.stdout.write(t._bytes(trained.score(t.DISTURBED)[0]).hex())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "state")],
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": "src"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert bytes.fromhex(done.stdout) == _bytes(trained.score(DISTURBED)[0])


def test_altered_state_is_refused(trained: TrainedRobust) -> None:
    state = bytearray(trained.dump())
    state[-1] ^= 1

    with pytest.raises(ArchiveError):
        DETECTOR.load(bytes(state))


def test_column_without_any_value_counts_as_expected(trained: TrainedRobust) -> None:
    window = with_cells(FLEET[0], slice(None), "export", np.nan)

    scores, _ = trained.score(window)

    assert np.isfinite(scores.values).all()
    assert (scores.contributions[:, SOLAR_SIGNALS.index("export")] == 0).all()


def test_history_with_an_empty_column_can_be_learnt() -> None:
    history = [with_cells(window, slice(None), "export", np.nan) for window in FLEET]

    scores, _ = RobustDetector(SOLAR, n_trees=10).fit(history).score(history[0])

    assert np.isfinite(scores.values).all()


def test_row_without_any_value_has_no_score(trained: TrainedRobust) -> None:
    scores, _ = trained.score(DISTURBED)

    assert np.isnan(scores.values[30:33]).all()
    assert np.isfinite(np.delete(scores.values, [30, 31, 32])).all()


def test_gap_never_seen_in_training_leaves_the_level(trained: TrainedRobust) -> None:
    _, before = trained.score(FLEET[0].rows(0, 100))
    gap = with_cells(FLEET[0].rows(100, 130), slice(None), slice(None), np.nan)

    _, after = trained.score(gap, before)

    assert after.dump() == before.dump()


def test_window_without_rows_changes_nothing(trained: TrainedRobust) -> None:
    _, memory = trained.score(FLEET[0])

    scores, after = trained.score(FLEET[0].rows(0, 0), memory)

    assert len(scores.values) == 0
    assert after.dump() == memory.dump()


def test_unknown_asset_is_judged_from_the_fleet(trained: TrainedRobust) -> None:
    stranger = replace(FLEET[1], asset=AssetKey("Otra", "Otra"))
    dead = with_cells(stranger, 149, "generation", 0.0)

    calm, _ = trained.score(stranger)
    scores, _ = trained.score(dead)

    assert not trained.knows(stranger.asset)
    assert np.isfinite(calm.values).all()
    assert scores.values[149] > 2 * np.quantile(calm.values, 0.99)


def test_unknown_asset_with_other_signals_is_judged_on_those_it_shares(trained: TrainedRobust) -> None:
    stranger = Window(
        AssetKey("Otra", "Otra"),
        "solar",
        ("consumption", "voltage"),
        FLEET[0].time,
        np.column_stack([FLEET[0].values[:, 1], np.full(150, 230.0)]),
        np.zeros((150, 2), dtype=np.int32),
        FLEET[0].step,
        FLEET[0].zone,
    )

    scores, _ = trained.score(stranger)

    assert scores.contributions.shape == (150, 2)
    assert np.isfinite(scores.values).all()
    assert np.isnan(scores.expected[:, 1]).all()


def test_signals_in_another_order_give_the_same_score(trained: TrainedRobust) -> None:
    order = [4, 2, 0, 3, 1]
    shuffled = replace(
        DISTURBED,
        signals=tuple(SOLAR_SIGNALS[s] for s in order),
        values=DISTURBED.values[:, order],
        quality=DISTURBED.quality[:, order],
    )

    assert np.array_equal(
        trained.score(shuffled)[0].values, trained.score(DISTURBED)[0].values, equal_nan=True
    )


@pytest.mark.parametrize("rows", [0, 1, MIN_ROWS - 1])
def test_too_short_a_history_is_refused_with_figures(rows: int) -> None:
    with pytest.raises(HistoryTooShort) as caught:
        DETECTOR.fit([FLEET[0].rows(0, rows)])

    assert caught.value.facts == {"found": f"{rows} rows", "needed": f"{MIN_ROWS} rows of one asset"}


def test_short_history_of_one_asset_does_not_stop_the_others() -> None:
    trained = DETECTOR.fit([FLEET[0], FLEET[1].rows(0, 5)])

    assert [trained.knows(window.asset) for window in FLEET[:2]] == [True, False]


def test_constant_history_gives_finite_scores() -> None:
    window = a_window(np.full((200, 3), 7.0))

    scores, _ = RobustDetector(LINE, n_trees=10).fit([window]).score(window)

    assert np.isfinite(scores.values).all()


def test_shares_of_a_row_sum_to_one(trained: TrainedRobust) -> None:
    scores, _ = trained.score(DISTURBED)

    sums = scores.contributions[~np.isnan(scores.values)].sum(axis=1)
    assert np.allclose(sums, 1.0)


def test_broken_relation_is_found_when_each_signal_alone_looks_normal() -> None:
    rng = np.random.default_rng(3)
    common = rng.normal(size=(24 * 40, 1))
    values = 50 + np.hstack([common, 5 * common, 2 * common]) + 0.05 * rng.normal(size=(24 * 40, 3))
    window = a_window(values, signals=("heat", "draw", "flow"), step=HOUR)
    trained = RobustDetector(LINE, n_trees=10).fit([window])
    broken = with_cells(window, 900, slice(None), 50 + 1.5 * np.array([1.0, -5.0, 2.0]))

    scores, _ = trained.score(broken)

    assert scores.values[900] == np.nanmax(scores.values)
    assert scores.values[900] > 2
