"""`sereno drift` over a workspace: verdicts, drifts on purpose, the report and its figures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sereno.cli.app import app
from sereno.domain.drift import DriftKind, DriftLevel
from sereno.domain.errors import NoReadings
from sereno.domain.readings import Readings, Window
from sereno.flows.drifting import DriftRequest, ScenarioName
from sereno.flows.workspace import Workspace
from tests.drift.cities import a_city
from tests.support.builders import a_workspace

N_WEEKS = 70
CITY = [a_city(n_weeks=N_WEEKS, seed=seed, name=name) for seed, name in enumerate(("Norte", "Sur"))]


def kept(folder: Path, windows: list[Window]) -> Workspace:
    made = a_workspace(folder)
    made.add(
        Readings(
            profile="load",
            assets=tuple(one.asset for one in windows),
            asset_index=np.repeat(np.arange(len(windows), dtype=np.int32), [len(one) for one in windows]),
            time=np.concatenate([one.time for one in windows]),
            signals=windows[0].signals,
            values=np.concatenate([one.values for one in windows]),
            quality=np.concatenate([one.quality for one in windows]),
        ),
        zone="UTC",
    )
    return made


def test_a_quiet_city_is_quiet_and_each_drift_on_purpose_alarms(tmp_path: Path) -> None:
    with kept(tmp_path / "w", CITY) as workspace:
        report = workspace.drift(DriftRequest(scenarios=tuple(ScenarioName)))
        folder = workspace.output_folder

    assert report.level <= DriftLevel.LOW
    alarms = {
        (one.scenario.name, one.drift.asset.asset): one.drift.verdicts[one.scenario.kind].level.alarms
        for one in report.outcomes
    }
    assert len(alarms) == 2 * len(ScenarioName)
    assert all(alarms.values()), alarms
    document = json.loads((folder / "drift_analysis.json").read_text("utf-8"))
    assert document == report.to_json()
    assert {one["fixed_rule"]["threshold_percent"] for one in document["scenarios"]} == {5.0, 10.0, 15.0}
    figures = sorted(one.name for one in (folder / "figures").iterdir())
    assert len(figures) == 2 * len(ScenarioName)
    assert "threshold" in (folder / "figures" / figures[0]).read_text("utf-8")


def test_forecast_errors_are_those_of_forecasts_made_then(tmp_path: Path) -> None:
    with kept(tmp_path / "w", CITY[:1]) as workspace:
        verdict = workspace.drift().assets[0].verdicts[DriftKind.PERFORMANCE]

    assert verdict.level < DriftLevel.MEDIUM
    assert verdict.n_reference >= 40


def test_a_meter_that_grows_is_told_by_the_command(tmp_path: Path) -> None:
    values = CITY[0].values.copy()
    values[-3 * 168 :, 0] *= 1.25
    kept(tmp_path / "w", [replace(CITY[0], values=values), CITY[1]]).close()

    run = ["--workspace", str(tmp_path / "w"), "--lang", "es"]
    told = CliRunner().invoke(app, [*run, "drift", "--asset", "Norte", "--fail-on", "MEDIUM"])
    quiet = CliRunner().invoke(app, [*run, "drift", "--asset", "Sur", "--fail-on", "MEDIUM"])

    assert (told.exit_code, quiet.exit_code) == (1, 0), told.output
    assert "comportamiento" in told.output
    assert "averigüe qué cambió" in told.output
    assert "Sur" not in told.output


def test_a_short_history_is_said_to_be_short(tmp_path: Path) -> None:
    kept(tmp_path / "w", [CITY[0].rows(0, 8 * 168)]).close()

    done = CliRunner().invoke(app, ["--workspace", str(tmp_path / "w"), "--lang", "en", "drift"])

    assert done.exit_code == 0
    assert "not enough history" in done.output


def test_an_empty_workspace_has_nothing_to_watch(tmp_path: Path) -> None:
    with a_workspace(tmp_path / "w") as workspace, pytest.raises(NoReadings):
        workspace.drift()


def test_an_unknown_drift_on_purpose_is_refused(tmp_path: Path) -> None:
    kept(tmp_path / "w", [CITY[0].rows(0, 168)]).close()

    done = CliRunner().invoke(app, ["--workspace", str(tmp_path / "w"), "drift", "--scenario", "flood"])

    assert done.exit_code == 2
    assert "load_increase" in done.output
