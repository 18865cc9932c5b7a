"""Figures of an evaluation against hand-counted cases; nothing is point-adjusted."""

from dataclasses import replace
from datetime import timedelta
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.evaluate.acceptance import Goals, acceptance
from sereno.evaluate.counts import Confusion
from sereno.evaluate.judged import Event, JudgedAsset
from sereno.evaluate.scores import Scoreboard
from tests.support.builders import HOUR, steps

N = 24 * 14


def mask(*spans: tuple[int, int], rows: int = N) -> np.ndarray:
    found = np.zeros(rows, dtype=bool)
    for first, stop in spans:
        found[first:stop] = True
    return found


def judged(said: np.ndarray, *events: tuple[int, int], **changes: object) -> JudgedAsset:
    """Two weeks of hours; pressure is affected in all events and named in all alarms."""
    true = mask(*events)
    asset = JudgedAsset(
        name="A",
        step=HOUR,
        time=steps(N),
        local_hour=np.arange(N) % 24,
        is_read=np.ones(N, dtype=bool),
        is_said=said,
        named={"pressure": said, "volume": np.zeros(N, dtype=bool)},
        level=np.full(N, 4, dtype=np.int8),
        is_true=true,
        affected={"pressure": true},
        true_level=np.where(true, 4, -1).astype(np.int8),
        events=[Event(*one) for one in events],
    )
    return replace(asset, **changes)  # type: ignore[arg-type]


def board(*assets: JudgedAsset) -> Scoreboard:
    found = Scoreboard()
    for asset in assets:
        found.add(asset)
    return found


def test_rows_are_counted_one_by_one() -> None:
    """Of 48 abnormal rows 10 were said, and 5 normal ones: no row is found because a neighbour was."""
    found = board(judged(mask((110, 120), (300, 305)), (100, 148)))

    assert found.ours.rows == Confusion(tp=10, fp=5, tn=N - 53, fn=38)
    assert found.ours.rows.recall == pytest.approx(10 / 48)
    assert found.ours.rows.precision == pytest.approx(10 / 15)
    assert found.ours.rows.f1 == pytest.approx(20 / 63)


def test_event_is_found_once_with_the_delay_until_its_row_was_known() -> None:
    found = board(judged(mask((103, 105), (110, 120)), (100, 148), (200, 210)))

    assert (found.n_events, found.ours.n_found) == (2, 1)
    assert found.ours.delays == [240.0]  # the fourth hour is known when it ends


def test_run_that_touches_no_event_is_one_false_episode() -> None:
    found = board(judged(mask((50, 60), (90, 105), (300, 301)), (100, 148)))

    assert found.ours.n_false == 2
    assert found.asset_weeks == pytest.approx(2.0)


def test_rows_without_a_reading_are_no_false_alarm_and_break_no_run() -> None:
    is_read = ~mask((52, 55), (200, 210))

    found = board(judged(mask((50, 60), (200, 210)), is_read=is_read))

    assert found.ours.n_false == 1
    assert found.ours.rows.n_rows == N - 13


def test_variable_counts_as_found_only_under_its_name() -> None:
    said, true = mask((100, 140)), mask((100, 148))
    named = {"pressure": mask((100, 110)), "volume": said}

    found = board(judged(said, (100, 148), named=named, affected={"pressure": true, "temperature": true}))

    pressure, temperature = found.variables["pressure"], found.variables["temperature"]
    assert (pressure.n_rows, pressure.n_found, pressure.n_named) == (48, 40, 10)
    assert (temperature.n_rows, temperature.n_found, temperature.n_named) == (48, 40, 0)


def test_criticality_is_compared_where_something_was_found() -> None:
    level = np.where(np.arange(N) < 110, 4, 3).astype(np.int8)

    found = board(judged(mask((100, 120)), (100, 148), level=level))

    assert found.levels == {(4, 4): 10, (4, 3): 10}
    assert found.level_agreement == 0.5
    assert found.commonest_level_share == 1.0


def test_detectors_that_look_at_nothing_stand_beside_ours() -> None:
    found = board(judged(mask((100, 148)), (100, 148)))

    assert found.ours.rows.f1 == 1.0
    assert found.detectors["always"].rows.recall == 1.0
    assert found.detectors["always"].rows.precision == pytest.approx(48 / N)
    share = [found.detectors[name].rows for name in ("clock", "random")]
    assert all(0.1 < (one.tp + one.fp) / N < 0.25 for one in share)
    assert all(one.f1 < 0.4 for one in share)


def test_sums_do_not_depend_on_the_order_of_assets() -> None:
    assets = [judged(mask((i, i + 9)), (i + 3, i + 20), name=f"A{i}") for i in (10, 60, 200)]

    there, back = (board(*order).ours for order in (assets, reversed(assets)))
    assert (there.rows, there.n_found, there.n_false) == (back.rows, back.n_found, back.n_false)
    assert sorted(there.delays) == sorted(back.delays)


def test_nothing_to_count_is_not_a_number() -> None:
    empty = Scoreboard()

    assert isnan(empty.ours.rows.recall)
    assert isnan(empty.level_agreement)
    assert isnan(empty.ours.median_delay_minutes)
    assert [one.is_met for one in acceptance(empty, Goals(), judging=timedelta(0))] == [
        None,
        None,
        None,
        True,
    ]


@pytest.mark.parametrize(
    ("said", "level", "minutes", "unmet"),
    [
        (mask((100, 148)), 4, 1, set()),
        (mask((100, 130)), 4, 1, {"recall", "recall:pressure"}),
        (mask((100, 148), (200, 300)), 4, 1, {"false_positive_rate"}),
        (mask((100, 148)), 3, 1, {"severity"}),
        (mask((100, 148)), 4, 11, {"latency_minutes"}),
    ],
    ids=["all", "recall", "false alarms", "severity", "latency"],
)
def test_every_goal_can_be_missed(said: np.ndarray, level: int, minutes: int, unmet: set[str]) -> None:
    found = board(judged(said, (100, 148), level=np.full(N, level, dtype=np.int8)))

    criteria = acceptance(found, Goals(), judging=timedelta(minutes=minutes))

    assert {one.name for one in criteria if not one.is_met} == unmet


@given(said=st.lists(st.booleans(), min_size=1), true=st.lists(st.booleans(), min_size=1))
def test_counts_add_up_to_the_rows(said: list[bool], true: list[bool]) -> None:
    n_rows = min(len(said), len(true))
    found = Confusion.of(np.array(said[:n_rows]), np.array(true[:n_rows]))

    assert found.n_rows == n_rows
    assert found.tp + found.fn == sum(true[:n_rows])
    assert found.tp + found.fp == sum(said[:n_rows])
