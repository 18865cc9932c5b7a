import itertools
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.lstm import SMOOTHING, LstmDetector, TrainedLstm
from sereno.detect.registry import build_detector, options_of
from sereno.domain.archive import ArchiveError, digest_of
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.i18n.catalogue import error_sentence
from tests.support.builders import LINE, a_window

MINUTE = timedelta(minutes=1)
QUICK = LstmDetector(LINE, encoding_dim=8, epochs=4, batch_size=32)
SIGNALS = ("made", "heat", "draw")
FAULT = slice(200, 215)


def a_run(
    rows: int = 400,
    *,
    seed: int = 0,
    asset: str = "Línea 1",
    signals: tuple[str, ...] = SIGNALS,
    step: timedelta = MINUTE,
) -> Window:
    """A line whose signals swing together, each with noise of its own."""
    rng = np.random.default_rng(seed)
    swing = np.sin(np.arange(rows) / 7.0 + rng.uniform(0, 6))[:, None]
    values = 20.0 + swing * np.arange(1, len(signals) + 1) + 0.2 * rng.normal(size=(rows, len(signals)))
    return a_window(values, signals=signals, step=step, asset=AssetKey(asset, asset))


def disturbed(window: Window, rows: slice, signal: int, by: float) -> Window:
    values = window.values.copy()
    values[rows, signal] += by
    return replace(window, values=values)


@pytest.fixture(scope="module")
def trained() -> TrainedLstm:
    pytest.importorskip("jax", reason="the extra 'deep' is not installed")
    pytest.importorskip("optax", reason="the extra 'deep' is not installed")
    return QUICK.fit([a_run(seed=1), a_run(seed=2, asset="Línea 2")])


def _bytes(scores: Scores) -> bytes:
    return b"".join(part.tobytes() for part in (scores.values, scores.contributions, scores.expected))


def test_fault_is_stranger_than_calm_rows_and_names_its_signal(trained: TrainedLstm) -> None:
    scores, _ = trained.score(disturbed(a_run(seed=1), FAULT, 1, 15.0))

    calm = np.delete(scores.values, np.arange(195, 225))
    assert scores.values[FAULT].min() > 2 * np.nanquantile(calm, 0.99)
    assert (scores.contributions[FAULT].argmax(axis=1) == 1).all()
    np.testing.assert_allclose(scores.expected[FAULT, 1], a_run(seed=1).values[FAULT, 1], atol=3.0)


def test_score_is_calm_again_as_soon_as_the_smoothed_rows_are_over(trained: TrainedLstm) -> None:
    scores, _ = trained.score(disturbed(a_run(seed=1), FAULT, 1, 15.0))
    calm, _ = trained.score(a_run(seed=1))

    after = slice(FAULT.stop + SMOOTHING, FAULT.stop + 29)
    assert scores.values[after].max() < 1.5 * max(1.0, np.nanmax(calm.values))


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=8))
def test_streamed_scores_equal_the_batch_whatever_the_split(trained: TrainedLstm, cuts: list[int]) -> None:
    window = disturbed(a_run(seed=1), FAULT, 0, 4.0)
    values = window.values.copy()
    values[100:103] = np.nan
    values[250:290, 2] = np.nan
    window = replace(window, values=values)
    whole, after = trained.score(window)

    memory, parts = None, []
    edges = [0, *sorted(cuts), len(window)]
    for start, stop in itertools.pairwise(edges):
        scores, memory = trained.score(window.rows(start, stop), memory)
        parts.append(scores)

    assert b"".join(p.values.tobytes() for p in parts) == whole.values.tobytes()
    assert b"".join(p.expected.tobytes() for p in parts) == whole.expected.tobytes()
    assert memory is not None
    assert memory.dump() == after.dump()


def test_no_sequence_crosses_missing_rows_or_a_jump_in_time(trained: TrainedLstm) -> None:
    window = a_run(seed=1)
    values = window.values.copy()
    values[100] = np.nan
    jumped = replace(
        window, values=values, time=window.time + np.where(np.arange(400) < 300, 0, 3_600_000_000)
    )

    scores, _ = trained.score(jumped)

    is_judged = ~np.isnan(scores.values)
    expected = np.ones(400, dtype=bool)
    for stretch in (slice(0, 29), slice(100, 130), slice(300, 329)):
        expected[stretch] = False
    np.testing.assert_array_equal(is_judged, expected)


def test_unknown_cell_is_not_judged_while_the_others_are(trained: TrainedLstm) -> None:
    window = a_run(seed=1)
    values = window.values.copy()
    values[150:260, 2] = np.nan
    scores, _ = trained.score(disturbed(replace(window, values=values), FAULT, 0, 15.0))

    assert not np.isnan(scores.values[150:260]).any()
    assert (scores.contributions[FAULT, 2] == 0).all()
    assert (scores.contributions[FAULT].argmax(axis=1) == 0).all()


def test_column_that_is_all_missing_leaves_the_others_judged() -> None:
    pytest.importorskip("jax")
    window = a_run(seed=3)
    values = window.values.copy()
    values[:, 1] = np.nan

    scores, _ = QUICK.fit([replace(window, values=values)]).score(replace(window, values=values))

    assert np.isfinite(scores.values[29:]).all()


def test_numpy_tells_what_jax_tells(trained: TrainedLstm) -> None:
    training = pytest.importorskip("sereno.detect.lstm_training")
    network = next(iter(trained.segments.values())).network
    rows = np.random.default_rng(5).normal(size=(300, 3)).astype(np.float32)
    ends = np.arange(29, 300)

    ours = network.reconstruct(rows, ends, 30)

    theirs = training.reconstruct_by_jax(network, rows[ends[:, None] + np.arange(-29, 1)])
    np.testing.assert_allclose(ours, theirs[:, -1], atol=1e-5)


def test_signals_in_another_order_or_absent_are_judged_by_name(trained: TrainedLstm) -> None:
    window = disturbed(a_run(seed=1), FAULT, 1, 15.0)
    turned = replace(window, signals=SIGNALS[::-1], values=np.ascontiguousarray(window.values[:, ::-1]))
    fewer = replace(window, signals=("heat", "other"), values=window.values[:, 1:])

    straight, by_name, partial = (trained.score(one)[0] for one in (window, turned, fewer))

    np.testing.assert_array_equal(straight.values, by_name.values)
    np.testing.assert_array_equal(straight.contributions, by_name.contributions[:, ::-1])
    assert partial.values[FAULT].min() > 2
    assert np.isnan(partial.expected[:, 1]).all()


def test_stranger_is_judged_by_the_segment_with_its_signals(trained: TrainedLstm) -> None:
    stranger = disturbed(a_run(seed=7, asset="Línea 9"), FAULT, 2, 30.0)

    scores, _ = trained.score(stranger)

    assert not trained.knows(stranger.asset)
    assert scores.values[FAULT].min() > 2


def test_asset_without_enough_rows_stays_a_stranger() -> None:
    pytest.importorskip("jax")
    trained = QUICK.fit([a_run(seed=1), a_run(25, seed=2, asset="Línea 2")])

    assert trained.knows(AssetKey("Línea 1", "Línea 1"))
    assert not trained.knows(AssetKey("Línea 2", "Línea 2"))


def test_history_of_gaps_is_too_short() -> None:
    window = a_run(400)
    values = window.values.copy()
    values[::20] = np.nan

    with pytest.raises(HistoryTooShort) as raised:
        QUICK.fit([replace(window, values=values)])

    assert raised.value.facts["found"] == "0 sequences to train on"
    assert "0 secuencias para entrenar" in error_sentence(raised.value, "es")


def test_dump_and_load_give_the_same_scores(trained: TrainedLstm) -> None:
    window = a_run(seed=1)

    loaded = QUICK.load(trained.dump())

    assert loaded.dump() == trained.dump()
    assert _bytes(loaded.score(window)[0]) == _bytes(trained.score(window)[0])
    with pytest.raises(ArchiveError):
        QUICK.load(b"something else")


_SCORE_ELSEWHERE = """
import sys
sys.modules["jax"] = sys.modules["optax"] = None
from pathlib import Path
from sereno.detect.lstm import TrainedLstm
from sereno.domain.errors import ExtraMissing
from sereno.i18n.catalogue import error_sentence
from tests.detect.test_lstm import LINE, QUICK, _bytes, a_run
window = a_run(seed=1)
trained = TrainedLstm.from_bytes(Path(sys.argv[1]).read_bytes(), LINE)
Path(sys.argv[2]).write_bytes(_bytes(trained.score(window)[0]))
try:
    QUICK.fit([window])
except ExtraMissing as error:
    print(error.facts["extra"])
    assert "Entrenar autocodificadores LSTM" in error_sentence(error, "es")
"""


def test_another_process_without_the_framework_scores_alike_and_names_the_extra(
    trained: TrainedLstm, tmp_path: Path
) -> None:
    model, scores = tmp_path / "model", tmp_path / "scores"
    model.write_bytes(trained.dump())

    command = [sys.executable, "-c", _SCORE_ELSEWHERE, str(model), str(scores)]
    said = subprocess.run(command, check=True, capture_output=True, text=True)

    assert scores.read_bytes() == _bytes(trained.score(a_run(seed=1))[0])
    assert said.stdout.strip() == "deep"


_TRAIN_ELSEWHERE = """
from sereno.domain.archive import digest_of
from tests.detect.test_lstm import QUICK, a_run
print(digest_of(QUICK.fit([a_run(seed=1), a_run(seed=2, asset="Línea 2")]).dump()))
"""


def test_same_seed_gives_the_same_bytes_in_a_fresh_process_and_another_seed_others(
    trained: TrainedLstm,
) -> None:
    command = [sys.executable, "-c", _TRAIN_ELSEWHERE]
    elsewhere = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    other = replace(QUICK, seed=1).fit([a_run(seed=1), a_run(seed=2, asset="Línea 2")])

    assert elsewhere == digest_of(trained.dump())
    assert digest_of(other.dump()) != elsewhere


def test_segments_share_a_network_and_compile_once_and_processes_change_nothing() -> None:
    training = pytest.importorskip("sereno.detect.lstm_training")
    pytest.importorskip("jax")
    lines = [a_run(200 + 30 * i, seed=i, asset=f"Línea {i}") for i in range(3)]
    wide = a_run(300, seed=8, asset="Línea ancha", signals=(*SIGNALS, "more"))
    segments = {lines[0].asset: "a", lines[1].asset: "a", lines[2].asset: "b"}
    detector = replace(QUICK, segments=segments, batch_size=48)
    compiled = training.count_compiled()

    alone = detector.fit([*lines, wide])

    assert len({alone.assets[line.asset].segment for line in lines[:2]}) == 1
    assert len(alone.segments) == 3
    assert training.count_compiled() == compiled + 1
    assert replace(detector, workers=2).fit([*lines, wide]).dump() == alone.dump()


def test_segment_does_not_hang_on_what_else_is_trained() -> None:
    pytest.importorskip("jax")
    own = {AssetKey("Línea 1", "Línea 1"): "own"}
    detector = replace(QUICK, segments=own)

    alone = detector.fit([a_run(seed=1)])
    among = detector.fit([a_run(seed=4, asset="Línea 4"), a_run(seed=1)])

    key = AssetKey("Línea 1", "Línea 1")
    ours, theirs = (one.segments[one.assets[key].segment].network.to_arrays() for one in (alone, among))
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)


def test_grid_keeps_the_recipe_with_the_lowest_loss_on_later_rows() -> None:
    pytest.importorskip("jax")
    poor, good = 1e-6, 5e-3
    chosen = replace(QUICK, grid={"learning_rate": [poor, good], "epochs": [2, 3]}).fit([a_run(seed=1)])
    alone = replace(QUICK, learning_rate=good, epochs=3).fit([a_run(seed=1)])

    model = next(iter(chosen.segments.values()))
    assert model.recipe == {"encoding_dim": 8, "learning_rate": good, "epochs": 3, "batch_size": 32}
    assert len(model.losses) == 3
    assert chosen.dump() == alone.dump()


def test_unknown_parameter_of_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="'layers'"):
        LstmDetector(LINE, grid={"layers": [1, 2]})


def test_training_follows_the_rows_that_it_may_use(trained: TrainedLstm) -> None:
    spoilt = disturbed(a_run(seed=1), slice(0, 150), 0, 500.0)
    use = np.arange(400) >= 150

    learnt = QUICK.fit_parts([spoilt], [use])

    scale = learnt.assets[spoilt.asset]
    assert scale.centre[0] == pytest.approx(20.0, abs=1.0)
    assert learnt.score(a_run(seed=1))[0].values[200:].max() < 5


def test_training_stops_early_and_halves_its_rate_on_a_plateau() -> None:
    training = pytest.importorskip("sereno.detect.lstm_training")
    recipe = training.Recipe(8, 0.01, 100, 32, patience=4, patience_lr=2, dropped=0.1)
    course = training.Course(recipe)

    ends = [course.note(1.0, loss, {"epoch": i}) for i, loss in enumerate([1.0, 0.5, 0.6, 0.6, 0.499, 0.7])]

    assert ends == [False, False, False, False, False, True]
    assert course.rate == 0.01 / 4
    assert course.best == {"epoch": 1}


def test_memory_is_bounded_and_foreign_arrays_are_left_out(trained: TrainedLstm) -> None:
    _, memory = trained.score(a_run(seed=1), Memory({"robust/level": np.ones(3)}))

    assert {name.partition("/")[0] for name in memory.arrays} == {"lstm"}
    assert max(len(array) for array in memory.arrays.values()) <= 30 + SMOOTHING


def test_input_is_left_as_it_was(trained: TrainedLstm) -> None:
    window = disturbed(a_run(seed=1), FAULT, 1, 15.0)
    before = window.values.copy()

    trained.score(window)

    np.testing.assert_array_equal(window.values, before)


@pytest.mark.parametrize("rows", [0, 1])
def test_window_of_no_or_one_row_is_scored(trained: TrainedLstm, rows: int) -> None:
    scores, memory = trained.score(a_run(seed=1).rows(0, rows))

    assert scores.values.shape == (rows,)
    assert scores.contributions.shape == (rows, 3)
    assert len(memory.arrays["lstm/values"]) == rows


def test_hours_have_sequences_of_a_day() -> None:
    pytest.importorskip("jax")
    window = a_run(200, seed=1, step=timedelta(hours=1))

    scores, _ = QUICK.fit([window]).score(window)

    assert np.isnan(scores.values[:23]).all()
    assert np.isfinite(scores.values[23:]).all()


def test_settings_choose_grid_and_segments_and_processes_are_no_part_of_a_model() -> None:
    options = {"grid": {"encoding_dim": [4, 8]}, "segments": {"Línea 1": "a"}, "workers": 2, "epochs": 2}

    built = build_detector("lstm", LINE, options)

    assert isinstance(built, LstmDetector)
    assert "workers" not in options_of(built)
    assert options_of(built) == options_of(replace(built, workers=1))
    pytest.importorskip("jax")
    trained = built.fit([a_run(seed=1), a_run(seed=2, asset="Línea 2")])
    assert len(trained.segments) == 2
    assert trained.assets[AssetKey("Línea 1", "Línea 1")].segment.startswith("a · ")
