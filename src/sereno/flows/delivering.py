"""The notifier: works the lanes of the outbox, each by itself, and looks after what nobody else would notice.

Nothing is sent inside a transaction. A notification is leased, sent, and its answer recorded; whoever dies
between leaves a lease that is lost, and the same message with the same key is sent again.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from sereno.contracts.notification import Answer, Message, Outcome, Sender, StandingSender
from sereno.domain.errors import StoreError
from sereno.domain.failpoints import reach
from sereno.domain.time import Clock
from sereno.flows.lanes import FAULT, LEASE, Lane, claim, new_owner, settle
from sereno.flows.parts import receiver_of
from sereno.flows.standing import tell_standing
from sereno.flows.upkeep import Upkeep
from sereno.settings.alerting import HeartbeatSettings
from sereno.store import Store, StoredAttempt, StoredNotification

__all__ = ["DeliveryReport", "Notifier", "running"]

log = logging.getLogger(__name__)

_POLL_S = 1.0
"""Time between two looks for what is due [s]; a hint shortens it."""
_UPKEEP_S = 60.0
_PATIENCE_S = 5.0
"""How long an ending notifier waits for what is being sent [s]; the rest is sent again later."""
_MILLISECONDS = 1000.0


@dataclass(slots=True)
class DeliveryReport:
    """What became of the attempts of a pass, by outcome."""

    outcomes: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, object]:
        """For `notifications deliver --json`."""
        return {outcome.value: self.outcomes[outcome.value] for outcome in Outcome}


@dataclass(slots=True)
class Notifier:
    """Delivers what is due to the receivers that it knows.

    Attributes:
        write: The message of a notification.
        heartbeat: Whom to give a sign of life, and how often.
    """

    store: Store
    lanes: Mapping[str, Lane]
    senders: Mapping[str, Sender]
    write: Callable[[StoredNotification, Lane], Message]
    upkeep: Upkeep
    clock: Clock
    heartbeat: HeartbeatSettings | None = None
    _owner: str = field(default_factory=new_owner)
    _wake: threading.Event = field(default_factory=threading.Event)
    _working: dict[str, threading.Thread] = field(default_factory=dict)
    _outcomes: Counter[str] = field(default_factory=Counter)
    _standing_at: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wake(self) -> None:
        """Look at once: something may have come."""
        self._wake.set()

    def deliver_due(self) -> DeliveryReport:
        """One pass: everything that may leave now, each lane in order and by itself.

        Raises:
            StoreError: The store refused.
        """
        before = Counter(self._outcomes)
        self.upkeep.look(self.clock())
        self._standing_at.clear()
        self._start_due(threading.Event())
        for thread in list(self._working.values()):
            thread.join()
        return DeliveryReport(self._outcomes - before)

    def deliver_one(self, notification_id: int) -> Answer | None:
        """Deliver a notification out of its turn; None where somebody else has it in hand."""
        now = self.clock()
        with self.store.begin() as tx:
            leased = tx.lease_one(notification_id, until=now + LEASE, owner=self._owner)
        return None if leased is None else self._deliver(leased)

    def run(self, stop: threading.Event) -> None:
        """Deliver until stopped; whatever goes wrong with one receiver concerns no other."""
        next_upkeep = next_heartbeat = time.monotonic()
        while not stop.is_set():
            self._wake.clear()
            now = time.monotonic()
            try:
                if now >= next_upkeep:
                    next_upkeep = now + _UPKEEP_S
                    self.upkeep.look(self.clock())
                self._start_due(stop)
                if self.heartbeat is not None and now >= next_heartbeat:
                    # Only what can work gives signs of life.
                    next_heartbeat = now + self.heartbeat.every / timedelta(seconds=1)
                    self._start("heartbeat/", self._beat)
            except StoreError as error:
                log.warning("outbox not available, trying again", extra={"error": str(error)})
            except Exception:  # the supervisor: a fault of ours must not end what tells people
                log.exception("notifier failed, trying again")
            self._wake.wait(_POLL_S)
        deadline = time.monotonic() + _PATIENCE_S
        for thread in list(self._working.values()):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_due(self, stop: threading.Event) -> None:
        with self.store.read() as tx:
            due = tx.receivers_due(self.clock())
        for name in dict.fromkeys([*due, *filter(self._standing_due, self.senders)]):
            lane = self._lane(name)
            if lane is not None:
                self._start(name, partial(self._work, lane, stop))
            else:
                with self.store.begin() as tx:
                    tx.bury(name, "there is no such receiver in the settings any more")

    def _standing_due(self, name: str) -> StandingSender | None:
        """The sender of a receiver that is to be told again now what goes on."""
        sender = self.senders.get(name)
        is_due = time.monotonic() >= self._standing_at.get(name, 0.0)
        return sender if is_due and isinstance(sender, StandingSender) else None

    def _tell_standing(self, lane: Lane) -> None:
        """Tell a receiver again what goes on, if it is time; by who works its lane, so neither waits long."""
        sender = self._standing_due(lane.name)
        if sender is not None:
            self._standing_at[lane.name] = time.monotonic() + sender.resend_every / timedelta(seconds=1)
            tell_standing(self.store, lane, sender, self.write)

    def _lane(self, name: str) -> Lane | None:
        """The lane of a receiver, or of one of its addresses."""
        lane = self.lanes.get(receiver_of(name))
        return None if lane is None else replace(lane, name=name)

    def _start(self, name: str, work: Callable[[], None]) -> None:
        """Let something go on beside; a second one of its name is not begun while it does."""
        running = self._working.get(name)
        if running is None or not running.is_alive():
            thread = threading.Thread(target=_guarded, args=(name, work), daemon=True)
            self._working[name] = thread
            thread.start()

    def _work(self, lane: Lane, stop: threading.Event) -> None:
        """Send what may leave to a receiver, one after the other."""
        while not stop.is_set():
            self._tell_standing(lane)
            with self.store.begin() as tx:
                leased = claim(tx, lane, self.clock(), self._owner)
            if leased is None:
                return
            self._deliver(leased)

    def _deliver(self, leased: StoredNotification) -> Answer:
        at, began = self.clock(), time.monotonic()
        reach("notify.before_send")
        answer = self._send(leased)
        reach("notify.after_send")
        latency = (time.monotonic() - began) * _MILLISECONDS
        attempt = StoredAttempt(leased.id, leased.attempts, at, latency, answer)
        now = self.clock()
        with self.store.begin() as tx:
            for broken in settle(tx, leased, attempt, now):
                self.upkeep.tell_broken(tx, broken, now)
        with self._lock:
            self._outcomes[answer.outcome.value] += 1
        facts = {"receiver": leased.receiver, "key": leased.dedup_key, "code": answer.code}
        log.info("notification %s", answer.outcome.value, extra=facts)
        return answer

    def _send(self, leased: StoredNotification) -> Answer:
        lane, sender = self._lane(leased.receiver), self.senders.get(receiver_of(leased.receiver))
        if lane is None or sender is None:
            return Answer(Outcome.REFUSED, "unknown", "there is no such receiver in the settings")
        try:
            return sender.send(self.write(leased, lane))
        except (Exception, SystemExit) as error:  # the supervisor: one message must not stop its lane
            if isinstance(error, StoreError) and error.is_retriable:
                raise
            log.exception("notification failed", extra={"receiver": leased.receiver})
            return Answer(Outcome.RETRY, FAULT, type(error).__name__)

    def _beat(self) -> None:
        """A sign of life, sent beside the outbox: an old one would be a lie."""
        if self.heartbeat is None:
            return
        now = self.clock()
        lane = self.lanes[self.heartbeat.to]
        key = f"heartbeat:{now.isoformat()}"
        language = lane.settings.language or "en"
        message = Message(key, "heartbeat", now, language, subject="", text="")
        answer = self.senders[self.heartbeat.to].send(message)
        log.debug("heartbeat %s", answer.outcome.value, extra={"receiver": lane.name, "code": answer.code})


@contextmanager
def running(notifier: Notifier | None) -> Iterator[Notifier | None]:
    """The notifier at work in a thread of its own for as long as the context lasts."""
    if notifier is None:
        yield None
        return
    stop = threading.Event()
    thread = threading.Thread(target=notifier.run, args=(stop,), name="notifier", daemon=True)
    thread.start()
    try:
        yield notifier
    finally:
        stop.set()
        notifier.wake()
        thread.join(_PATIENCE_S + _POLL_S)


def _guarded(name: str, work: Callable[[], None]) -> None:
    try:
        work()
    except StoreError as error:
        log.warning("outbox not available, trying again", extra={"receiver": name, "error": str(error)})
    except Exception:  # the supervisor: a fault of ours in one lane must not stop the others
        log.exception("lane failed", extra={"receiver": name})
