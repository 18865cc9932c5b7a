"""Why a model judges is kept, and shown where its history is."""

from pathlib import Path

import httpx

from tests.api.test_resources import V1
from tests.support.processes import sereno


def _model(client: httpx.Client) -> str:
    return str(client.get(f"{V1}/models").json()[0]["id"])


def test_reason_of_a_promotion_is_kept_and_shown(acting: httpx.Client, fleet: Path) -> None:
    model = _model(acting)
    asked = {"reason": "Too many false alarms since Monday."}
    acting.post(f"{V1}/models/{model}/promote", json=asked).raise_for_status()

    told = acting.get(f"{V1}/models/{model}/history").json()
    printed = sereno("models", "history", model, "--json", workspace=fleet).document

    assert [(one["event"], one["model"], one["reason"]) for one in told] == [
        ("judges", model, ""),
        ("judges", model, asked["reason"]),
    ]
    assert [one["who"] for one in told] == ["sereno", "key:test-admin"]
    assert printed == told


def test_reason_of_the_command_line_is_kept_with_who_gave_it(fleet: Path) -> None:
    (model,) = [one["id"] for one in sereno("models", "list", "--json", workspace=fleet).document]
    done = sereno("models", "promote", model, "--reason", "Vuelve la temporada", workspace=fleet)

    last = sereno("models", "history", model, "--json", workspace=fleet).document[-1]
    shown = sereno("models", "history", model, workspace=fleet).out

    assert done.code == 0
    assert last["reason"] == "Vuelve la temporada"
    assert last["who"] not in ("", "sereno")
    assert "Vuelve" in shown


def test_a_verdict_that_moves_a_threshold_is_part_of_it(acting: httpx.Client) -> None:
    model = _model(acting)
    found = acting.get(f"{V1}/incidents", params={"kind": "behaviour"}).json()["items"][0]["id"]
    closing = {"verdict": "false_alarm", "apply": True}
    acting.post(f"{V1}/incidents/{found}/close", json=closing).raise_for_status()
    acting.post(f"{V1}/incidents/{found}/undo").raise_for_status()

    told = acting.get(f"{V1}/models/{model}/history").json()

    verdict, undone = told[-2:]
    assert (verdict["event"], verdict["incident"], verdict["reason"]) == ("verdict", found, "false_alarm")
    assert (undone["event"], undone["incident"]) == ("undone", found)


def test_a_model_that_is_not_there_has_no_history(looking: httpx.Client) -> None:
    assert looking.get(f"{V1}/models/nobody/history").status_code == 404
