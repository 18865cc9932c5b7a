import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.seasonal import SeasonalDetector, TrainedSeasonal
from sereno.domain.archive import ArchiveError
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from tests.support.builders import HOUR, LINE, SOLAR, SOLAR_SIGNALS, a_fleet, a_roof, a_window, with_cells

ROWS = 24 * 40
DETECTOR = SeasonalDetector(SOLAR)
FLEET = a_fleet(2, rows=ROWS, step=HOUR)
DISTURBED = a_roof(
    "Planta 1",
    rows=ROWS,
    step=HOUR,
    size=5.0,
    generation={(24 * 30, 24 * 31): 0.0},
    missing=[slice(300, 330)],
)


@pytest.fixture(scope="module")
def trained() -> TrainedSeasonal:
    return DETECTOR.fit(FLEET)


def _bytes(scores: Scores) -> bytes:
    parts = (scores.values, scores.contributions, scores.expected, scores.is_telling)
    return b"".join(part.tobytes() for part in parts)


def _in_pieces(detector: TrainedSeasonal, window: Window, edges: list[int]) -> tuple[bytes, Memory]:
    memory, scores = Memory(), []
    for start, stop in itertools.pairwise(edges):
        part, memory = detector.score(window.rows(start, stop), memory)
        scores.append(part)
    names = [name for name in Scores.__slots__ if name != "voices"]
    joined = [np.concatenate([getattr(part, name) for part in scores]) for name in names]
    return _bytes(Scores(*joined)), memory


def test_dead_day_is_stranger_than_any_calm_one(trained: TrainedSeasonal) -> None:
    scores, _ = trained.score(DISTURBED)

    noon = 24 * 30 + 12
    assert scores.values[noon] > 1.2 * np.nanquantile(scores.values[: 24 * 30], 0.99)
    assert SOLAR_SIGNALS[scores.contributions[noon].argmax()] in ("generation", "self_consumption", "export")
    assert scores.expected[noon, 0] > 0.1


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=6))
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_streamed_scores_equal_the_batch_whatever_the_split(
    trained: TrainedSeasonal, share: float, cuts: list[int]
) -> None:
    detector = replace(trained, repeat_share=share)
    whole, end = detector.score(DISTURBED)

    streamed, memory = _in_pieces(detector, DISTURBED, [0, *sorted(cuts), ROWS])

    assert streamed == _bytes(whole)
    assert memory.dump() == end.dump()


@pytest.mark.parametrize("is_trained", [True, False])
def test_row_by_row_equals_the_batch(trained: TrainedSeasonal, is_trained: bool) -> None:
    detector = trained if is_trained else DETECTOR.untrained()
    window = DISTURBED.rows(0, 400)
    whole, end = detector.score(window)

    streamed, memory = _in_pieces(detector, window, list(range(401)))

    assert streamed == _bytes(whole)
    assert memory.dump() == end.dump()


def test_scoring_leaves_its_input_untouched(trained: TrainedSeasonal) -> None:
    _, memory = trained.score(DISTURBED.rows(0, 50))
    before = (DISTURBED.values.copy(), memory.dump(), trained.dump())

    trained.score(DISTURBED.rows(50, 150), memory)

    assert np.array_equal(DISTURBED.values, before[0], equal_nan=True)
    assert (memory.dump(), trained.dump()) == before[1:]


def test_loaded_detector_scores_bit_for_bit(trained: TrainedSeasonal) -> None:
    again = DETECTOR.load(trained.dump())

    assert _bytes(again.score(DISTURBED)[0]) == _bytes(trained.score(DISTURBED)[0])
    assert again.dump() == trained.dump()


def test_new_process_learns_the_same_bytes(trained: TrainedSeasonal) -> None:
    program = (
        "import sys\n"
        "from tests.detect import test_seasonal as t\n"
        "sys.stdout.write(t.DETECTOR.fit(t.FLEET).dump().hex())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": "src"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert bytes.fromhex(done.stdout) == trained.dump()


def test_altered_state_is_refused(trained: TrainedSeasonal) -> None:
    state = bytearray(trained.dump())
    state[-1] ^= 1

    with pytest.raises(ArchiveError):
        DETECTOR.load(bytes(state))


def test_row_without_any_value_has_no_score(trained: TrainedSeasonal) -> None:
    scores, _ = trained.score(DISTURBED)

    assert np.isnan(scores.values[300:330]).all()
    assert np.isfinite(np.delete(scores.values, np.arange(300, 330))).all()


def test_column_without_any_value_is_not_guilty(trained: TrainedSeasonal) -> None:
    scores, _ = trained.score(with_cells(FLEET[0], slice(None), "export", np.nan))

    assert np.isfinite(scores.values).all()
    assert (scores.contributions[:, SOLAR_SIGNALS.index("export")] == 0).all()


def test_signal_that_was_never_learnt_is_not_judged(trained: TrainedSeasonal) -> None:
    odd = np.column_stack([DISTURBED.values, np.arange(ROWS) ** 2.0])
    wider = replace(
        DISTURBED,
        signals=(*DISTURBED.signals, "voltage"),
        values=odd,
        quality=np.zeros(odd.shape, dtype=np.int32),
    )

    scores, _ = trained.score(wider)

    assert np.array_equal(scores.values, trained.score(DISTURBED)[0].values, equal_nan=True)
    assert np.isnan(scores.expected[:, -1]).all()


def test_shares_of_a_judged_row_sum_to_one(trained: TrainedSeasonal) -> None:
    scores, _ = trained.score(DISTURBED)

    assert np.allclose(scores.contributions[~np.isnan(scores.values)].sum(axis=1), 1.0)


def test_window_without_rows_changes_nothing(trained: TrainedSeasonal) -> None:
    _, memory = trained.score(FLEET[0])

    scores, after = trained.score(FLEET[0].rows(0, 0), memory)

    assert len(scores.values) == 0
    assert after.dump() == memory.dump()


def test_calm_rows_reach_one_about_once_in_a_hundred(trained: TrainedSeasonal) -> None:
    scores, _ = trained.score(FLEET[1])

    assert 0.001 < (scores.values > 1.0).mean() < 0.03


def test_rows_that_are_not_used_teach_no_counts() -> None:
    faulty = with_cells(FLEET[0], slice(500, 560), "generation", 500.0)
    use = np.ones(ROWS, dtype=bool)
    use[490:570] = False

    guarded, taught = DETECTOR.fit_parts([faulty], [use]), DETECTOR.fit([faulty])

    again = [detector.score(faulty)[0].values[500] for detector in (guarded, taught)]
    assert again[0] > again[1] + 0.2


@pytest.mark.parametrize(
    ("option", "value"),
    [("level_days", 0.0), ("sustain_rows", 0.5), ("repeat_share", 1.0), ("repeat_share", -0.1)],
)
def test_option_out_of_its_bounds_is_refused_by_name(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"'{option}'.*{value}"):
        replace(DETECTOR, **{option: value})


def test_history_without_a_single_value_is_refused() -> None:
    with pytest.raises(HistoryTooShort):
        DETECTOR.fit([with_cells(FLEET[0], slice(None), slice(None), np.nan)])


def test_stream_without_training_is_judged_from_what_it_has_shown() -> None:
    stranger = with_cells(FLEET[0], 700, "consumption", 50.0)

    scores, memory = DETECTOR.untrained().score(stranger)

    assert np.isnan(scores.values[:30]).all()
    assert np.isfinite(scores.values[30:]).all()
    assert np.nanargmax(scores.values) == 700
    assert SOLAR_SIGNALS[scores.contributions[700].argmax()] in ("consumption", "import")
    assert memory.arrays


def test_memory_does_not_grow_with_the_stream() -> None:
    detector = DETECTOR.untrained()
    _, early = detector.score(FLEET[0].rows(0, 200))

    _, late = detector.score(FLEET[0])

    assert len(late.dump()) < 1.02 * len(early.dump())


def test_repeats_of_what_was_told_are_silent_for_a_share_of_the_stream() -> None:
    values = np.zeros((400, 1)) + 10.0 + 0.1 * np.random.default_rng(4).normal(size=(400, 1))
    values[[200, 205, 300], 0] = 30.0
    window = a_window(values, signals=("draw",))

    scores, _ = SeasonalDetector(LINE, repeat_share=0.1).untrained().score(window)

    assert scores.values[200] > 2.0
    assert scores.values[205] == 0.0
    assert scores.values[300] > 0.0


def test_half_a_day_at_the_wrong_level_is_found_where_its_values_are_common() -> None:
    hours = np.arange(24 * 90)
    load = 100.0 - 40.0 * np.cos(2 * np.pi * hours / 24) + 3.0 * np.random.default_rng(5).normal(size=24 * 90)
    load[24 * 80 + 6 : 24 * 80 + 18] = 60.0
    window = a_window(load[:, None], signals=("draw",))

    scores, _ = SeasonalDetector(LINE).fit([window.rows(0, 24 * 60)]).score(window)

    assert np.nanargmax(scores.values) in range(24 * 80 + 6, 24 * 80 + 18)
    assert scores.expected[24 * 80 + 12, 0] == pytest.approx(140.0, rel=0.1)


def test_faults_in_the_history_do_not_hide_the_same_fault_later() -> None:
    hours = np.arange(24 * 120)
    load = (
        100.0 - 40.0 * np.cos(2 * np.pi * hours / 24) + 3.0 * np.random.default_rng(6).normal(size=len(hours))
    )
    for day in (20, 45, 71):
        load[24 * day : 24 * (day + 1)] *= 0.4
    load[24 * 110 : 24 * 111] *= 0.4
    window = a_window(load[:, None], signals=("draw",))

    scores, _ = SeasonalDetector(LINE).fit([window.rows(0, 24 * 100)]).score(window)

    assert np.nanmax(scores.values[24 * 110 : 24 * 111]) > 1.2 * np.nanmax(scores.values[24 * 80 : 24 * 110])
    assert np.nanmedian(scores.values[24 * 110 + 4 : 24 * 111]) > 1.0


def test_unknown_asset_takes_the_fleets_calm_limit(trained: TrainedSeasonal) -> None:
    stranger = replace(FLEET[1], asset=AssetKey("Otra", "Otra"))

    scores, _ = trained.score(stranger)

    assert not trained.knows(stranger.asset)
    assert 0.0 < (scores.values > 1.0).mean() < 0.05
