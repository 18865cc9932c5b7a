"""What people do through the API happens, once, and not behind the back of somebody else."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.test_resources import V1, items

ACTIONS: list[tuple[str, dict[str, Any] | None, dict[str, object]]] = [
    ("acknowledge", None, {"state": "acknowledged"}),
    ("unacknowledge", None, {"state": "new"}),
    ("assign", {"owner": "ana"}, {"owner": "ana"}),
    ("shelve", {"hours": 2, "reason": "mañana"}, {"visibility": "shelved"}),
    ("unshelve", None, {"visibility": "shown"}),
    ("close", {"verdict": "false_alarm", "apply": True}, {"state": "closed", "verdict": "false_alarm"}),
    ("reopen", None, {"state": "new", "verdict": None}),
    ("close", {"verdict": "real"}, {"state": "closed", "verdict": "real"}),
]


def an_incident(client: httpx.Client) -> str:
    return str(items(client, "/incidents", kind="behaviour")[0]["id"])


def act(
    client: httpx.Client, number: str, action: str, body: object = None, **headers: str
) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"{V1}/incidents/{number}/{action}", json=body, headers=names)


def test_every_action_answers_with_the_incident_as_it_is_then(stored: httpx.Client) -> None:
    number = an_incident(stored)

    for action, body, becomes in ACTIONS:
        answer = act(stored, number, action, body)

        assert answer.status_code == 200, answer.text
        assert {name: answer.json()[name] for name in becomes} == becomes, action
        assert stored.get(f"{V1}/incidents/{number}").json() == answer.json()
    undone = act(stored, number, "undo").json()
    assert [one["check"] for one in undone["undone"]] == ["behaviour"]
    assert act(stored, number, "undo").json()["undone"] == []


def test_a_remark_is_in_the_log(acting: httpx.Client) -> None:
    number = an_incident(acting)

    act(acting, number, "comment", {"text": "¿Fusible?"})

    last = acting.get(f"{V1}/incidents/{number}/events").json()[-1]
    assert (last["event"], last["facts"]) == ("commented", {"text": "¿Fusible?"})
    assert last["who"], "who did it is in the log"


def test_a_repeated_request_is_done_once(acting: httpx.Client) -> None:
    number = an_incident(acting)

    answers = [act(acting, number, "comment", {"text": "x"}, idempotency_key="k1") for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    log = acting.get(f"{V1}/incidents/{number}/events").json()
    assert [one["event"] for one in log].count("commented") == 1


def test_who_saw_an_older_state_is_told_so(acting: httpx.Client) -> None:
    number = an_incident(acting)
    seen = acting.get(f"{V1}/incidents/{number}").headers["etag"]
    first = act(acting, number, "acknowledge", if_match=seen, idempotency_key="mine")

    second = act(acting, number, "assign", {"owner": "b"}, if_match=seen)
    again = act(acting, number, "acknowledge", if_match=seen, idempotency_key="mine")
    third = act(acting, number, "assign", {"owner": "b"}, if_match=first.headers["etag"])

    assert (first.status_code, second.status_code, second.json()["code"]) == (200, 412, "incident.changed")
    assert again.status_code == 200, "a repeat of what was done is no conflict"
    assert (third.status_code, third.json()["owner"]) == (200, "b")
    assert act(acting, number, "assign", {"owner": "c"}, if_match='"none of ours"').status_code == 412


def test_what_makes_no_sense_is_refused(acting: httpx.Client) -> None:
    number = an_incident(acting)
    act(acting, number, "close", {"verdict": "expected"})

    assert act(acting, number, "acknowledge").status_code == 422
    assert (
        act(acting, number, "shelve", {"hours": 25, "reason": "x"}).json()["errors"][0]["where"]
        == "body.hours"
    )
    assert act(acting, number, "close", {"verdict": "maybe"}).status_code == 422
    assert act(acting, number, "comment", {"text": "x", "more": 1}).status_code == 422
    assert act(acting, "ffffffff", "acknowledge").status_code == 404


def test_errors_are_in_the_language_of_who_asks(acting: httpx.Client) -> None:
    spanish = act(acting, "ffffffff", "acknowledge", accept_language="es-ES,es;q=0.9,en;q=0.8").json()
    english = act(acting, "ffffffff", "acknowledge", accept_language="fr,en;q=0.8").json()

    assert spanish["detail"].startswith("No existe «ffffffff»")
    assert english["detail"].startswith("There is no incident 'ffffffff'")


def test_a_silence_is_added_told_and_ended(acting: httpx.Client) -> None:
    number = an_incident(acting)
    site = acting.get(f"{V1}/incidents/{number}").json()["site"]
    body = {"matcher": {"site": site}, "comment": "Obras", "ends_at": "2099-01-01T00:00:00+01:00"}

    made = acting.post(f"{V1}/silences", json=body)

    assert made.status_code == 201, made.text
    assert made.json()["in_force"]
    assert made.json()["ends_at"] == "2098-12-31T23:00:00Z"
    assert made.json() | {"incidents": 0} in [
        one | {"incidents": 0} for one in acting.get(f"{V1}/silences").json()
    ]
    ended = acting.post(f"{V1}/silences/{made.json()['id']}/end").json()
    assert (ended["in_force"], ended["ended_by"]) == (False, made.json()["author"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"comment": "x"}, id="never ends"),
        pytest.param({"comment": "x", "ends_at": "2000-01-01T00:00:00Z"}, id="is over"),
        pytest.param({"comment": "x", "ends_at": "2099-01-01T00:00:00"}, id="no zone"),
        pytest.param({"comment": "x", "hours": "22:00-06:00"}, id="no days"),
        pytest.param(
            {"comment": "x", "hours": "22:00-06:00", "days": [1], "timezone": "No/where"}, id="zone"
        ),
        pytest.param({"ends_at": "2099-01-01T00:00:00Z"}, id="no comment"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(looking: httpx.Client, body: dict[str, object]) -> None:
    assert looking.post(f"{V1}/silences", json=body).status_code == 422


def test_a_correction_is_made_and_taken_back(acting: httpx.Client) -> None:
    body = {
        "asset": "Planta 1",
        "signal": "generation",
        "kind": "factor",
        "from": "2024-02-01T00:00:00Z",
        "to": "2024-02-05T00:00:00Z",
        "amount": 2,
        "reason": "calibrado",
    }

    made = acting.post(f"{V1}/corrections", json=body)

    assert (made.status_code, made.json()["values"]) == (201, 4)
    undone = acting.post(f"{V1}/corrections/{made.json()['id']}/undo", json={"reason": "no"}).json()
    assert undone["undone_reason"] == "no"
    assert acting.get(f"{V1}/corrections").json() == []
    assert [one["id"] for one in acting.get(f"{V1}/corrections", params={"undone": True}).json()] == [
        made.json()["id"]
    ]


def test_a_receiver_is_tested_end_to_end(acting: httpx.Client, fleet: Path) -> None:
    answer = acting.post(f"{V1}/receivers/guardia/test")

    assert (answer.status_code, answer.json()["outcome"]) == (200, "accepted")
    assert any((fleet / "told").rglob("*"))
    (told,) = items(acting, "/notifications", receiver="guardia")
    assert (told["status"], told["event"]) == ("sent", "test")
    assert acting.post(f"{V1}/receivers/nobody/test").status_code == 404


def test_what_was_given_up_is_sent_again(acting: httpx.Client) -> None:
    acting.post(f"{V1}/receivers/guardia/test")
    (sent,) = items(acting, "/notifications")

    assert acting.post(f"{V1}/notifications/resend", json={"ids": [sent["id"]]}).status_code == 422
    assert acting.post(f"{V1}/notifications/resend", json={"ids": [999]}).status_code == 404


def test_a_model_is_promoted_with_a_reason(acting: httpx.Client) -> None:
    number = acting.get(f"{V1}/models").json()[0]["id"]

    promoted = acting.post(f"{V1}/models/{number}/promote", json={"reason": "better"})

    assert (promoted.status_code, promoted.json()["id"]) == (200, number)
    assert acting.post(f"{V1}/models/{number}/promote", json={}).status_code == 422
    assert acting.post(f"{V1}/models/rollback", json={"reason": "worse"}).status_code == 404, "none before"
