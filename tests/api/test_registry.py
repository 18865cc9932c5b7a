"""The registry over HTTP: versions, their cards, comparison, promotion, shadow, and who may."""

from pathlib import Path

import httpx

from sereno.flows.workspace import Workspace
from tests.api.test_resources import V1


def _candidate(fleet: Path) -> str:
    with Workspace.open(fleet) as workspace:
        return workspace.train(detector="ewma", is_candidate=True)[0].id


def test_candidate_is_refused_then_forced_then_taken_back(acting: httpx.Client, fleet: Path) -> None:
    first = acting.get(f"{V1}/models").json()[0]["id"]
    candidate = _candidate(fleet)

    refused = acting.post(f"{V1}/models/{candidate}/promote", json={"reason": "newer"})
    forced = acting.post(f"{V1}/models/{candidate}/promote", json={"reason": "trial", "force": True})
    states = {one["id"]: one["state"] for one in acting.get(f"{V1}/models/versions").json()}
    back = acting.post(f"{V1}/models/rollback", json={"reason": "noisy", "profile": forced.json()["profile"]})

    assert (refused.status_code, refused.json()["code"]) == (409, "model.promotion_too_early")
    assert (forced.status_code, states[candidate], states[first]) == (200, "champion", "retired")
    assert (back.status_code, back.json()["id"]) == (200, first)


def test_card_says_where_a_version_stands(acting: httpx.Client, fleet: Path) -> None:
    candidate = _candidate(fleet)
    compared = acting.post(f"{V1}/models/{candidate}/compare").json()
    acting.post(f"{V1}/models/{candidate}/shadow", json={"reason": "see"}).raise_for_status()

    sheet = acting.get(f"{V1}/models/{candidate}/sheet").json()

    assert (sheet["state"], sheet["comparison"]) == ("shadow", compared)
    assert compared["opinion"] == "too_few_days"
    assert [one["event"] for one in sheet["history"]][-2:] == ["compared", "shadow"]
    champion = acting.post(f"{V1}/models/{compared['champion']}/shadow", json={"reason": "see"})
    assert champion.status_code == 422
