"""The facts of a message by name, as texts: what templates of tickets may use."""

import hashlib
from collections.abc import Mapping

from sereno.contracts.notification import Message
from sereno.domain.time import isoformat

__all__ = ["FACTS", "facts_of", "incidents_of"]

_OF_INCIDENT = (
    *("site", "asset", "severity", "kind", "cause", "problem", "started_at", "ended_at", "observed"),
    *("expected", "unit", "impact", "impact_unit", "cost", "currency"),
)
_OF_MESSAGE = ("key", "event", "at", "language", "subject", "text", "incident", "ticket", "tag", "count")
_IN_LANGUAGE = ("sentence", "recommendation")
FACTS = (*_OF_MESSAGE, *_OF_INCIDENT, *_IN_LANGUAGE)
"""Names that a template may use, whatever the message."""
_TAG_LENGTH = 16


def incidents_of(message: Message) -> list[Mapping[str, object]]:
    """The incidents that a message tells."""
    found = message.facts.get("incidents")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def facts_of(message: Message) -> dict[str, str]:
    """Every name of `FACTS` with its text; empty where a message has no such fact.

    `ticket` is the incident, so that all that is told of one belongs to one ticket, and the key of a message
    that tells none or several; `tag` is the same as a word of letters and digits.
    """
    incidents = incidents_of(message)
    worst: Mapping[str, object] = incidents[0] if incidents else {}
    incident = str(worst.get("id") or "") if len(incidents) == 1 else ""
    ticket = incident or message.key
    suffix = "_es" if message.language == "es" else ""
    return {
        "key": message.key,
        "event": message.event,
        "at": isoformat(message.at) or "",
        "language": message.language,
        "subject": message.subject,
        "text": message.text,
        "incident": incident,
        "ticket": ticket,
        "tag": hashlib.sha256(ticket.encode()).hexdigest()[:_TAG_LENGTH],
        "count": str(len(incidents)),
        **{name: _text(worst.get(name)) for name in _OF_INCIDENT},
        **{name: _text(worst.get(f"{name}{suffix}")) for name in _IN_LANGUAGE},
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)
