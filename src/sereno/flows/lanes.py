"""What leaves next to a receiver: one thing at a time, in order, never more than it can take.

A lane is worked under a lock on its receiver, so that two notifiers decide one after the other. What is not
to leave now is held: for quiet hours, for a digest, or because the budget is used up. What was held leaves
together. Messages of one incident that have not left yet become one.
"""

import logging
import os
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from sereno.contracts.notification import Answer, Outcome
from sereno.domain.incidents import HumanState
from sereno.domain.judgement import Severity
from sereno.flows.machine import this_machine
from sereno.flows.parts import APART, add_copy, leave_out, mend
from sereno.flows.telling import CLOSING, ESCALATING
from sereno.flows.windows import next_digest, quiet_until
from sereno.settings.alerting import ReceiverSettings
from sereno.store import NewNotification, ReceiverState, StoredAttempt, StoredNotification, Transaction
from sereno.store.outbox import DEAD, HELD, QUEUED, SENT

__all__ = [
    "DIGEST",
    "FAULT",
    "LEASE",
    "LOST",
    "MOST_LOST",
    "Lane",
    "claim",
    "new_owner",
    "retry_delay",
    "settle",
    "summed_up",
]

log = logging.getLogger(__name__)

DIGEST = "digest"
FAULT = "fault"
"""Code of what failed on our side: a message that cannot be written, a sender that raises."""
_MOST_FAULTS = 5
"""Times that a message is tried which fails on our side; then it is given up, and its lane goes on."""
LOST = "lost"
"""Code of what was given up because whoever sent it ended each time."""
MOST_LOST = 8
"""Times in a row that whoever sends a message ends without an answer; then it is given up."""
_QUICKLY_AGAIN = 4
"""Times that it is tried again at once after that; further ones wait, so that others are told meanwhile."""
LEASE = timedelta(minutes=11)
"""Time in which a notification is sent or its lease is lost; longer than any sender may take."""
_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(hours=1)
_LONGEST_WAIT = timedelta(days=1)
"""However long a receiver asks to be left alone, it is tried again after this."""
_JITTER = 0.2
_STEPS_ASIDE = 6
"""Attempts, over half an hour, after which a message lets those behind it try: it may be the only one."""
_OF_RECEIVER = frozenset({"429", "503", "421", "dns", "tls", "refused"})
"""Answers that no message is to blame for."""
_MAX_GATHERED = 10_000
"""Notifications in one digest."""
_ALL = max(Severity) + 1
_SURE_CODES = frozenset({"dns", "tls", "refused"})
"""Answers beside those in digits after which a message surely did not arrive."""
_BY_OTHERS = frozenset({"502", "504"})
"""Answers of what stands before a receiver, which may have taken the message all the same."""
_UNREACHABLE = 8
"""Failures in a row, over about an hour, after which a receiver counts as broken."""
_BEGINNING = frozenset({"opened", "opened_and_resolved"})
_RETURN = frozenset({"reopened", "reopened_and_resolved"})
_OPENING = _BEGINNING | _RETURN
_PROCESS = uuid4().hex[:8]
"""Tells this process from an earlier one with the same number."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A receiver as it is worked for.

    Attributes:
        zone: IANA zone of its quiet hours and digests.
    """

    name: str
    settings: ReceiverSettings
    zone: str


def new_owner() -> str:
    """A name for whoever takes leases: where it runs, and which of all that ever ran there it is."""
    return f"{socket.gethostname()}:{this_machine()}/{os.getpid()}/{_PROCESS}/{uuid4().hex[:8]}"


def claim(tx: Transaction, lane: Lane, now: datetime, owner: str) -> StoredNotification | None:
    """What leaves next to a receiver, leased; None where nothing does now.

    Raises:
        StoreError: The store refused.
    """
    state = tx.lock_receiver(lane.name, now)
    if state is None or (state.blocked_until is not None and now < state.blocked_until):
        return None
    if state.disabled_at is not None:
        tx.bury(lane.name, f"the receiver wants nothing more: {state.broken_reason}".rstrip(": "))
        return None
    _take_back(tx, lane, now, owner)
    _release_due(tx, lane, now)
    _hold(tx, lane, now)
    if not _has_room(tx, lane, now):
        return None
    while (head := next(iter(tx.lane(lane.name, limit=1)), None)) is not None:
        if not _is_needless(tx, head) and not _fold(tx, head):
            break
    leased = tx.lease_head(lane.name, now, until=now + LEASE, owner=owner)
    return None if leased is None else leave_out(tx, leased)


def settle(
    tx: Transaction, leased: StoredNotification, attempt: StoredAttempt, now: datetime
) -> list[ReceiverState]:
    """Record what was answered; returns the state of what this has broken, or what went away."""
    state = tx.lock_receiver(leased.receiver, now, waits=True) or ReceiverState(leased.receiver, now)
    if _is_poison(tx, leased, attempt.answer):
        attempt = replace(attempt, answer=replace(attempt.answer, outcome=Outcome.REFUSED))
    answer = attempt.answer
    error = "" if answer.outcome is Outcome.ACCEPTED else f"{answer.code} {answer.detail}".strip()
    changes: dict[str, object] = {"last_error": error, "is_uncertain": _may_have_arrived(tx, leased, answer)}
    match answer.outcome:
        case Outcome.ACCEPTED:
            changes |= {"status": SENT, "sent_at": now, "is_uncertain": False}
            after = replace(state, failures=0, blocked_until=None, broken_since=None, broken_reason="")
            after = replace(after, accepted_at=now, disabled_at=None)
        case Outcome.RETRY:
            delay = answer.retry_after or retry_delay(leased.dedup_key, state.failures + 1)
            until = now + min(delay, _LONGEST_WAIT)
            changes |= {"status": QUEUED, "next_at": until}
            if now >= leased.expires_at:
                changes |= {"status": DEAD}
            elif _steps_aside(tx, leased, answer) and tx.lane(leased.receiver, limit=1):
                changes |= {"status": HELD, "next_at": until + _LONGEST_DELAY}
            after = replace(state, failures=state.failures + 1, blocked_until=until)
            if after.failures >= _UNREACHABLE or now >= leased.expires_at:
                after = replace(after, broken_since=state.broken_since or now, broken_reason=error)
        case _:
            changes |= {"status": DEAD}
            after = replace(state, broken_since=state.broken_since or now, broken_reason=error)
            is_gone = answer.outcome is Outcome.GONE
            after = replace(after, disabled_at=now if is_gone else state.disabled_at)
    tx.record_attempt(leased, attempt, changes=changes)
    if state.failures and not after.failures:
        tx.hasten(leased.receiver, now)
    tx.save_receiver_state(after)
    has_broken = after.broken_since is not None and state.broken_since is None
    return [*([after] if has_broken else []), *_settle_parts(tx, leased, attempt, now)]


def _settle_parts(
    tx: Transaction, leased: StoredNotification, attempt: StoredAttempt, now: datetime
) -> list[ReceiverState]:
    """Addresses that missed what others took go on in lanes of their own; this was their first attempt."""
    answer, broken = attempt.answer, list[ReceiverState]()
    if answer.outcome is Outcome.ACCEPTED:
        mend(tx, leased, answer.missed, now)
    for address, own in answer.missed.items():
        copy = add_copy(tx, leased, address)
        taken = copy and tx.lease_one(copy.id, until=now, owner=leased.lease_owner or "")
        if taken is not None:
            tried = replace(attempt, notification_id=taken.id, number=taken.attempts, answer=own)
            broken += settle(tx, taken, tried, now)
    return broken


def retry_delay(key: str, failures: int) -> timedelta:
    """How long to wait after so many failures in a row: 30 s doubling to an hour, a little apart by key.

    Example:
        >>> [round(retry_delay("a", n) / timedelta(seconds=30)) for n in (1, 2, 3)]
        [1, 2, 4]
    """
    doubled = _FIRST_DELAY * float(2 ** min(failures - 1, 10))
    spread = random.Random(f"{key}:{failures}").uniform(1 - _JITTER, 1 + _JITTER)
    return min(doubled * spread, _LONGEST_DELAY)


def _is_sure(answer: Answer) -> bool:
    """Whether it is known that a message did not arrive."""
    is_answered = answer.code.isdigit() and answer.code not in _BY_OTHERS
    return is_answered or answer.code in _SURE_CODES


def _may_have_arrived(tx: Transaction, leased: StoredNotification, answer: Answer) -> bool:
    """Whether any attempt so far may have brought a message, whatever came of the last one."""
    if not _is_sure(answer):
        return True
    earlier = tx.delivery_attempts([leased.id]) if leased.attempts > 1 else []
    is_lost = len(earlier) < leased.attempts - 1
    return is_lost or any(not _is_sure(one.answer) for one in earlier)


def _steps_aside(tx: Transaction, leased: StoredNotification, answer: Answer) -> bool:
    """Whether it may be this message alone that its receiver does not take."""
    if leased.attempts < _STEPS_ASIDE or not _is_sure(answer) or answer.code in _OF_RECEIVER:
        return False
    earlier = tx.delivery_attempts([leased.id])
    return sum(one.answer.code not in _OF_RECEIVER for one in earlier) >= _STEPS_ASIDE - 1


def _is_poison(tx: Transaction, leased: StoredNotification, answer: Answer) -> bool:
    """Whether a message has failed on our side so often that it always will."""
    if answer.code != FAULT:
        return False
    earlier = tx.delivery_attempts([leased.id])
    return sum(one.answer.code == FAULT for one in earlier) >= _MOST_FAULTS - 1


def _take_back(tx: Transaction, lane: Lane, now: datetime, owner: str) -> None:
    """Leases that have run out, or whose owner is no more, are lost; of our own one that did not settle, too.

    Who works a lane has nothing of it in hand when it asks for the next.
    """
    for leased in tx.leases(lane.name):
        is_over = leased.lease_until is None or leased.lease_until <= now or leased.lease_owner == owner
        if is_over or _is_gone(leased.lease_owner or "", owner):
            _lose(tx, leased, now)


def _lose(tx: Transaction, leased: StoredNotification, now: datetime) -> None:
    """Let a message be tried again whose attempt ended without an answer, but not for ever.

    Attempts are counted when a lease is taken: those without an answer ended whoever made them.
    """
    answered = max((one.number for one in tx.delivery_attempts([leased.id])), default=0)
    n_lost = leased.attempts - answered
    if n_lost < MOST_LOST:
        waits = n_lost > _QUICKLY_AGAIN
        delay = retry_delay(leased.dedup_key, n_lost - _QUICKLY_AGAIN) if waits else timedelta(0)
        tx.give_back(leased, now + delay)
        return
    detail = f"whoever sent it ended without an answer, {n_lost} times in a row"
    attempt = StoredAttempt(leased.id, leased.attempts, now, 0.0, Answer(Outcome.REFUSED, LOST, detail))
    tx.record_attempt(leased, attempt, changes={"status": DEAD, "last_error": f"{LOST} {detail}"})
    log.error("notification given up", extra={"receiver": leased.receiver, "key": leased.dedup_key})


def _is_gone(holder: str, owner: str) -> bool:
    """Whether the process that took a lease is known to have ended; of another machine nobody knows."""
    if holder.count("/") != owner.count("/"):
        return False
    host, number, process, _ = holder.rsplit("/", 3)
    here, own_number, own_process, _ = owner.rsplit("/", 3)
    if host != here:
        return False
    if number == own_number:
        return process != own_process  # an earlier process had our number
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _release_due(tx: Transaction, lane: Lane, now: datetime) -> None:
    """What was held and whose time has come leaves together; alone it leaves as itself."""
    due = tx.lane(lane.name, HELD, due=now, limit=_MAX_GATHERED)
    if not due:
        return
    if lane.settings.digest.every != "none":
        _gather(tx, lane, due, now)
        return
    ids = {one.id for one in due if not one.attempts}
    tx.release(ids, now)
    tx.release([one.id for one in due if one.attempts], now, renews=False)
    _hold(tx, lane, now)
    free = [one for one in tx.lane(lane.name, limit=2 * _MAX_GATHERED) if one.id in ids]
    if len(free) > 1:
        _gather(tx, lane, free, now)


def _hold(tx: Transaction, lane: Lane, now: datetime) -> None:
    """Keep back what is not to leave now, unless it is severe enough."""
    quiet, digest = lane.settings.quiet_hours, lane.settings.digest
    quiet_end = quiet_until(quiet, lane.zone, now)
    if quiet is not None and quiet_end is not None:
        tx.hold(lane.name, quiet_end, below=_rank(quiet.unless), reason="quiet hours")
    if digest.every != "none":
        leaves = next_digest(digest, lane.zone, now)
        leaves = quiet_until(quiet, lane.zone, leaves) or leaves
        tx.hold(lane.name, leaves, below=_rank(digest.unless), reason=f"{digest.every} digest")


def _rank(severity: str | None) -> int:
    return _ALL if severity is None else Severity[severity.upper()]


def _has_room(tx: Transaction, lane: Lane, now: datetime) -> bool:
    """Whether the budget lets something leave; the last message that it allows is a digest of the rest."""
    budget = lane.settings.budget
    begins = now - budget.per

    def is_used(messages: int) -> datetime | None:
        return tx.nth_sent(lane.name, messages, after=begins, now=now)

    first = is_used(budget.messages)
    if first is not None:
        tx.hold(lane.name, first + budget.per, below=_ALL, reason="budget")
        return False
    if budget.messages == 1 or is_used(budget.messages - 1) is not None:
        waiting = tx.lane(lane.name, limit=_MAX_GATHERED)
        if len(waiting) > 1 and all(map(_is_gatherable, waiting[:1])):
            _gather(tx, lane, [one for one in waiting if _is_gatherable(one)], now)
    return True


def _is_gatherable(one: StoredNotification) -> bool:
    return one.incident_id is not None and not one.is_uncertain and one.attempts < _STEPS_ASIDE


def _gather(tx: Transaction, lane: Lane, many: Sequence[StoredNotification], now: datetime) -> None:
    """One digest that tells many notifications."""
    key = f"digest:{lane.name}:{many[0].id}-{many[-1].id}-{len(many)}"
    severity = max(one.severity for one in many)
    body = {"notifications": len(many)}
    tx.add_notifications([NewNotification(key, lane.name, DIGEST, now, severity=severity, body=body)])
    digest = tx.notification_by_key(key)
    if digest is not None:
        tx.fold([one.id for one in many], digest.id, event=DIGEST, body=body)


def _is_needless(tx: Transaction, head: StoredNotification) -> bool:
    """Take back an escalation that somebody has seen to before it left; returns whether it was one.

    The incident stays locked until the lease commits: who acknowledges then comes after it.
    """
    if head.incident_id is None or head.event not in ESCALATING:
        return False
    if tx.locked_incident(head.incident_id).state is HumanState.NEW:
        return False
    opening = next((one.event for one in tx.carried_by(head.id) if one.event in _OPENING), None)
    if opening is not None:
        tx.fold([], head.id, event=opening, body=head.body)
    else:
        tx.withdraw(head.id, "seen to before it left", {**head.body, "resolved": False})
    return True


def _fold(tx: Transaction, head: StoredNotification) -> bool:
    """Let the newest message of the head's incident tell what is still unsent of it; returns whether it did.

    What may have arrived is left alone: its key stands for what it said.
    """
    if head.incident_id is None or head.is_uncertain:
        return False
    told = tx.notifications_of(head.incident_id, receiver=head.receiver)
    unsent = [one for one in told if one.status in (QUEUED, HELD)]
    unsent = [one for one in unsent if one.id == head.id or not _is_needless(tx, one)]
    if len(unsent) < 2 or any(one.is_uncertain for one in unsent):
        return False
    *earlier, last = unsent
    facts = {name: value for one in reversed(unsent) for name, value in one.body.items() if name != APART}
    body = {**facts, "seq": last.body["seq"], "resolved": any(one.body.get("resolved") for one in unsent)}
    tx.fold([one.id for one in earlier], last.id, event=summed_up([one.event for one in unsent]), body=body)
    tx.release([last.id], head.next_at)
    return True


def summed_up(events: Sequence[str]) -> str:
    """What several messages about one incident amount to for somebody who heard none of them.

    Who heard of it before and never of its end is told that end alone.
    """
    first, last = events[0], events[-1]
    is_first, is_return = not _BEGINNING.isdisjoint(events), first in _RETURN
    if last == "withdrawn" or (last not in CLOSING and "escalated" in events):
        return last if last == "withdrawn" else "escalated"
    if last in CLOSING:
        return "opened_and_resolved" if is_first else "reopened_and_resolved" if is_return else "resolved"
    return "opened" if is_first else "reopened" if is_return else last
