"""Mail: text, HTML and pictures in one message that a repeat can be recognised by."""

import hashlib
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from sereno.contracts.notification import Answer, Message, Outcome
from sereno.notify.answers import one_line
from sereno.notify.options import Folder, SenderOptions, Timeout, certificates

__all__ = ["SmtpSender", "mail_of"]

_MAILBOX = re.compile(r"[^@\s<>\"\x00-\x1f]+@[^@\s<>\"\x00-\x1f]+")
_NAMED = re.compile(r"(?:([^<>\x00-\x1f]*)<)?([^<>]+?)>?")
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_LIST = "sereno"
_UNKNOWN = "application/octet-stream"
_TYPES = {
    "html": "text/html",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_POLICY = SMTP.clone(cte_type="7bit")
"""Old servers take no more than seven bits."""


def _checked_mailbox(text: str) -> str:
    found = _NAMED.fullmatch(text.strip())
    if found is None or not _MAILBOX.fullmatch(found[2].strip()):
        raise ValueError("an address is written as name@example.org or Name <name@example.org>")
    return text.strip()


Mailbox = Annotated[str, AfterValidator(_checked_mailbox)]


class SmtpSender(SenderOptions):
    """Hands a mail to a server; what that server does with it later is not known here."""

    host: str = Field(description="Mail server.")
    port: int | None = Field(
        default=None, gt=0, lt=65_536, description="Its port; otherwise 587, 465 or 25 as `security` says."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the way is secured; without it neither login nor secret is safe."
    )
    user: str | None = Field(default=None, description="Name for the login; none without one.")
    password: SecretStr | None = Field(default=None, description="Password for the login.")
    sender: Mailbox = Field(alias="from", description="Address that mails come from.")
    to: list[Mailbox] = Field(min_length=1, max_length=50, description="Addresses that mails go to.")
    timeout: Timeout = Field(default=timedelta(seconds=20), description="For each answer of the server.")
    total_timeout: Timeout = Field(default=timedelta(minutes=1), description="For the whole attempt.")
    ca_file: Annotated[Folder | None, AfterValidator(certificates)] = Field(
        default=None, description="Certificates (PEM) of the only authorities that are trusted."
    )

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("a login needs both `user` and `password`")
        if self.user is not None and self.security == "none":
            raise ValueError("a password is not sent over a way that is not secured: see `security`")
        return self

    def send(self, message: Message) -> Answer:
        """Hand the mail over once, to all addresses that it is for; those that miss it are named."""
        to = self._addresses(message)
        if not to and message.only:
            detail = f"{message.only} is none of the addresses in the settings any more"
            return Answer(Outcome.REFUSED, "unknown", detail)
        if not to:
            return Answer(Outcome.ACCEPTED, "apart", "every address is told by itself")
        deadline = _Deadline(self.total_timeout)
        mail = mail_of(message, self.sender, self.to)
        try:
            with deadline:
                server = self._connected(deadline)
                try:
                    return _handed_over(server, mail, to)
                finally:
                    _leave(server)
        except (smtplib.SMTPException, OSError) as error:
            return _late() if deadline.is_over else _failure(error, self._secrets)

    def _addresses(self, message: Message) -> list[str]:
        mailboxes = [_mailbox(one).addr_spec for one in self.to]
        wanted = [one for one in mailboxes if one == message.only] if message.only else mailboxes
        return [one for one in dict.fromkeys(wanted) if one not in message.without]

    @property
    def _secrets(self) -> tuple[SecretStr, ...]:
        return () if self.password is None else (self.password,)

    def _connected(self, deadline: "_Deadline") -> smtplib.SMTP:
        """A server that knows us."""
        port, context = self.port or _PORTS[self.security], ssl.create_default_context(cafile=self.ca_file)
        us, seconds = _mailbox(self.sender).domain, self.timeout.total_seconds()
        server: smtplib.SMTP
        if self.security == "tls":
            server = _watched(smtplib.SMTP_SSL, deadline)(
                self.host, port, local_hostname=us, timeout=seconds, context=context
            )
        else:
            server = _watched(smtplib.SMTP, deadline)(self.host, port, local_hostname=us, timeout=seconds)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.user is not None and self.password is not None:
                server.login(self.user, self.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def mail_of(message: Message, sender: str, to: list[str]) -> EmailMessage:
    """The mail: text, the same as HTML, the pictures that the HTML shows, and files beside them.

    The `Message-ID` follows from the key, so that a mail program shows a repeat once; `Auto-Submitted`
    (RFC 3834) keeps answering machines quiet, `List-Id` (RFC 2919) lets people sort.
    """
    mail = EmailMessage(policy=_POLICY)
    domain = _mailbox(sender).domain
    mail["From"] = _mailbox(sender)
    mail["To"] = [_mailbox(one) for one in to]
    mail["Subject"] = one_line(message.subject, ())
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{hashlib.sha256(message.key.encode()).hexdigest()[:32]}.{_LIST}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Id"] = f"{_LIST} <{_LIST}.{domain}>"
    mail["Content-Language"] = message.language
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
        shown = mail.get_payload()[-1]  # type: ignore[index]
        for name, png in message.pictures.items():
            file = f"{name}.png"
            shown.add_related(png, "image", "png", cid=f"<{name}>", filename=file, disposition="inline")  # type: ignore[union-attr]
    for name, content in message.attachments.items():
        main, _, sub = _TYPES.get(name.rpartition(".")[2], _UNKNOWN).partition("/")
        parameters = {"charset": "utf-8"} if main == "text" else {}
        mail.add_attachment(content, main, sub, filename=name, params=parameters)
    return mail


def _mailbox(text: str) -> Address:
    found = _NAMED.fullmatch(text)
    name, spec = (found[1] or "", found[2]) if found else ("", text)
    user, _, domain = spec.strip().rpartition("@")
    return Address(name.strip().strip('"'), user, domain)


def _handed_over(server: smtplib.SMTP, mail: EmailMessage, to: list[str]) -> Answer:
    needs_unicode = any(not one.isascii() for one in to)
    options = ["SMTPUTF8"] if needs_unicode else []
    refused = server.send_message(mail, to_addrs=to, mail_options=options)
    if not refused:
        return Answer(Outcome.ACCEPTED, "250", f"taken for {len(to)}")
    detail = f"taken for {len(to) - len(refused)} of {len(to)}; {_told(refused)}"
    missed = {one: _of_code(code, text) for one, (code, text) in refused.items()}
    return Answer(Outcome.ACCEPTED, "250", detail, missed=missed)


def _of_code(code: int, text: bytes) -> Answer:
    outcome = Outcome.RETRY if 400 <= code < 500 else Outcome.REFUSED
    return Answer(outcome, str(code), one_line(text.decode("utf-8", "replace"), ()))


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye; what the server thinks of that changes nothing."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _failure(error: Exception, secrets: tuple[SecretStr, ...]) -> Answer:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        outcome = Outcome.RETRY if any(400 <= code < 500 for code in codes) else Outcome.REFUSED
        return Answer(outcome, str(codes[0]), _told(error.recipients))
    if isinstance(error, smtplib.SMTPResponseException):
        is_final = 500 <= error.smtp_code < 600
        said = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else ""
        code = str(error.smtp_code)
        return Answer(Outcome.REFUSED if is_final else Outcome.RETRY, code, one_line(said, secrets))
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Answer(Outcome.REFUSED, "unsupported", one_line(str(error), secrets))
    return _no_way(error)


def _no_way(error: Exception) -> Answer:
    """What the network did; smtplib hides it behind a disconnection of its own."""
    found = error.__context__ if isinstance(error, smtplib.SMTPServerDisconnected) else error
    if isinstance(found, ssl.SSLError):
        reason = getattr(found, "verify_message", "") or found.reason or "no secure connection"
        return Answer(Outcome.RETRY, "tls", f"TLS: {reason}")
    if isinstance(found, TimeoutError):
        return _late()
    if isinstance(found, socket.gaierror):
        return Answer(Outcome.RETRY, "dns", "the name of the server leads to no address")
    if isinstance(found, ConnectionRefusedError):
        return Answer(Outcome.RETRY, "refused", "no connection")
    return Answer(Outcome.RETRY, "network", f"the connection broke ({type(error).__name__})")


def _late() -> Answer:
    return Answer(Outcome.RETRY, "timeout", "no answer in time")


def _told(refused: Mapping[str, tuple[int, bytes]]) -> str:
    """Which addresses were not taken, and why."""
    shown = (f"{to}: {code} {text.decode('utf-8', 'replace')}" for to, (code, text) in refused.items())
    return one_line("refused " + "; ".join(shown), ())


class _Deadline:
    """Ends the conversation with a server that answers for ever, byte by byte."""

    def __init__(self, within: timedelta) -> None:
        self.is_over = False
        self.server: smtplib.SMTP | None = None
        self._timer = threading.Timer(within.total_seconds(), self._end)
        self._timer.daemon = True

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.is_over = True
        found = getattr(self.server, "sock", None)
        if found is not None:
            try:
                found.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


def _watched(kind: type[smtplib.SMTP], deadline: _Deadline) -> Callable[..., smtplib.SMTP]:
    """A connection that the deadline can end from its first byte on."""

    class Watched(kind):  # type: ignore[misc, valid-type]
        def connect(self, *arguments: object, **options: object) -> object:
            deadline.server = self
            return super().connect(*arguments, **options)

    return Watched
