"""The inbox of a source: what is sent is kept for good before it is acknowledged, and drained in order."""

import hashlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sereno.contracts.source import Item, PushedSource, Record
from sereno.domain.errors import DataError
from sereno.domain.failpoints import reach
from sereno.domain.time import Clock
from sereno.flows.engines import HeldLease
from sereno.flows.feeds import Feed
from sereno.flows.intake import Intake, Outcome, Piece
from sereno.store import Store, StoredItem, Transaction
from sereno.store.inbox import NEW

__all__ = ["KEPT_DONE", "MAX_WAITING", "DurableInbox", "TrialInbox", "drain", "set_aside"]

MAX_WAITING = 100_000
"""Items that wait to be judged at most; then nothing more is acknowledged until there is room."""
KEPT_DONE = 70_000
"""Judged items that are kept, so that they are known when they are sent again: more than can be on their way
unacknowledged (65,535, MQTT 5 section 3.3.4)."""
DRAIN_ITEMS = 5_000
_LIFE_S = 10.0
"""Time between two notes that a source which has nothing to say lives [s]."""
_ROOM_S = 0.2


@dataclass(slots=True)
class DurableInbox:
    """The inbox of one source in the store.

    Attributes:
        wake: Set when there is something to judge.
        stop: Ends waiting for room.
        room: Items that may wait to be judged; then nothing more is kept, and so acknowledged.
    """

    store: Store
    name: str
    clock: Clock
    lease: HeldLease
    wake: threading.Event
    stop: threading.Event
    room: int = MAX_WAITING
    _position: str | None = None
    _waiting: int = 0
    _noted: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        with self.store.read() as tx:
            self._position = tx.source_state(self.name).position
            self._waiting = tx.count_items(self.name).get(NEW, 0)
        self.wake.set()

    @property
    def position(self) -> str | None:
        """The cursor of what is kept already."""
        return self._position

    def keep(self, items: Sequence[Item], *, position: str | None = None) -> None:
        """Keep items in one transaction."""
        while self._is_full() and not self.stop.wait(_ROOM_S):
            self.wake.set()
        now = self.clock()
        with self.store.begin() as tx:
            self.lease.hold(tx)
            tx.add_items(self.name, items, at=now)
            tx.save_source_state(self.name, position=position, heard_at=now)
        reach("inbox.after_commit")
        self._position = self._position if position is None else position
        with self._lock:
            self._waiting += len(items)
        self._noted = time.monotonic()
        self.wake.set()

    def heard(self) -> None:
        """Note that the source lives, now and then."""
        if time.monotonic() - self._noted >= _LIFE_S:
            self._noted = time.monotonic()
            with self.store.begin() as tx:
                self.lease.hold(tx)
                tx.save_source_state(self.name, heard_at=self.clock())

    def _is_full(self) -> bool:
        """Whether there is no room; what was sent again was counted and not kept, so it is counted anew."""
        if self._waiting < self.room:
            return False
        with self._lock, self.store.read() as tx:
            self._waiting = tx.count_items(self.name).get(NEW, 0)
        return self._waiting >= self.room

    def drained(self, count: int) -> None:
        """There is room for so many more."""
        with self._lock:
            self._waiting = max(0, self._waiting - count)


@dataclass(slots=True)
class TrialInbox:
    """Keeps a few items in memory, for somebody who wants to see what comes; nothing is acknowledged."""

    wanted: int
    stop: threading.Event
    items: list[Item] = field(default_factory=list)
    is_connected: bool = False

    @property
    def position(self) -> str | None:
        """Nothing is known yet."""
        return None

    def keep(self, items: Sequence[Item], *, position: str | None = None) -> None:  # noqa: ARG002
        """Keep what is wanted, and end when there is enough."""
        self.is_connected = True
        self.items += items
        if len(self.items) >= self.wanted:
            self.stop.set()

    def heard(self) -> None:
        """It is there, though it has nothing to say."""
        self.is_connected = True


def drain(inbox: DurableInbox, feed: Feed, source: PushedSource, intake: Intake) -> int:
    """Judge the oldest items of an inbox; returns how many are settled.

    Raises:
        StoreError, ModelError, SettingsError: Nothing can be judged now; the items wait.
    """
    with intake.store.read() as tx:
        items = tx.waiting_items(feed.name, limit=DRAIN_ITEMS)
    if not items:
        return 0
    attempts = {item.id: item.attempts for item in items}

    def finish(tx: Transaction, found: Outcome) -> None:
        inbox.lease.hold(tx)
        tx.settle_items(feed.name, found.done, found.refused)

    def failed(tx: Transaction, piece: Piece) -> int:
        attempts[piece.id] = tx.note_attempt(feed.name, piece.id)
        return attempts[piece.id]

    outcome = intake.take(feed, [_piece_of(item, source) for item in items], finish, failed)
    settled = len(outcome.done) + len(outcome.refused)
    inbox.drained(settled)
    return settled


def set_aside(record: Record, reason: str) -> Item:
    """A record that was asked for and cannot be used, as an item; the same again is the same item."""
    payload = json.dumps(record, ensure_ascii=False, default=str, sort_keys=True).encode("utf-8", "replace")
    return Item(hashlib.sha256(payload).hexdigest(), payload, reason=reason)


def _piece_of(item: StoredItem, source: PushedSource) -> Piece:
    """What an item says, or why it says nothing."""
    try:
        records = source.records(item.payload, item.received_at)
    except DataError as error:
        return Piece(item.id, refused=str(error))
    except Exception as error:  # noqa: BLE001 - what nobody foresaw in one payload stops no other
        return Piece(item.id, refused=f"{type(error).__name__}: {error}")
    return Piece(item.id, records)
