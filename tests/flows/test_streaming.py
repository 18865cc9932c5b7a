"""A stream, a file and a back-test of the same readings end in the same detections and incidents."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from sereno.domain.readings import Window
from sereno.flows.workspace import Workspace
from tests.flows.conftest import HOURLY_TRAINED_ROWS, TRAINED_ROWS
from tests.flows.reading_back import stored_detections, stored_readings, told_incidents, told_lives
from tests.support.builders import MADRID, between, readings_of

Copies = Callable[[str], Workspace]


def _rest(windows: list[Window], first_row: int) -> tuple[object, object]:
    return windows[0].time[first_row], windows[0].time[-1] + np.timedelta64(1, "s")


def _whole(workspace: Workspace, windows: list[Window], first_row: int) -> Workspace:
    workspace.add(between(readings_of(*windows), *_rest(windows, first_row)), zone=MADRID)
    workspace.score()
    return workspace


def _streamed(workspace: Workspace, windows: list[Window], edges: list[int]) -> Workspace:
    readings, time = readings_of(*windows), windows[0].time
    last = time[-1] + np.timedelta64(1, "s")
    for start, stop in pairwise(edges):
        batch = between(readings, time[start], last if stop == len(time) else time[stop])
        if len(batch):
            workspace.add(batch, zone=MADRID, judge=True)
    return workspace


def _assert_equal(one: Workspace, other: Workspace) -> None:
    assert stored_readings(one) == stored_readings(other)
    assert stored_detections(one) == stored_detections(other)
    assert told_incidents(one) == told_incidents(other)


def test_year_fed_day_by_day_equals_one_score(trained_daily: Copies, daily_windows: list[Window]) -> None:
    whole = _whole(trained_daily("whole"), daily_windows, TRAINED_ROWS)

    streamed = _streamed(trained_daily("streamed"), daily_windows, list(range(TRAINED_ROWS, 366)))

    assert len(told_incidents(whole)) > 8
    _assert_equal(streamed, whole)


@pytest.mark.parametrize("size", [7, 24, 111], ids=lambda size: f"{size} rows")
def test_hours_with_gaps_fed_in_batches_equal_one_score(
    trained_hourly: Copies, hourly_windows: list[Window], size: int
) -> None:
    end = len(hourly_windows[0])
    whole = _whole(trained_hourly("whole"), hourly_windows, HOURLY_TRAINED_ROWS)

    edges = [*range(HOURLY_TRAINED_ROWS, end, size), end]
    streamed = _streamed(trained_hourly("streamed"), hourly_windows, edges)

    assert len(told_incidents(whole)) > 3
    _assert_equal(streamed, whole)


def test_late_batch_is_judged_as_if_it_had_come_in_order(
    trained_daily: Copies, daily_windows: list[Window]
) -> None:
    whole = _whole(trained_daily("whole"), daily_windows, TRAINED_ROWS)
    late = trained_daily("late")
    readings, time = readings_of(*daily_windows), daily_windows[0].time

    for start, stop in [(200, 225), (258, 290), (225, 258), (310, 364), (290, 310), (364, 365)]:
        last = time[stop - 1] + np.timedelta64(1, "s")
        late.add(between(readings, time[start], last), zone=MADRID, judge=True)

    assert stored_detections(late) == stored_detections(whole)
    assert told_lives(late) == told_lives(whole)


def test_late_batch_of_hours_goes_back_to_its_checkpoint(
    trained_hourly: Copies, hourly_windows: list[Window]
) -> None:
    whole = _whole(trained_hourly("whole"), hourly_windows, HOURLY_TRAINED_ROWS)
    late = trained_hourly("late")
    readings, time = readings_of(*hourly_windows), hourly_windows[0].time
    hours = timedelta(hours=1)

    for start, stop in [(1440, 1500), (1560, 2160), (1500, 1560)]:
        late.add(between(readings, time[start], time[stop - 1] + hours / 2), zone=MADRID, judge=True)

    assert stored_detections(late) == stored_detections(whole)
    assert told_lives(late) == told_lives(whole)


def test_corrected_value_is_judged_again_and_the_old_one_is_kept(
    trained_daily: Copies, daily_windows: list[Window]
) -> None:
    workspace = _whole(trained_daily("corrected"), daily_windows, TRAINED_ROWS)
    straight = trained_daily("straight")
    correct = [_revived(daily_windows[0]), *daily_windows[1:]]

    workspace.add(readings_of(_revived(daily_windows[0]).rows(230, 260)), zone=MADRID, judge=True)
    _whole(straight, correct, TRAINED_ROWS)

    assert stored_detections(workspace) == stored_detections(straight)
    assert told_lives(workspace) == told_lives(straight)
    assert _n_superseded(workspace) == 30


def test_withdrawn_incident_disappears_from_the_list_and_stays_in_the_store(
    trained_daily: Copies, daily_windows: list[Window]
) -> None:
    workspace = _whole(trained_daily("corrected"), daily_windows, TRAINED_ROWS)
    dead = next(
        v.incident
        for v in workspace.incidents()
        if v.incident.worst.n_rows >= 30 and v.incident.asset.site == "Planta 1"
    )

    workspace.add(readings_of(_revived(daily_windows[0]).rows(230, 260)), zone=MADRID, judge=True)

    assert dead.id not in {view.incident.id for view in workspace.incidents()}
    with workspace.store.read() as tx:
        assert tx.incident(dead.id).is_withdrawn


def test_incident_keeps_its_name_and_owner_when_late_data_shifts_its_start(
    trained_daily: Copies, daily_windows: list[Window]
) -> None:
    workspace = trained_daily("late")
    readings, time = readings_of(daily_windows[0]), daily_windows[0].time
    workspace.add(between(readings, time[200], time[228]), zone=MADRID, judge=True)
    workspace.add(between(readings, time[232], time[250]), zone=MADRID, judge=True)
    before = _of_kind(workspace, "behaviour")
    workspace.acknowledge(before.id, actor="ana")

    workspace.add(between(readings, time[228], time[232]), zone=MADRID, judge=True)

    after = _of_kind(workspace, "behaviour")
    assert after.id == before.id
    assert after.owner == "ana"
    assert after.started_at < before.started_at


def _of_kind(workspace: Workspace, kind: str):
    found = [view.incident for view in workspace.incidents() if view.incident.kind == kind]
    assert len(found) == 1
    return found[0]


def _revived(window: Window) -> Window:
    from tests.support.builders import a_roof

    calm = a_roof("Planta 1", rows=365, size=5.0)
    values = window.values.copy()
    values[230:260] = calm.values[230:260]
    return Window(
        window.asset,
        window.profile,
        window.signals,
        window.time,
        values,
        window.quality,
        window.step,
        window.zone,
    )


def _n_superseded(workspace: Workspace) -> int:
    from sqlalchemy import create_engine, text

    engine = create_engine(f"sqlite:///{workspace.folder / 'sereno.db'}")
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("select count(*) from superseded_reading")).scalar_one())
    finally:
        engine.dispose()
