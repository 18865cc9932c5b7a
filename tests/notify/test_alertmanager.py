"""Alerts for an Alertmanager: the same labels for life, an end that is told."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from sereno.contracts.notification import Outcome, StandingSender
from sereno.domain.errors import SenderMisconfigured
from sereno.domain.time import system_clock
from sereno.notify.registry import build_sender
from tests.notify.messages import AT, a_message, an_incident
from tests.notify.servers import Reply, http_receiver

MINUTE = timedelta(minutes=1)
ENDED = {"condition": "cleared", "ended_at": "2025-03-10T11:15:00Z"}


def ends_in(alert: dict[str, Any]) -> timedelta:
    """How long an alert lasts from now on."""
    return datetime.fromisoformat(alert["endsAt"]) - system_clock()


def posted(*messages: Any, **options: Any) -> list[list[dict[str, Any]]]:
    with http_receiver() as receiver:
        values = {"url": receiver.url, "allow_private": True, **options}
        sender = build_sender("am", "alertmanager", values)
        answers = [sender.send(message) for message in messages]
    assert {answer.outcome for answer in answers} == {Outcome.ACCEPTED}
    assert {got.path for got in receiver.got} == {"/aqui/api/v2/alerts"}
    return [got.document for got in receiver.got]


def test_alert_is_what_the_api_wants() -> None:
    facts = {"incidents": [an_incident()], "console_url": "https://sereno.example/"}

    ((alert,),) = posted(a_message(facts=facts), labels={"planta": "sur"})

    assert alert["labels"] == {
        "planta": "sur",
        "alertname": "SerenoIncident",
        "incident": an_incident()["id"],
        "site": "Planta 3",
        "asset": "Planta 3",
        "kind": "behaviour",
    }
    assert alert["annotations"]["summary"].startswith("[crítica] Planta 3")
    assert alert["annotations"]["severity"] == "critical"
    assert alert["startsAt"] == "2025-03-10T08:15:00Z"
    assert MINUTE < ends_in(alert) <= 10 * MINUTE
    assert alert["generatorURL"] == f"https://sereno.example/incidents/{an_incident()['id']}"
    assert all(isinstance(one, str) for one in [*alert["labels"].values(), *alert["annotations"].values()])


def test_labels_are_the_same_from_opening_to_end() -> None:
    worse = an_incident(severity="high", cost=99.0)
    over = an_incident(**ENDED)

    alerts = posted(
        a_message(facts={"incidents": [an_incident(severity="low")]}),
        a_message(event="updated", facts={"incidents": [worse]}),
        a_message(event="resolved", facts={"incidents": [over]}),
    )

    assert all(one[0]["labels"] == alerts[0][0]["labels"] for one in alerts)
    assert alerts[2][0]["endsAt"] == "2025-03-10T11:15:00Z"


def test_withdrawn_incident_ends_now() -> None:
    ((alert,),) = posted(a_message(event="withdrawn"))

    assert datetime.fromisoformat(alert["endsAt"]) == AT


def test_severity_as_a_label_ends_the_alerts_of_the_others() -> None:
    ((first, *others),) = posted(a_message(), severity_label=True)

    assert first["labels"]["severity"] == "critical"
    assert datetime.fromisoformat(first["endsAt"]) > AT
    assert {one["labels"]["severity"] for one in others} == {"low", "medium", "high"}
    assert {one["endsAt"] for one in others} == {"2025-03-10T11:30:00Z"}


def test_digest_posts_every_incident_and_a_test_posts_a_short_alert() -> None:
    many = [an_incident(id=str(n)) for n in range(3)]

    digest, test = posted(
        a_message(event="digest", facts={"incidents": many}), a_message(event="test", facts={})
    )

    assert [one["labels"]["incident"] for one in digest] == ["0", "1", "2"]
    assert test[0]["labels"]["alertname"] == "SerenoTest"
    assert timedelta() < ends_in(test[0]) <= 5 * MINUTE


def test_answer_of_the_alertmanager_decides() -> None:
    with http_receiver(Reply(500, b"busy")) as receiver:
        options = {"url": f"{receiver.url}/api/v2/alerts", "allow_private": True}
        answer = build_sender("am", "alertmanager", options).send(a_message())

    assert (answer.outcome, answer.code, answer.detail) == (Outcome.RETRY, "500", "busy")
    assert receiver.got[0].path == "/aqui/api/v2/alerts"


def test_what_goes_on_is_posted_together_and_lasts_a_few_intervals() -> None:
    many = [a_message(key=str(n), facts={"incidents": [an_incident(id=str(n))]}) for n in range(3)]
    with http_receiver() as receiver:
        options = {"url": receiver.url, "allow_private": True, "resend_every": "10s"}
        sender = build_sender("am", "alertmanager", options)
        assert isinstance(sender, StandingSender)
        answer = sender.send_standing(many)

    ((request),) = receiver.got
    assert answer.outcome is Outcome.ACCEPTED
    assert [one["labels"]["incident"] for one in request.document] == ["0", "1", "2"]
    assert all(MINUTE / 6 < ends_in(one) <= 50 * MINUTE / 60 for one in request.document)


@pytest.mark.parametrize(
    "options", [{"holds": "2min"}, {"resend_every": "10min", "holds": "5min"}, {"resend_every": "0s"}]
)
def test_alert_that_would_end_in_between_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(SenderMisconfigured, match=r"holds|resend_every"):
        build_sender("am", "alertmanager", {"url": "http://am.example", **options})
