"""One source at work: taken, judged, and begun anew whatever befalls it."""

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import cast

from sereno.contracts.source import Link, Polled, PolledSource, PushedSource, is_pushed
from sereno.domain.errors import LeaseLost, LeaseTaken, SerenoError, SourceUnreachable
from sereno.domain.failpoints import reach
from sereno.flows.delivering import Notifier
from sereno.flows.engines import HeldLease, leased
from sereno.flows.feeds import Feed, WatchedFolder
from sereno.flows.inboxes import DurableInbox, drain, set_aside
from sereno.flows.ingest import FileResult
from sereno.flows.intake import Intake, Outcome, Piece
from sereno.flows.watching import FolderLook, take_finished, wait_for_change
from sereno.flows.workspace import Workspace
from sereno.store import Transaction

__all__ = ["OnFile", "SourceRunner"]

log = logging.getLogger(__name__)

_LEASE_S = 10.0
"""Time between two attempts at a source that another engine runs, and between two signs that we do [s]."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_SETTLE_S = 1.0
_POLL_S = 0.2
_PACE_S = 0.5
"""Time between two drains of an inbox [s]: many items at once cost far less than each by itself."""
_QUIET_S = 1.0
"""What sends by itself has nothing more to say when it was quiet for so long [s]."""
_END_S = 10.0
"""How long an ending source may take [s]."""
OnFile = Callable[[FileResult], None]


@dataclass(slots=True)
class SourceRunner:
    """Runs one source, and begins anew whatever befalls it."""

    workspace: Workspace
    feed: Feed
    intake: Intake
    stop: threading.Event
    is_once: bool
    on_file: OnFile
    notifier: Notifier | None
    failure: SerenoError | None = None
    _wait_s: float = _FIRST_WAIT_S

    def run(self) -> None:
        """Until stopped."""
        while not self.stop.is_set():
            try:
                with self._lease() as lease:
                    self._run(lease)
                if self.is_once:
                    return
            except (LeaseTaken, LeaseLost) as error:
                log.info("source is another engine's", extra={"source": self.feed.name, "error": str(error)})
                if self.is_once:
                    return
                self.stop.wait(_LEASE_S)
            except SerenoError as error:
                if not error.is_retriable and not isinstance(error, SourceUnreachable):
                    self.failure = error
                    self.stop.set()
                    return
                self._back_off(error)
            except (
                Exception
            ) as error:  # the supervisor: a fault of ours in one source must not end the others
                log.exception("source failed", extra={"source": self.feed.name})
                self._back_off(error)
            if self.is_once and self.failure is not None:
                return

    def _lease(self) -> AbstractContextManager[HeldLease]:
        """The right to run the source; folders need none, because each file is leased, wherever it lies."""
        if isinstance(self.feed.source, WatchedFolder):
            return nullcontext(HeldLease())
        return leased(self.workspace.store, f"source/{self.feed.name}")

    def _back_off(self, error: Exception) -> None:
        log.warning(
            "source not available, trying again", extra={"source": self.feed.name, "error": str(error)}
        )
        if self.is_once and isinstance(error, SerenoError):
            self.failure = error
            return
        self.stop.wait(self._wait_s * random.uniform(0.5, 1.0))  # so that not all come back at once
        self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)

    def _run(self, lease: HeldLease) -> None:
        source = self.feed.source
        if isinstance(source, WatchedFolder):
            self._watch(source, lease)
        elif is_pushed(source):
            self._listen(source, lease)
        else:
            self._ask(cast(PolledSource, source), lease)

    def _told(self) -> None:
        """All is well, and there may be news."""
        self._wait_s = _FIRST_WAIT_S
        if self.notifier is not None:
            self.notifier.wake()

    def _watch(self, folder: WatchedFolder, lease: HeldLease) -> None:
        looks = [FolderLook(folder)]

        def done(result: FileResult) -> None:
            with self.workspace.store.begin() as tx:
                lease.hold(tx)
                tx.save_source_state(self.feed.name, heard_at=self.workspace.now())
            self.on_file(result)
            self._told()

        while not self.stop.is_set():
            is_waiting = take_finished(self.workspace, looks, self.stop, done, self.feed.hints)
            if self.is_once and not is_waiting:
                return
            self._hold(lease)
            wait_for_change(
                [folder], self.stop, _SETTLE_S if is_waiting else min(folder.interval_s, _LEASE_S)
            )

    def _ask(self, source: PolledSource, lease: HeldLease) -> None:
        with source.connect() as link:
            while not self.stop.is_set():
                began = time.monotonic()
                self._sweep(link, lease)
                if self.is_once:
                    return
                left = source.interval.total_seconds() - (time.monotonic() - began)
                while left > 0 and not self.stop.wait(min(left, _LEASE_S)):
                    self._hold(lease)
                    left = source.interval.total_seconds() - (time.monotonic() - began)

    def _sweep(self, link: Link, lease: HeldLease) -> None:
        """Everything that is ready, batch by batch; a batch is marked at its origin once it is stored."""
        while not self.stop.is_set():
            with self.workspace.store.read() as tx:
                position = tx.source_state(self.feed.name).position
            polled = link.poll(position)
            self.intake.note_issues(self.feed, polled.issues)
            self._store(polled, lease)
            reach("source.before_settle")
            link.settle(polled)
            self._told()
            if polled.is_last:
                return

    def _store(self, polled: Polled, lease: HeldLease) -> None:
        name, now = self.feed.name, self.workspace.now()
        pieces = [Piece(number, [record]) for number, record in enumerate(polled.records)]
        left = {"pieces": len(pieces)}

        def finish(tx: Transaction, found: Outcome) -> None:
            lease.hold(tx)
            refused = [set_aside(polled.records[n], reason) for n, reason in found.refused.items()]
            tx.add_items(name, refused, at=now)
            left["pieces"] -= len(found.done) + len(found.refused)
            tx.save_source_state(
                name,
                position=polled.cursor if not left["pieces"] else None,
                heard_at=now if found.n_values else None,
            )

        tries: dict[int, int] = {}

        def failed(_tx: Transaction, piece: Piece) -> int:
            tries[piece.id] = tries.get(piece.id, 0) + 1
            return tries[piece.id]

        settled: set[int] = set()
        while waiting := [one for one in pieces if one.id not in settled]:
            outcome = self.intake.take(self.feed, waiting, finish, failed)
            settled |= {*outcome.done, *outcome.refused}
        if not pieces and polled.cursor is not None:
            with self.workspace.store.begin() as tx:
                lease.hold(tx)
                tx.save_source_state(name, position=polled.cursor)

    def _listen(self, source: PushedSource, lease: HeldLease) -> None:
        """Judge what is in the inbox while somebody else fills it."""
        ended = threading.Event()
        inbox = DurableInbox(
            self.workspace.store, self.feed.name, self.workspace.now, lease, threading.Event(), ended
        )
        listener = _Listener(source, inbox, ended)
        listener.start()
        last = held = time.monotonic()
        try:
            while not self.stop.is_set() and listener.is_alive():
                if inbox.wake.wait(_POLL_S):
                    self.stop.wait(max(0.0, last + _PACE_S - time.monotonic()))
                    inbox.wake.clear()
                    self._drain(inbox, source)
                    last = time.monotonic()
                elif self.is_once and time.monotonic() - last > _QUIET_S:
                    return
                if time.monotonic() - held > _LEASE_S:
                    held = time.monotonic()
                    self._hold(lease)
        finally:
            ended.set()
            listener.join(_END_S)
        self._drain(inbox, source)
        if listener.failure is not None and not self.stop.is_set():
            raise listener.failure

    def _drain(self, inbox: DurableInbox, source: PushedSource) -> None:
        while drain(inbox, self.feed, source, self.intake):
            self._told()

    def _hold(self, lease: HeldLease) -> None:
        """Say that we still run the source, where others would take over."""
        if lease.lease is not None:
            with self.workspace.store.begin() as tx:
                lease.hold(tx)


class _Listener(threading.Thread):
    """Listens to a source; keeps why it ended."""

    def __init__(self, source: PushedSource, inbox: DurableInbox, ended: threading.Event) -> None:
        super().__init__(name=f"listener {inbox.name}", daemon=True)
        self._source = source
        self._inbox = inbox
        self._ended = ended
        self.failure: Exception | None = None

    def run(self) -> None:
        """Until stopped or lost."""
        try:
            self._source.listen(self._inbox, self._ended)
        except Exception as error:  # noqa: BLE001 - raised in the thread that judges
            self.failure = error
        finally:
            self._inbox.wake.set()
