"""A night shift from the first link to the log of what was done, with a service that knows its people."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from sereno.domain.incidents import HumanState
from sereno.flows.workspace import Workspace
from tests.console.browsing import Look, looked_at
from tests.console.serving import copied
from tests.console.test_screens import STANDARD
from tests.console.world import FAILED, NOW
from tests.support.processes import free_port, sereno, start_sereno, wait_until

PASSWORD = "cuatro palabras bien largas"


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = start_sereno("serve", "--port", port, workspace=folder)
    try:
        wait_until(lambda: _is_up(address), timeout=90)
        yield address, process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _first_link(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://\S+/welcome\?\S+", line):
            return found[0]
    pytest.fail("the service ended without a link for its first administrator")


def _invited(folder: Path, name: str, role: str, address: str) -> str:
    done = sereno("users", "add", name, "--role", role, "--address", address, workspace=folder)
    found = re.search(r"http://\S+/welcome\?\S+", done.out + done.err)
    assert found is not None, done
    return found[0]


def _choose(page: Page, link: str, name: str | None) -> None:
    page.goto(link)
    if name is not None:
        page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("#again").fill(PASSWORD)
    page.locator("form button").click()
    page.wait_for_url(lambda url: "/welcome" not in url)


def test_who_acknowledges_is_who_signed_in_and_a_viewer_can_only_look(
    world: Path, browser: Browser, tmp_path: Path
) -> None:
    folder = copied(world, tmp_path / "world")
    with Workspace.open(folder, clock=lambda: NOW) as workspace:
        name = next(one.incident.id for one in workspace.incidents() if one.incident.asset == FAILED)
    with _served(folder) as (address, process):
        where = f"{address}/console/incidents/{name}"
        with looked_at(browser, address) as watched:
            page = watched.page
            page.goto(where)
            asked_to_sign_in = page.url
            _choose(page, _first_link(process), "ana")
            page.goto(where)
            page.keyboard.press("a")
            page.get_by_text("Reconocida.").wait_for()
            page.goto(f"{address}/account")
            page.locator("form button").first.click()
            page.wait_for_url(lambda url: "/account" not in url)
            page.goto(where)
            signed_out = page.url
            page.locator("#name").fill("ana")
            page.locator("#password").fill(PASSWORD)
            page.locator("form button").click()
            page.wait_for_url(where)
            complaints = watched.complaints
        with looked_at(browser, address) as watched:
            _choose(watched.page, _invited(folder, "vera", "viewer", address), None)
            watched.page.goto(where)
            offered = watched.page.locator("form[method=post] button:visible").all_text_contents()
    with Workspace.open(folder, clock=lambda: NOW) as workspace:
        incident = workspace.incident(name).incident
    noted = sereno("audit", "list", "--json", workspace=folder).document

    assert "/login" in asked_to_sign_in
    assert "/login" in signed_out
    assert complaints == []
    assert (incident.state, incident.owner) == (HumanState.ACKNOWLEDGED, "ana")
    assert not [one for one in offered if one.strip() in {"Reconocer", "Comentar", "Cerrar"}]
    assert {(one["actor"], one["action"]) for one in noted} >= {
        ("ana", "log in"),
        ("vera", "choose a password"),
    }


def test_file_is_sent_without_a_script_and_only_from_a_page_of_the_session(
    world: Path, browser: Browser, tmp_path: Path
) -> None:
    export = tmp_path / "Planta.csv"
    export.write_text(
        "Fecha;Generación [kWh]\n" + "".join(f"01.05.2025 {h:02}:00;{h},5\n" for h in range(24))
    )
    sent = {"file": ("a.csv", b"x")}
    with _served(copied(world, tmp_path / "world")) as (address, process):
        with looked_at(browser, address) as watched:
            _choose(watched.page, _first_link(process), "ana")
            cookies = watched.page.context.cookies()
        with looked_at(browser, address, Look(has_script=False)) as watched:
            page = watched.page
            page.context.add_cookies([{**one} for one in cookies])  # type: ignore[typeddict-item]
            page.goto(f"{address}/console/wizard")
            confirmed = page.locator("form.drop").get_attribute("action") or ""
            page.locator("input[type=file]").set_input_files(export)
            page.locator("form.drop button").click()
            understood = page.locator(".verdict").count()
        with httpx.Client(base_url=address, cookies={one["name"]: one["value"] for one in cookies}) as client:
            refused = client.post("/console/wizard", files=sent).status_code
            elsewhere = client.post(confirmed.replace("/wizard", "/jobs"), files=sent).status_code
            by_another = client.post(
                confirmed, files=sent, headers={"sec-fetch-site": "cross-site"}
            ).status_code

    assert understood == 1
    assert (refused, elsewhere, by_another) == (403, 403, 403)


@pytest.mark.parametrize(
    "look", [Look(), Look(width=390, language="en", theme="dark")], ids=["desk, es, light", "phone, en, dark"]
)
def test_pages_before_the_console_are_accessible_and_quiet(
    look: Look, world: Path, browser: Browser, tmp_path: Path
) -> None:
    folder = copied(world, tmp_path / "world")
    with _served(folder) as (address, process), looked_at(browser, address, look) as watched:
        page = watched.page
        for where in (_first_link(process), f"{address}/login?next=/console/", f"{address}/welcome?token=x"):
            page.goto(where)
            found = Axe().run(page, options=STANDARD)

            assert not found.response["violations"], found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") <= look.width
            assert page.locator("html").get_attribute("lang") == look.language
        assert watched.foreign == []
        assert [one for one in watched.complaints if "410" not in one] == []


def test_descriptions_of_the_api_ask_no_other_machine(looking: str, browser: Browser) -> None:
    with looked_at(browser, looking) as watched:
        for path, drawn in (("/docs", ".opblock"), ("/redoc", "[data-section-id]")):
            watched.page.goto(looking + path)
            watched.page.locator(drawn).first.wait_for()

        assert watched.foreign == []
        assert watched.complaints == []
