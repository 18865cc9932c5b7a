"""The screen of drift: every verdict with what it rests on, accessible, in both languages."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.console.browsing import Look, looked_at
from tests.console.screens import QUICK_LOOKS
from tests.console.serving import console_server
from tests.console.test_screens import STANDARD
from tests.drift.growing import N_WEEKS, beginning_of, drifted_city


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console in front of two zones, of which one has grown."""
    folder = drifted_city(tmp_path_factory.mktemp("drifted") / "w")
    with console_server(folder, clock=lambda: beginning_of(N_WEEKS)) as (address, _):
        yield address


def _asked(address: str, path: str, language: str = "en", **query: str) -> httpx.Response:
    answer = httpx.get(address + path, params=query, headers={"accept-language": language}, timeout=30)
    answer.raise_for_status()
    return answer


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["▲ high", "The same inputs give another value", "What to do"]),
        ("es", ["▲ alta", "Las mismas entradas dan otro valor", "Qué hacer"]),
    ],
    ids=["en", "es"],
)
def test_list_says_what_drifts_and_what_to_do(drifted: str, language: str, words: list[str]) -> None:
    text = _asked(drifted, "/console/drift", language).text

    assert [one for one in words if one not in text] == []


def test_filter_and_file_hold_the_same_rows(drifted: str) -> None:
    every = _asked(drifted, "/console/drift.json").json()
    high = _asked(drifted, "/console/drift.json", level="HIGH").json()
    named = _asked(drifted, "/console/drift.json", text="sur").json()

    assert [one["asset"] for one in every] == ["Ciudad/Norte", "Ciudad/Sur"]
    assert ([one["asset"] for one in high], [one["asset"] for one in named]) == (
        ["Ciudad/Norte"],
        ["Ciudad/Sur"],
    )
    assert (high[0]["concept"], high[0]["action"]) == (3, "concept")


def test_figures_of_a_verdict_are_its_weeks_and_its_replays(drifted: str) -> None:
    rows = _asked(drifted, "/console/drift/1.json", figure="power.concept").json()
    table = _asked(drifted, "/console/drift/1/table", figure="power.concept").text
    picture = _asked(drifted, "/console/drift/1.svg", figure="power.concept").text

    assert len(rows) >= 4 + 40
    assert rows[3]["level"] in table
    assert picture.startswith("<svg")
    assert httpx.get(f"{drifted}/console/drift/1.svg", params={"figure": "power.none"}).status_code == 404
    assert httpx.get(f"{drifted}/console/drift/99").status_code == 404


@pytest.mark.parametrize("look", QUICK_LOOKS, ids=str)
def test_meter_with_a_drift_is_accessible(drifted: str, look: Look, browser: Browser) -> None:
    with looked_at(browser, drifted, look) as watched:
        watched.open(f"{drifted}/console/drift")
        watched.page.locator("[data-row]").first.click()
        watched.page.wait_for_url("**/console/drift/1*")
        watched.settle()
        found = Axe().run(watched.page, options=STANDARD)
        pictures = watched.page.locator(".plot > svg").count()
        width = watched.page.evaluate("document.documentElement.scrollWidth")

    assert not found.response["violations"], found.generate_report()
    assert pictures == 4
    assert width <= look.width
    assert (watched.foreign, watched.complaints) == ([], [])


def test_models_page_leads_to_what_drifts(drifted: str) -> None:
    text = _asked(drifted, "/console/models").text

    assert 'href="/console/drift' in text
    assert "with an alarm: 1" in text or "con alarma: 1" in text


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Nobody has looked yet"), ("es", "Aún no se ha mirado")]
)
def test_screens_say_that_nobody_has_looked(tmp_path: Path, language: str, words: str) -> None:
    with console_server(tmp_path, clock=lambda: beginning_of(N_WEEKS)) as (address, _):
        told = [_asked(address, path, language).text for path in ("/console/drift", "/console/models")]

    assert [words in one for one in told] == [True, True]
