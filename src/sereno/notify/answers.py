"""What an HTTP status means for a message: taken, later, never, or nothing more to this receiver."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pydantic import SecretStr

from sereno.contracts.notification import Answer, Outcome
from sereno.notify.http import Reply
from sereno.notify.options import redact

__all__ = ["MAX_RETRY_AFTER", "answer_of", "one_line", "retry_after"]

MAX_RETRY_AFTER = timedelta(days=1)
_LATER = frozenset({408, 425, 429})
_GONE = 410
_MAX_DETAIL = 200


def answer_of(reply: Reply, secrets: tuple[SecretStr, ...], *, now: datetime) -> Answer:
    """The answer that a reply amounts to; what the receiver wrote is told in one line without secrets."""
    code = str(reply.status)
    detail = one_line(reply.body.decode("utf-8", "replace"), secrets)
    if 200 <= reply.status < 300:
        return Answer(Outcome.ACCEPTED, code, detail)
    if 300 <= reply.status < 400:
        return Answer(Outcome.REFUSED, code, "it redirects elsewhere, which is not followed: correct the url")
    if reply.status == _GONE:
        return Answer(Outcome.GONE, code, detail)
    if reply.status in _LATER or reply.status >= 500:
        return Answer(Outcome.RETRY, code, detail, retry_after(reply.headers, now))
    return Answer(Outcome.REFUSED, code, detail)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long the receiver wants to be left alone (RFC 9110, 10.2.3), at most a day; None if unsaid.

    Example:
        >>> retry_after({"retry-after": "120"}, datetime(2025, 1, 1, tzinfo=UTC))
        datetime.timedelta(seconds=120)
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return timedelta(seconds=min(int(said[:10]), MAX_RETRY_AFTER.total_seconds()))
    try:
        until = parsedate_to_datetime(said)
    except (TypeError, ValueError):
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return min(max(until - now, timedelta(0)), MAX_RETRY_AFTER)


def one_line(text: str, secrets: tuple[SecretStr, ...]) -> str:
    """The beginning of a text in one line, without secrets."""
    shown = redact(text, secrets)
    return shown if len(shown) <= _MAX_DETAIL else f"{shown[:_MAX_DETAIL]}…"
