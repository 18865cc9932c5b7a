"""The watch for drift over HTTP: its last verdicts, its evidence, and the job that looks."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.serving import served
from tests.api.test_jobs import ask, ended
from tests.api.test_resources import V1
from tests.drift.growing import drifted_city


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with served(drifted_city(tmp_path_factory.mktemp("drifted") / "w")) as client:
        yield client


def test_verdicts_are_listed_worst_first(drifted: httpx.Client) -> None:
    grown, usual = drifted.get(f"{V1}/drift").json()["items"]

    assert (grown["asset"], grown["signal"], grown["action"]) == ("Norte", "power", "concept")
    assert [one["kind"] for one in grown["verdicts"]] == ["quality", "input", "concept", "performance"]
    concept = grown["verdicts"][2]
    assert (concept["level"], concept["since"] is not None, "replays" in concept) == ("HIGH", True, False)
    assert concept["value"] > 1.0 > usual["verdicts"][2]["value"]


def test_lists_are_cut_into_pages_and_by_level(drifted: httpx.Client) -> None:
    first = drifted.get(f"{V1}/drift", params={"limit": 1}).json()
    second = drifted.get(f"{V1}/drift", params={"limit": 1, "cursor": first["next"]}).json()
    alarming = drifted.get(f"{V1}/drift", params={"level": "MEDIUM"}).json()["items"]

    assert [one["items"][0]["asset"] for one in (first, second)] == ["Norte", "Sur"]
    assert second["next"] is None
    assert [one["asset"] for one in alarming] == ["Norte"]


def test_one_asset_is_shown_with_the_replays_of_its_thresholds(drifted: httpx.Client) -> None:
    asset_id = drifted.get(f"{V1}/drift").json()["items"][0]["asset_id"]
    (whole,) = drifted.get(f"{V1}/drift/{asset_id}").json()

    assert len(whole["verdicts"][2]["replays"]) == whole["verdicts"][2]["n_reference"] >= 40
    assert drifted.get(f"{V1}/drift/99").status_code == 404


def test_the_registry_says_that_something_drifted(drifted: httpx.Client) -> None:
    (version,) = drifted.get(f"{V1}/models/versions").json()
    history = drifted.get(f"{V1}/models/{version['id']}/sheet").json()["history"]

    told = {one["event"]: one for one in history}
    assert set(told) == {"judges", "drift"}
    assert told["drift"]["facts"]["assets"] == ["Ciudad/Norte"]


def test_a_job_looks_and_says_so_to_who_listens(acting: httpx.Client, fleet: Path) -> None:
    before = acting.get(f"{V1}/drift")
    done = ended(acting, ask(acting, "drift"))
    after = acting.get(f"{V1}/drift", headers={"If-None-Match": before.headers["etag"]})

    assert before.json()["items"] == []
    assert done["state"] == "done", done
    found = after.json()["items"]
    alarming = [one for one in found if one["level"] in {"MEDIUM", "HIGH"}]
    assert {one["profile"] for one in found} == {"solar"}
    assert done["result"] == {
        "level": found[0]["level"],
        "assets": len(found),
        "alarming": len(alarming),
    }
