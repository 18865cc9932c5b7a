"""What leaves sereno: a message for one receiver, what carries it, and what was answered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

__all__ = ["Answer", "Message", "Outcome", "Sender", "StandingSender"]


class Outcome(StrEnum):
    """What became of one attempt."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    """Not now: the network, 408, 425, 429, 5xx, a temporary answer of a mail server."""
    REFUSED = "refused"
    """Not like this: trying the same again would change nothing."""
    GONE = "gone"
    """The receiver wants nothing more (410)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered to one attempt.

    Attributes:
        code: As the receiver gave it: `202`, `550`, `timeout`, `refused`, …
        detail: The rest in one line, without secrets.
        retry_after: How long the receiver wants to be left alone.
        missed: Of a receiver with several addresses that took the message, those that did not, each with
            its own answer; they are told apart from the others.
    """

    outcome: Outcome
    code: str = ""
    detail: str = ""
    retry_after: timedelta | None = None
    missed: Mapping[str, "Answer"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """What one receiver is told, in its language.

    Attributes:
        key: The same for every attempt, so that a receiver can tell a repeat.
        event: `opened`, `updated`, `reopened`, `escalated`, `resolved`, `withdrawn`, `digest`, `test`, …;
            `opened_and_resolved` and `reopened_and_resolved` where what began or came back is over already.
        at: When what it tells was recorded.
        html: Body for readers of HTML; its pictures are named `cid:NAME`.
        facts: For machines, JSON-able: the incidents as `incidents list --json` shows them, and more.
        pictures: PNG by name.
        attachments: Files that go along, by name with its ending.
        only: The one address of the receiver that it is for; empty for all of them.
        without: Addresses of the receiver that are told apart from the others.
    """

    key: str
    event: str
    at: datetime
    language: str
    subject: str
    text: str
    html: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    only: str = ""
    without: Collection[str] = ()


class Sender(Protocol):
    """Carries a message to one receiver; everything else (when, in which order, how often) is not its own."""

    def send(self, message: Message) -> Answer:
        """Try once, within a time of its own; an error of the way is an answer, never an exception."""
        ...


@runtime_checkable
class StandingSender(Sender, Protocol):
    """A sender whose receiver forgets what it is not told again and again.

    Attributes:
        resend_every: How often what goes on is told again.
    """

    resend_every: timedelta

    def send_standing(self, messages: Sequence[Message]) -> Answer:
        """Try once to tell again what was told before, and for how long it holds now."""
        ...
