"""Thresholds found anew: asked for, compared, written down, taken back."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import ModelMissing, NotFound
from sereno.domain.incidents import Verdict
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.flows.recalibration import Decision, Recalibration
from sereno.flows.watching import WatchedFolder, watch_folders
from sereno.flows.workspace import Workspace
from tests.support.builders import DAY, NOW, a_window, a_workspace, readings_of

LEARNT_DAYS = 300
NEW_DAYS = 500
SIGNALS = ("flow", "pressure")
SETTINGS = "detector: {kind: pca}\nbudget: 0.1\n"


def _lines(noise: float, *, fault: slice | None = None, seed: int = 0) -> list[Window]:
    """Two lines in days: learnt ones, then new ones that are noisier by a factor."""
    windows = []
    for number in range(2):
        rng = np.random.default_rng([seed, number])
        rows = LEARNT_DAYS + NEW_DAYS
        values = rng.normal(size=(rows, 2))
        values[LEARNT_DAYS:] *= noise
        if fault is not None:
            values[fault, 0] += 8.0
        asset = AssetKey(f"Linea {number}", f"Linea {number}")
        windows.append(
            a_window(
                100.0 + values,
                signals=SIGNALS,
                step=DAY,
                asset=asset,
                profile="process",
                start="2023-01-01T00",
            )
        )
    return windows


@pytest.fixture
def lived(tmp_path: Path) -> Callable[..., Workspace]:
    """A workspace that learnt its first days and has judged the new ones."""

    def live(noise: float, *, fault: slice | None = None, settings: str = "") -> Workspace:
        folder = tmp_path / f"w{noise}{fault}"
        folder.mkdir()
        (folder / "sereno.yaml").write_text(f"timezone: UTC\n{SETTINGS}{settings}", "utf-8")
        workspace = a_workspace(folder)
        windows = _lines(noise, fault=fault)
        workspace.add(readings_of(*(window.rows(0, LEARNT_DAYS) for window in windows)), zone="UTC")
        workspace.train()
        workspace.add(readings_of(*windows), zone="UTC")
        workspace.score()
        return workspace

    return live


def _only(results: list[Recalibration]) -> Recalibration:
    assert len(results) == 1
    return results[0]


def test_threshold_follows_noisier_calm_rows_and_is_taken_back_in_one_step(
    lived: Callable[..., Workspace],
) -> None:
    workspace = lived(1.3)
    old = workspace.models()[0]

    result = _only(workspace.recalibrate())

    assert result.decision is Decision.REPLACED
    assert 1.1 < result.after / result.before < 1.6
    assert result.realised_before > result.requested >= result.realised_after
    judges = workspace.active_models()["process"]
    new = workspace.model_card(judges)
    assert (judges, new.settings["recalibrated_from"]) == (result.became, old.id)
    assert new.calibration.threshold == result.after
    workspace.score()

    assert workspace.roll_back_model().id == old.id
    assert workspace.active_models()["process"] == old.id
    assert workspace.model_card(old.id).calibration.threshold == result.before


def test_decisions_are_written_down(lived: Callable[..., Workspace]) -> None:
    workspace = lived(1.3)

    first, second = _only(workspace.recalibrate()), _only(workspace.recalibrate())

    assert [one["decision"] for one in workspace.past_recalibrations()] == [
        first.decision.value,
        second.decision.value,
    ]
    assert (second.model, second.decision) == (first.became, Decision.KEPT_ALIKE)


def test_detector_itself_does_not_change(lived: Callable[..., Workspace]) -> None:
    workspace = lived(1.3)
    window = _lines(1.3)[0]
    before = workspace.model("process").detector.score(window)[0].values

    workspace.recalibrate()

    after = workspace.model("process").detector.score(window)[0].values
    assert np.array_equal(before, after, equal_nan=True)


def test_same_rows_keep_the_threshold(lived: Callable[..., Workspace]) -> None:
    result = _only(lived(1.0).recalibrate())

    assert result.decision in {Decision.KEPT_ALIKE, Decision.REPLACED}
    assert result.after == pytest.approx(result.before, rel=0.2)


def test_plant_that_behaves_otherwise_is_no_calibration(lived: Callable[..., Workspace]) -> None:
    workspace = lived(4.0)

    result = _only(workspace.recalibrate())

    assert result.decision in {Decision.KEPT_TOO_FAR, Decision.KEPT_UNSURE}
    assert workspace.active_models()["process"] == result.model


def test_confirmed_incident_teaches_nothing_and_a_false_alarm_does(lived: Callable[..., Workspace]) -> None:
    fault = slice(LEARNT_DAYS + 100, LEARNT_DAYS + 130)
    left_out = {}
    for verdict in (Verdict.REAL, Verdict.FALSE_ALARM):
        workspace = lived(1.0 if verdict is Verdict.REAL else 1.0001, fault=fault)
        for view in workspace.incidents():
            workspace.close_incident(view.incident.id, verdict, actor="ana")
        left_out[verdict] = _only(workspace.recalibrate()).left_out

    assert left_out[Verdict.REAL] >= 2 * 30
    assert left_out[Verdict.FALSE_ALARM] == 0


def test_without_new_rows_nothing_is_replaced(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "w", settings="budget: 0.1\n")
    workspace.add(readings_of(*_lines(1.0)), zone="UTC")
    workspace.train()

    result = _only(workspace.recalibrate())

    assert (result.decision, result.asset_weeks, result.after) == (Decision.KEPT_UNSURE, 0.0, None)


def test_nothing_trained_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        a_workspace(tmp_path).recalibrate()


def test_nothing_moves_by_itself_unless_settings_say_when(lived: Callable[..., Workspace]) -> None:
    assert lived(1.3).recalibrate_when_due() == []


def test_recalibration_comes_when_its_time_has_passed_and_not_before(lived: Callable[..., Workspace]) -> None:
    folder = lived(1.3, settings="recalibration: {every: 7d}\n").folder

    def at(days: float) -> list[Recalibration]:
        with a_workspace(folder, now=NOW + timedelta(days=days)) as workspace:
            return workspace.recalibrate_when_due()

    assert at(6.9) == []
    assert _only(at(7.1)).decision is Decision.REPLACED
    assert at(14.0) == []
    assert _only(at(14.2)).decision is Decision.KEPT_ALIKE


def test_model_is_promoted_by_the_beginning_of_its_id(lived: Callable[..., Workspace]) -> None:
    workspace = lived(1.3)
    old = workspace.models()[0].id
    workspace.recalibrate()

    assert workspace.promote_model(old[:-2]).id == old
    with pytest.raises(NotFound):
        workspace.promote_model("process-")
    with pytest.raises(NotFound):
        workspace.promote_model("nothing")


def test_first_model_cannot_be_rolled_back(lived: Callable[..., Workspace]) -> None:
    with pytest.raises(NotFound):
        lived(1.0).roll_back_model()


def test_watching_recalibrates_when_it_is_time(lived: Callable[..., Workspace], tmp_path: Path) -> None:
    folder = lived(1.3, settings="recalibration: {every: 7d}\n").folder
    (tmp_path / "in").mkdir()

    with a_workspace(folder, now=NOW + timedelta(days=8)) as workspace:
        before = workspace.active_models()
        watched = [WatchedFolder(tmp_path / "in")]
        watch_folders(workspace, watched, is_once=True, stop=threading.Event(), on_file=lambda _: None)

        assert workspace.active_models() != before
        assert [one["decision"] for one in workspace.past_recalibrations()] == ["replaced"]
