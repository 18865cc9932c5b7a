"""Savings of a stored site, by command, API and Python."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from typer.testing import CliRunner

from sereno.cli.app import app
from sereno.domain.errors import UnknownAsset, UnknownSignal, UsageError
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.domain.time import to_numpy
from sereno.flows.savings_view import report_json
from sereno.flows.workspace import Workspace
from tests.api.serving import served
from tests.support.builders import MADRID, a_workspace

HOUR = timedelta(hours=1)
ZONE = ZoneInfo(MADRID)
START, CUT = datetime(2023, 1, 1, tzinfo=ZONE), datetime(2024, 1, 1, tzinfo=ZONE)
END = datetime(2024, 7, 1, tzinfo=ZONE)
SAVED = 0.1
SETTINGS = f"timezone: {MADRID}\ntariff: {{prices: {{kWh: 0.2}}, co2_kg: {{kWh: 0.15}}}}\n"
OFFICE, SHOP = AssetKey("Sede", "Oficina"), AssetKey("Sede", "Tienda")
SIGNALS = ("power", "temperature")


def site_readings() -> Readings:
    """An office that saves a tenth from 2024 on and measures the temperature; a shop that came late."""
    rng = np.random.default_rng(5)
    first = to_numpy(START)
    n_rows = (END.astimezone(UTC) - START.astimezone(UTC)) // HOUR
    time = first + np.arange(n_rows) * np.timedelta64(1, "h")
    hours = np.arange(n_rows)
    temperature = (
        15
        - 10 * np.cos(2 * np.pi * (hours / 24 - 15) / 365.25)
        + 3 * np.repeat(rng.normal(size=n_rows // 24 + 1), 24)[:n_rows]
    )
    power = 30 + 15 * ((hours % 24) > 8) + 1.5 * np.maximum(15 - temperature, 0)
    power = power * (1 + 0.04 * rng.normal(size=n_rows)) * np.where(time >= to_numpy(CUT), 1 - SAVED, 1.0)
    office = np.stack([power, temperature], axis=1)
    shop = np.stack([power[-24 * 200 :] * 0.3, np.full(24 * 200, np.nan)], axis=1)
    values = np.concatenate([office, shop])
    return Readings(
        profile="load",
        assets=(OFFICE, SHOP),
        asset_index=np.repeat(np.arange(2, dtype=np.int32), [n_rows, 24 * 200]),
        time=np.concatenate([time, time[-24 * 200 :]]),
        signals=SIGNALS,
        values=values,
        quality=np.zeros(values.shape, dtype=np.int32),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("savings") / "w"
    with a_workspace(place) as made:
        made.add(site_readings(), zone=MADRID)
    settings = place / "sereno.yaml"
    settings.write_text(SETTINGS)
    return place


def test_the_known_saving_of_a_site_with_money_and_emissions(folder: Path) -> None:
    with Workspace.open(folder) as workspace:
        report = workspace.savings("Sede", (START, CUT))

    office = next(one for one in report_json(report)["meters"] if one["asset"] == "Oficina")  # type: ignore[attr-defined]
    assert office["carries"]
    assert office["significant"]
    assert office["share"] == pytest.approx(SAVED, abs=0.01)
    assert office["saved"] == pytest.approx(office["expected"] - office["actual"])
    assert office["cost_saved"] == pytest.approx(0.2 * office["saved"], abs=0.01)
    assert office["co2_saved_kg"] == pytest.approx(0.15 * office["saved"], abs=0.01)
    assert office["unit"] == "kWh"
    assert office["baseline"]["model"]["heating_base_c"] == pytest.approx(15, abs=1)
    assert office["fit"]["r2"] > 0.9


def test_what_the_baseline_does_not_carry_is_not_claimed(folder: Path) -> None:
    with Workspace.open(folder) as workspace:
        report = workspace.savings("Sede", (START, CUT))

    shop = next(one for one in report_json(report)["meters"] if one["asset"] == "Tienda")  # type: ignore[attr-defined]
    assert not shop["carries"]
    assert shop["saved"] is None
    assert [one["reason"] for one in shop["refusals"]] == ["baseline_days"]
    assert not report.is_refused


def test_days_are_local_and_as_long_as_they_are(folder: Path) -> None:
    with Workspace.open(folder) as workspace:
        (one,) = workspace.savings("Sede/Oficina", (START, CUT)).meters

    days = one.found.baseline_days  # type: ignore[union-attr]
    assert len(days) == 365
    spring = np.flatnonzero(days.day == (datetime(2023, 3, 26) - datetime(1970, 1, 1)).days)[0]  # noqa: DTZ001
    assert np.isfinite(days.energy).all()
    with_hours = days.energy[spring] / np.mean(days.energy[[spring - 7, spring + 7]])
    assert with_hours < 1.1
    assert days.kind[days.day == (datetime(2023, 12, 25) - datetime(1970, 1, 1)).days] == 2  # noqa: DTZ001


def test_temperature_of_a_neighbour_explains(folder: Path) -> None:
    with Workspace.open(folder) as workspace:
        begin = datetime(2024, 1, 1, tzinfo=ZONE)
        end = begin + timedelta(days=120)
        (one,) = workspace.savings("Sede/Tienda", (begin, end)).meters

    assert np.isfinite(one.found.baseline_days.temperature).all()  # type: ignore[union-attr]
    assert one.found.baseline.heating > 0  # type: ignore[union-attr]


def test_the_command_says_it_in_both_languages_and_refuses_aloud(folder: Path) -> None:
    runner = CliRunner()
    base = ["--workspace", str(folder), "savings", "Sede/Oficina", "--baseline", "2023-01-01", "2024-01-01"]

    said = {one: runner.invoke(app, ["--lang", one, *base]) for one in ("es", "en")}
    short = ["--baseline", "2023-01-01", "2023-02-01"]
    refused = runner.invoke(app, ["--lang", "en", *base[:-3], *short])
    document = json.loads(runner.invoke(app, ["--json", *base]).stdout)

    assert said["en"].exit_code == said["es"].exit_code == 0, said["en"].output
    assert "has saved" in said["en"].output
    assert "t CO₂e" in said["en"].output
    assert "ha ahorrado" in said["es"].output
    assert "CV(RMSE)" in said["es"].output
    assert refused.exit_code == 3
    assert "31 sound days" in refused.output
    assert {line["signal"] for line in document["meters"][0]["series"]} >= {"actual", "expected", "cusum"}


def test_the_api_answers_the_same_with_lines_for_a_chart(folder: Path) -> None:
    asked = {
        "site": "Sede",
        "baseline_from": "2023-01-01T00:00:00+01:00",
        "baseline_to": "2024-01-01T00:00:00+01:00",
    }
    with Workspace.open(folder) as workspace:
        own = report_json(workspace.savings("Sede", (START, CUT)))
    with served(folder) as client:
        answer = client.get("/api/v1/savings", params=asked)
        lost = client.get("/api/v1/savings", params={**asked, "site": "Nowhere"})

    assert answer.status_code == 200, answer.text
    assert answer.json() == json.loads(json.dumps(own))
    cusum = next(one for one in answer.json()["meters"][0]["series"] if one["signal"] == "cusum")
    assert len(cusum["time"]) == len(cusum["value"]) == (END.date() - CUT.date()).days
    assert cusum["time"][0] == "2023-12-31T23:00:00Z"
    assert (lost.status_code, lost.json()["code"]) == (404, "asset.unknown")


def test_what_cannot_be_asked_is_refused(folder: Path) -> None:
    with Workspace.open(folder) as workspace:
        with pytest.raises(UsageError):
            workspace.savings("Sede", (CUT, START))
        with pytest.raises(UsageError):
            workspace.savings("Sede", (START, CUT), since=START)
        with pytest.raises(UnknownAsset):
            workspace.savings("Nowhere", (START, CUT))
        with pytest.raises(UnknownSignal):
            workspace.savings("Sede", (START, CUT), signal="humidity")
