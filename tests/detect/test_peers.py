from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from sereno.detect.peering import LEAST_ROBUST, Peering, Reference, learn_peering
from sereno.detect.peers import (
    COMMON,
    PAIR,
    PEERS,
    PeersDetector,
    TrainedPeers,
    learn_peers,
    with_references,
)
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, RegimeChange, Scores
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy
from tests.support.builders import DAY, LINE, PLANT, a_window

DAYS, LEARNT = 500, 300
N_ROOFS = 6


def a_fleet(*, rows: int = DAYS, n_roofs: int = N_ROOFS, seed: int = 0, swing: float = 0.5) -> list[Window]:
    """Roofs under one sky: each its own size and its own small noise."""
    rng = np.random.default_rng(seed)
    sky = np.exp(0.5 * rng.standard_normal(rows))
    season = 1.0 - swing * np.cos(2 * np.pi * np.arange(rows) / 365)
    fleet = []
    for i in range(n_roofs):
        made = (10.0 * (i + 1)) * season * sky * np.exp(0.05 * rng.standard_normal(rows))
        heat = 20.0 + rng.standard_normal(rows)
        key = AssetKey(f"Roof {i}", f"Roof {i}")
        fleet.append(a_window(np.column_stack((made, heat)), signals=("made", "heat"), step=DAY, asset=key))
    return fleet


def changed(window: Window, first: int, factor: object, *, last: int | None = None) -> Window:
    """The first signal times a factor in some rows."""
    values = window.values.copy()
    values[first:last, 0] *= factor
    return replace(window, values=values)


def taught(fleet: list[Window]) -> tuple[TrainedPeers, Peering]:
    history = [window.rows(0, LEARNT) for window in fleet]
    peering, references = learn_peers(history, LINE)
    columns = [with_references(window, one) for window, one in zip(history, references, strict=True)]
    return replace(PeersDetector(LINE).fit(columns), peering=peering), peering


def referred(peering: Peering, fleet: list[Window], place: int) -> Window:
    others = {window.asset: window for window in fleet}
    window = fleet[place]
    peers = {key: others[key] for key in peering.peers_of(window.asset)}
    return with_references(window, peering.reference(window.asset, window.time, peers))


def scored(trained: TrainedPeers, peering: Peering, fleet: list[Window], place: int) -> np.ndarray:
    return trained.score(referred(peering, fleet, place))[0].values


def test_roofs_under_one_sky_are_peers_and_one_speaks_for_all() -> None:
    peering = learn_peering([window.rows(0, LEARNT) for window in a_fleet()], LINE)

    ties = {key: tie for (key, name), tie in peering.ties.items() if name == "made"}
    assert len(ties) == N_ROOFS
    assert all(len(tie.peers) == N_ROOFS - 1 for tie in ties.values())
    assert all(tie.fast == pytest.approx(1.0, abs=0.1) for tie in ties.values())
    assert [key.site for key, tie in ties.items() if tie.is_lead] == ["Roof 0"]


def test_signals_that_move_by_themselves_have_no_peers() -> None:
    peering = learn_peering([window.rows(0, LEARNT) for window in a_fleet()], LINE)

    assert not [name for _, name in peering.ties if name == "heat"]


def test_a_lone_asset_has_no_peers() -> None:
    assert not learn_peering(a_fleet(n_roofs=1), LINE).ties


def test_a_cloudy_day_of_all_is_taken_away_and_a_fault_of_one_is_not() -> None:
    fleet = [changed(window, 400, 0.1, last=401) for window in a_fleet()]
    fleet[2] = changed(fleet[2], 420, 0.5, last=421)
    _, peering = taught(fleet)
    others = {w.asset: w for w in fleet if w.asset != fleet[2].asset}

    reference = peering.reference(fleet[2].asset, fleet[2].time, others)

    usual = a_fleet()[2].values[:, 0]
    left = np.log(reference.without_common(fleet[2]).values[:, 0])
    spread = np.std(left[:LEARNT])
    assert spread < 0.15 < np.std(np.log(usual[:LEARNT]))
    assert abs(left[400] - np.median(left)) < 4 * spread
    assert left[420] < np.median(left) - 4 * spread


def test_peers_that_fail_do_not_move_the_reference() -> None:
    fleet = a_fleet()
    _, peering = taught(fleet)
    own, *others = fleet
    broken = [changed(window, 350, 0.01) if i < 2 else window for i, window in enumerate(others)]

    before = peering.reference(own.asset, own.time, {w.asset: w for w in others})
    after = peering.reference(own.asset, own.time, {w.asset: w for w in broken})

    assert np.abs(after.fast["made"] - before.fast["made"])[350:].max() < 0.3


def test_too_few_peers_say_nothing_of_a_row() -> None:
    fleet = a_fleet()
    _, peering = taught(fleet)
    few = {window.asset: window for window in fleet[1:LEAST_ROBUST]}

    reference = peering.reference(fleet[0].asset, fleet[0].time, few)

    assert np.isnan(reference.fast["made"]).all()
    assert np.isnan(reference.slow["made"]).all()


def test_a_roof_that_loses_a_fifth_over_months_is_told_and_its_peers_are_not() -> None:
    fleet = a_fleet()
    ramp = 1.0 - 0.2 * np.minimum(np.arange(DAYS - 330) / 60, 1.0)
    fleet[3] = changed(fleet[3], 330, ramp)
    trained, peering = taught(fleet)

    scores = [scored(trained, peering, fleet, place) for place in range(N_ROOFS)]

    assert np.nanmax(scores[3][LEARNT:330]) < 2.0
    assert np.nanmax(scores[3][330:420]) > 3.0
    assert all(np.nanmax(scores[place][LEARNT:]) < 2.0 for place in (0, 1, 2, 4, 5))


def test_the_drift_names_its_signal_and_what_was_expected() -> None:
    fleet = a_fleet()
    fleet[3] = changed(fleet[3], 330, 0.7)
    trained, peering = taught(fleet)

    scores, _ = trained.score(referred(peering, fleet, 3))

    row = 338
    assert scores.contributions[row, 0] == pytest.approx(1.0)
    assert fleet[3].values[row, 0] < 0.85 * scores.expected[row, 0]


def test_what_all_do_together_is_told_once_by_the_one_that_leads() -> None:
    fleet = [changed(window, 400, 0.02, last=403) for window in a_fleet()]
    trained, peering = taught(fleet)

    told = [trained.score_common(referred(peering, fleet, place))[0].values for place in range(N_ROOFS)]

    assert np.nanmax(told[0][400:403]) > 1.0
    assert np.nanmax(told[0][LEARNT:400]) < np.nanmax(told[0][400:403])
    assert all(np.isnan(other).all() for other in told[1:])


@pytest.mark.parametrize("cuts", [(100,), (1, 2, 3), (30, 31, 250, 499)])
def test_streamed_equals_batch_to_the_last_bit(cuts: tuple[int, ...]) -> None:
    fleet = a_fleet()
    trained, peering = taught(fleet)
    others = {window.asset: window for window in fleet}
    own = fleet[0]
    whole = referred(peering, fleet, 0)

    memory, parts, common = Memory(), [], []
    for first, last in zip((0, *cuts), (*cuts, len(own)), strict=True):
        part = own.rows(first, last)
        seen = {key: window.rows(first, last) for key, window in others.items() if key != own.asset}
        part = with_references(part, peering.reference(own.asset, part.time, seen))
        scores, after = trained.score(part, memory)
        moved, beside = trained.score_common(part, memory)
        memory = Memory({**after.arrays, **beside.arrays})
        parts.append(scores.values)
        common.append(moved.values)

    assert np.array_equal(np.concatenate(parts), trained.score(whole)[0].values, equal_nan=True)
    assert np.array_equal(np.concatenate(common), trained.score_common(whole)[0].values, equal_nan=True)


def test_a_loaded_detector_says_the_same() -> None:
    fleet = a_fleet()
    trained, peering = taught(fleet)
    state = trained.dump()

    loaded = PeersDetector(LINE).load(state)

    assert loaded.dump() == state == taught(a_fleet())[0].dump()
    window = referred(peering, fleet, 1)
    again = with_references(
        fleet[1],
        loaded.peering.reference(fleet[1].asset, fleet[1].time, {w.asset: w for w in fleet}),
    )
    assert np.array_equal(loaded.score(again)[0].values, trained.score(window)[0].values, equal_nan=True)


def test_a_dead_roof_is_no_drift_that_others_are_measured_by() -> None:
    fleet = a_fleet()
    limits = taught(fleet)[0].levels[fleet[1].asset].limits
    fleet[1] = changed(fleet[1], 150, 0.0, last=160)

    with_dead_days = taught(fleet)[0].levels[fleet[1].asset].limits

    assert (with_dead_days[1:] < 3 * limits[1:]).all()


def test_gaps_hold_the_levels() -> None:
    fleet = a_fleet()
    trained, peering = taught(fleet)
    window = referred(peering, fleet, 0)
    gone = window.values.copy()
    gone[350:360] = np.nan

    scores, _ = trained.score(replace(window, values=gone))

    assert np.isnan(scores.values[350:360]).all()
    assert scores.values[360] < 1.5


def test_a_season_is_no_drift_where_nobody_takes_it_away() -> None:
    alone = a_fleet(n_roofs=1)

    trained = PeersDetector(LINE).fit([alone[0].rows(0, LEARNT)])

    assert np.isinf(trained.levels[alone[0].asset].limits).all()
    assert np.isnan(trained.score(alone[0])[0].values).all()


def test_strangers_are_not_judged() -> None:
    trained, _ = taught(a_fleet())

    scores, memory = trained.score(a_window(rows=5, asset=AssetKey("x", "x")))

    assert np.isnan(scores.values).all()
    assert not memory.arrays


def test_history_without_a_signal_that_can_be_followed_is_refused() -> None:
    with pytest.raises(HistoryTooShort):
        PeersDetector(LINE).fit([a_window(rows=50, signals=("heat",))])


def test_input_is_left_as_it_was_and_columns_are_named() -> None:
    fleet = a_fleet()
    trained, peering = taught(fleet)
    window = referred(peering, fleet, 0)
    before = window.values.copy()

    trained.score(window)
    trained.score_common(window)

    assert np.array_equal(window.values, before, equal_nan=True)
    assert window.signals == ("made", "heat", f"{PEERS}made", f"{COMMON}made")
    assert trained.lookback == timedelta(0)
    assert trained.knows(window.asset)


def test_of_a_pair_the_one_that_moved_is_told_and_the_other_is_not() -> None:
    fleet = a_fleet(rows=800, n_roofs=2, swing=0.0)
    fleet[0] = changed(fleet[0], 650, 1.5)
    history = [window.rows(0, 600) for window in fleet]
    peering, references = learn_peers(history, LINE)
    columns = [with_references(window, one) for window, one in zip(history, references, strict=True)]
    trained = replace(PeersDetector(LINE).fit(columns), peering=peering)

    one, other = (scored(trained, peering, fleet, place)[650:680] for place in (0, 1))

    assert f"{PAIR}made" in columns[0].signals
    assert np.mean(one > 1.0) > 0.8
    assert np.mean(other > 1.0) < 0.4


@pytest.mark.parametrize(("is_ratio", "levels"), [(True, (20.0, 40.0)), (False, (10.7, 20.7))])
def test_change_of_regime_is_told_at_the_levels_that_were_read(
    is_ratio: bool, levels: tuple[float, float]
) -> None:
    window = a_window(rows=4)
    at = from_numpy(window.time[2])
    judged = RegimeChange(PLANT, "heat", at, 10.0, 20.0)
    blank = np.zeros(window.values.shape)
    scores = Scores(window.time, blank[:, 0], blank, blank, blank > 0, changes=(judged,))
    shared = {"heat": np.array([0.0, 0.0, np.log(2.0) if is_ratio else 0.7, 0.0])}

    told = Reference(fast=shared, is_ratio={"heat": is_ratio}).with_common(window, scores)

    (change,) = told.changes
    assert (change.before, change.after) == pytest.approx(levels)
    assert (change.signal, change.at) == ("heat", at)
