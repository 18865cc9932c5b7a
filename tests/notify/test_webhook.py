"""Webhooks against real servers: what is sent, what each answer means, and that every attempt ends."""

import asyncio
import base64
import json
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from standardwebhooks import Webhook, WebhookVerificationError

from sereno.contracts.notification import Answer, Outcome, Sender
from sereno.notify.options import Place
from sereno.notify.registry import build_sender
from tests.notify.messages import a_message
from tests.notify.servers import Reply, closed_port, hang, http_receiver, raw_server, trickle

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NEW_SECRET = "whsec_" + base64.b64encode(bytes(range(100, 132))).decode()
BRIEF = {"connect_timeout": "0.3s", "read_timeout": "0.3s", "total_timeout": "0.6s"}


def a_sender(url: str, **options: Any) -> Sender:
    return build_sender("guardia", "webhook", {"url": url, "allow_private": True, **options})


def test_body_and_signature_are_those_of_standard_webhooks() -> None:
    message = a_message()

    with http_receiver() as receiver:
        answer = a_sender(receiver.url, secrets=[SECRET], headers={"X-Planta": "tres"}).send(message)

    (got,) = receiver.got
    assert answer == Answer(Outcome.ACCEPTED, "200", "ok")
    assert (got.method, got.path, got.headers["x-planta"]) == ("POST", "/aqui", "tres")
    assert got.headers["webhook-id"] == message.key
    verified = Webhook(SECRET).verify(got.body, dict(got.headers))
    assert verified["type"] == "opened"
    assert verified["timestamp"] == "2025-03-10T11:30:00Z"
    assert verified["data"]["incidents"][0]["site"] == "Planta 3"
    assert "crítica" in got.body.decode("utf-8")


def test_message_is_sent_from_a_thread_that_has_a_loop_of_its_own() -> None:
    async def from_a_notebook(sender: Sender) -> Answer:
        return sender.send(a_message())

    with http_receiver() as receiver:
        answer = asyncio.run(from_a_notebook(a_sender(receiver.url)))

    assert answer == Answer(Outcome.ACCEPTED, "200", "ok")
    assert len(receiver.got) == 1


def test_both_secrets_verify_while_one_is_exchanged() -> None:
    with http_receiver() as receiver:
        a_sender(receiver.url, secrets=[SECRET, NEW_SECRET]).send(a_message())

    (got,) = receiver.got
    for secret in (SECRET, NEW_SECRET):
        Webhook(secret).verify(got.body, dict(got.headers))
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(got.body, dict(got.headers))


def test_repeat_has_the_same_id() -> None:
    with http_receiver() as receiver:
        sender = a_sender(receiver.url)
        sender.send(a_message(key="clave:ñ:1"))
        sender.send(a_message(key="clave:ñ:1"))

    assert [got.headers["webhook-id"] for got in receiver.got] == ["clave:%C3%B1:1"] * 2


def test_values_that_json_cannot_hold_become_null() -> None:
    with http_receiver() as receiver:
        a_sender(receiver.url).send(a_message(facts={"observed": float("nan"), "site": "\ud800"}))

    assert receiver.got[0].document["data"]["observed"] is None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.ACCEPTED),
        (204, Outcome.ACCEPTED),
        (301, Outcome.REFUSED),
        (307, Outcome.REFUSED),
        (400, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (404, Outcome.REFUSED),
        (408, Outcome.RETRY),
        (410, Outcome.GONE),
        (422, Outcome.REFUSED),
        (425, Outcome.RETRY),
        (429, Outcome.RETRY),
        (500, Outcome.RETRY),
        (503, Outcome.RETRY),
    ],
)
def test_status_decides_the_outcome(status: int, outcome: Outcome) -> None:
    with http_receiver(Reply(status, b"" if status == 204 else b"why")) as receiver:
        answer = a_sender(receiver.url).send(a_message())

    assert (answer.outcome, answer.code) == (outcome, str(status))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("7", timedelta(seconds=7)),
        ("999999999999", timedelta(days=1)),
        ("-5", None),
        ("soon", None),
        ("Wed, 01 Jan 2020 00:00:00 GMT", timedelta(0)),
        ("Wed, 01 Jan 2120 00:00:00 GMT", timedelta(days=1)),
    ],
)
def test_retry_after_is_obeyed_up_to_a_day(said: str, wanted: timedelta | None) -> None:
    with http_receiver(Reply(429, headers={"Retry-After": said})) as receiver:
        answer = a_sender(receiver.url).send(a_message())

    assert answer.retry_after == wanted


def test_retry_after_as_a_date_is_counted_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)

    with http_receiver(Reply(503, headers={"Retry-After": date})) as receiver:
        answer = a_sender(receiver.url).send(a_message())

    assert answer.retry_after is not None
    assert timedelta(minutes=4) < answer.retry_after <= timedelta(minutes=5)


def test_redirect_is_not_followed_and_told() -> None:
    with http_receiver(lambda got: Reply(302, headers={"Location": got.path})) as receiver:
        answer = a_sender(receiver.url).send(a_message())

    assert len(receiver.got) == 1
    assert answer.outcome is Outcome.REFUSED
    assert "redirects" in answer.detail


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(hang, id="silence"),
        pytest.param(trickle(b"HTTP/1.1 200 OK\r\nX-Slow: "), id="header that never ends"),
    ],
)
def test_attempt_ends_when_nobody_answers(talk: Any) -> None:
    with raw_server(talk) as port:
        answer = a_sender(f"http://127.0.0.1:{port}/", **BRIEF).send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "timeout")


def test_status_counts_when_the_body_never_ends() -> None:
    """The receiver took it; to try again would tell it twice."""
    with raw_server(trickle(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100000\r\n\r\n")) as port:
        answer = a_sender(f"http://127.0.0.1:{port}/", **BRIEF).send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.ACCEPTED, "202")


def test_endless_body_is_read_to_a_limit() -> None:
    with http_receiver(Reply(500, b"x" * 5_000_000)) as receiver:
        answer = a_sender(receiver.url).send(a_message())

    assert answer.outcome is Outcome.RETRY
    assert len(answer.detail) < 300


def test_broken_answer_is_tried_again() -> None:
    with raw_server(lambda connection, _: connection.sendall(b"no http\r\n\r\n")) as port:
        answer = a_sender(f"http://127.0.0.1:{port}/").send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "network")


def test_refused_connection_is_tried_again() -> None:
    answer = a_sender(f"http://127.0.0.1:{closed_port()}/").send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "refused")


def test_name_that_leads_nowhere_is_tried_again() -> None:
    answer = a_sender("https://nadie.invalid/").send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "dns")


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def served_by(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_own_authority_is_trusted_for_the_name_of_the_url(tmp_path: Path, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    options = {"ca_file": "ca.pem", "allow_private": True}

    with http_receiver(tls=served_by(authority, "localhost")) as receiver:
        url = {"url": receiver.url}
        answer = build_sender("a", "webhook", {**url, **options}, place=Place(tmp_path)).send(a_message())

    assert answer.outcome is Outcome.ACCEPTED
    assert receiver.got[0].headers["host"] == receiver.url.split("/")[2]


@pytest.mark.parametrize(("trusted", "name"), [(False, "localhost"), (True, "other.example")])
def test_certificate_that_does_not_fit_is_told_apart(
    tmp_path: Path, authority: trustme.CA, trusted: bool, name: str
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    options: dict[str, Any] = {"ca_file": str(tmp_path / "ca.pem")} if trusted else {}

    with http_receiver(tls=served_by(authority, name)) as receiver:
        answer = a_sender(receiver.url, **options).send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "tls")
    assert answer.detail.startswith("TLS: ")
    assert receiver.got == []


def test_private_address_is_refused_before_anything_is_sent() -> None:
    with http_receiver() as receiver:
        answer = a_sender(receiver.url, allow_private=False).send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "address")
    assert receiver.got == []


def test_secrets_that_the_receiver_repeats_are_not_told() -> None:
    def echo(got: Any) -> Reply:
        return Reply(400, json.dumps(dict(got.headers)).encode() + got.path.encode())

    with http_receiver(echo) as receiver:
        sender = a_sender(receiver.url, headers={"Authorization": "Bearer s3cr3t-t0k3n"}, secrets=[SECRET])
        answer = sender.send(a_message())

    assert "s3cr3t-t0k3n" not in answer.detail
    assert "s3cr3t-t0k3n" not in repr(sender)
    assert SECRET not in repr(sender)
    assert receiver.url not in repr(sender)


def test_url_and_headers_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    with http_receiver(Reply(500)) as receiver:
        a_sender(receiver.url + "/s3cr3t-path", headers={"X-Key": "s3cr3t-t0k3n"}).send(a_message())

    assert "s3cr3t" not in caplog.text


def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as receiver, http_receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.rpartition("/")[0])
        answer = a_sender(receiver.url).send(a_message())

    assert (answer.outcome, len(receiver.got), len(proxy.got)) == (Outcome.ACCEPTED, 1, 0)


def test_proxy_is_used_when_the_receiver_says_so() -> None:
    with http_receiver() as proxy:
        answer = a_sender("http://lejos.invalid/x", proxy=proxy.url.rpartition("/")[0]).send(a_message())

    assert answer.outcome is Outcome.ACCEPTED
    assert [got.path for got in proxy.got] == ["http://lejos.invalid/x"]


def test_name_is_resolved_once_and_that_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers otherwise the second time cannot lead a checked message elsewhere."""
    asked: list[str] = []
    ask = socket.getaddrinfo

    def answering(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "cambia.example":
            return ask(host, *arguments, **options)
        asked.append(host)
        return ask("127.0.0.1" if len(asked) == 1 else "192.0.2.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answering)
    with http_receiver() as receiver:
        answer = a_sender(receiver.url.replace("localhost", "cambia.example")).send(a_message())

    assert answer.outcome is Outcome.ACCEPTED
    assert asked == ["cambia.example"]
    assert receiver.got[0].headers["host"].startswith("cambia.example:")


def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("10.0.0.7", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)

    answer = a_sender("http://mixto.example/", allow_private=False).send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "address")
    assert "10.0.0.7" in answer.detail
