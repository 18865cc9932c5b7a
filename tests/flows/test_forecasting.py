"""Forecasts of a workspace: learnt once, a day more when it comes, and kept."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sereno.cli.app import app
from sereno.domain.errors import HistoryTooShort, NoReadings, UnknownAsset, UnknownSignal, UsageError
from sereno.domain.readings import Readings, Window
from sereno.flows.workspace import Workspace
from sereno.testing.forecasters import a_metered_history
from tests.api.serving import served
from tests.support.builders import a_workspace

DAY = timedelta(days=1)
HISTORY = a_metered_history("power", n_meters=2, n_days=45)
END = datetime(2024, 1, 1, tzinfo=UTC) + 44 * DAY


def readings(windows: Sequence[Window]) -> Readings:
    return Readings(
        profile="load",
        assets=tuple(one.asset for one in windows),
        asset_index=np.repeat(np.arange(len(windows), dtype=np.int32), [len(one) for one in windows]),
        time=np.concatenate([one.time for one in windows]),
        signals=("power",),
        values=np.concatenate([one.values for one in windows]),
        quality=np.concatenate([one.quality for one in windows]),
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = a_workspace(tmp_path / "w")
    made.add(readings([one.rows(0, 44 * 24) for one in HISTORY]), zone="UTC")
    return made


def test_a_day_is_forecast_and_kept(workspace: Workspace) -> None:
    report = workspace.forecast()

    assert [one.origin for one in report.forecasts] == [END, END]
    assert {len(one.time) for one in report.forecasts} == {24}
    assert set(report.units.values()) == {"kW"}
    with workspace.store.read() as tx:
        kept = [tx.forecasts(asset.id)[0].forecast for asset in tx.assets()]
    assert [one.to_json() for one in kept] == [one.to_json() for one in report.forecasts]


def test_last_forecast_is_what_the_api_answers(workspace: Workspace, tmp_path: Path) -> None:
    report = workspace.forecast()
    workspace.close()
    with served(tmp_path / "w") as client:
        answers = [client.get("/api/v1/forecasts", params={"asset_id": one}) for one in (1, 2)]
        other = client.get("/api/v1/forecasts", params={"asset_id": 1, "signal": "temperature"})

    said = {answer.json()["asset"]: answer.json() for answer in answers}
    assert said == {one.asset.asset: one.to_json() for one in report.forecasts}
    assert (other.status_code, other.json()["code"]) == (404, "forecast.missing")


def test_what_is_known_is_not_learnt_again_and_days_are_added(workspace: Workspace) -> None:
    said = [list(workspace.forecast().learnt.values()) for _ in range(2)]
    workspace.add(readings([one.rows(44 * 24, 45 * 24) for one in HISTORY]), zone="UTC")
    later = workspace.forecast()

    assert [*said, list(later.learnt.values())] == [["learnt"], ["known"], ["days added"]]
    assert later.forecasts[0].origin == END + DAY


def test_a_damaged_model_is_learnt_anew(workspace: Workspace) -> None:
    workspace.forecast()
    (file,) = (workspace.folder / "models").glob("*.forecaster")
    file.write_bytes(file.read_bytes()[:-3])

    assert list(workspace.forecast().learnt.values()) == ["learnt"]


def test_an_origin_in_the_past_does_not_know_what_came_after(workspace: Workspace, tmp_path: Path) -> None:
    origin = END - 2 * DAY
    short = a_workspace(tmp_path / "short")
    short.add(readings([one.rows(0, 42 * 24) for one in HISTORY]), zone="UTC")

    said = [one.forecast(origin=origin).forecasts for one in (workspace, short)]

    assert [one.to_json() for one in said[0]] == [one.to_json() for one in said[1]]


def test_what_has_learnt_later_days_does_not_forecast_the_days_before(
    workspace: Workspace, tmp_path: Path
) -> None:
    origin = END - 2 * DAY
    short = a_workspace(tmp_path / "short")
    short.add(readings([one.rows(0, 42 * 24) for one in HISTORY]), zone="UTC")
    (file,) = _files_after(workspace)
    kept = file.read_bytes()

    past, alone = workspace.forecast(origin=origin), short.forecast(origin=origin)

    assert [one.to_json() for one in past.forecasts] == [one.to_json() for one in alone.forecasts]
    assert list(past.learnt.values()) == ["learnt as of the origin"]
    assert file.read_bytes() == kept
    assert list(workspace.forecast().learnt.values()) == ["known"]


def _files_after(workspace: Workspace) -> list[Path]:
    workspace.forecast()
    return list((workspace.folder / "models").glob("*.forecaster"))


def test_changed_options_are_learnt_anew(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    with a_workspace(folder) as made:
        made.add(readings([one.rows(0, 44 * 24) for one in HISTORY]), zone="UTC")
        said = [made.forecast()]
    settings = folder / "sereno.yaml"
    settings.write_text(settings.read_text() + "\nforecast: {options: {shrinkage_days: 500.0}}\n")
    with Workspace.open(folder) as made:
        said += [made.forecast(), made.forecast()]

    assert [list(one.learnt.values()) for one in said] == [["learnt"], ["learnt"], ["known"]]
    first, second = (one.forecasts[0].median for one in said[:2])
    assert not np.array_equal(first, second)


def test_one_asset_and_a_week(workspace: Workspace) -> None:
    report = workspace.forecast(asset="Meter 1", horizon=7 * DAY, forecaster="seasonal_naive")

    assert [(one.asset.asset, len(one.time), one.model) for one in report.forecasts] == [
        ("Meter 1", 168, "seasonal_naive")
    ]


def test_what_cannot_be_forecast_is_told(workspace: Workspace, tmp_path: Path) -> None:
    empty, young = a_workspace(tmp_path / "empty"), a_workspace(tmp_path / "young")
    young.add(readings([replace(HISTORY[0]).rows(0, 20)]), zone="UTC")

    with pytest.raises(NoReadings):
        empty.forecast()
    with pytest.raises(HistoryTooShort):
        young.forecast()
    with pytest.raises(UnknownSignal):
        workspace.forecast(signal="nope")
    with pytest.raises(UnknownAsset, match="Meter 0"):
        workspace.forecast(asset="Metre 0")
    with pytest.raises(UsageError):
        workspace.forecast(horizon=8 * DAY)


def test_the_command_shows_figures_band_and_tier(workspace: Workspace) -> None:
    runner, folder = CliRunner(), str(workspace.folder)

    plain = runner.invoke(app, ["--workspace", folder, "forecast", "--asset", "Meter 0"])
    whole = runner.invoke(app, ["--workspace", folder, "--json", "forecast", "--horizon", "6h"])

    assert plain.exit_code == 0, plain.output
    assert "Meter 0" in plain.output
    first = json.loads(whole.stdout)["forecasts"][0]
    assert (first["tier"], first["unit"], len(first["steps"])) == ("hierarchical", "kW", 6)
    assert first["steps"][0]["p05"] <= first["steps"][0]["p50"] <= first["steps"][0]["p95"]
