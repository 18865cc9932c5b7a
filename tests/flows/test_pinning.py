"""Versions that settings name: they judge and forecast whatever is learnt or decided later."""

from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import PinnedVersionMissing, SettingsError, VersionPinned
from sereno.flows.pinning import MODEL_VERSION
from sereno.flows.workspace import Workspace
from sereno.settings.reading import load_settings
from sereno.testing.forecasters import a_metered_history
from tests.support.builders import NOW, a_workspace, readings_of
from tests.support.processes import environment, sereno

DAY = timedelta(days=1)


@pytest.fixture
def older(judged_daily: Workspace) -> str:
    """The version that judged until another was trained with another seed."""
    before = judged_daily.models()[0].id
    _set(judged_daily.folder, "budget: 1.5")
    with _again(judged_daily) as workspace:
        assert workspace.train()[0].id != before
    return before


def _set(folder: Path, text: str) -> None:
    path = folder / "sereno.yaml"
    path.write_text(f"{path.read_text('utf-8')}\n{text}\n", "utf-8")


def _again(workspace: Workspace) -> Workspace:
    return Workspace.open(workspace.folder, clock=lambda: NOW + DAY)


def _judging(workspace: Workspace) -> str:
    model = workspace.model("solar")
    assert model is not None
    return model.card.id


def _forecasters(workspace: Workspace) -> list[str]:
    with workspace.store.read() as tx:
        return [one.card.id for one in tx.forecasters()]


def test_the_pinned_version_judges_and_its_history_says_why(judged_daily: Workspace, older: str) -> None:
    _set(judged_daily.folder, f"model_version: [{older[:-2]}]")

    with _again(judged_daily) as workspace:
        told = workspace.model_history(older)[-1]

        assert _judging(workspace) == older
        assert (told["model"], told["who"], told["reason"]) == (older, MODEL_VERSION, "pinned by settings")
    with _again(judged_daily) as workspace:
        assert workspace.model_history(older)[-1] == told


def test_nothing_replaces_the_pinned_version(judged_daily: Workspace, older: str) -> None:
    _set(judged_daily.folder, f"model_version: [{older}]")

    with _again(judged_daily) as workspace:
        newest = workspace.train(budget=3.0)[0].id
        with pytest.raises(VersionPinned):
            workspace.promote_model(newest, reason="because", is_forced=True)
        with pytest.raises(VersionPinned):
            workspace.roll_back_model()

        assert newest != older
        assert _judging(workspace) == older


def test_a_version_that_is_not_there_is_refused_with_those_that_are(
    judged_daily: Workspace, older: str
) -> None:
    _set(judged_daily.folder, "model_version: ['3.0.0']")

    with pytest.raises(PinnedVersionMissing) as refused:
        _again(judged_daily)

    assert refused.value.facts["version"] == "3.0.0"
    assert older in str(refused.value.facts["known"])


def test_two_versions_for_the_same_assets_are_refused(judged_daily: Workspace, older: str) -> None:
    newer = next(one.id for one in judged_daily.models() if one.id != older)
    _set(judged_daily.folder, f"model_version: [{older}, {newer}]")

    with pytest.raises(SettingsError):
        _again(judged_daily)


def test_the_environment_comes_first_and_an_empty_one_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "sereno.yaml").write_text("model_version: [a]\n", "utf-8")

    said = [load_settings(tmp_path, {MODEL_VERSION: text}) for text in ("b, c", " ", "")]

    assert [one.tree.model_version for one in said] == [["b", "c"], ["a"], ["a"]]
    assert said[0].origins["model_version"] == MODEL_VERSION


def test_command_pins_by_the_environment(judged_daily: Workspace, older: str) -> None:
    folder = judged_daily.folder

    pinned = sereno("models", "list", "--json", workspace=folder, env=environment(MODEL_VERSION=older))
    refused = sereno("models", "list", "--json", workspace=folder, env=environment(MODEL_VERSION="3.0.0"))

    assert [one["id"] for one in pinned.document if one["judges"]] == [older]
    assert (refused.code, refused.error["code"]) == (5, "model.pin_missing")


def test_the_pinned_forecaster_goes_on_and_leaves_out_what_it_does_not_know(tmp_path: Path) -> None:
    windows = a_metered_history("power", n_meters=3, n_days=30)
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(*windows[:2]), zone=windows[0].zone)
        first = workspace.forecast(profile="load")
        pinned = _forecasters(workspace)[0]
        workspace.add(readings_of(windows[2]), zone=windows[2].zone)
    _set(tmp_path / "w", f"model_version: [{pinned}]")

    with a_workspace(tmp_path / "w") as workspace:
        found = workspace.forecast(profile="load")

        assert {one.asset for one in found.forecasts} == {one.asset for one in first.forecasts}
        assert found.left_out == {windows[2].asset: "forecast.nothing"}
        assert _forecasters(workspace) == [pinned]
