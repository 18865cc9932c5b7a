"""What a message is for machines: JSON in UTF-8, without values that JSON cannot hold."""

import json
from collections.abc import Mapping
from math import isfinite
from urllib.parse import quote

from sereno.contracts.notification import Message
from sereno.domain.time import isoformat

__all__ = ["as_json", "encode", "header_text", "payload_of"]

_HEADER_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")


def payload_of(message: Message) -> dict[str, object]:
    """The body of a webhook: `type`, `timestamp` and `data` with the words, the language and the facts."""
    said = {"subject": message.subject, "text": message.text, "language": message.language}
    data = {"key": message.key, **said, **message.facts}
    return {"type": message.event, "timestamp": isoformat(message.at), "data": data}


def encode(document: object) -> bytes:
    """A document as UTF-8 JSON."""
    return json.dumps(as_json(document), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def as_json(value: object) -> object:
    """A value as JSON can hold it: NaN becomes null, what is unknown its text."""
    if isinstance(value, Mapping):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(inner) for inner in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def header_text(text: str) -> str:
    """A text as a header can hold it: other characters are percent-encoded.

    Example:
        >>> header_text("i-1:3:guardia"), header_text("i-1:3:móvil sur")
        ('i-1:3:guardia', 'i-1:3:m%C3%B3vil%20sur')
    """
    return quote(text, safe=_HEADER_SAFE)
