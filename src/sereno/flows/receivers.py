"""Receivers and what they were told: the notifier of a workspace, tests, proof of delivery."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tzlocal import get_localzone_name

from sereno.contracts.notification import Answer
from sereno.domain.errors import NotFound, UsageError
from sereno.domain.time import EPOCH, isoformat
from sereno.flows.build import Setup
from sereno.flows.delivering import Notifier
from sereno.flows.lanes import Lane
from sereno.flows.messages import MessageWriter
from sereno.flows.models import TrainedModel
from sereno.flows.parts import address_of, receiver_of
from sereno.flows.telling import TellingRules, tell_end
from sereno.flows.upkeep import Upkeep, new_test
from sereno.notify.options import Place
from sereno.notify.registry import build_sender
from sereno.store import ReceiverState, Store, StoredAttempt, StoredNotification, Transaction
from sereno.store.outbox import DEAD, HELD, KEPT, LEASED, QUEUED, SENT, STATUSES

__all__ = [
    "ReceiverView",
    "build_notifier",
    "find_receivers",
    "lanes_of",
    "notifications_json",
    "release",
    "resend",
    "send_test",
    "told_of",
    "with_attempts",
]

_SHOWN = 500
"""Notifications that a list holds at most."""


def _no_model(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ReceiverView:
    """A receiver of the settings and how it is doing.

    Attributes:
        counts: Notifications by status.
        missing: Its addresses that cannot be told, and why, where others can.
    """

    lane: Lane
    state: ReceiverState | None
    counts: Mapping[str, int]
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def condition(self) -> str:
        """`ok`, `new` before anything has arrived, `waiting`, `broken` or `disabled`."""
        state = self.state
        if state is None:
            return "new"
        if state.disabled_at is not None:
            return "disabled"
        if state.broken_since is not None or self.missing:
            return "broken"
        if state.failures:
            return "waiting"
        return "new" if state.accepted_at is None else "ok"

    def to_json(self) -> dict[str, object]:
        """The object of `receivers list --json`."""
        state = self.state or ReceiverState(self.lane.name, EPOCH)
        return {
            "name": self.lane.name,
            "kind": self.lane.settings.kind,
            "condition": self.condition,
            "reason": state.broken_reason or "; ".join(f"{a}: {r}" for a, r in self.missing.items()) or None,
            "accepted_at": isoformat(state.accepted_at),
            "tested_at": isoformat(state.tested_at),
            "broken_since": isoformat(state.broken_since),
            "disabled_at": isoformat(state.disabled_at),
            "blocked_until": isoformat(state.blocked_until),
            **{status: self.counts.get(status, 0) for status in STATUSES},
        }


def lanes_of(setup: Setup) -> dict[str, Lane]:
    """The receivers of the settings, each with the zone of its clock."""
    zone = setup.settings.timezone or get_localzone_name() or "UTC"
    return {
        name: Lane(name, receiver, receiver.timezone or zone)
        for name, receiver in setup.settings.receivers.items()
    }


def build_notifier(
    setup: Setup, store: Store, model_of: Callable[[str], TrainedModel | None] = _no_model
) -> Notifier:
    """What delivers the outbox of a workspace.

    Args:
        model_of: The model that judges a profile; pictures show what it expects.

    Raises:
        SettingsError: A receiver's kind or options are wrong.
    """
    settings, lanes = setup.settings, lanes_of(setup)
    place = Place(Path(setup.folder))
    senders = {
        name: build_sender(name, lane.settings.kind, lane.settings.options, place=place)
        for name, lane in lanes.items()
    }
    rules = TellingRules.of_settings(settings, setup.incident_profiles)
    return Notifier(
        store=store,
        lanes=lanes,
        senders=senders,
        write=MessageWriter(
            store, setup.incident_profiles, settings.tariff, setup.language, model_of, Path(setup.folder)
        ).write,
        upkeep=Upkeep(store, lanes, settings.dead_man, rules),
        clock=setup.clock,
        heartbeat=settings.dead_man.heartbeat,
    )


def find_receivers(setup: Setup, store: Store) -> list[ReceiverView]:
    """The receivers of the settings, in their order."""
    with store.read() as tx:
        states, counts = tx.receiver_states(), tx.counts()
    return [
        ReceiverView(lane, states.get(name), _counts_of(name, counts), _missing_of(name, states.values()))
        for name, lane in lanes_of(setup).items()
    ]


def _counts_of(name: str, counts: Mapping[tuple[str, str], int]) -> Mapping[str, int]:
    found = Counter[str]()
    for (lane, status), count in counts.items():
        if receiver_of(lane) == name:
            found[status] += count
    return found


def _missing_of(name: str, states: Iterable[ReceiverState]) -> Mapping[str, str]:
    broken = [one for one in states if one.broken_since is not None and receiver_of(one.receiver) == name]
    return {address_of(one.receiver): one.broken_reason for one in broken if one.receiver != name}


def send_test(setup: Setup, store: Store, name: str) -> Answer:
    """Send a test to a receiver, end to end and at once; one that was given up is taken again if it accepts.

    Raises:
        NotFound: There is no such receiver.
    """
    lanes = lanes_of(setup)
    if name not in lanes:
        known = f"Receivers are {', '.join(lanes)}." if lanes else "None is declared in sereno.yaml."
        raise NotFound(what="receiver", id=name, hint=known)
    notifier = build_notifier(setup, store)
    test = new_test(name, setup.clock())
    with store.begin() as tx:
        tx.add_notifications([test])
        queued = tx.notification_by_key(test.dedup_key)
        state = tx.lock_receiver(name, setup.clock(), waits=True)
        if state is not None:
            tx.save_receiver_state(replace(state, tested_at=setup.clock()))
    answer = None if queued is None else notifier.deliver_one(queued.id)
    if answer is not None:
        return answer
    raise UsageError(detail=f"another notifier is sending the test to '{name}' already", command="receivers")


def resend(setup: Setup, store: Store, ids: Sequence[int]) -> list[StoredNotification]:
    """Put notifications that were given up back into their lanes, under their keys.

    What has ended since is told to have ended: whoever was told nothing was not told that either.

    Raises:
        NotFound: There is no such notification.
        UsageError: One was not given up, or its receiver has said that it wants nothing more.
    """
    now, rules = setup.clock(), TellingRules.of_settings(setup.settings, setup.profiles)
    with store.begin() as tx:
        states = tx.receiver_states()
        for one in map(tx.notification, ids):
            _check_resendable(one, states.get(one.receiver))
        tx.release(ids, now)
        released = [tx.notification(number) for number in ids]
        for incident_id in dict.fromkeys(one.incident_id for one in released):
            if incident_id is not None:
                tell_end(tx, tx.locked_incident(incident_id), rules, now)
        return released


def release(setup: Setup, store: Store, ids: Sequence[int]) -> int:
    """Let notifications that a restore has kept leave, all of them without ids; returns how many are queued.

    Escalations that it kept back go on once none is left.

    What its receiver has been told something later of leaves no more: the later message tells it, too.

    Raises:
        NotFound: There is no such notification.
        UsageError: One was not kept.
    """
    with store.begin() as tx:
        chosen = [tx.notification(number) for number in ids] or tx.notifications(statuses=[KEPT])
        for one in chosen:
            if one.status != KEPT:
                detail = f"notification {one.id} was not kept back: it is {one.status}"
                raise UsageError(detail=detail, command="notifications")
        leaving = [one.id for one in chosen if not _is_told_later(tx, one)]
        tx.release(leaving, setup.clock())
        if not tx.notifications(statuses=[KEPT], limit=1):
            tx.release_timers()
        return len(leaving)


def _is_told_later(tx: Transaction, one: StoredNotification) -> bool:
    """Fold a notification into what its receiver was told of the incident since; returns whether it was."""
    if one.incident_id is None:
        return False
    told = tx.notifications_of(one.incident_id, receiver=one.receiver)
    later = next((other for other in told if other.id > one.id and other.status in (SENT, LEASED)), None)
    if later is not None:
        tx.fold([one.id], later.id, event=later.event, body=later.body)
    return later is not None


def _check_resendable(one: StoredNotification, state: ReceiverState | None) -> None:
    if one.status != DEAD:
        detail = f"notification {one.id} was not given up: it is {one.status}"
        raise UsageError(detail=detail, command="notifications")
    if state is not None and state.disabled_at is not None:
        detail = f"'{one.receiver}' wants nothing more; run `sereno receivers test {one.receiver}` first"
        raise UsageError(detail=detail, command="notifications")


def notifications_json(tx: Transaction, statuses: Collection[str] = ()) -> list[dict[str, object]]:
    """The newest notifications, with their attempts."""
    return with_attempts(tx, tx.notifications(statuses=statuses, limit=_SHOWN))


def told_of(tx: Transaction, incident_id: str) -> list[dict[str, object]]:
    """Who was told of an incident, when, in how many attempts and with which answer; oldest first.

    What left in a digest, or in a later message, has the attempts of what carried it.
    """
    return with_attempts(tx, tx.notifications_of(incident_id))


def with_attempts(tx: Transaction, told: Sequence[StoredNotification]) -> list[dict[str, object]]:
    """Notifications as lists show them, each with the attempts to deliver what carried it."""
    shown = {one.id: _carrier(tx, one) for one in told}
    attempts: dict[int, list[StoredAttempt]] = {}
    for attempt in tx.delivery_attempts({one.id for one in shown.values()}):
        attempts.setdefault(attempt.notification_id, []).append(attempt)
    return [_document(one, shown[one.id], attempts.get(shown[one.id].id, [])) for one in told]


def _carrier(tx: Transaction, one: StoredNotification) -> StoredNotification:
    """What leaves in a notification's place at last."""
    while one.carried_by is not None:
        one = tx.notification(one.carried_by)
    return one


def _document(
    one: StoredNotification, carrier: StoredNotification, attempts: Sequence[StoredAttempt]
) -> dict[str, object]:
    return {
        "id": one.id,
        "key": one.dedup_key,
        "incident": one.incident_id,
        "receiver": one.receiver,
        "event": one.event,
        "status": one.status,
        "created_at": isoformat(one.created_at),
        "next_at": isoformat(carrier.next_at) if carrier.status in (QUEUED, HELD) else None,
        "sent_at": isoformat(carrier.sent_at),
        "carried_by": None if carrier is one else carrier.id,
        "reason": carrier.last_error or None,
        "attempts": [
            {
                "at": isoformat(attempt.at),
                "outcome": attempt.answer.outcome.value,
                "code": attempt.answer.code,
                "detail": attempt.answer.detail,
                "latency_ms": round(attempt.latency_ms, 1),
            }
            for attempt in attempts
        ],
    }
