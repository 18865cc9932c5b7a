"""The page of patterns shows what the readings say, and names what is missing."""

from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser

from sereno.flows.courses import asset_named
from sereno.flows.patterns import patterns_of
from sereno.flows.service import Service
from sereno.flows.workspace import Workspace
from tests.console.browsing import looked_at
from tests.console.world import FAILED, LEAKING, NOW

ABOUT = {"site": LEAKING.site, "asset": LEAKING.asset, "profile": "gas", "range": "30d"}


def test_figures_of_the_page_are_those_of_the_stored_readings(client: httpx.Client, world: Path) -> None:
    rows = client.get("/console/patterns.json", params={**ABOUT, "signal": "volume", "figure": "hour"}).json()
    with Workspace.open(world, clock=lambda: NOW) as workspace, workspace.store.read() as tx:
        asset = asset_named(tx, LEAKING.site)[0]
        stored = tx.rows(asset.id, "gas", start=NOW.replace(month=5, day=2))
    hours = (stored.time.astype("datetime64[h]").astype(int) + 2) % 24  # the clock of Madrid in May
    noon = stored.values[hours == 12, stored.signals.index("volume")]

    assert len(rows) == 24
    assert rows[12]["Mean"] == pytest.approx(float(np.nanmean(noon)))


def test_pictures_that_cannot_be_drawn_say_why(client: httpx.Client) -> None:
    page = client.get("/console/patterns", params=ABOUT).text

    assert "No segments have been found yet" in page
    assert client.get("/console/patterns.svg", params={**ABOUT, "figure": "segment"}).status_code == 404


@pytest.mark.parametrize("kind", ["svg", "xlsx", "excel.csv", "csv", "json", "parquet"])
def test_each_picture_leaves_as_every_kind_of_file(client: httpx.Client, kind: str) -> None:
    begins = {"svg": b"<svg", "xlsx": b"PK", "json": b"[", "parquet": b"PAR1"}
    answer = client.get(f"/console/patterns.{kind}", params={**ABOUT, "figure": "carpet"})

    assert answer.status_code == 200
    assert answer.content.startswith(begins.get(kind, b""))
    assert "attachment" in answer.headers["content-disposition"]


def test_table_of_a_picture_is_opened_in_place(looking: str, browser: Browser) -> None:
    with looked_at(browser, looking) as watched:
        watched.open(f"{looking}/console/patterns?site={LEAKING.site}&range=30d")
        box = watched.page.locator("section", has=watched.page.locator("#plot-week")).locator(
            ".table-alternative"
        )
        box.locator("summary").click()
        box.locator("tbody tr").first.wait_for()

        assert box.locator("tbody tr").count() == 7
        assert watched.complaints == []


def test_segment_is_shown_once_segments_are_known(own: tuple[str, Service]) -> None:
    workspace = own[1].workspace("default")
    workspace.segment(profile="gas")
    found = patterns_of(
        workspace, LEAKING.site, start=NOW.replace(month=5), end=NOW, language="en", signal="volume"
    ).plot("segment")

    assert found is not None
    assert found.rows
    assert not found.missing


def test_scatter_matrix_shows_each_pair_and_tells_what_is_abnormal(client: httpx.Client) -> None:
    about = {"site": FAILED.site, "range": "30d", "figure": "scatter"}
    rows = client.get("/console/patterns.json", params=about).json()
    drawn = client.get("/console/patterns.svg", params=about).text
    judged = [row["Judgement"] for row in rows]

    assert drawn.count('class="frame"') == 5 + 4 + 3 + 2 + 1
    assert drawn.count('class="cloud"') == 10
    assert drawn.count('class="bar"') == 5
    assert 0 < judged.count("judged abnormal (larger)") <= 200
    assert 0 < judged.count("normal") <= 500
    assert len(drawn) < 150_000


def test_segments_have_names_that_people_read(own: tuple[str, Service]) -> None:
    own[1].workspace("default").segment(profile="gas")
    with httpx.Client(base_url=own[0], headers={"accept-language": "es"}) as asking:
        fleet, assets = asking.get("/console/").text, asking.get("/console/assets").text
        narrowed = asking.get("/console/assets.json", params={"segment": "gas 0"}).json()

    assert '<option value="gas 0" >Cliente de gas, grupo 1</option>' in fleet
    assert "<td>Cliente de gas, grupo 1</td>" in assets
    assert {row["profile"] for row in narrowed} == {"gas"}
