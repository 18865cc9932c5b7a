"""The buttons of the first plant (row 1.7): they act, say how far they are, and refuse who may not."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from sereno.domain.access import Role
from sereno.domain.errors import UsageError
from sereno.domain.jobs import Job, JobState
from sereno.domain.readings import Readings
from sereno.flows.keys import add_key
from sereno.flows.service import Service
from sereno.flows.simulating import SimulationPlan, plan_until_now
from sereno.flows.workspace import Workspace
from sereno.simulate import simulate_world
from tests.console.browsing import Look, looked_at
from tests.console.serving import console_server
from tests.console.world import NOW
from tests.support.processes import wait_until


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[tuple[str, Workspace]]:
    """A plant that has nothing yet."""
    folder = tmp_path / "planta-a"
    folder.mkdir()
    (folder / "sereno.yaml").write_text("timezone: Europe/Madrid\ndetector: {trees: 10}\n", "utf-8")
    with console_server(folder) as (address, service):
        yield address, service.workspace("default")


@contextmanager
def _asking(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60, headers={"accept-language": "en"}) as found:
        yield found


def _n_rows(workspace: Workspace) -> int:
    with workspace.store.read() as tx:
        return sum(len(tx.rows(one.id, one.profile)) for one in tx.assets())


def _measured() -> Readings:
    """Readings that nobody says are simulated."""
    return simulate_world("gas", seed=1, start=NOW - timedelta(days=3), rows=48, assets=1).readings


def _ended(workspace: Workspace) -> Job:
    wait_until(lambda: all(one.state.is_over for one in workspace.jobs.jobs()), timeout=240)
    return workspace.jobs.jobs()[0]


def test_generate_train_recalculate_and_reset_say_what_came_of_them(
    empty: tuple[str, Workspace], browser: Browser
) -> None:
    address, workspace = empty
    with looked_at(browser, address) as watched:
        page = watched.page

        def pressed(button: str, /, **fields: str) -> str:
            page.goto(f"{address}/console/jobs")
            page.locator(".work summary", has_text=re.compile(f"^{button}$")).click()
            for field, value in fields.items():
                place = page.locator(f".menu[open] [name={field}]")
                place.select_option(value) if field == "rows" else place.fill(value)
            page.locator(".menu[open] button").click()
            page.get_by_text("Trabajo encargado").wait_for()
            _ended(workspace)
            return page.locator("#jobs li:first-child .outcome").text_content() or ""

        generated = pressed("Generar datos", rows="1000")
        n_rows = _n_rows(workspace)
        trained = pressed("Entrenar")
        judged = pressed("Recalcular")
        gone = pressed("Reiniciar", name="planta-a", rows="")

    assert generated.startswith("Registros generados: 1.000;")
    assert n_rows == 1_000
    assert trained.startswith("Modelos entrenados: 1;")
    assert judged.startswith("Registros juzgados: 1.000;")
    assert gone == "Registros borrados: 1.000; generados de nuevo: 0."
    assert _n_rows(workspace) == 0
    assert watched.complaints == []


def test_reset_of_a_plant_by_another_name_deletes_nothing(own: tuple[str, Service]) -> None:
    workspace = own[1].workspace("default")
    before = _n_rows(workspace)
    with _asking(own[0]) as client:
        answer = client.post("/console/jobs", data={"kind": "reset", "name": "otra"})

    assert answer.status_code == 422
    assert "&#39;world&#39;" in answer.text
    assert workspace.jobs.jobs() == []
    assert _n_rows(workspace) == before


def test_reset_leaves_what_was_measured(own: tuple[str, Service]) -> None:
    workspace = own[1].workspace("default")
    measured = _measured()
    workspace.add(measured, zone="Europe/Madrid")
    with _asking(own[0]) as client:
        answer = client.post("/console/jobs", data={"kind": "reset", "name": "world", "from": "jobs"})
    job = _ended(workspace)
    with workspace.store.read() as tx:
        left = {one.key: len(tx.rows(one.id, one.profile)) for one in tx.assets()}

    assert answer.headers["location"].endswith("done=job")
    assert job.state is JobState.DONE
    assert left.pop(measured.assets[0]) == len(measured)
    assert set(left.values()) == {0}


def test_nothing_simulated_is_mixed_among_what_was_measured(empty: tuple[str, Workspace]) -> None:
    address, workspace = empty
    workspace.add(_measured(), zone="Europe/Madrid")
    with _asking(address) as client:
        answer = client.post("/console/jobs", data={"kind": "simulate", "rows": "1000"})
        shown = client.get("/console/jobs").text

    assert answer.status_code == 422
    assert "measured readings only" in shown
    assert 'value="simulate"' not in shown


def test_engineer_sees_no_reset_and_is_refused_one(own: tuple[str, Service]) -> None:
    workspace = own[1].workspace("default")
    key, _ = add_key(workspace.store, "ingeniera", role=Role.ENGINEER, author="test", now=workspace.now())
    with _asking(own[0]) as client:
        client.headers["x-api-key"] = key
        shown = client.get("/console/jobs").text
        refused = client.post("/console/jobs", data={"kind": "reset", "name": "world"})
        allowed = client.post("/console/jobs", data={"kind": "segment", "from": "jobs"})

    assert "An administrator may reset the plant." in shown
    assert refused.status_code == 403
    assert allowed.status_code == 303


def test_work_in_hand_can_be_ended_without_a_script(own: tuple[str, Service], browser: Browser) -> None:
    address, workspace = own[0], own[1].workspace("default")
    for _ in range(3):
        workspace.jobs.submit("segment", {}, author="ana")
    with looked_at(browser, address, Look(has_script=False)) as watched:
        watched.page.goto(f"{address}/console/jobs")
        watched.page.get_by_role("button", name="Detener").first.click()

        assert "done=cancelled" in watched.page.url
    assert workspace.jobs.jobs()[0].state is JobState.CANCELLED


@pytest.mark.parametrize(
    "form",
    [
        {"kind": "simulate", "rows": "7"},
        {"kind": "simulate", "profile": "moon"},
        {"kind": "simulate", "max_rows": "-1"},
        {"kind": "erase"},
    ],
    ids=["rows", "profile", "kept", "kind"],
)
def test_what_no_form_of_ours_offers_is_refused(client: httpx.Client, form: dict[str, str]) -> None:
    assert client.post("/console/jobs", data=form).status_code == 422


def test_what_is_simulated_goes_on_with_its_assets_at_its_step_until_now(own: tuple[str, Service]) -> None:
    workspace = own[1].workspace("default")
    later = NOW + timedelta(hours=5, minutes=20)
    plan = SimulationPlan("gas", rows=10_000)
    with workspace.store.read() as tx:
        known = [one for one in tx.assets("gas") if one.is_simulated]
        ends = max(span[1] for one in known if (span := tx.span(one.id)))
    found = plan_until_now(workspace, plan, later)

    assert (found.assets, found.step) == (len(known), timedelta(hours=1))
    assert found.rows == len(known) * ((later - ends) // timedelta(hours=1) - 1)
    with pytest.raises(UsageError, match="until now"):
        plan_until_now(workspace, plan, ends)
