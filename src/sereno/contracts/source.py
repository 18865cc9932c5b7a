"""Where readings come from: what is asked when it suits us, and what is sent when it suits others."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol, TypeGuard

from sereno.domain.issues import DataIssue

__all__ = ["Inbox", "Item", "Link", "PolledSource", "Polled", "PushedSource", "Record", "is_pushed"]

Record = Mapping[str, object]
"""Column → value of one asset at one instant, named as in a file; a `MarkedValue` brings its quality."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was sent, as it came.

    Attributes:
        key: Of its source alone; what comes under a key that is known is not kept again.
        is_fresh: It is new, whatever was sent under its key before.
        reason: Why it cannot be used at all; empty otherwise.
    """

    key: str
    payload: bytes
    is_fresh: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Polled:
    """What was ready.

    Attributes:
        cursor: Where to go on, opaque; stored in the transaction that stores the records.
        is_last: Nothing else is ready now.
        issues: What somebody should know of what is not among the records.
        keys: Of the records in their origin, where the source wants to mark them there.
    """

    records: Sequence[Record] = ()
    cursor: str | None = None
    is_last: bool = True
    issues: Sequence[DataIssue] = ()
    keys: Sequence[object] = ()


class Link(Protocol):
    """A connection to what is asked."""

    def poll(self, after: str | None) -> Polled:
        """What is ready now; never waits for more.

        Args:
            after: Cursor of what is stored already; None at the beginning.

        Raises:
            SourceUnreachable: It does not answer; the connection is of no use any more.
        """
        ...

    def settle(self, polled: Polled) -> None:
        """What was polled is stored for good: mark it at its origin, if that is wanted. May be repeated."""
        ...


class PolledSource(Protocol):
    """Something that is asked: a frozen dataclass whose fields are its options."""

    @property
    def interval(self) -> timedelta:
        """Time between two questions."""
        ...

    def connect(self) -> AbstractContextManager[Link]:
        """A connection for as long as the context lasts.

        Raises:
            SourceUnreachable: There is none to be had.
        """
        ...


class Inbox(Protocol):
    """Where what was sent is kept until it is judged."""

    @property
    def position(self) -> str | None:
        """The cursor of what is kept already; None at the beginning."""
        ...

    def keep(self, items: Sequence[Item], *, position: str | None = None) -> None:
        """Keep items for good; they may be acknowledged once this has returned. Waits where there is no room.

        Args:
            position: Cursor after them, stored with them; the old one stays without one.
        """
        ...

    def heard(self) -> None:
        """The source lives, though it has nothing to say."""
        ...


class PushedSource(Protocol):
    """Something that sends by itself: a frozen dataclass whose fields are its options."""

    def listen(self, inbox: Inbox, stop: Event, *, is_trial: bool = False) -> None:
        """Connect, and keep what comes until stopped.

        Args:
            is_trial: Somebody only wants to see; leave the origin as if nobody had listened.

        Raises:
            SourceUnreachable: The connection cannot be had, or was lost.
        """
        ...

    def records(self, payload: bytes, received_at: datetime) -> Sequence[Record]:
        """What an item says.

        Raises:
            InvalidRecord: It says nothing that can be used.
        """
        ...


def is_pushed(source: PolledSource | PushedSource) -> TypeGuard[PushedSource]:
    """Whether a source sends by itself, rather than being asked."""
    return callable(getattr(source, "listen", None))
