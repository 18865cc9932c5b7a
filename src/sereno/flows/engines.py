"""Engines beside each other: one per folder with an embedded store, any number on one PostgreSQL."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from sereno.domain.errors import EngineRunning, LeaseTaken, StoreError
from sereno.flows.engine_lock import engine_lock
from sereno.flows.machine import this_machine
from sereno.store.engine import parse_url, sqlite_path
from sereno.store.leases import Lease
from sereno.store.opening import Store, lease_holders
from sereno.store.transaction import Transaction

__all__ = ["HeldLease", "engine_at_work", "leased", "refuse_engines", "working_engines"]

log = logging.getLogger(__name__)

LENGTH = timedelta(seconds=60)
"""How long an engine may be silent before another one takes over."""

RENEWALS = 3
"""Within a length; two may fail."""

RETRY_S = 0.2
ENGINE = "engine/"
_PARTS = 4


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease as work holds it; without one, on an embedded store, there is nothing to check."""

    lease: Lease | None = None
    length: timedelta = LENGTH

    def hold(self, tx: Transaction) -> None:
        """Check it in the transaction that commits the work, and renew it.

        Raises:
            LeaseLost: Another engine has taken over.
        """
        if self.lease is not None:
            tx.hold_lease(self.lease, length=self.length)


@contextmanager
def leased(store: Store, name: str, *, wait: timedelta = timedelta(0)) -> Iterator[HeldLease]:
    """Be the only engine that works on something.

    Args:
        wait: How long to wait for another one that does.

    Raises:
        LeaseTaken: Another one does, and goes on.
    """
    if not store.is_shared:
        yield HeldLease()
        return
    lease = _taken(store, name, wait)
    try:
        yield HeldLease(lease)
    finally:
        with suppress(StoreError), store.begin() as tx:  # otherwise it ends by itself
            tx.drop_lease(lease)


@contextmanager
def engine_at_work(store: Store, folder: Path, holder: str) -> Iterator[None]:
    """Be an engine: the only one of a folder, or one of those that share a server.

    Raises:
        EngineRunning: The store is embedded and another process works on it.
    """
    if not store.is_shared:
        with engine_lock(folder, holder):
            yield
        return
    stop = threading.Event()
    name = f"{ENGINE}{holder}/{_own_name()}/{uuid4().hex[:8]}"
    with leased(store, name) as held:
        beat = threading.Thread(target=_keep_alive, args=(store, held, stop), name="lease", daemon=True)
        beat.start()
        try:
            yield
        finally:
            stop.set()
            beat.join()


def working_engines(store: Store, url: str, folder: Path) -> list[str]:
    """Who works on a workspace now; nobody where what worked has died.

    On an embedded store the lock is tried: for that moment an engine that begins is refused.
    """
    if store.is_shared:
        return [owner for owner in lease_holders(url, ENGINE) if not _is_dead(owner)]
    try:
        with engine_lock(folder, "doctor"):
            return []
    except EngineRunning as error:
        return [str(error.facts["holder"])]


def refuse_engines(url: str, workspace: Path) -> None:
    """Make sure that no engine works on a server's store; an embedded one has its lock.

    Raises:
        EngineRunning: One does.
    """
    if sqlite_path(parse_url(url)) is not None:
        return
    alive = [owner for owner in lease_holders(url, ENGINE) if not _is_dead(owner)]
    if alive:
        raise EngineRunning(workspace=str(workspace), holder=alive[0])


def _keep_alive(store: Store, held: HeldLease, stop: threading.Event) -> None:
    while not stop.wait(LENGTH.total_seconds() / RENEWALS):
        try:
            with store.begin() as tx:
                held.hold(tx)
        except StoreError as error:
            log.warning("lease not renewed", extra={"error": str(error)})


def _taken(store: Store, name: str, wait: timedelta) -> Lease:
    deadline = time.monotonic() + wait.total_seconds()
    while True:
        with store.begin() as tx:
            owner = tx.lease_owner(name)
            dead = [owner] if owner is not None and _is_dead(owner) else []
            lease = tx.take_lease(name, _own_name(), length=LENGTH, dead=dead)
        if lease is not None:
            return lease
        if time.monotonic() >= deadline:
            raise LeaseTaken(name=name, owner=owner or "")
        time.sleep(RETRY_S)


def _own_name() -> str:
    """Host, process, and the machine that the number of the process is of."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}:{this_machine()}"


def _is_dead(owner: str) -> bool:
    """Whether an owner was a process of this machine and is none any more; of others nothing is known."""
    parts = owner.rsplit(":", _PARTS - 1)
    if len(parts) != _PARTS or not this_machine() or parts[-1] != this_machine() or not parts[1].isdecimal():
        return False
    return _started(int(parts[1])) != parts[2]


def _started(process: int) -> str:
    """When a process began, in ticks since the machine did; empty when there is none, or no such system."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
    return ""
