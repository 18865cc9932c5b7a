"""What a receiver is told: subject, text, HTML and facts of incidents, digests, tests and silences."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from sereno.contracts.notification import Message
from sereno.i18n.catalogue import has, sentence
from sereno.i18n.numbers import moment
from sereno.notify.page import Card, Picture, page
from sereno.notify.wording import Fact, Wording, instant_of, zone_of

__all__ = ["MAX_LISTED", "MAX_PICTURES", "render"]

MAX_LISTED = 20
"""Incidents that a digest tells one by one."""
MAX_PICTURES = 3
_MAX_FACTS = 200
"""Incidents that a message holds for machines; of others the id."""
_MAX_SUBJECT = 180
_SEVERITIES = ("critical", "high", "medium", "low")
_NO_PICTURES: Mapping[str, Picture] = MappingProxyType({})
_NO_FACTS: Mapping[str, object] = MappingProxyType({})


def render(
    event: str,
    incidents: Sequence[Fact],
    *,
    key: str,
    at: datetime,
    language: str,
    pictures: Mapping[str, Picture] = _NO_PICTURES,
    extra: Mapping[str, object] = _NO_FACTS,
) -> Message:
    """The message of an event.

    One incident is told in full, several as a digest, none as the notice that `event` names (`test`,
    `dead_man`, or another whose words stand in `extra`).

    Args:
        incidents: Objects of `incidents list --json`; a `timezone` in them is that of the site.
        at: When what is told was recorded.
        pictures: By id of the incident.
        extra: For machines as it stands. `console_url` leads to the console; `source` and `since` say what
            is silent since when; `subject` and `text` are the words of an event that is not known here;
            `timezone` is that of the receiver.
    """
    is_one = len(incidents) == 1 and event != "digest"
    worded = [Wording(one, event if is_one else _state(one), at, language) for one in incidents]
    worded.sort(key=lambda one: one.rank, reverse=True)
    subject = _subject(event, worded, language, extra, is_one=is_one)
    named = _pictures(worded[:MAX_LISTED], pictures)
    cards = [_card(one, named, extra, is_full=is_one) for one in worded[:MAX_LISTED]]
    more = len(worded) - MAX_LISTED
    notice = "" if worded else _notice(event, language, extra)
    ending = sentence("notify.digest.more", language, n=more) if more > 0 else ""
    zone = _zone(worded, extra)
    footer = sentence("notify.footer", language, at=f"{moment(at, zone, language)} ({zone})", key=key)
    return Message(
        key=key,
        event=event,
        at=at,
        language=language,
        subject=subject,
        text=_text(subject, cards, [notice, ending, footer]),
        html=page(subject, cards, [notice, ending], footer, language=language),
        facts=_facts(worded, extra),
        pictures={name: picture.png for name, picture in named.values()},
    )


def _state(incident: Fact) -> str:
    """What a digest says of an incident: that it is there, or over."""
    return "resolved" if incident.get("ended_at") else "opened"


def _subject(
    event: str, worded: Sequence[Wording], language: str, extra: Mapping[str, object], *, is_one: bool
) -> str:
    if is_one:
        line = worded[0].headline()
    elif worded or event == "digest":
        line = f"[{sentence('notify.tag.digest', language)}] {_counts(worded, language)}"
    else:
        tag = f"notify.tag.{event}"
        line = (
            f"[{sentence(tag, language) if has(tag) else event}] {_notice(event, language, extra, 'subject')}"
        )
    line = " ".join(line.split())
    return line if len(line) <= _MAX_SUBJECT else f"{line[: _MAX_SUBJECT - 1]}…"


def _counts(worded: Sequence[Wording], language: str) -> str:
    if not worded:
        return sentence("notify.digest.none", language)
    counted = Counter(one.severity for one in worded)
    shown = [
        sentence(f"notify.count.{severity}", language, n=counted[severity])
        for severity in _SEVERITIES
        if counted[severity]
    ]
    return sentence("notify.digest.counts", language, n=len(worded), counts=", ".join(shown))


def _notice(event: str, language: str, extra: Mapping[str, object], part: str = "text") -> str:
    """The words of an event without incidents."""
    source, since = extra.get("source"), instant_of(extra.get("since"))
    key = f"notify.{event}.{part}"
    if event == "dead_man":
        key = f"notify.dead_man.{'source' if source else 'sereno'}.{part}"
    if not has(key):
        return str(extra.get(part, ""))
    shown = "?" if since is None else moment(since, _zone([], extra), language)
    return sentence(key, language, source=source, since=shown)


def _zone(worded: Sequence[Wording], extra: Mapping[str, object]) -> str:
    said = extra.get("timezone")
    return zone_of(said) if said or not worded else worded[0].zone


def _pictures(worded: Sequence[Wording], pictures: Mapping[str, Picture]) -> dict[str, tuple[str, Picture]]:
    """The pictures that go along, each with its name in the message, by id of the incident."""
    ids = [str(one.incident.get("id")) for one in worded]
    shown = [one for one in ids if one in pictures][:MAX_PICTURES]
    return {one: (f"picture{place}", pictures[one]) for place, one in enumerate(shown, start=1)}


def _card(
    worded: Wording, named: Mapping[str, tuple[str, Picture]], extra: Mapping[str, object], *, is_full: bool
) -> Card:
    id_, console = str(worded.incident.get("id", "")), str(extra.get("console_url") or "").rstrip("/")
    name, picture = named.get(id_, ("", None))
    return Card(
        severity="resolved" if worded.has_ended else worded.severity,
        headline=worded.headline(),
        told=worded.told(),
        advice=worded.advice() if is_full else "",
        advice_label=sentence("notify.label.what_to_do", worded.language),
        rows=worded.rows() if is_full else [],
        picture=name,
        picture_text="" if picture is None else picture.text,
        link=f"{console}/incidents/{id_}" if console and id_ else "",
        link_label=sentence("notify.label.open", worded.language),
    )


def _text(subject: str, cards: Sequence[Card], notes: Sequence[str]) -> str:
    parts = [subject] if len(cards) != 1 else []
    parts += [card.as_text() for card in cards] + [note for note in notes if note]
    return "\n\n".join(parts) + "\n"


def _facts(worded: Sequence[Wording], extra: Mapping[str, object]) -> dict[str, object]:
    return {
        **extra,
        "incidents": [dict(one.incident) for one in worded[:_MAX_FACTS]],
        "incidents_total": len(worded),
        "incident_ids": [one.incident.get("id") for one in worded],
    }
