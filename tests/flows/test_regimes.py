"""Changes of regime: told without alarm, and the same however the rows came."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import UnknownAsset
from sereno.domain.readings import Window
from sereno.domain.time import from_numpy
from sereno.flows.workspace import Workspace
from tests.support.builders import MADRID, a_window, a_workspace, between, readings_of

MINUTE = timedelta(minutes=1)
TRAINED_ROWS, ROWS = 1_500, 3_600
FLOW, RETURN = 2_200, 2_500


def a_line() -> Window:
    """A pump of minutes that stands still twice, once while it is learnt and once later."""
    rng = np.random.default_rng(3)
    values = np.column_stack((30 + rng.normal(0, 0.3, ROWS), 5 + rng.normal(0, 0.05, ROWS)))
    for stopped in (slice(600, 800), slice(FLOW, RETURN)):
        values[stopped] = np.abs(rng.normal((0.0, 0.1), 0.02, (stopped.stop - stopped.start, 2)))
    return a_window(values, signals=("caudal", "vibración"), step=MINUTE, profile="process")


LINE = a_line()


@pytest.fixture
def trained(tmp_path: Path) -> Workspace:
    workspace = a_workspace(tmp_path / "w")
    workspace.add(readings_of(LINE.rows(0, TRAINED_ROWS)), zone=MADRID)
    workspace.train()
    return workspace


def told(workspace: Workspace) -> list[dict[str, object]]:
    return [view.to_json() for view in workspace.regimes()]


def whole(workspace: Workspace) -> list[dict[str, object]]:
    workspace.add(readings_of(LINE), zone=MADRID)
    workspace.score()
    return told(workspace)


def test_stop_and_start_are_told_and_open_no_incident(trained: Workspace) -> None:
    found = whole(trained)

    assert [one["kind"] for one in found] == ["start", "stop", "start", "stop"]
    start, stop = (from_numpy(LINE.time[row]) for row in (RETURN, FLOW))
    views = trained.regimes(since=from_numpy(LINE.time[TRAINED_ROWS]))
    assert [0 <= (view.at - at).total_seconds() <= 600 for view, at in zip(views, (start, stop), strict=True)]
    assert trained.incidents() == []


def test_sentence_says_which_signals_came_from_which_level_to_which(trained: Workspace) -> None:
    latest = whole(trained)[0]

    levels = {one["signal"]: (one["before"], one["after"]) for one in latest["signals"]}  # type: ignore[attr-defined]
    assert levels["caudal"] == pytest.approx((0, 30), abs=1.5)
    assert str(latest["sentence"]).startswith("Planta 1 started (2 Jan 2024 18:")
    assert "caudal from 0.0" in str(latest["sentence"])
    assert str(latest["sentence_es"]).startswith("Planta 1 se puso en marcha (2 ene 2024 18:")
    assert "caudal de 0,0" in str(latest["sentence_es"])


@pytest.mark.parametrize("size", [1, 7, 333], ids=lambda size: f"{size} rows")
def test_streamed_changes_equal_those_of_the_batch(trained: Workspace, tmp_path: Path, size: int) -> None:
    first = ROWS - 1_500 if size == 1 else TRAINED_ROWS
    trained.add(between(readings_of(LINE), LINE.time[TRAINED_ROWS], LINE.time[first]), zone=MADRID)
    trained.score()
    edges = [*range(first, 2_600, size), 2_600, ROWS - 1]
    for start, stop in pairwise(edges):
        trained.add(between(readings_of(LINE), LINE.time[start], LINE.time[stop]), zone=MADRID, judge=True)
    streamed = told(trained)

    trained.add(readings_of(LINE), zone=MADRID, judge=True)

    assert len(streamed) == 4
    assert streamed == told(trained) == judged_once(tmp_path / "other")


def judged_once(folder: Path) -> list[dict[str, object]]:
    with a_workspace(folder) as workspace:
        workspace.add(readings_of(LINE.rows(0, TRAINED_ROWS)), zone=MADRID)
        workspace.train()
        return whole(workspace)


def test_late_rows_take_back_what_was_told_without_them(trained: Workspace, tmp_path: Path) -> None:
    readings = readings_of(LINE)
    pieces = ((TRAINED_ROWS, FLOW + 2), (RETURN - 5, ROWS - 1), (FLOW + 2, RETURN - 5))
    for start, stop in pieces:
        trained.add(between(readings, LINE.time[start], LINE.time[stop]), zone=MADRID, judge=True)

    assert told(trained) == judged_once(tmp_path / "other")


def test_detector_that_knows_no_regimes_is_silent(tmp_path: Path) -> None:
    with a_workspace(tmp_path, settings="detectors: {process: pca}\n") as workspace:
        workspace.add(readings_of(LINE.rows(0, TRAINED_ROWS)), zone=MADRID)
        workspace.train()

        assert whole(workspace) == []


def test_training_another_detector_forgets_the_changes(trained: Workspace) -> None:
    whole(trained)

    trained.train(detector="pca")
    trained.score()

    assert told(trained) == []


def test_asset_is_chosen_by_its_name(trained: Workspace) -> None:
    found = whole(trained)

    assert len(trained.regimes(asset="planta 1")) == len(found)
    with pytest.raises(UnknownAsset):
        trained.regimes(asset="Planta 9")
