"""Pages, files and answers without a browser: words, addresses, downloads, headers."""

import asyncio
import html
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
from fastapi import APIRouter, FastAPI, Response

from sereno import console
from sereno.console.assets import asset_url
from sereno.console.page import ConsoleRoute
from sereno.console.ranges import DateRange
from sereno.console.sankey import sankey_of
from sereno.console.wording import Wording
from sereno.domain.errors import SerenoError, UsageError
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import has
from tests.console.serving import console_server
from tests.console.world import FAILED, LONG, NOW

FOLDER = Path(console.__file__).parent
TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))
FIRST_LOAD_BYTES = 150_000


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_words_of_a_template_are_in_the_catalogue(template: Path) -> None:
    text = template.read_text("utf-8")
    whole = re.findall(r"\bt\('([\w.]+)'[,)]", text) + re.findall(r'\bt\("([\w.]+)"[,)]', text)

    assert not [key for key in whole if not has(f"console.{key}")]


def test_words_that_are_put_together_are_in_the_catalogue() -> None:
    from sereno.console.page import NAVIGATION, THEMES
    from sereno.console.ranges import PRESETS
    from sereno.console.screens import asset_list, incident, incidents, site
    from sereno.domain.incidents import EventKind, Verdict
    from sereno.flows.overview import Status

    wanted = {
        *(f"nav.{name}" for name, _ in NAVIGATION),
        *(f"theme.{one}" for one in THEMES),
        *(f"range.{one}" for one in PRESETS),
        *(f"visibility.{one}" for one in incidents.VISIBILITIES),
        *(f"incidents.sort.{one}" for one in incidents.SORTS),
        *(f"done.{one}" for one in incident._ACTIONS),
        *(f"event.{one.value}" for one in EventKind),
        *(f"verdict.{one.value}" for one in Verdict),
        *(f"verdict.{one.value}.about" for one in Verdict),
        *(f"status.{one.name.lower()}" for one in Status),
        *(f"incident.recurrence.{one}" for one in ("rising", "steady", "first")),
        *(f"fleet.sort.{one}" for one in ("worst", "incidents", "cost", "age", "name")),
        *(f"site.compare.{one or 'none'}" for one in site.COMPARED),
        *(f"assets.state.{one}" for one in asset_list.STATES),
        *(f"profile.{one}" for one in ("solar", "gas", "motor", "process", "load")),
    }

    assert not {key for key in wanted if not has(f"console.{key}")}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_template_has_no_script_or_style_of_its_own(template: Path) -> None:
    text = template.read_text("utf-8")

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|https?://", text)


def test_first_load_is_light(client: httpx.Client) -> None:
    page = client.get("/console/")
    files = re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page.text)
    weights = [int(page.headers["content-length"])]
    weights += [int(client.get(one).headers["content-length"]) for one in files]

    assert page.headers["content-encoding"] == "gzip"
    assert sum(weights) < FIRST_LOAD_BYTES


def test_file_is_kept_for_ever_under_its_digest_and_asked_for_under_its_name(client: httpx.Client) -> None:
    by_digest = client.get(asset_url("console.css"))
    by_name = client.get("/console/static/console.css")
    again = client.get("/console/static/console.css", headers={"if-none-match": by_name.headers["etag"]})

    assert "immutable" in by_digest.headers["cache-control"]
    assert by_name.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "../page.py", "..%2Fpage.py", "vendor/"])
def test_only_files_of_the_console_are_served(client: httpx.Client, name: str) -> None:
    assert client.get(f"/console/static/{name}").status_code == 404


@pytest.mark.parametrize(
    "path", ["/console/sites/Atlantis", "/console/incidents/nobody", "/console/?range=3y", "/console/?from=x"]
)
def test_what_is_not_there_or_makes_no_sense_is_a_page_with_a_sentence(
    client: httpx.Client, path: str
) -> None:
    answer = client.get(path)

    assert answer.status_code in {404, 422}
    assert 'role="alert"' in answer.text


def test_names_cannot_become_markup(client: httpx.Client) -> None:
    for path in ("/console/", "/console/incidents?range=90d", f"/console/sites/{LONG.site}"):
        text = client.get(path).text
        assert "<b>Villanueva" not in text, path
        assert "&lt;b&gt;Villanueva" in text, path


@pytest.mark.parametrize(
    "path", ["/console/fleet", "/console/incidents", "/console/assets", "/console/series"]
)
def test_every_kind_of_download_holds_the_same_rows(client: httpx.Client, path: str) -> None:
    about = (
        {"site": FAILED.site, "asset": FAILED.asset, "profile": "solar"} if path.endswith("series") else {}
    )
    answers = {
        kind: client.get(f"{path}.{kind}", params={"range": "30d", **about})
        for kind in ("json", "csv", "excel.csv", "xlsx")
    }
    rows = answers["json"].json()
    tables = {
        "csv": pl.read_csv(io.BytesIO(answers["csv"].content), infer_schema_length=None),
        "xlsx": pl.read_excel(io.BytesIO(answers["xlsx"].content), engine="calamine"),
    }

    assert rows
    assert {len(table) for table in tables.values()} == {len(rows)}
    assert all(list(table.columns) == list(rows[0]) for table in tables.values())
    assert answers["excel.csv"].content.startswith(b"\xef\xbb\xbf")


def test_picture_of_a_signal_is_a_file_whatever_its_name(world: Path, tmp_path: Path) -> None:
    from sereno.domain.readings import Readings
    from tests.support.builders import a_window, readings_of

    odd = 'Señal "α"/1\n'
    with Workspace.open(tmp_path, clock=lambda: datetime(2024, 1, 5, tzinfo=UTC)) as workspace:
        batch: Readings = readings_of(a_window(rows=90, signals=(odd,), profile="process"))
        workspace.add(batch, zone="Europe/Madrid")
        about = {"site": "Planta 1", "asset": "Planta 1", "profile": "process", "signal": odd}
    with console_server(tmp_path, clock=lambda: datetime(2024, 1, 5, tzinfo=UTC)) as (address, _):
        picture = httpx.get(f"{address}/console/series.svg", params=about)
        page = httpx.get(f"{address}/console/sites/Planta%201")
        unknown = httpx.get(f"{address}/console/series.doc", params=about)

    assert picture.text.startswith("<svg")
    assert picture.headers["content-disposition"] == 'attachment; filename="sereno-Se_al_____1_.svg"'
    assert page.status_code == 200
    assert unknown.status_code == 422


def test_series_of_a_site_are_json_with_gaps_as_nulls(client: httpx.Client) -> None:
    about = {"site": "Cubierta Este 03", "asset": "Cubierta Este 03", "profile": "solar"}
    found = client.get("/console/series", params=about).json()

    assert {"time", "lanes", "marks", "zone"} <= set(found)
    assert None in found["lanes"][0]["values"]
    assert len(found["time"]) == len(found["lanes"][0]["values"])


def test_part_of_a_thinned_series_shows_more_of_less(client: httpx.Client) -> None:
    about = {"site": FAILED.site, "asset": FAILED.asset, "profile": "solar", "range": "90d", "points": "100"}
    whole = client.get("/console/series", params=about).json()
    middle = whole["end"] - 10 * 86_400
    part = client.get(
        "/console/series", params={**about, "start": str(middle), "end": str(middle + 86_400)}
    ).json()

    assert (whole["thinned"], part["thinned"]) == (True, False)
    assert middle - 3600 <= part["time"][0] <= part["time"][-1] <= middle + 86_400


@pytest.mark.parametrize(("compare", "days"), [("previous", 3), ("weekdays", 7)])
def test_series_stands_beside_what_was_before(client: httpx.Client, compare: str, days: int) -> None:
    about = {"site": FAILED.site, "asset": FAILED.asset, "profile": "solar"}
    week = client.get("/console/series", params={**about, "range": "30d"}).json()
    three = {"from": "2025-05-24", "to": "2025-05-26"}
    found = client.get("/console/series", params={**about, **three, "compare": compare}).json()
    whole = dict(zip(week["time"], week["lanes"][1]["values"], strict=True))

    assert found["before"]["consumption"] == [whole[at - days * 86_400] for at in found["time"]]
    assert len(found["time"]) == 72


def test_incident_page_says_who_was_told_and_how_it_went(client: httpx.Client) -> None:
    listed = client.get("/console/incidents.json", params={"range": "90d"}).json()
    name = next(one["id"] for one in listed if one["site"] == FAILED.site)
    text = client.get(f"/console/incidents/{name}").text

    assert "guardia" in text
    assert "received" in text
    assert "attempts: 1, answer written" in text


def test_list_without_incidents_leads_to_those_before(client: httpx.Client) -> None:
    """The first look of many is at an export whose last week was quiet."""
    listed = client.get(
        "/console/incidents.json", params={"from": "2020-01-01", "condition": "cleared"}
    ).json()
    last = max(one["ended_at"] for one in listed)[:10]
    quiet = {
        "from": str(date.fromisoformat(last) + timedelta(days=1)),
        "condition": "cleared",
        "to": "2029-01-01",
    }

    text = client.get("/console/incidents", params=quiet).text
    (link,) = re.findall(r'<p class="empty">No incidents in this period. <a href="([^"]+)">', text)
    found = client.get(html.unescape(link)).text

    assert f"{len(listed)} incidents" in found


def test_screens_work_without_readings_and_without_a_model(world: Path, tmp_path: Path) -> None:
    from tests.support.builders import a_window, readings_of

    with console_server(tmp_path / "empty", clock=lambda: NOW) as (address, _):
        empty = [httpx.get(f"{address}/console/{path}").status_code for path in ("", "incidents", "readings")]
        text = httpx.get(f"{address}/console/").text
    bare = tmp_path / "bare"
    with Workspace.open(bare, clock=lambda: datetime(2024, 1, 5, tzinfo=UTC)) as workspace:
        from tests.support.builders import SOLAR_SIGNALS

        window = a_window(rows=90, signals=SOLAR_SIGNALS, profile="solar")
        workspace.add(readings_of(window), zone="Europe/Madrid")
    with console_server(bare, clock=lambda: datetime(2024, 1, 5, tzinfo=UTC)) as (address, _):
        fleet = httpx.get(f"{address}/console/", headers={"accept-language": "en"})
        site = httpx.get(f"{address}/console/sites/Planta%201", headers={"accept-language": "en"})

    assert empty == [200, 200, 200]
    assert "sereno ingest" in text
    assert "No model has been trained" in fleet.text
    assert site.status_code == 200
    assert "Nothing is expected here yet" in site.text


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        ("/console/incidents?range=30d", "/console/incidents?range=30d"),
        ("https://example.com/console/", "/console/"),
        ("//example.com/console/", "/console/"),
        ("/console/\\example.com", "/console/"),
        ("/api/v1/sites", "/console/"),
    ],
)
def test_choosing_a_language_never_leads_away(client: httpx.Client, back: str, expected: str) -> None:
    answer = client.get("/console/preferences", params={"language": "en", "back": back})

    assert (answer.status_code, answer.headers["location"]) == (303, expected)


def test_numbers_on_the_page_are_those_of_the_language(looking: str) -> None:
    texts = {
        language: httpx.get(f"{looking}/console/readings", headers={"accept-language": language}).text
        for language in ("es", "en")
    }

    assert re.search(r"\d\.\d{3}</strong> lecturas", texts["es"])
    assert re.search(r"\d,\d{3}</strong> readings", texts["en"])


def test_instant_has_its_offset_only_on_days_when_the_clock_changes() -> None:
    words = Wording("es")

    assert words.moment(datetime(2025, 10, 26, 1, tzinfo=UTC), "Europe/Madrid").endswith("02:00 (+0100)")
    assert words.moment(datetime(2025, 10, 26, 0, tzinfo=UTC), "Europe/Madrid").endswith("02:00 (+0200)")
    assert words.moment(datetime(2025, 10, 27, 1, tzinfo=UTC), "Europe/Madrid").endswith("02:00")


def test_range_of_days_is_whole_days_of_the_place() -> None:
    found = DateRange.of({"from": "2025-10-26", "to": "2025-10-26"}, until=NOW, zone="Europe/Madrid")

    assert found.end - found.start == timedelta(hours=25)
    assert found.query == {"from": "2025-10-26", "to": "2025-10-26"}
    assert DateRange.of({}, until=NOW, zone="Europe/Madrid").query == {}
    assert DateRange.of({"range": "30d"}, until=NOW, zone="UTC").first == date(2025, 5, 2)


@pytest.mark.parametrize(
    "query", [{"from": "2025-02-02", "to": "2025-02-01"}, {"range": "x"}, {"from": "1.2.2025"}], ids=str
)
def test_range_that_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        DateRange.of(query, until=NOW, zone="UTC")


def test_widths_of_the_energy_flow_add_up() -> None:
    sums = {
        "generation": 60.0,
        "self_consumption": 40.0,
        "export": 20.0,
        "import": 30.0,
        "consumption": 70.0,
    }
    found = sankey_of(sums, Wording("es"), {})
    assert found is not None
    height = {node.name: node.height for node in found.nodes}

    assert height["generation"] + height["import"] == pytest.approx(
        height["export"] + height["consumption"], rel=1e-6
    )
    assert height["generation"] / height["consumption"] == pytest.approx(60 / 70)
    assert len(found.flows) == 3
    assert sankey_of({"generation": 1.0}, Wording("es"), {}) is None
    assert sankey_of(dict.fromkeys(sums, 0.0), Wording("es"), {}) is None


def test_document_of_the_chart_is_strict_json(client: httpx.Client) -> None:
    about = {"site": LONG.site, "asset": LONG.asset, "profile": "solar", "range": "90d"}

    for path in ("/console/series", "/console/bands"):
        json.loads(client.get(path, params=about).text, parse_constant=pytest.fail)


class _NotAuthenticated(SerenoError):
    """Stands for the error of whoever guards the door."""

    code = "access.not_authenticated"
    template = "nobody"


def _ask_a_closed_screen(path: str, **headers: str) -> httpx.Response:
    """What a screen answers that lets nobody in."""
    app, router = FastAPI(), APIRouter(route_class=ConsoleRoute)

    @router.get("/console/closed")
    def closed() -> Response:
        raise _NotAuthenticated

    app.include_router(router)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as found:
            return await found.get(
                path, headers={name.replace("_", "-"): one for name, one in headers.items()}
            )

    # The browser's own loop runs in this thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, ask()).result()


def test_who_is_not_logged_in_is_sent_to_the_login_and_back() -> None:
    page = _ask_a_closed_screen("/console/closed?range=30d", accept="text/html")
    here = "http://host/console/incidents?state=new"
    part = _ask_a_closed_screen("/console/closed", hx_request="true", hx_current_url=here)
    data = _ask_a_closed_screen("/console/closed", accept="application/json")

    assert page.status_code == 303
    assert page.headers["location"] == "/login?next=%2Fconsole%2Fclosed%3Frange%3D30d"
    assert part.headers["hx-redirect"] == "/login?next=%2Fconsole%2Fincidents%3Fstate%3Dnew"
    assert data.status_code == 401


def test_malformed_query_is_answered_with_a_sentence(client: httpx.Client) -> None:
    answer = client.get("/console/", params={"rows": "many"})

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "rows" in answer.text
