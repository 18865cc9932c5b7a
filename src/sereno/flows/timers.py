"""Timers that fire: by whoever runs when they are due, once, and never against what a person committed first.

A timer fires in a transaction that locks its incident, deletes the timer, reads the incident again and
appends the event only if it is still due. Who acknowledges locks the same incident: one of the two comes
first; an escalation never follows an acknowledgement that is committed. Waits survive a clock that was set:
where the wall clock moved and the steady one did not, what is due moves with it: once, however many engines
of the machine see it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sereno.domain.errors import StoreError
from sereno.domain.incidents import UNATTENDED, Condition, EventKind, HumanState, Incident, IncidentEvent
from sereno.domain.time import EPOCH, Clock
from sereno.domain.timers import Timer, TimerKind
from sereno.flows.life import LifePolicy, Recorder
from sereno.flows.machine import this_clock
from sereno.store import Store, StoredAsset, Transaction

__all__ = ["Tender", "fire_due", "read_clocks", "review_visibility", "tending"]

log = logging.getLogger(__name__)
_STEADY: int | None = getattr(time, "CLOCK_BOOTTIME", None)

TICK_S = 5.0
"""Time between two looks at what is due [s]."""
REVIEW_S = 60.0
"""Time between two looks at silences and at what explains what [s]."""
_BATCH = 500
_JUMP = timedelta(seconds=2)
"""A wall clock that moves by more against the steady one was set."""
_AT_ONCE = timedelta(0)
_TOGETHER_S = 0.5
"""Two clocks are read together if it takes less [s]."""


def fire_due(store: Store, policy: LifePolicy, *, now: datetime) -> int:
    """Fire every timer that is due, a transaction each; returns how many changed an incident."""
    n_fired = 0
    while True:
        with store.read() as tx:
            due = tx.timers(due=now, limit=_BATCH)
        n_fired += sum(_fire(store, policy, timer, now) for timer in due)
        if len(due) < _BATCH:
            return n_fired


def _fire(store: Store, policy: LifePolicy, timer: Timer, now: datetime) -> bool:
    with store.begin() as tx:
        # First the incident and then its timer, as people do: the contrary could wait for one another.
        incident = tx.locked_incident(timer.incident_id)
        if not tx.take_timer(timer, now=now):
            return False
        event = _due_event(timer, incident, now)
        if event is None:
            return False
        recorder = Recorder(tx, policy, now=now)
        recorder.append(incident.id, event)
        recorder.settle()
        return True


def _due_event(timer: Timer, incident: Incident, now: datetime) -> IncidentEvent | None:
    """What the timer does to the incident as it is now; None where that has become pointless."""
    is_active, state = incident.condition is Condition.ACTIVE, incident.state
    kind: EventKind | None = None
    facts: dict[str, str] = {}
    match timer.kind:
        case TimerKind.ESCALATE if is_active and state is HumanState.NEW and timer.step > incident.escalated:
            if not incident.is_muted(EventKind.ESCALATED, now):
                kind, facts = EventKind.ESCALATED, {"step": str(timer.step)}
        case TimerKind.UNACKNOWLEDGE if is_active and state is HumanState.ACKNOWLEDGED:
            kind, facts = EventKind.UNACKNOWLEDGED, {"reason": "timeout"}
        case TimerKind.UNSHELVE if incident.shelved_until is not None:
            kind = EventKind.UNSHELVED
        case TimerKind.CLOSE if not is_active and state is not HumanState.CLOSED:
            kind, facts = EventKind.CLOSED, {UNATTENDED: "true"}
        case TimerKind.CALM if incident.is_chattering:
            kind = EventKind.CALMED
        case _:
            pass
    return None if kind is None else IncidentEvent(kind, now, now, facts=facts)


def review_visibility(store: Store, policy: LifePolicy, *, now: datetime) -> int:
    """Let silences that began or ended, and incidents that explain others no more, take effect.

    Returns:
        Incidents that changed.
    """
    with store.read() as tx:
        changed = [(one.id, asset) for one, asset in _out_of_date(tx, Recorder(tx, policy, now=now))]
    for name, asset in changed:
        with store.begin() as tx:
            recorder = Recorder(tx, policy, now=now)
            recorder.review(tx.locked_incident(name), asset)
            recorder.settle()
    return len(changed)


def _out_of_date(tx: Transaction, looking: Recorder) -> Iterator[tuple[Incident, StoredAsset]]:
    """Active incidents that something should keep quiet, or should no longer."""
    assets = {asset.key: asset for asset in tx.assets(with_sources=True)}
    for incident in tx.incidents(is_active=True):
        is_quiet = bool(incident.silences or incident.inhibitors)
        asset = assets[incident.asset]
        if (is_quiet or looking.has_silences) and looking.changes_of_visibility(incident, asset):
            yield incident, asset


def steady_seconds() -> float:
    """Seconds that only ever grow, also while the machine sleeps where the system can tell."""
    return time.clock_gettime(_STEADY) if _STEADY is not None else time.monotonic()


def read_clocks(clock: Clock, steady: Callable[[], float] = steady_seconds) -> tuple[datetime, timedelta]:
    """The current instant, and how far the wall clock is ahead of one that cannot be set.

    Both are read at the same moment: a process that sleeps in between reads again.

    Args:
        steady: Seconds that only ever grow.
    """
    while True:
        before, wall, after = steady(), clock(), steady()
        if after - before < _TOGETHER_S:
            return wall, wall - EPOCH - timedelta(seconds=after)


class Tender:
    """Looks again and again at what is due, and once a minute at who may hear of what."""

    def __init__(
        self,
        store: Store,
        policy: LifePolicy,
        clock: Clock,
        *,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        self._store = store
        self._policy = policy
        self._steady = steady
        self._clock = clock
        self._offset = read_clocks(clock, steady)[1]
        self._reviewed: float | None = None

    def look(self) -> int:
        """Fire what is due; returns how many timers changed an incident."""
        now = self._keep_waits()
        if self._reviewed is None or self._steady() - self._reviewed >= REVIEW_S:
            review_visibility(self._store, self._policy, now=now)
            self._reviewed = self._steady()
        return fire_due(self._store, self._policy, now=now)

    def _keep_waits(self) -> datetime:
        """The current instant; if the wall clock was set, what is due has moved with it."""
        now, offset = read_clocks(self._clock, self._steady)
        moved = self._shift_once(offset) if self._store.is_shared and this_clock() else self._shift(offset)
        self._offset = offset
        if moved:
            log.warning("clock was set", extra={"seconds": moved.total_seconds()})
        return now

    def _shift(self, offset: timedelta) -> timedelta:
        moved = offset - self._offset
        if abs(moved) <= _JUMP:
            return _AT_ONCE
        with self._store.begin() as tx:
            tx.shift_timers(moved)
        return moved

    def _shift_once(self, offset: timedelta) -> timedelta:
        """As `_shift`, unless another engine that has the same clock was faster."""
        with self._store.begin() as tx:
            moved = tx.clock_was_set(this_clock(), before=self._offset, offset=offset, least=_JUMP)
            if moved:
                tx.shift_timers(moved)
        return moved


@contextmanager
def tending(store: Store, policy: LifePolicy, clock: Clock) -> Iterator[None]:
    """Fire timers in a thread of its own as long as the context lasts, and once at its end."""
    stop, tender = threading.Event(), Tender(store, policy, clock)

    def run() -> None:
        while not stop.wait(TICK_S):
            _look_safely(tender)

    thread = threading.Thread(target=run, name="sereno-timers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    _look_safely(tender)


def _look_safely(tender: Tender) -> None:
    try:
        tender.look()
    except StoreError as error:
        log.warning("timers not looked at, trying again", extra={"error": str(error)})
    except Exception:  # the supervisor: a fault of ours must not end what escalates
        log.exception("timers failed, trying again")
