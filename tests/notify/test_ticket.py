"""Tickets: what each system is asked, that an incident gets one, and that values cannot break out."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sereno.contracts.notification import Outcome, Sender
from sereno.domain.errors import SenderMisconfigured
from sereno.notify.facts import FACTS
from sereno.notify.options import Place
from sereno.notify.recipe import load_recipe, recipe_names
from sereno.notify.registry import build_sender
from tests.notify.messages import a_message, an_incident
from tests.notify.servers import Got, Receiver, Reply, hang, http_receiver, raw_server

INCIDENT = an_incident()["id"]
OPTIONS: dict[str, dict[str, Any]] = {
    "jira": {"user": "ana@planta.example", "values": {"project": "OPS"}},
    "jira_server": {"values": {"project": "OPS"}},
    "servicenow": {"user": "ana"},
    "glpi": {"app_token": "app-t0ken"},
}
EVIL = 'a"b\\c\n${token} {"x": 1} $5 &<>ñ'


def a_sender(url: str, recipe: str = "jira", **options: Any) -> Sender:
    values = {"recipe": recipe, "url": url, "token": "t0ken-secret", "allow_private": True}
    return build_sender("tickets", "ticket", {**values, **OPTIONS.get(recipe, {}), **options})


def system() -> Callable[[Got], Reply]:
    """As much of the four systems as the recipes meet: it keeps tickets, and finds them again."""
    tickets: list[str] = []

    def answer(got: Got) -> Reply:
        if got.path.endswith("/initSession"):
            return _json({"session_token": "s3ss10n"})
        if got.path.endswith("/killSession"):
            return _json(True)
        if got.method == "GET":
            query = parse_qs(urlsplit(got.path).query)
            wanted = _wanted(query)
            n_found = sum(wanted in text for text in tickets)
            return _json(_listed(n_found))
        tickets.append(got.body.decode("utf-8"))
        return _json({"id": 77, "key": "OPS-77", "result": {"number": "INC77", "sys_id": "x"}}, 201)

    return answer


def _wanted(query: dict[str, list[str]]) -> str:
    value = query.get("jql") or query.get("sysparm_query") or query["criteria[0][value]"]
    return value[0].rpartition("=")[2].strip()


def _listed(count: int) -> dict[str, Any]:
    found = [{"id": "77", "key": "OPS-77", "sys_id": "x", "number": "INC77", "2": 77}] * count
    return {"issues": found, "result": found, "totalcount": count, "data": found}


def _json(document: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(document).encode())


def created(receiver: Receiver) -> list[Any]:
    return [got.document for got in receiver.got if got.method == "POST"]


@pytest.mark.parametrize("recipe", sorted(OPTIONS))
def test_incident_gets_one_ticket_however_often_it_is_told(recipe: str) -> None:
    with http_receiver(system()) as receiver:
        sender = a_sender(receiver.url, recipe)
        answers = [
            sender.send(a_message()),
            sender.send(a_message()),
            sender.send(a_message(key="another key", event="escalated")),
            sender.send(a_message(event="resolved")),
        ]

    assert [answer.outcome for answer in answers] == [Outcome.ACCEPTED] * 4
    assert [answer.code for answer in answers] == ["201", "exists", "exists", "skipped"]
    assert len(created(receiver)) == 1
    assert answers[0].detail == answers[1].detail != ""


@pytest.mark.parametrize("recipe", sorted(OPTIONS))
def test_test_asks_everything_but_makes_no_ticket(recipe: str) -> None:
    with http_receiver(system()) as receiver:
        answer = a_sender(receiver.url, recipe).send(a_message(event="test", facts={}))

    assert answer.outcome is Outcome.ACCEPTED
    assert receiver.got
    assert created(receiver) == []


def test_jira_is_asked_as_its_rest_interface_wants() -> None:
    with http_receiver(system()) as receiver:
        a_sender(receiver.url).send(a_message())

    search, create = receiver.got
    assert urlsplit(search.path).path == "/aqui/rest/api/3/search/jql"
    assert base64.b64decode(search.headers["authorization"].removeprefix("Basic ")) == (
        b"ana@planta.example:t0ken-secret"
    )
    fields = create.document["fields"]
    assert fields["project"] == {"key": "OPS"}
    assert fields["summary"] == "[crítica] Planta 3: fallo de generación – 12,40 €"
    assert fields["priority"] == {"name": "Highest"}
    assert f"labels = {fields['labels'][1]}" == parse_qs(urlsplit(search.path).query)["jql"][0]
    paragraphs = [one["content"][0]["text"] for one in fields["description"]["content"]]
    assert paragraphs == [a_message().text, f"sereno {a_message().key}"]


def test_servicenow_gets_the_incident_as_correlation() -> None:
    with http_receiver(system()) as receiver:
        a_sender(receiver.url, "servicenow").send(a_message())

    (ticket,) = created(receiver)
    assert receiver.got[1].path == "/aqui/api/now/table/incident"
    assert ticket["correlation_id"] == INCIDENT
    assert ticket["correlation_display"] == f"sereno {a_message().key}"
    assert (ticket["urgency"], ticket["impact"]) == ("1", "1")


def test_glpi_opens_a_session_uses_it_and_closes_it() -> None:
    with http_receiver(system()) as receiver:
        a_sender(receiver.url, "glpi").send(a_message())

    paths = [urlsplit(got.path).path.rpartition("/")[2] for got in receiver.got]
    assert paths == ["initSession", "Ticket", "Ticket", "killSession"]
    assert receiver.got[0].headers["authorization"] == "user_token t0ken-secret"
    assert {got.headers["session-token"] for got in receiver.got[1:]} == {"s3ss10n"}
    assert {got.headers["app-token"] for got in receiver.got} == {"app-t0ken"}
    assert created(receiver)[0]["input"]["urgency"] == "5"


def test_session_is_closed_when_the_ticket_is_refused() -> None:
    healthy = system()

    def answer(got: Got) -> Reply:
        return Reply(400, b'["ERROR_GLPI_ADD"]') if got.method == "POST" else healthy(got)

    with http_receiver(answer) as receiver:
        answer_ = a_sender(receiver.url, "glpi").send(a_message())

    assert (answer_.outcome, answer_.code) == (Outcome.REFUSED, "400")
    assert receiver.got[-1].path.endswith("/killSession")


@pytest.mark.parametrize("recipe", sorted(OPTIONS))
def test_values_cannot_break_out_of_their_place(recipe: str) -> None:
    message = a_message(subject=EVIL, text=EVIL, key=EVIL, facts={"incidents": [an_incident(id=EVIL)]})

    with http_receiver(system()) as receiver:
        answer = a_sender(receiver.url, recipe).send(message)

    assert answer.outcome is Outcome.ACCEPTED
    assert "t0ken-secret" not in json.dumps(created(receiver))
    (ticket,) = created(receiver)
    fields = ticket.get("fields") or ticket.get("input") or ticket
    title = fields.get("summary") or fields.get("name") or fields.get("short_description")
    assert title.startswith(EVIL)


def test_fields_and_choices_of_the_receiver_go_over_those_of_the_recipe() -> None:
    options = {
        "fields": {"customfield_10020": "${site} / ${asset}", "labels": ["energia"], "priority": None},
        "values": {"project": "ENE", "issue_type": "Bug"},
    }

    with http_receiver(system()) as receiver:
        a_sender(receiver.url, **options).send(a_message())

    fields = created(receiver)[0]["fields"]
    assert fields["customfield_10020"] == "Planta 3 / Planta 3"
    assert (fields["labels"], fields["project"]) == (["energia"], {"key": "ENE"})
    assert fields["issuetype"] == {"name": "Bug"}
    assert "priority" not in fields


def test_choice_follows_the_severity() -> None:
    choices = {"priority": {"low": "Trivial"}}

    with http_receiver(system()) as receiver:
        sender = a_sender(receiver.url, choices=choices)
        sender.send(a_message(facts={"incidents": [an_incident(severity="low")]}))
        sender.send(a_message(event="dead_man", facts={}))

    assert [one["fields"]["priority"]["name"] for one in created(receiver)] == ["Trivial", "Medium"]


@pytest.mark.parametrize(
    ("reply", "outcome", "code"),
    [
        (Reply(401, b"no"), Outcome.REFUSED, "401"),
        (Reply(429, headers={"Retry-After": "9"}), Outcome.RETRY, "429"),
        (Reply(503), Outcome.RETRY, "503"),
        (Reply(302, headers={"Location": "/login"}), Outcome.REFUSED, "302"),
        (Reply(200, b"<html>login</html>"), Outcome.RETRY, "unreadable"),
    ],
)
def test_what_stands_in_the_way_is_told(reply: Reply, outcome: Outcome, code: str) -> None:
    with http_receiver(reply) as receiver:
        answer = a_sender(receiver.url).send(a_message())

    assert (answer.outcome, answer.code) == (outcome, code)


def test_attempt_ends_when_nobody_answers() -> None:
    with raw_server(hang) as port:
        answer = a_sender(f"http://127.0.0.1:{port}", read_timeout="0.3s").send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "timeout")


def test_recipe_of_the_user_is_used(tmp_path: Path) -> None:
    (tmp_path / "mio.yaml").write_text(
        "steps:\n  - {method: POST, path: '/t/${site}', creates: true, tells: n, "
        "headers: {X-Key: '${token}'}, body: {'que': '${sentence}'}}\n",
        "utf-8",
    )

    with http_receiver(lambda _: _json({"n": 5})) as receiver:
        values = {"recipe": "mio.yaml", "url": receiver.url, "token": "abc", "allow_private": True}
        answer = build_sender("t", "ticket", values, place=Place(tmp_path)).send(a_message())

    (got,) = receiver.got
    assert (got.path, got.headers["x-key"]) == ("/aqui/t/Planta%203", "abc")
    assert got.document == {"que": "Fallo de generación – Planta 3 ha dejado de generar."}
    assert answer.detail == "5"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"recipe": "gira"}, "there are glpi, jira, jira_server, servicenow, or a file"),
        ({"values": {}}, "needs project"),
        ({"fields": {"x": "${planta}"}}, r"there is no fact planta: there are app_token|asset"),
        ({"recipe": "malo.yaml"}, "not sound: 'steps.0.method'"),
    ],
)
def test_wrong_recipe_is_told(options: dict[str, Any], told: str, tmp_path: Path) -> None:
    (tmp_path / "malo.yaml").write_text("steps: [{method: BREW, path: /t}]", "utf-8")
    values = {"recipe": "jira", "url": "https://x.example", "token": "t", **OPTIONS["jira"], **options}

    with pytest.raises(SenderMisconfigured, match=told):
        build_sender("tickets", "ticket", values, place=Place(tmp_path))


@pytest.mark.parametrize("name", recipe_names())
def test_recipe_asks_for_nothing_unknown(name: str) -> None:
    recipe = load_recipe(name, Path())

    given = {*FACTS, *recipe.values, *recipe.requires, *recipe.choices, "basic", "token", "user", "app_token"}
    assert recipe.names() <= given
    assert sum(step.creates for step in recipe.steps) == 1
