"""Mail against real servers: what arrives, how it is secured, and what each refusal means."""

# ruff: noqa: ARG002, N802 - the signatures and names of aiosmtpd

import email
import email.policy
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as SmtpServer  # noqa: N811 - not a constant
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from sereno.contracts.notification import Message, Outcome, Sender
from sereno.domain.errors import SenderMisconfigured
from sereno.notify.registry import build_sender
from tests.notify.messages import a_message
from tests.notify.servers import closed_port, raw_server, trickle

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


class Mailbox:
    """Takes mail, or refuses it as told."""

    def __init__(self, *, refusal: str = "", refused: dict[str, str] | None = None) -> None:
        self.got: list[tuple[list[str], EmailMessage]] = []
        self.refusal, self.refused = refusal, refused or {}

    async def handle_RCPT(
        self, server: SmtpServer, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SmtpServer, session: Session, envelope: Envelope) -> str:
        if self.refusal:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.got.append((envelope.rcpt_tos, mail))
        return "250 taken"


@contextmanager
def served(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=closed_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def a_sender(port: int, **options: Any) -> Sender:
    values = {
        "host": "localhost",
        "port": port,
        "security": "none",
        "from": "sereno <sereno@planta.example>",
        "to": ["guardia@planta.example"],
        **options,
    }
    return build_sender("correo", "smtp", values)


def delivered(message: Message, **options: Any) -> EmailMessage:
    mailbox = Mailbox()
    with served(mailbox) as port:
        answer = a_sender(port, **options).send(message)
    assert answer.outcome is Outcome.ACCEPTED
    return mailbox.got[0][1]


def part(mail: EmailMessage, kind: str) -> Any:
    return next(one for one in mail.walk() if one.get_content_type() == kind)


def test_mail_has_text_html_and_picture() -> None:
    html = '<p>Planta 3 <img src="cid:picture1" alt="x"></p>'

    mail = delivered(a_message(html=html, pictures={"picture1": PNG}))

    assert mail["Subject"] == "[crítica] Planta 3: fallo de generación – 12,40 €"
    assert mail["From"] == "sereno <sereno@planta.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "sereno <sereno.planta.example>"
    assert part(mail, "text/plain").get_content().startswith("Planta 3 ha dejado de generar: 68,9 kWh")
    assert part(mail, "text/html").get_content().strip() == html
    picture = part(mail, "image/png")
    assert (picture["Content-ID"], picture.get_content()) == ("<picture1>", PNG)
    assert picture.get_content_disposition() == "inline"


def test_repeat_has_the_same_message_id_and_another_message_another() -> None:
    first, repeat, other = (delivered(a_message(key=key))["Message-ID"] for key in ("k:1", "k:1", "k:2"))

    assert first == repeat != other
    assert first.endswith(".sereno@planta.example>")


def test_long_lines_and_plain_text_alone_arrive_whole() -> None:
    text = "ñ" * 5_000 + "\n.\nfin\n"

    mail = delivered(a_message(text=text, html=""))

    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n") == text


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x0b"])
def test_subject_cannot_add_a_header(end: str) -> None:
    mail = delivered(a_message(subject=f"Planta 3{end}Bcc: todos@planta.example{end}{end}cuerpo"))

    assert mail["Bcc"] is None
    assert mail["Subject"] == "Planta 3 Bcc: todos@planta.example cuerpo"


def test_every_address_gets_it() -> None:
    mailbox = Mailbox()
    to = ["Guardia Ñuñoa <guardia@planta.example>", "jefa@planta.example"]

    with served(mailbox) as port:
        a_sender(port, to=to).send(a_message())

    assert mailbox.got[0][0] == ["guardia@planta.example", "jefa@planta.example"]
    assert "Guardia Ñuñoa" in mailbox.got[0][1]["To"]


@pytest.mark.parametrize(
    ("said", "outcome", "code"),
    [
        ("421 too busy", Outcome.RETRY, "421"),
        ("451 greylisted", Outcome.RETRY, "451"),
        ("452 mailbox full", Outcome.RETRY, "452"),
        ("550 no such user", Outcome.REFUSED, "550"),
        ("554 spam", Outcome.REFUSED, "554"),
    ],
)
def test_code_of_the_server_decides(said: str, outcome: Outcome, code: str) -> None:
    with served(Mailbox(refusal=said)) as port:
        answer = a_sender(port).send(a_message())

    assert (answer.outcome, answer.code) == (outcome, code)
    assert said.split(" ", 1)[1] in answer.detail


@pytest.mark.parametrize(
    ("refused", "outcome"),
    [
        ({"a@x.example": "550 gone", "b@x.example": "450 later"}, Outcome.RETRY),
        ({"a@x.example": "550 gone", "b@x.example": "550 gone"}, Outcome.REFUSED),
        ({"a@x.example": "550 gone"}, Outcome.ACCEPTED),
    ],
)
def test_refused_addresses_are_told(refused: dict[str, str], outcome: Outcome) -> None:
    with served(Mailbox(refused=refused)) as port:
        answer = a_sender(port, to=["a@x.example", "b@x.example"]).send(a_message())

    assert answer.outcome is outcome
    assert "a@x.example: 550 gone" in answer.detail


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    found = trustme.CA()
    found.cert_pem.write_to_path(tmp_path / "ca.pem")
    return found


def certified(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def login(_: object, __: object, ___: object, ____: object, given: object) -> AuthResult:
    is_right = isinstance(given, LoginPassword) and given.password == b"s3cr3t-word"
    return AuthResult(success=is_right, handled=False)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_login_goes_over_a_secured_way(security: str, tmp_path: Path, authority: trustme.CA) -> None:
    mailbox, context = Mailbox(), certified(authority)
    ways: dict[str, dict[str, Any]] = {
        "starttls": {"tls_context": context, "require_starttls": True, "auth_required": True},
        "tls": {"ssl_context": context, "auth_require_tls": False},
    }

    with served(mailbox, **ways[security], authenticator=login) as port:
        options = {"security": security, "ca_file": str(tmp_path / "ca.pem"), "user": "sereno"}
        taken = a_sender(port, **options, password="s3cr3t-word").send(a_message())
        refused = a_sender(port, **options, password="otra-clave").send(a_message())

    assert taken.outcome is Outcome.ACCEPTED
    assert (refused.outcome, refused.code) == (Outcome.REFUSED, "535")
    assert "otra-clave" not in refused.detail
    assert len(mailbox.got) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_certificate_of_another_name_is_not_trusted(
    security: str, tmp_path: Path, authority: trustme.CA
) -> None:
    mailbox, context = Mailbox(), certified(authority, "other.example")
    way = {"tls_context" if security == "starttls" else "ssl_context": context}

    with served(mailbox, **way) as port:
        answer = a_sender(port, security=security, ca_file=str(tmp_path / "ca.pem")).send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "tls")
    assert mailbox.got == []


def test_server_without_starttls_gets_no_mail() -> None:
    mailbox = Mailbox()

    with served(mailbox) as port:
        answer = a_sender(port, security="starttls").send(a_message())

    assert answer.outcome is Outcome.REFUSED
    assert mailbox.got == []


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(lambda _, over: over.wait(10), id="silence"),
        pytest.param(
            lambda connection, over: trickle(b"220 ")(_greeted(connection), over),
            id="greeting that never ends",
        ),
    ],
)
def test_attempt_ends_when_the_server_does_not_answer(talk: Any) -> None:
    with raw_server(talk) as port:
        answer = a_sender(port, timeout="0.4s", total_timeout="0.8s").send(a_message())

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "timeout")


class _greeted:  # noqa: N801
    """A connection whose other side speaks second: nothing has to be read first."""

    def __init__(self, connection: Any) -> None:
        self.sendall = connection.sendall

    def recv(self, _: int) -> bytes:
        return b""


def test_goodbye_that_fails_does_not_send_twice() -> None:
    class Rude(Mailbox):
        async def handle_QUIT(self, server: SmtpServer, session: Session, envelope: Envelope) -> str:
            return "421 not so fast"

    mailbox = Rude()

    with served(mailbox) as port:
        answer = a_sender(port).send(a_message())

    assert answer.outcome is Outcome.ACCEPTED
    assert len(mailbox.got) == 1


def test_refused_connection_and_unknown_name_are_tried_again() -> None:
    refused = a_sender(closed_port()).send(a_message())
    unknown = a_sender(25, host="nadie.invalid").send(a_message())

    assert (refused.outcome, refused.code) == (Outcome.RETRY, "refused")
    assert (unknown.outcome, unknown.code) == (Outcome.RETRY, "dns")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"to": []}, r"options\.to"),
        ({"to": ["nobody"]}, r"options\.to\.0.*name@example\.org"),
        ({"from": "a@b\r\nBcc: c@d"}, r"options\.from"),
        ({"user": "sereno"}, "both `user` and `password`"),
        ({"user": "sereno", "password": "x"}, "not secured"),
        ({"security": "ssl"}, r"options\.security.*'starttls', 'tls' or 'none'"),
    ],
)
def test_wrong_option_is_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(SenderMisconfigured, match=told):
        a_sender(25, **options)
