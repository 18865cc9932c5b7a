"""Every screen, at both widths, in both languages and both themes: accessible, complete, quiet, at home."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import has
from tests.console.browsing import Look, looked_at
from tests.console.screens import LOOKS, QUICK_LOOKS, SCREENS, address_of
from tests.console.world import NOW

STANDARD = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

WIDTHS = """() => {
  const width = () => document.documentElement.scrollWidth, found = {page: width()};
  for (const menu of document.querySelectorAll('details')) {
    const was = menu.open;
    menu.open = true;
    found[menu.querySelector('summary').textContent.trim()] = width();
    menu.open = was;
  }
  return found;
}"""
"""Width of the page as it opens and with each of its menus open [CSS px]."""


@pytest.fixture(scope="module")
def workspace(world: Path) -> Iterator[Workspace]:
    with Workspace.open(world, clock=lambda: NOW) as found:
        yield found


@pytest.mark.parametrize(
    "look",
    [pytest.param(one, marks=() if one in QUICK_LOOKS else pytest.mark.slow, id=str(one)) for one in LOOKS],
)
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_is_accessible_and_quiet(
    screen: str, look: Look, looking: str, browser: Browser, workspace: Workspace
) -> None:
    with looked_at(browser, looking, look) as watched:
        watched.open(looking + address_of(screen, workspace))
        page = watched.page
        found = Axe().run(page, options=STANDARD)
        widths = page.evaluate(WIDTHS)
        language = page.locator("html").get_attribute("lang")

    assert not found.response["violations"], found.generate_report()
    assert {what: width for what, width in widths.items() if width > look.width} == {}
    assert language == look.language
    assert watched.foreign == []
    assert [one for one in watched.complaints if not (screen == "error" and "404" in one)] == []


def test_charts_are_drawn_with_their_trouble(looking: str, browser: Browser, workspace: Workspace) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(looking + address_of("site", workspace))
        canvases = watched.page.locator("[data-chart] canvas").count()
        titles = watched.page.locator(".lane-title").all_text_contents()

    assert canvases == len(titles) == 5
    assert titles[0].startswith("Generación")


def test_brush_on_one_lane_zooms_all_and_can_be_taken_back(
    looking: str, browser: Browser, workspace: Workspace
) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(looking + address_of("site", workspace) + "&range=365d")
        page = watched.page
        box = page.locator(".lane .u-over").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 100, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 300, box["y"] + 40, steps=4)
        page.mouse.up()
        page.locator("[data-reset]").wait_for(state="visible")
        page.locator("[data-reset]").click()
        page.locator("[data-reset]").wait_for(state="hidden")

    assert watched.complaints == []


def test_table_alternative_holds_the_figures_of_the_chart(
    looking: str, browser: Browser, workspace: Workspace
) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(looking + address_of("incident", workspace))
        page = watched.page
        page.locator(".table-alternative summary").click()
        page.locator(".table-alternative tbody tr").first.wait_for()
        rows = page.locator(".table-alternative tbody tr").count()
        points = page.evaluate(
            """fetch(document.querySelector('[data-chart]').dataset.src)
                .then((answer) => answer.json()).then((found) => found.time.length)"""
        )

    assert rows == points


def test_picture_is_downloaded_as_png(looking: str, browser: Browser, workspace: Workspace) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(looking + address_of("incident", workspace))
        watched.page.locator(".chart-links .downloads summary").click()
        with watched.page.expect_download() as download:
            watched.page.locator("[data-png]").click()
        path = download.value.path()

        assert path.read_bytes().startswith(b"\x89PNG")


def test_keyboard_moves_searches_and_helps(looking: str, browser: Browser) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(f"{looking}/console/")
        page = watched.page
        page.keyboard.press("j")
        page.keyboard.press("j")
        second = page.evaluate("document.activeElement.textContent")
        page.keyboard.press("k")
        first = page.evaluate("document.activeElement.textContent")
        page.keyboard.press("/")
        page.keyboard.type("06")
        searched = page.locator("#search").input_value()
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        is_open = page.locator("#help").is_visible()
        page.keyboard.press("Escape")

        assert (first, second) == tuple(page.locator("[data-row]").all_text_contents()[:2])
        assert searched == "06"
        assert is_open
        assert not page.locator("#help").is_visible()


def test_filters_change_the_list_and_the_address(looking: str, browser: Browser) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(f"{looking}/console/")
        page = watched.page
        page.locator(".filters [name=text]").fill("villanueva")
        page.wait_for_function("() => document.querySelectorAll('.rows tbody tr').length === 1")

        assert "text=villanueva" in page.url
        assert watched.complaints == []


def test_language_and_theme_are_remembered(looking: str, browser: Browser) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(f"{looking}/console/incidents?range=30d")
        page = watched.page
        page.locator(".settings summary").click()
        page.get_by_text("English").click()
        page.locator(".settings summary").click()
        page.get_by_text("Dark").click()

        assert page.url == f"{looking}/console/incidents?range=30d"
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_picture_drawn_by_the_server_is_downloaded_as_png_of_its_size(
    looking: str, browser: Browser, workspace: Workspace
) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(looking + address_of("timeline", workspace))
        watched.page.locator(".downloads summary").last.click()
        with watched.page.expect_download() as download:
            watched.page.locator("[data-svg]").click()
        content = download.value.path().read_bytes()

    assert download.value.suggested_filename == "sereno-timeline.png"
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20]) == 2 * 960
    assert watched.complaints == []


def test_bar_of_the_timeline_leads_to_its_incident_by_mouse_and_by_key(
    looking: str, browser: Browser, workspace: Workspace
) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(looking + address_of("timeline", workspace))
        page = watched.page
        bar = page.locator(".lanes-plot a").first
        wanted = bar.get_attribute("href")
        told = bar.get_attribute("aria-label") or ""
        bar.locator("rect").first.click()
        by_mouse = page.url
        page.go_back()
        page.keyboard.press("j")
        focused = page.evaluate("document.activeElement.getAttribute('href')")
        downloaded = page.request.get(f"{looking}/console/timeline.svg?range=30d").text()

    assert by_mouse == f"{looking}{wanted}"
    assert focused == wanted
    assert told.startswith(("crítica:", "alta:", "media:", "baja:"))
    assert "<a " not in downloaded


def test_figures_of_a_model_have_their_words(workspace: Workspace) -> None:
    sheets = [workspace.model_sheet(card.id) for card in workspace.models()]

    names = {name for sheet in sheets for name in sheet["figures"]}
    assert names
    assert [name for name in sorted(names) if not has(f"console.metric.{name}")] == []
