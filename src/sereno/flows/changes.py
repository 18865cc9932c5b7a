"""What changes, told to all who listen: one look at the store for every listener of an organization."""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sereno.domain.changes import Change, ChangeKind
from sereno.domain.errors import StoreError
from sereno.store import Store

__all__ = ["ChangeFeed", "Listener", "Told"]

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
AT_ONCE = 500
"""Changes that are read at once."""

MAX_BEHIND = 64
"""Batches that a listener may not have taken yet; one that is slower is let go and comes back by itself."""

_WAIT_FOR_POLLER_S = 10.0


@dataclass(frozen=True, slots=True)
class Told:
    """A change, and how it is written for everybody.

    Attributes:
        frame: As an event of a `text/event-stream`.
    """

    change: Change
    frame: bytes

    @classmethod
    def of(cls, change: Change) -> "Told":
        """Written once, however many listen."""
        text = json.dumps(change.to_json(), ensure_ascii=False, separators=(",", ":"))
        return cls(change, f"id: {change.id}\nevent: {change.kind.value}\ndata: {text}\n\n".encode())


@dataclass(slots=True)
class Listener:
    """Somebody who hears of changes from an id on.

    Attributes:
        after: Id of the last change that it took or was skipped.
        wake: Called, from another thread, when there is something to take.
        is_lost: It was too slow, or the feed has ended: it takes what is left and then goes.
    """

    after: int
    wake: Callable[[], None]
    kinds: frozenset[ChangeKind] = frozenset()
    is_lost: bool = False
    batches: deque[Sequence[Told]] = field(default_factory=deque)

    def take(self) -> list[Told]:
        """What there is to tell it now."""
        taken: list[Told] = []
        while self.batches:
            batch = self.batches.popleft()
            fresh = [one for one in batch if one.change.id > self.after]
            taken += [one for one in fresh if not self.kinds or one.change.kind in self.kinds]
            self.after = max(self.after, batch[-1].change.id)
        return taken


class ChangeFeed:
    """Looks into the store while anybody listens; safe to share between threads."""

    def __init__(self, store: Store, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._store = store
        self._look_every_s = look_every_s
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._stop = threading.Event()
        self._poller: threading.Thread | None = None
        self._last = 0
        self.n_looks = 0

    @contextmanager
    def listening(
        self,
        wake: Callable[[], None],
        *,
        after: int | None = None,
        kinds: frozenset[ChangeKind] = frozenset(),
    ) -> Iterator[Listener]:
        """Hear of what changes.

        Args:
            wake: Called from another thread when there is something to take.
            after: Id of the last change that was heard; only what comes without one.
            kinds: Only of these; of all without any.
        """
        listener = Listener(0, wake, kinds)
        with self._lock:
            self._begin()
            listener.after = self._last if after is None else after
            if missed := self._missed(listener.after):
                listener.batches.append(missed)
            self._listeners.append(listener)
        try:
            yield listener
        finally:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)
                if not self._listeners:
                    self._stop.set()

    def can_go_on_after(self, number: int) -> bool:
        """Whether nothing was forgotten since that change."""
        with self._store.read() as tx:
            return tx.is_change_known(number)

    def last(self) -> int:
        """Id of the last change; 0 before the first."""
        with self._store.read() as tx:
            return tx.last_change()

    def close(self) -> None:
        """Let all listeners go."""
        with self._lock:
            self._stop.set()
            poller = self._poller
            for listener in self._listeners:
                _lose(listener)
        if poller is not None:
            poller.join(_WAIT_FOR_POLLER_S)

    def _begin(self) -> None:
        if self._poller is not None and self._poller.is_alive() and not self._stop.is_set():
            return
        self._stop = threading.Event()
        self._last = self.last()
        self._poller = threading.Thread(
            target=self._look_again, args=(self._stop,), name="changes", daemon=True
        )
        self._poller.start()

    def _missed(self, after: int) -> list[Told]:
        """What changed after an id, up to what others were told."""
        found: list[Told] = []
        while True:
            batch = self._read(found[-1].change.id if found else after)
            found += [one for one in batch if one.change.id <= self._last]
            if len(batch) < AT_ONCE:
                return found

    def _read(self, after: int) -> list[Told]:
        with self._store.read() as tx:
            return [Told.of(one) for one in tx.changes(after, limit=AT_ONCE)]

    def _look_again(self, stop: threading.Event) -> None:
        while not stop.wait(self._look_every_s):
            try:
                self._look(stop)
            except StoreError as error:
                log.warning("changes not read", extra={"error": str(error)})

    def _look(self, stop: threading.Event) -> None:
        self.n_looks += 1
        while not stop.is_set() and (batch := self._read(self._last)):
            with self._lock:
                if stop.is_set():
                    return
                self._last = batch[-1].change.id
                for listener in self._listeners:
                    _tell(listener, batch)


def _tell(listener: Listener, batch: Sequence[Told]) -> None:
    if len(listener.batches) >= MAX_BEHIND:
        _lose(listener)
    elif not listener.is_lost:
        listener.batches.append(batch)
        listener.wake()


def _lose(listener: Listener) -> None:
    listener.is_lost = True
    listener.wake()
