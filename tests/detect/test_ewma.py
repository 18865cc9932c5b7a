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

from sereno.detect.ensemble import EnsembleDetector
from sereno.detect.ewma import MIN_ROWS, EwmaDetector, TrainedEwma
from sereno.domain.archive import ArchiveError
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy
from tests.support.builders import LINE, PLANT, a_window, with_cells

MINUTE = timedelta(minutes=1)
SIGNALS = ("flow", "pressure", "vibration")
DETECTOR = EwmaDetector(LINE)
TRAINED_ROWS, ROWS = 600, 1200


def a_line(
    rows: int = ROWS, *, seed: int = 0, start: str = "2024-01-01T00", asset: str = "Línea 1", **shifts: object
) -> Window:
    """Flow 30, pressure 5 and vibration 2 with noise; shifts by signal: {(first row, stop): by how much}."""
    values = np.array([30.0, 5.0, 2.0]) + np.array([0.3, 0.05, 0.02]) * np.random.default_rng(seed).normal(
        size=(rows, 3)
    )
    for name, stretches in shifts.items():
        for (first, stop), by in stretches.items():  # type: ignore[attr-defined]
            values[first:stop, SIGNALS.index(name)] += by
    return a_window(values, signals=SIGNALS, step=MINUTE, start=start, asset=AssetKey(asset, asset))


FAULTY = with_cells(
    a_line(flow={(900, 1000): -1.5}, pressure={(300, 305): 2.0}), slice(700, 720), "flow", np.nan
)
CALM = a_line()


@pytest.fixture(scope="module")
def trained() -> TrainedEwma:
    return DETECTOR.fit([CALM.rows(0, TRAINED_ROWS)])


def _bytes(scores: Scores) -> bytes:
    return b"".join(part.tobytes() for part in (scores.values, scores.contributions, scores.expected))


def test_calm_rows_are_one_percent_beyond_one(trained: TrainedEwma) -> None:
    scores, _ = trained.score(a_line(20_000, seed=5))

    assert 0.002 < np.nanmean(scores.values > 1.0) < 0.04


def test_shift_is_found_soon_named_and_held_until_it_is_over(trained: TrainedEwma) -> None:
    scores, _ = trained.score(FAULTY)

    assert scores.values[880:900].max() < 1.4
    assert (scores.values[905:1000] > 1.4).all()
    assert (scores.values[1030:] < 1.4).all()
    assert (scores.contributions[905:1000].argmax(axis=1) == SIGNALS.index("flow")).all()
    assert np.abs(scores.expected[905:1000, 0] - 30.0).max() < 0.4


def test_spike_is_over_when_it_is_over(trained: TrainedEwma) -> None:
    scores, _ = trained.score(FAULTY)

    assert (scores.values[300:305] > 1.4).all()
    assert scores.values[308:330].max() < 1.4


def test_slow_drift_is_followed_without_alarm(trained: TrainedEwma) -> None:
    window = a_line(8_000)
    drifting = window.values + np.linspace(0, 20 * 0.3, 8_000)[:, None] * np.array([1.0, 0.0, 0.0])

    scores, _ = trained.score(replace(window, values=drifting))

    assert np.nanmean(scores.values > 1.4) < 0.02
    assert abs(scores.expected[-1, 0] - drifting[-1, 0]) < 0.5


def test_fault_does_not_become_the_level_before_patience_ends(trained: TrainedEwma) -> None:
    patient = EwmaDetector(LINE, patience_rows=300).fit([CALM.rows(0, TRAINED_ROWS)])
    lasting = a_line(flow={(700, None): -3.0})

    kept, _ = trained.score(lasting)
    adopted, _ = patient.score(lasting)

    assert (kept.values[710:] > 1.4).all()
    assert (adopted.values[710:995] > 1.4).all()
    assert adopted.values[1030:].max() < 1.4
    assert [(c.signal, round(c.before), round(c.after)) for c in patient.score(lasting)[0].changes] == [
        ("flow", 30, 27)
    ]


def test_level_before_the_last_regime_is_one_that_the_line_may_go_back_to() -> None:
    patient = EwmaDetector(LINE, patience_rows=300).fit([CALM.rows(0, TRAINED_ROWS)])
    window = a_line(2000, flow={(700, 1300): -3.0, (1500, None): -3.0})

    scores, _ = patient.score(window)

    assert (scores.values[710:995] > 1.4).all()
    assert np.nanmean(scores.values[1300:] > 1.4) < 0.02
    assert [(c.signal, round(c.before), round(c.after)) for c in patient.score(window)[0].changes] == [
        ("flow", 30, 27),
        ("flow", 27, 30),
        ("flow", 30, 27),
    ]


def test_way_back_to_another_level_is_the_end_of_the_fault(trained: TrainedEwma) -> None:
    scores, _ = trained.score(a_line(vibration={(700, 900): 3.0, (900, None): 0.1}))

    assert (scores.values[705:900] > 1.4).all()
    assert np.mean(scores.values[1080:] > 1.4) < 0.02


def test_level_at_which_the_line_has_settled_before_is_a_regime_and_no_fault() -> None:
    stopped = {(200, 300): -30.0, (900, 1000): -30.0}
    window = a_line(flow=stopped, vibration={(900, 1000): -0.5})
    trained = DETECTOR.fit([window.rows(0, TRAINED_ROWS)])

    scores, _ = trained.score(window)
    changes = trained.score(window)[0].changes

    assert np.nanmean(scores.values[900:1000] > 1.4) < 0.1
    flows = [(round(c.before, -1), round(c.after, -1)) for c in changes if c.signal == "flow"]
    assert flows == [(30, 0), (0, 30), (30, 0), (0, 30)]
    assert "vibration" in {c.signal for c in changes if c.at > from_numpy(window.time[900])}


def test_ensemble_tells_the_changes_of_its_members() -> None:
    window = a_line(flow={(200, 300): -30.0, (900, 1000): -30.0})
    history = [window.rows(0, TRAINED_ROWS)]

    alone = DETECTOR.fit(history).score(window)[0]
    together = EnsembleDetector(LINE, members=("ewma", "pca")).fit(history).score(window)[0]

    assert len(together.changes) > 2
    assert together.changes == alone.changes


def test_signal_that_wanders_all_the_time_is_judged_by_the_farthest_that_it_went() -> None:
    rng = np.random.default_rng(1)
    wander = np.cumsum(rng.normal(size=4000))
    values = np.column_stack([30 + rng.normal(size=4000), wander])
    window = a_window(values, signals=("flow", "temperature"), step=MINUTE)
    calm = DETECTOR.fit([window.rows(0, 3000)]).assets[window.asset]

    assert calm.is_context.tolist() == [False, True]


def test_windows_of_one_asset_are_pooled_for_its_limits() -> None:
    short = [a_line(300, seed=seed, start=f"2024-01-{seed + 1:02}T00") for seed in range(8)]
    alone = [DETECTOR.fit([window]).assets[window.asset].limits for window in short]
    pooled = [
        DETECTOR.fit([*short[:i], *short[i + 1 :], short[i]]).assets[short[i].asset].limits for i in range(8)
    ]

    assert (np.std(np.log(pooled), axis=0) < 0.5 * np.std(np.log(alone), axis=0)).all()


def test_runs_that_each_go_on_have_the_limits_of_the_last_of_a_history() -> None:
    runs = {
        AssetKey("Línea", str(i)): replace(a_line(300, seed=i), asset=AssetKey("Línea", str(i)))
        for i in range(4)
    }
    as_one = [replace(window, asset=AssetKey("Línea", "0")) for window in runs.values()]

    trained = DETECTOR.fit_runs(runs)

    last = DETECTOR.fit(as_one).assets[AssetKey("Línea", "0")].limits
    assert np.array_equal(trained.assets[AssetKey("Línea", "3")].limits, last)
    assert len({calm.limits.tobytes() for calm in trained.assets.values()}) == 4
    with pytest.raises(HistoryTooShort):
        DETECTOR.fit_runs({PLANT: CALM.rows(0, MIN_ROWS - 1)})


def test_limit_grows_with_the_level_where_windows_say_so() -> None:
    rng = np.random.default_rng(0)
    history = [
        a_window(level * (1 + 0.01 * rng.normal(size=(300, 1))), signals=("flow",), step=MINUTE)
        for level in (10.0, 20.0, 40.0, 80.0, 160.0)
    ]

    limits = [DETECTOR.fit([*history, window]).assets[window.asset].limits[0] for window in history]

    assert np.all(np.diff(limits) > 0)
    assert limits[-1] / limits[0] == pytest.approx(16.0, rel=0.5)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=8))
def test_streamed_scores_equal_the_batch_whatever_the_split(trained: TrainedEwma, cuts: list[int]) -> None:
    whole, end = trained.score(FAULTY)

    memory, parts = None, []
    for start, stop in itertools.pairwise([0, *sorted(cuts), ROWS]):
        part, memory = trained.score(FAULTY.rows(start, stop), memory)
        parts.append(part)

    for name in ("values", "contributions", "expected"):
        streamed = np.concatenate([getattr(part, name) for part in parts])
        assert streamed.tobytes() == getattr(whole, name).tobytes(), name
    assert memory is not None
    assert memory.dump() == end.dump()


@pytest.mark.parametrize(
    "options", [{}, {"weight": 0.02, "level_rows": 10}], ids=["default", "slow and fast"]
)
def test_row_by_row_equals_the_batch_across_regimes(options: dict[str, float]) -> None:
    window = a_line(600, flow={(150, 300): -30.0, (400, 500): -30.0})
    trained = replace(DETECTOR, **options).fit([window])  # type: ignore[arg-type]
    whole, _ = trained.score(window)

    memory, values = Memory(), []
    for row in range(len(window)):
        scores, memory = trained.score(window.rows(row, row + 1), memory)
        values.append(scores.values)

    assert len(trained.score(window)[0].changes) > 2
    assert np.concatenate(values).tobytes() == whole.values.tobytes()


def test_fitting_and_scoring_leave_their_input_untouched(trained: TrainedEwma) -> None:
    _, memory = trained.score(FAULTY.rows(0, 800))
    before = (FAULTY.values.copy(), memory.dump(), trained.dump())

    trained.score(FAULTY.rows(800, ROWS), memory)
    DETECTOR.fit([FAULTY])

    assert np.array_equal(FAULTY.values, before[0], equal_nan=True)
    assert (memory.dump(), trained.dump()) == before[1:]


def test_loaded_detector_scores_bit_for_bit(trained: TrainedEwma) -> None:
    again = DETECTOR.load(trained.dump())

    assert _bytes(again.score(FAULTY)[0]) == _bytes(trained.score(FAULTY)[0])
    assert again.dump() == trained.dump()


def test_new_process_learns_and_scores_bit_for_bit(trained: TrainedEwma) -> None:
    program = (
        "import sys\n"
        "from tests.detect import test_ewma as t\n"
        "trained = t.DETECTOR.fit([t.CALM.rows(0, t.TRAINED_ROWS)])\n"
        "sys.stdout.write((trained.dump() + t._bytes(trained.score(t.FAULTY)[0])).hex())\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": "src"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert bytes.fromhex(done.stdout) == trained.dump() + _bytes(trained.score(FAULTY)[0])


def test_altered_state_is_refused(trained: TrainedEwma) -> None:
    state = bytearray(trained.dump())
    state[-1] ^= 1

    with pytest.raises(ArchiveError):
        DETECTOR.load(bytes(state))


def test_missing_cells_are_unknown_and_leave_the_averages(trained: TrainedEwma) -> None:
    scores, before = trained.score(CALM.rows(0, 700))
    hole = with_cells(CALM.rows(700, 760), slice(None), slice(None), np.nan)

    missing, after = trained.score(hole, before)
    partly, _ = trained.score(with_cells(CALM, slice(None), "pressure", np.nan))

    assert np.isnan(missing.values).all()
    assert np.allclose(missing.expected, scores.expected[-1], atol=0.1)
    assert after.dump() == before.dump()
    assert np.isfinite(partly.values[30:]).all()
    assert (partly.contributions[:, 1] == 0).all()


def test_shares_of_a_row_sum_to_one(trained: TrainedEwma) -> None:
    scores, _ = trained.score(FAULTY)

    assert np.allclose(scores.contributions[~np.isnan(scores.values)].sum(axis=1), 1.0)


def test_signal_that_never_moved_is_not_judged() -> None:
    window = with_cells(CALM, slice(None), "pressure", 5.0)
    trained = DETECTOR.fit([window.rows(0, TRAINED_ROWS)])

    moved, _ = trained.score(with_cells(window, slice(900, 910), "pressure", 5.1))

    assert moved.values[895:915].max() < 1.4
    assert (moved.contributions[900:910, 1] == 0).all()


def test_history_with_an_empty_column_can_be_learnt() -> None:
    empty = with_cells(CALM, slice(None), "pressure", np.nan)

    scores, _ = DETECTOR.fit([empty]).score(empty)

    assert np.isfinite(scores.values[30:]).all()


def test_short_windows_with_holes_can_be_learnt_but_not_crumbs() -> None:
    pieces = [with_cells(CALM.rows(start, start + 70), 2, "flow", np.nan) for start in range(0, 600, 70)]
    crumbs = [CALM.rows(start, start + 7) for start in range(0, 600, 7)]

    scores, _ = DETECTOR.fit([*pieces, *crumbs]).score(CALM.rows(600, 1200))

    assert 0.2 < np.nanmax(scores.values) < 3.0
    with pytest.raises(HistoryTooShort):
        DETECTOR.fit(crumbs)


def test_signal_that_the_last_window_lacks_keeps_the_limit_of_the_others() -> None:
    whole = [a_line(300, seed=seed) for seed in range(4)]
    lacking = with_cells(a_line(300, seed=9), slice(None), "flow", np.nan)

    limit = DETECTOR.fit([*whole, lacking]).assets[lacking.asset].limits[0]

    assert limit == pytest.approx(DETECTOR.fit(whole).assets[lacking.asset].limits[0], rel=0.5)


def test_window_without_rows_changes_nothing(trained: TrainedEwma) -> None:
    _, memory = trained.score(CALM)

    scores, after = trained.score(CALM.rows(0, 0), memory)

    assert len(scores.values) == 0
    assert after.dump() == memory.dump()


def test_unknown_asset_is_judged_by_the_middle_limits(trained: TrainedEwma) -> None:
    stranger = a_line(seed=3, asset="Línea 9", flow={(900, 1000): -3.0})

    scores, _ = trained.score(stranger)

    assert not trained.knows(stranger.asset)
    assert np.nanmax(scores.values[:900]) < 2.0
    assert (scores.values[905:1000] > 2.0).all()


def test_signals_in_another_order_give_the_same_score(trained: TrainedEwma) -> None:
    order = [2, 0, 1]
    shuffled = replace(
        FAULTY,
        signals=tuple(SIGNALS[s] for s in order),
        values=FAULTY.values[:, order],
        quality=FAULTY.quality[:, order],
    )

    again, _ = trained.score(shuffled)

    assert np.array_equal(again.values, trained.score(FAULTY)[0].values, equal_nan=True)


def test_rows_that_are_not_used_teach_nothing() -> None:
    use = np.ones(ROWS, dtype=bool)
    use[850:1050] = False

    spared = DETECTOR.fit_parts([FAULTY], [use]).assets[FAULTY.asset].limits
    whole = DETECTOR.fit([FAULTY]).assets[FAULTY.asset].limits

    assert spared[0] < 0.8 * whole[0]


@pytest.mark.parametrize("rows", [0, 1, MIN_ROWS - 1])
def test_too_short_a_history_is_refused_with_figures(rows: int) -> None:
    with pytest.raises(HistoryTooShort) as caught:
        DETECTOR.fit([CALM.rows(0, rows)])

    assert caught.value.facts == {"found": f"{rows} rows", "needed": f"{MIN_ROWS} rows of one asset"}
