"""Timeline, data quality, models, alarm health and cost: what they show is so, and what they do is done."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser

from sereno.domain.jobs import JobState
from sereno.flows.incidents import IncidentView, cost_of
from sereno.flows.plant import performance_of, plant_of
from sereno.flows.quality import qualities_of
from sereno.flows.service import Service
from sereno.flows.site import comparison_of
from sereno.flows.timeline import common_causes
from sereno.flows.workspace import Workspace
from sereno.simulate import simulate_world
from tests.console.browsing import looked_at
from tests.console.world import FAILED, NOW
from tests.support.processes import wait_until
from tests.support.work import database_work

TABLES = ("/console/cost", "/console/quality", "/console/health")


@pytest.fixture
def workspace(own: tuple[str, Service]) -> Workspace:
    return own[1].workspace("default")


def test_cost_page_adds_up_what_the_incidents_say(client: httpx.Client, world: Path) -> None:
    rows = client.get("/console/cost.json", params={"range": "90d"}).json()
    with Workspace.open(world, clock=lambda: NOW) as workspace:
        costs = {
            v.incident.id: cost for v in workspace.incidents() if (cost := cost_of(v.incident, v.tariff))
        }

    assert {row["id"]: row["cost"] for row in rows} == {name: cost[0] for name, cost in costs.items()}
    days = [row["cost_per_day"] or 0.0 for row in rows]
    assert days == sorted(days, reverse=True)


@pytest.mark.parametrize("path", TABLES)
def test_tables_sort_by_the_query_and_files_keep_order_and_limit(client: httpx.Client, path: str) -> None:
    column = {"/console/cost": "cost", "/console/quality": "percent", "/console/health": "count"}[path]
    up = client.get(f"{path}.json", params={"range": "90d", "sort": column}).json()
    down = client.get(f"{path}.json", params={"range": "90d", "sort": f"-{column}"}).json()
    known = [row[column] for row in up if row[column] is not None]

    assert known == sorted(known)
    assert [row[column] for row in down if row[column] is not None] == sorted(known, reverse=True)


def test_file_has_as_many_rows_as_are_asked_for(client: httpx.Client) -> None:
    about = {"site": "CLIENTE03", "asset": "CLIENTE03", "profile": "gas", "range": "30d"}
    rows = client.get("/console/series.json", params={**about, "limit": 100}).json()
    refused = client.get("/console/series.json", params={**about, "limit": 99})

    assert len(rows) == 100
    assert refused.status_code == 422


def test_what_begins_together_at_three_sites_is_one_cause(world: Path) -> None:
    with Workspace.open(world, clock=lambda: NOW) as workspace:
        view = workspace.incidents()[0]

    def begun(site: str, minutes: int) -> IncidentView:
        incident, at = view.incident, NOW + timedelta(minutes=minutes)
        asset = replace(incident.asset, site=site)
        worst = replace(incident.worst, asset=asset, started_at=at, last_at=at, peak_at=at)
        return replace(view, incident=replace(incident, evidence=(worst,)))

    together = [begun("A", 0), begun("B", 30), begun("C", 59)]
    apart = [begun("D", 600), begun("D", 610), begun("E", 620)]
    found = common_causes([*apart, *together])

    assert [one.sites for one in found] == [["A", "B", "C"]]
    assert found[0].first_at == NOW


def test_missing_readings_are_counted_and_come_first(world: Path) -> None:
    with Workspace.open(world, clock=lambda: NOW) as workspace:
        found = qualities_of(workspace, days=30, language="en")
        bad = qualities_of(workspace, days=30, language="en", is_only_bad=True)

    assert [one.is_bad for one in found] == sorted((one.is_bad for one in found), reverse=True)
    assert [one.signal for one in bad] == [one.signal for one in found if one.is_bad]
    assert all(0 <= one.percent <= 100 and one.values <= one.due for one in found)


def test_state_of_the_plant_is_the_last_analysis_beside_the_one_before(workspace: Workspace) -> None:
    with workspace.store.begin() as tx:
        tx.add_metric(1000, 50, 5.0, "critical", NOW + timedelta(hours=1))
    plant = plant_of(workspace)

    assert plant.last is not None
    assert (plant.last.status, plant.last.percent) == ("critical", 5.0)
    assert plant.delta == pytest.approx(5.0 - plant.analyses[1].percent)


def test_performance_is_read_from_what_an_evaluation_wrote(workspace: Workspace) -> None:
    workspace.output_folder.mkdir(exist_ok=True)
    rates = "tasa_falsos_positivos;recall_anomalia_sensibilidad;sensibilidad_volume"
    names = f"{rates};latencia_procesamiento_segundos"
    (workspace.output_folder / "performance_metrics.csv").write_text(
        f"{names}\n0,02;0,75;0,9;30,0\n", "utf-8"
    )
    found = {(one.name, one.variable): one.is_met for one in performance_of(workspace).criteria}

    assert found == {
        ("false_positive_rate", ""): True,
        ("recall", ""): False,
        ("recall_by_variable", "volume"): True,
        ("severity", ""): None,
        ("latency", ""): True,
    }


def test_button_begins_a_job_and_the_page_shows_its_end(own: tuple[str, Service], browser: Browser) -> None:
    address, workspace = own[0], own[1].workspace("default")
    with looked_at(browser, address) as watched:
        page = watched.page
        page.goto(f"{address}/console/models")
        page.locator("summary", has_text="Buscar segmentos").click()
        page.locator(".menu[open] button").click()
        page.get_by_text("Trabajo encargado").wait_for()
        wait_until(lambda: workspace.jobs.jobs()[0].state.is_over)
        page.locator("#jobs").get_by_text("terminado").wait_for()

        assert workspace.jobs.jobs()[0].state is JobState.DONE
        assert workspace.jobs.jobs()[0].author == "local"
        assert watched.complaints == []


def test_promoting_needs_a_reason_and_leaves_it_in_the_log(own: tuple[str, Service]) -> None:
    address, workspace = own[0], own[1].workspace("default")
    first = workspace.active_models()["gas"]
    second = workspace.train(profile="gas", budget=0.5)[0].id
    with httpx.Client(base_url=address, timeout=30) as client:
        refused = client.post("/console/models/promote", data={"model": first})
        done = client.post("/console/models/promote", data={"model": first, "reason": "menos ruido"})
        back = client.post("/console/models/rollback", data={"profile": "gas", "reason": "x"})

    assert refused.status_code == 422
    assert done.status_code == 303
    assert workspace.active_models()["gas"] == first != second
    assert back.status_code in {303, 404}


def test_change_is_not_told_where_fewer_readings_were_there_before(workspace: Workspace) -> None:
    with workspace.store.read() as tx:
        asset = next(one for one in tx.assets("solar") if one.key == FAILED)
    whole = comparison_of(workspace, asset, start=NOW - timedelta(days=7), end=NOW)
    before_the_first = comparison_of(workspace, asset, start=NOW - timedelta(days=30), end=NOW)

    assert all(one.change is not None for one in whole.totals if one.before)
    assert [one.change for one in before_the_first.totals] == [None] * 5
    assert all(one.before for one in before_the_first.totals)


def test_last_reading_is_found_with_as_many_statements_however_many_assets(workspace: Workspace) -> None:
    with database_work() as few:
        workspace.last_reading_at()
    world = simulate_world("gas", seed=1, start=NOW - timedelta(days=2), rows=480, assets=20)
    workspace.add(world.readings, zone="Europe/Madrid", is_simulated=True)
    with database_work() as many:
        workspace.last_reading_at()

    asked = [[one for one in work.statements if "PRAGMA" not in one] for work in (few, many)]
    assert len(asked[0]) == len(asked[1])


def test_quality_counts_what_the_rows_say(workspace: Workspace) -> None:
    with workspace.store.read() as tx:
        asset = tx.assets("gas")[0]
        first, last = tx.span(asset.id) or (NOW, NOW)
        rows = tx.rows(asset.id, "gas")
        end = last + timedelta(hours=1)
        n_rows, values, flags = tx.quality_counts(asset.id, "gas", rows.signals, first, end)

    assert n_rows == len(rows.time)
    for place, name in enumerate(rows.signals):
        assert values[name] == int(np.isfinite(rows.values[:, place]).sum())
        told = Counter(int(one) for one in rows.quality[:, place])
        assert not values[name] or flags[name] == told


def test_a_version_has_a_card_and_takes_over_only_when_better_or_forced(own: tuple[str, Service]) -> None:
    address, workspace = own[0], own[1].workspace("default")
    first = workspace.active_models()["gas"]
    candidate = workspace.train(profile="gas", detector="ewma", is_candidate=True)[0].id
    card = f"/console/models/version/{candidate}"
    with httpx.Client(base_url=address, timeout=60) as client:
        listed = client.get("/console/models").text
        compared = client.post("/console/models/compare", data={"model": candidate})
        refused = client.post("/console/models/promote", data={"model": candidate, "reason": "newer"})
        before = workspace.active_models()["gas"]
        shadowed = client.post("/console/models/shadow", data={"model": candidate, "reason": "see"})
        shown = client.get(card).text
        forced = client.post(
            "/console/models/promote", data={"model": candidate, "reason": "prueba", "force": "yes"}
        )

    assert card in listed
    assert compared.headers["location"].startswith(card)
    assert (refused.status_code, before) == (409, first)
    assert shadowed.status_code == forced.status_code == 303
    assert workspace.model_card(candidate).fingerprint[:16] in shown
    assert workspace.active_models()["gas"] == candidate


def test_learning_anew_is_a_job_that_shows_what_it_did(own: tuple[str, Service]) -> None:
    address, workspace = own[0], own[1].workspace("default")
    with httpx.Client(base_url=address, timeout=60) as client:
        begun = client.post("/console/jobs", data={"kind": "retrain"})
        wait_until(lambda: workspace.jobs.jobs()[0].state.is_over)
        listed = client.get("/console/jobs", params={"lang": "en"}).text

    (job,) = workspace.jobs.jobs()
    assert begun.status_code == 303
    assert (job.kind, job.state) == ("retrain", JobState.DONE)
    assert job.result is not None
    assert {one["profile"] for one in job.result["steps"]} == set(workspace.active_models())  # type: ignore[attr-defined]
    assert "Learn anew" in listed or "Reentrenar" in listed
