"""Each resource answers with real data, as it is described, in pages that are stable."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import sereno

V1 = "/api/v1"


def items(client: httpx.Client, path: str, **query: object) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        asked = {**query, **({} if cursor is None else {"cursor": cursor})}
        page = client.get(V1 + path, params=asked).raise_for_status().json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


def test_incidents_are_those_of_the_command_line(looking: httpx.Client, fleet: Path) -> None:
    told = sereno("incidents", "list", "--json", workspace=fleet).document

    assert items(looking, "/incidents") == told
    assert len(told) >= 2


def test_newest_are_those_of_the_command_line(looking: httpx.Client, fleet: Path) -> None:
    told = sereno("incidents", "list", "--sort", "newest", "--json", workspace=fleet).document

    assert items(looking, "/incidents", sort="newest", limit=1) == told


def test_models_and_silences_are_those_of_the_command_line(looking: httpx.Client, fleet: Path) -> None:
    assert looking.get(f"{V1}/models").json() == sereno("models", "list", "--json", workspace=fleet).document
    assert (
        looking.get(f"{V1}/silences").json() == sereno("silences", "list", "--json", workspace=fleet).document
    )


@pytest.mark.parametrize("sort", ["worst", "newest", "cost"])
def test_pages_of_one_hold_what_one_page_holds(stored: httpx.Client, sort: str) -> None:
    whole = items(stored, "/incidents", sort=sort)

    assert items(stored, "/incidents", sort=sort, limit=1) == whole


@pytest.mark.parametrize("path", ["/detections", "/assets", "/issues"])
def test_lists_come_in_pages(stored: httpx.Client, path: str) -> None:
    whole = items(stored, path)

    assert len(whole) >= 2
    assert items(stored, path, limit=1) == whole


def test_a_page_names_the_next_one(looking: httpx.Client) -> None:
    answer = looking.get(f"{V1}/incidents", params={"limit": 1})

    assert looking.get(answer.links["next"]["url"]).json()["items"] == items(looking, "/incidents")[1:2]


def test_filters_leave_what_fits(looking: httpx.Client) -> None:
    everything = items(looking, "/incidents")
    one = next(incident for incident in everything if incident["kind"] == "behaviour")

    for name, value in (
        ("kind", "behaviour"),
        ("site", one["site"]),
        ("asset", one["asset"]),
        ("cause", one["cause"]),
        ("problem", one["problem"]),
        ("state", "new"),
        ("condition", one["condition"]),
        ("visibility", "shown"),
    ):
        found = items(looking, "/incidents", **{name: value})
        assert found == [incident for incident in everything if incident[name] == value], name
    assert one in items(looking, "/incidents", text=one["site"].upper())
    assert items(looking, "/incidents", text="nowhere at all") == []
    assert items(looking, "/incidents", severity="low") == everything
    assert one not in items(looking, "/incidents", since=_after(one["ended_at"]))
    assert one not in items(looking, "/incidents", until=one["started_at"])


def _after(instant: str) -> str:
    return instant.replace("00:00Z", "00:01Z")


def test_an_incident_has_log_proof_kin_and_preview(stored: httpx.Client) -> None:
    number = items(stored, "/incidents", kind="behaviour")[0]["id"]
    one = stored.get(f"{V1}/incidents/{number}").json()

    assert stored.get(f"{V1}/incidents/{number[:6]}").json() == one
    assert stored.get(f"{V1}/incidents/{number}/events").json() == one["events"]
    assert one["events"][0]["event"] == "opened"
    assert stored.get(f"{V1}/incidents/{number}/notifications").json() == one["notifications"]
    assert stored.get(f"{V1}/incidents/{number}/similar").json() == []
    change = stored.get(f"{V1}/incidents/{number}/preview", params={"verdict": "false_alarm"}).json()
    assert change["factor"] > 1
    assert change["kept_quiet"] is True


def test_sites_and_assets_and_signals(stored: httpx.Client) -> None:
    sites = stored.get(f"{V1}/sites").json()
    assets = items(stored, "/assets", site="Planta 3")

    assert [site["name"] for site in sites][:3] == ["Planta 1", "Planta 2", "Planta 3"]
    assert sites[0]["zone"] == "Europe/Madrid"
    assert [asset["site"] for asset in assets] == ["Planta 3"]
    assert stored.get(f"{V1}/assets/{assets[0]['id']}").json() == assets[0]
    signals = stored.get(f"{V1}/assets/{assets[0]['id']}/signals").json()
    assert {one["signal"]: one["label_es"] for one in signals}["generation"] == "generación"


def test_series_shows_gaps_flags_and_detections(stored: httpx.Client) -> None:
    asset = items(stored, "/assets", site="Planta 2")[0]
    asked = {"asset_id": asset["id"], "signal": "consumption", "from": "2023-12-31T00:00:00Z"}

    shown = stored.get(f"{V1}/series", params=asked).json()

    (line,) = shown["series"]
    assert shown["decimation"] is None
    assert (shown["zone"], line["unit"], len(line["time"])) == ("Europe/Madrid", "kWh", 300)
    assert any("frozen" in run["flags"] for run in shown["flagged"])
    assert {one["cause"] for one in shown["detections"]} >= {"quality.frozen"}


def test_quality_says_what_is_there(stored: httpx.Client) -> None:
    rows = stored.get(f"{V1}/quality", params={"site": "Planta 2", "days": 20}).json()
    stuck = next(row for row in rows if row["signal"] == "consumption")

    assert (stuck["due"], stuck["values"], stuck["percent"]) == (20, 20, 100.0)
    assert stuck["flags"]["frozen"] > 0


def test_issues_name_file_and_sentence(looking: httpx.Client) -> None:
    issue = next(one for one in items(looking, "/issues") if one["code"] == "read.total_row")

    assert "Planta_4" in issue["file"]
    assert issue["sentence"] != issue["sentence_es"]


def test_receivers_show_nothing_of_how_to_reach_them(looking: httpx.Client) -> None:
    answer = looking.get(f"{V1}/receivers")

    assert [one["name"] for one in answer.json()] == ["guardia", "fuera"]
    assert "s3cr3t" not in answer.text
    assert "hook" not in answer.text.replace("webhook", "")


def test_settings_are_shown_as_routes_and_maintenance(looking: httpx.Client) -> None:
    (route,) = looking.get(f"{V1}/routes").json()
    (works,) = looking.get(f"{V1}/maintenance").json()

    assert (route["to"], route["match"]["severity"]) == (["guardia"], "medium")
    assert (works["id"], works["declared"], works["comment"]) == ("maintenance.verano", True, "Obras")


def test_card_of_a_model(looking: httpx.Client) -> None:
    model = looking.get(f"{V1}/models").json()[0]
    card = looking.get(f"{V1}/models/{model['id']}").json()

    assert (card["id"], len(card["assets"])) == (model["id"], model["assets"])


def test_summary_and_health(looking: httpx.Client, fleet: Path) -> None:
    summary = looking.get(f"{V1}/summary", params={"days": 300}).json()
    health = looking.get(f"{V1}/health", params={"days": 300}).json()

    assert summary == sereno("summary", "--days", "300", "--json", workspace=fleet).document
    assert set(health["by_site"]) == set(summary["by_site"])


def test_regimes_corrections_and_notifications_are_lists(looking: httpx.Client) -> None:
    assert looking.get(f"{V1}/regimes", params={"asset": "Planta 1"}).json() == []
    assert looking.get(f"{V1}/corrections").json() == []
    assert items(looking, "/notifications", status="dead") == []


def test_forecast_that_nobody_made_is_missing(looking: httpx.Client) -> None:
    answer = looking.get(f"{V1}/forecasts", params={"asset_id": 1}, headers={"Accept-Language": "es"})

    assert (answer.status_code, answer.json()["code"]) == (404, "forecast.missing")
    assert "pronóstico" in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("table", ["incidents", "preprocessed", "results", "anomalies"])
def test_exports_are_files(looking: httpx.Client, table: str, kind: str) -> None:
    answer = looking.get(f"{V1}/exports/{table}", params={"format": kind})

    assert answer.status_code == 200
    assert f'filename="{table}.{kind}"' in answer.headers["content-disposition"]
    assert answer.content.startswith(b"PK" if kind == "xlsx" else b"")
    assert len(answer.content) > 100


def test_report_is_one_page(looking: httpx.Client) -> None:
    answer = looking.get(f"{V1}/reports/asset", params={"asset": "Planta 3"})

    assert answer.headers["content-type"].startswith("text/html")
    assert "Planta 3" in answer.text


def test_clock_of_the_data_is_utc(looking: httpx.Client) -> None:
    one = items(looking, "/incidents")[0]

    assert all(str(one[name]).endswith("Z") for name in ("opened_at", "started_at", "peak_at"))
