"""What the screens of the first systems had is here: a test for each row of their tables of acceptance."""

import csv
import io
from pathlib import Path

import httpx
import pytest

from sereno.domain.jobs import JobState
from sereno.flows.service import Service
from sereno.flows.simulating import SimulationPlan, add_simulation
from sereno.flows.workspace import Workspace
from tests.console.screens import SCREENS, address_of
from tests.console.serving import console_server, copied
from tests.console.world import FAILED, LEAKING, NOW
from tests.support.processes import wait_until

SITE = {"site": LEAKING.site, "asset": LEAKING.asset, "profile": "gas"}


def test_row_1_6_top_says_readings_model_and_last_analysis_with_its_change(own: tuple[str, Service]) -> None:
    workspace = own[1].workspace("default")
    with httpx.Client(base_url=own[0], timeout=60, headers={"accept-language": "es"}) as client:
        counted = client.get("/console/readings").text
        before = client.get("/console/").text
        workspace.score()
        with workspace.store.begin() as tx:
            tx.add_metric(1000, 30, 3.0, "caution", workspace.now())
        after = client.get("/console/models").text

    assert "21.690" in counted
    assert 'Modelo: <strong class="ok">sí</strong>' in " ".join(before.split())
    assert "puntos desde el último análisis" in after
    assert "Precaución" in after


@pytest.mark.parametrize(
    ("limit", "status"), [("100", 200), ("20000", 200), ("99", 422), ("20001", 422)], ids=str
)
def test_row_1_8_table_and_its_file_have_the_rows_that_were_asked_for(
    client: httpx.Client, limit: str, status: int
) -> None:
    asked = {**SITE, "range": "30d", "limit": limit}
    answer = client.get("/console/series.csv", params=asked)

    assert answer.status_code == status
    if status == 200:
        assert len(list(csv.reader(io.StringIO(answer.text)))) == 1 + min(int(limit), 720)


def test_row_1_8_filters_narrow_by_dates_variable_state_and_severity(client: httpx.Client) -> None:
    def ids(**asked: str | list[str]) -> set[str]:
        rows = client.get("/console/incidents.json", params={"range": "90d", **asked}).json()
        return {row["id"] for row in rows}

    everything = ids()
    both = ids(severity=["critical", "high"])

    assert ids(**{"from": "2025-05-01", "to": "2025-05-08", "range": ""}) < everything
    assert ids(severity="critical") < both < everything
    assert ids(state="closed") < everything
    assert ids(condition="active") < everything
    one = client.get("/console/patterns.json", params={**SITE, "signal": "pressure", "figure": "duration"})
    other = client.get("/console/patterns.json", params={**SITE, "signal": "volume", "figure": "duration"})
    assert one.json() != other.json()


def test_row_1_9_and_3_18_pictures_are_all_there(client: httpx.Client) -> None:
    fleet, models = client.get("/console/").text, client.get("/console/models").text
    patterns = client.get("/console/patterns", params={**SITE, "range": "30d"}).text
    series = client.get("/console/series", params={**SITE, "range": "30d"}).json()

    assert [one in fleet for one in ("With anomalies", "High severity", "Active incidents")] == [True] * 3
    assert 'class="gauge"' in models
    for name in ("hour", "weekday", "month", "histogram", "scatter", "correlation", "week"):
        assert f'id="plot-{name}"' in patterns
    assert {"mean", "median"} <= {one.lower() for one in ("Mean", "Median") if one in patterns}
    assert series["marks"], "what was detected lies over the series"


def test_row_1_10_every_screen_works_without_a_model_and_names_what_is_missing(
    world: Path, tmp_path: Path
) -> None:
    (tmp_path / "sereno.yaml").write_text("timezone: Europe/Madrid\n", "utf-8")
    with Workspace.open(tmp_path, clock=lambda: NOW) as empty, Workspace.open(world) as known:
        addresses = [
            address_of(name, known)
            for name in SCREENS
            if "incident" not in name and name not in {"error", "drift-meter", "model"}
        ]
        add_simulation(empty, SimulationPlan("gas", rows=480, seed=1), NOW)
    with (
        console_server(tmp_path, clock=lambda: NOW) as (address, _),
        httpx.Client(base_url=address, timeout=60, headers={"accept-language": "en"}) as client,
    ):
        pages = {one: client.get(one) for one in addresses if "/sites/" not in one}
        pages["site"] = client.get("/console/sites/CLIENTE01")

    expected = {one: 404 if "Cubierta" in one else 200 for one in pages}
    assert {one: page.status_code for one, page in pages.items()} == expected
    assert all("sereno train" in page.text for page in pages.values())


def test_row_1_11_share_of_faults_is_another_one_each_time(tmp_path: Path) -> None:
    with Workspace.open(tmp_path, clock=lambda: NOW) as workspace:
        found = [add_simulation(workspace, SimulationPlan("motor", rows=500), NOW) for _ in range(2)]

    assert found[0].seed != found[1].seed


def test_row_2_8_report_of_a_model_is_begun_by_a_button_and_fetched(own: tuple[str, Service]) -> None:
    workspace = own[1].workspace("default")
    with httpx.Client(base_url=own[0], timeout=60) as client:
        shown = client.get("/console/reports", params={"about": "site", "subject": FAILED.site}).text
        client.post("/console/jobs", data={"kind": "report", "asset": FAILED.site, "from": "jobs"})
        wait_until(lambda: workspace.jobs.jobs()[0].state.is_over, timeout=120)
        job = workspace.jobs.jobs()[0]
        file = client.get(f"/api/v1/jobs/{job.id}/file").text

    assert 'value="report"' in shown
    assert job.state is JobState.DONE
    assert file.count("<svg") >= 3
    assert "<script" not in file
    assert len(file) < 2_000_000


def test_rows_3_16_and_3_17_goals_and_statistics_are_those_of_the_settings(
    world: Path, tmp_path: Path
) -> None:
    folder = copied(world, tmp_path / "world")
    said = (folder / "sereno.yaml").read_text("utf-8")
    more = "patterns: {statistics: [mean, max], months: 2, band: 2.5}\nacceptance: {recall: 0.7}\n"
    (folder / "sereno.yaml").write_text(said + more, "utf-8")
    with console_server(folder, clock=lambda: NOW) as (address, service):
        output = service.workspace("default").output_folder
        output.mkdir(exist_ok=True)
        (output / "performance_metrics.csv").write_text("recall_anomalia_sensibilidad\n0.75\n", "utf-8")
        with httpx.Client(base_url=address, timeout=60, headers={"accept-language": "en"}) as client:
            patterns = client.get("/console/patterns", params={**SITE, "range": "30d"}).text
            models = " ".join(client.get("/console/models").text.split())

    assert "±2.5 σ" in patterns
    assert ">Maximum</th>" in patterns
    assert ">Median</th>" not in patterns
    assert "≥ 70 %" in models
    assert "75 %" in models
