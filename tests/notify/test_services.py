"""Apprise against real servers: what it passes on, and the little that it says."""

import logging
from typing import Any

import pytest

from sereno.contracts.notification import Outcome, Sender
from sereno.domain.errors import SenderMisconfigured
from sereno.notify.registry import build_sender
from tests.notify.messages import a_message
from tests.notify.servers import Reply, hang, http_receiver, raw_server


def a_sender(*urls: str, **options: Any) -> Sender:
    return build_sender("chat", "apprise", {"urls": list(urls), **options})


def json_url(url: str) -> str:
    return url.replace("http://", "json://")


def test_message_goes_through() -> None:
    with http_receiver() as receiver:
        answer = a_sender(json_url(receiver.url)).send(a_message())

    (got,) = receiver.got
    assert answer.outcome is Outcome.ACCEPTED
    assert got.document["title"] == "[crítica] Planta 3: fallo de generación – 12,40 €"
    assert got.document["message"].startswith("Planta 3 ha dejado de generar")
    assert got.document["type"] == "failure"


@pytest.mark.parametrize("status", [400, 410, 429, 500, 503])
def test_every_failure_is_tried_again(status: int) -> None:
    with http_receiver(Reply(status)) as receiver:
        answer = a_sender(json_url(receiver.url)).send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "apprise")


@pytest.mark.parametrize("query", ["", "?redirect=yes"])
def test_redirect_is_not_followed(query: str) -> None:
    with http_receiver(lambda got: Reply(307, headers={"Location": got.path})) as receiver:
        answer = a_sender(json_url(receiver.url) + query).send(a_message())

    assert answer.outcome is Outcome.RETRY
    assert len(receiver.got) == 1


def test_attempt_ends_when_the_service_does_not_answer() -> None:
    with raw_server(hang) as port:
        answer = a_sender(f"json://127.0.0.1:{port}/", read_timeout="30s", total_timeout="0.5s").send(
            a_message()
        )

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "timeout")


def test_own_timeouts_are_used() -> None:
    with raw_server(hang) as port:
        answer = a_sender(f"json://127.0.0.1:{port}/?rto=60", read_timeout="0.3s").send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "apprise")


@pytest.mark.parametrize(
    ("urls", "schemes", "told"),
    [
        (["nada://x"], [], r"urls\.0: Apprise knows no such URL"),
        (["json://localhost/s3cr3t-path"], ["tgram"], r"urls\.0: 'json' is not one of the allowed"),
        ([], [], "at least 1"),
    ],
)
def test_wrong_url_is_told_without_it(urls: list[str], schemes: list[str], told: str) -> None:
    with pytest.raises(SenderMisconfigured, match=told) as caught:
        a_sender(*urls, schemes=schemes)

    assert "s3cr3t-path" not in str(caught.value)


def test_url_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with http_receiver(Reply(500)) as receiver:
        sender = a_sender(f"{json_url(receiver.url)}/s3cr3t-path")
        sender.send(a_message())

    assert "s3cr3t-path" not in caplog.text
    assert "s3cr3t-path" not in repr(sender)
