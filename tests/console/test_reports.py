"""Reports: what is on paper is what is on the screen, in one file that needs nothing else."""

import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from html import unescape
from pathlib import Path

import fastexcel
import httpx
import pytest
from playwright.sync_api import Browser

from sereno.domain.errors import PdfUnavailable
from sereno.flows.papers import Subject, paper_html, paper_of, write_paper
from sereno.flows.workspace import Workspace
from sereno.report.pdf import print_pdf
from tests.console.browsing import looked_at
from tests.console.world import FAILED, LEAKING, NOW

TWO_MB = 2_000_000
RANGE = {"range": "30d"}
SUBJECTS = (Subject.FLEET, Subject.SITE, Subject.INCIDENT)


@pytest.fixture(scope="module")
def workspace(world: Path) -> Iterator[Workspace]:
    with Workspace.open(world, clock=lambda: NOW) as found:
        yield found


def _name(workspace: Workspace, subject: Subject) -> str:
    incident = next(v.incident.id for v in workspace.incidents() if v.incident.asset == FAILED)
    return {Subject.FLEET: "", Subject.SITE: LEAKING.site, Subject.INCIDENT: incident}[subject]


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
@pytest.mark.parametrize("language", ["es", "en"])
def test_report_is_one_small_file_without_script_or_link(
    workspace: Workspace, subject: Subject, language: str
) -> None:
    html = paper_html(paper_of(workspace, subject, _name(workspace, subject), language=language))

    assert len(html.encode()) < TWO_MB
    assert "<script" not in html
    assert re.findall(r'(?:src|href)="[^#]', html) == []
    assert "url(" not in html


def test_names_from_files_are_text_in_a_report(workspace: Workspace) -> None:
    html = paper_html(paper_of(workspace, Subject.FLEET, language="es"))

    assert "<b>Villanueva" not in html
    assert "&lt;b&gt;Villanueva" in html


def test_figures_on_paper_are_those_on_the_screen(client: httpx.Client, workspace: Workspace) -> None:
    incident = _name(workspace, Subject.INCIDENT)
    screen = _text(client.get(f"/console/incidents/{incident}", params=RANGE).text)
    paper = _text(client.get("/console/reports/incident.html", params={**RANGE, "subject": incident}).text)
    view = workspace.incident(incident)

    assert view.sentence("en") in screen
    assert view.sentence("en") in paper
    for label in ("Measured", "Expected", "In all, against expected", "Cost", "Score"):
        assert _figure_after(screen, label) == _figure_after(paper, label), label


def test_cost_on_paper_is_that_of_the_cost_page(client: httpx.Client) -> None:
    screen = client.get("/console/cost.json", params=RANGE).json()
    paper = client.get("/console/reports/fleet.html", params=RANGE).text
    total = sum(row["cost"] for row in screen)
    facts = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", paper))

    assert facts["Cost"] == f"€{total:,.2f}"
    assert facts["Incidents"] == str(len(client.get("/console/incidents.json", params=RANGE).json()))


def test_totals_of_the_site_page_are_on_its_paper(client: httpx.Client) -> None:
    screen = _text(client.get(f"/console/sites/{LEAKING.site}", params=RANGE).text)
    paper = client.get("/console/reports/site.html", params={**RANGE, "subject": LEAKING.site}).text
    row = re.search(r"<td>volume</td><td>m³</td><td class=\"num\">([^<]*)</td>", paper)

    assert row is not None
    assert f"{row[1]} m³" in screen


def test_workbook_has_real_numbers_and_dates(workspace: Workspace, tmp_path: Path) -> None:
    paper = paper_of(workspace, Subject.FLEET, language="en")
    write_paper(paper, tmp_path / "r.xlsx")
    book = fastexcel.read_excel(tmp_path / "r.xlsx")
    sites = book.load_sheet("Sites, worst first").to_polars()

    assert sites["Last reading"].dtype.is_temporal()
    assert sites["Cost a day [EUR]"].dtype.is_numeric()
    assert sites["Site"].to_list()[0] == FAILED.site
    assert isinstance(sites["Last reading"][0], datetime)


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_report_opens_in_a_browser_as_it_is(
    looking: str, browser: Browser, workspace: Workspace, subject: Subject
) -> None:
    name = _name(workspace, subject)
    with looked_at(browser, looking) as watched:
        watched.page.goto(f"{looking}/console/reports/{subject}.html?subject={name}&view=page&range=30d")
        pictures = watched.page.locator("figure svg").count()

        assert watched.page.locator("h1").count() == 1
        assert pictures >= 1
        assert watched.complaints == []
        assert watched.foreign == []


def test_button_leads_to_a_file(looking: str, browser: Browser) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(f"{looking}/console/reports?range=30d")
        with watched.page.expect_download() as download:
            watched.page.get_by_role("link", name="XLSX").first.click()

        assert download.value.suggested_filename.startswith("sereno-fleet")
        assert download.value.path().read_bytes().startswith(b"PK")


def test_paper_is_printed_where_chromium_is(workspace: Workspace, tmp_path: Path) -> None:
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed: nothing is printed")
    write_paper(paper_of(workspace, Subject.FLEET, language="es"), tmp_path / "r.pdf")

    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")


def test_without_chromium_it_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PdfUnavailable):
        print_pdf("<p>", tmp_path / "r.pdf", browser="no-such-program")

    assert list(tmp_path.iterdir()) == []


def _text(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


def _figure_after(text: str, label: str) -> str:
    """The first number with its unit after a name."""
    found = re.search(rf"{label} ([-€£\d.,]+(?: (?:kWh|m³))?)", text)
    assert found is not None, label
    return found[1]
