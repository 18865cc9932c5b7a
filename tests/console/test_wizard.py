"""From a file to its first incidents, and what the page of settings does."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from sereno.flows.service import Service
from sereno.flows.uploads import held_upload
from tests.console.browsing import looked_at
from tests.console.serving import console_server
from tests.console.world import LEAKING, NOW
from tests.support.processes import wait_until

HEADER = "Fecha;Generación [kWh];Consumo [kWh];Autoconsumo [kWh]"


def _export(folder: Path, n_hours: int = 400) -> Path:
    """A Spanish export, with a decimal comma and a row that is broken."""
    lines = [HEADER]
    for hour in range(n_hours):
        made = max(0, 6 - abs(hour % 24 - 12)) + hour % 7 / 10
        made = made if 6 <= hour % 24 <= 18 else 0.0
        used = 2 + hour % 5 / 10
        own = min(made, used)
        stamp = f"{1 + hour // 24:02}.05.2025 {hour % 24:02}:00"
        lines.append(
            f"{stamp};{made:.2f};{used:.2f};{own:.2f}".replace(".", ",").replace(",05,2025", ".05.2025")
        )
    lines[50] = "roto;x;y;z"
    path = folder / "Planta Nueva.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[tuple[str, Service]]:
    """A server of a workspace that holds nothing."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "sereno.yaml").write_text("timezone: Europe/Madrid\ndetector: {trees: 10}\n", "utf-8")
    with console_server(tmp_path / "w", clock=lambda: NOW) as found:
        yield found


def test_file_is_understood_confirmed_and_judged(
    empty: tuple[str, Service], browser: Browser, tmp_path: Path
) -> None:
    address, workspace = empty[0], empty[1].workspace("default")
    with looked_at(browser, address) as watched:
        page = watched.page
        page.goto(f"{address}/console/wizard")
        page.locator("input[type=file]").set_input_files(_export(tmp_path))
        page.get_by_role("button", name="Examinar").click()
        page.locator(".verdict").wait_for()
        said = page.locator("#wizard").inner_text()
        stored_before = len(workspace.asset_keys())
        page.get_by_role("button", name="Guardar y empezar").click()
        page.locator("#found").wait_for()

        assert "generation" in said
        assert "Europe/Madrid" in said
        assert stored_before == 0
        assert [str(key) for key in workspace.asset_keys()] == ["Planta Nueva"]
        assert {one.kind for one in workspace.jobs.jobs()} == {"train", "score"}
        assert list((workspace.folder / "uploads").iterdir()) == []
        assert watched.complaints == []


@pytest.mark.slow
def test_what_was_stored_is_learnt_and_judged(empty: tuple[str, Service], tmp_path: Path) -> None:
    workspace = empty[1].workspace("default")
    _sent(empty[0], {"file": ("Planta Nueva.csv", _export(tmp_path).read_bytes())})
    token = next((workspace.folder / "uploads").iterdir()).name
    httpx.post(f"{empty[0]}/console/wizard/store", data={"token": token}, timeout=60)
    wait_until(lambda: all(one.state.is_over for one in workspace.jobs.jobs()), timeout=240)

    assert [one.state.value for one in workspace.jobs.jobs()] == ["done", "done"]
    assert [one.profile for one in workspace.models()] == ["solar"]


def _sent(address: str, files: Mapping[str, object], **said: str) -> httpx.Response:
    return httpx.post(f"{address}/console/wizard", files=files, data=said, timeout=60)  # type: ignore[arg-type]


def test_file_that_is_no_table_is_refused_and_can_be_forgotten(empty: tuple[str, Service]) -> None:
    answer = _sent(empty[0], {"file": ("../../x.csv", b"\x00\x01\x02")})
    workspace = empty[1].workspace("default")
    held = [one for folder in (workspace.folder / "uploads").iterdir() for one in folder.iterdir()]

    assert answer.status_code == 200
    assert "No se puede usar" in answer.text or "Cannot be used" in answer.text
    assert [one.name for one in held] == ["_.._x.csv"]
    assert "/console/wizard/store" not in answer.text
    httpx.post(f"{empty[0]}/console/wizard/forget", data={"token": held[0].parent.name})
    assert list((workspace.folder / "uploads").iterdir()) == []


@pytest.mark.parametrize("token", ["", "..", "../../models", "0" * 32])
def test_token_of_nothing_leads_nowhere(empty: tuple[str, Service], token: str) -> None:
    answer = httpx.post(f"{empty[0]}/console/wizard/store", data={"token": token})

    assert answer.status_code == 404


def test_silence_is_kept_and_ended_from_the_page(own: tuple[str, Service], browser: Browser) -> None:
    address, workspace = own[0], own[1].workspace("default")
    with looked_at(browser, address) as watched:
        page = watched.page
        page.goto(f"{address}/console/settings")
        page.locator("select[name=site]").select_option(LEAKING.site)
        page.locator("input[name=comment]").fill("obras en la estación")
        page.get_by_role("button", name="Silenciar").click()
        page.get_by_text("Nadie recibirá avisos").wait_for()
        kept = workspace.silences()
        page.get_by_role("button", name="Terminar").click()
        page.get_by_text("El silencio ha terminado").wait_for()

        assert [(one.matcher.site, one.author, one.comment) for one in kept] == [
            (LEAKING.site, "local", "obras en la estación")
        ]
        assert workspace.silences() == []
        assert watched.complaints == []


def test_receiver_is_tested_end_to_end_and_answers(own: tuple[str, Service]) -> None:
    address, workspace = own[0], own[1].workspace("default")
    answer = httpx.post(f"{address}/console/settings/receivers/test", data={"name": "guardia"}, timeout=60)
    unknown = httpx.post(f"{address}/console/settings/receivers/test", data={"name": "nadie"}, timeout=60)

    assert answer.status_code == 200
    assert "guardia" in answer.text
    state = workspace.receivers()[0].state
    assert state is not None
    assert state.tested_at is not None
    assert unknown.status_code == 422
    assert 'role="alert"' in unknown.text


def test_upload_that_nobody_confirms_is_found_by_its_token_alone(
    empty: tuple[str, Service], tmp_path: Path
) -> None:
    _sent(empty[0], {"file": ("a.csv", _export(tmp_path).read_bytes())})
    workspace = empty[1].workspace("default")
    token = next((workspace.folder / "uploads").iterdir()).name

    assert held_upload(workspace, token).name == "a.csv"
