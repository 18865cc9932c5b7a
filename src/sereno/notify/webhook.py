"""Signed webhooks: Standard Webhooks headers over a JSON body."""

import base64
import binascii
import hashlib
import hmac
import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from sereno.contracts.notification import Answer, Message
from sereno.domain.time import system_clock
from sereno.notify.answers import answer_of
from sereno.notify.http import HttpOptions, Request, check_url, exchange
from sereno.notify.payload import encode, header_text, payload_of

__all__ = ["Headers", "WebhookSender", "signatures"]

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
"""Length of a secret (Standard Webhooks, signature scheme)."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"host", "content-length", "content-type", "transfer-encoding"})


def _checked_secret(secret: SecretStr) -> SecretStr:
    try:
        key = _key(secret)
    except binascii.Error as error:
        raise ValueError(f"a secret is {_PREFIX} and base64") from error
    if not secret.get_secret_value().startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise ValueError(f"a secret is {_PREFIX} and the base64 of 24 to 64 random bytes")
    return secret


def _checked_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        text = value.get_secret_value()
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("webhook-"):
            raise ValueError(f"'{name}' is not a header that may be set")
        if not (text.isascii() and text.isprintable()):
            raise ValueError(f"the value of '{name}' is not plain ASCII in one line")
    return headers


Headers = Annotated[dict[str, SecretStr], AfterValidator(_checked_headers)]
"""Headers by name; their values may be secrets."""


class WebhookSender(HttpOptions):
    """Posts `{type, timestamp, data}` to a URL, signed as Standard Webhooks says."""

    url: Annotated[SecretStr, AfterValidator(check_url)] = Field(description="Where to post.")
    secrets: list[Annotated[SecretStr, AfterValidator(_checked_secret)]] = Field(
        default_factory=list,
        max_length=2,
        description="`whsec_…`, the secret that signs; a second one while it is being exchanged.",
    )
    headers: Headers = Field(default_factory=dict, description="Further headers, such as Authorization.")

    def send(self, message: Message) -> Answer:
        """Post once."""
        now = system_clock()
        body = encode(payload_of(message))
        key, stamp = header_text(message.key), str(int(now.timestamp()))
        headers = {
            **{name: value.get_secret_value() for name, value in self.headers.items()},
            "Content-Type": "application/json; charset=utf-8",
            "webhook-id": key,
            "webhook-timestamp": stamp,
        }
        if self.secrets:
            headers["webhook-signature"] = signatures(self.secrets, key, stamp, body)
        reply = exchange(Request("POST", self.url.get_secret_value(), headers, body), self)
        hidden = (self.url, *self.secrets, *self.headers.values())
        return reply if isinstance(reply, Answer) else answer_of(reply, hidden, now=system_clock())


def signatures(secrets: list[SecretStr], key: str, stamp: str, body: bytes) -> str:
    """One `v1` signature per secret, separated by blanks.

    Source:
        Standard Webhooks 1.0, signature scheme: base64(HMAC-SHA256(secret, `id.timestamp.body`)).
    """
    signed = b".".join([key.encode(), stamp.encode(), body])
    digests = (hmac.new(_key(one), signed, hashlib.sha256).digest() for one in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(secret: SecretStr) -> bytes:
    return base64.b64decode(secret.get_secret_value().removeprefix(_PREFIX), validate=True)
