"""What goes on, told again to receivers that forget: beside the outbox, which tells what changes."""

import logging
from collections.abc import Callable, Sequence

from sereno.contracts.notification import Message, Outcome, StandingSender
from sereno.flows.lanes import Lane
from sereno.flows.telling import CLOSING
from sereno.store import Store, StoredNotification

__all__ = ["tell_standing"]

log = logging.getLogger(__name__)

_AT_ONCE = 200
"""Incidents in one request."""
Write = Callable[[StoredNotification, Lane], Message]


def tell_standing(store: Store, lane: Lane, sender: StandingSender, write: Write) -> None:
    """Tell a receiver again what it was told and what goes on.

    It follows from the store alone, so that nothing is forgotten when sereno is restarted. What ends while it
    is told is told to have ended once more: the end may have been overtaken.

    Raises:
        StoreError: The store refused.
    """
    with store.read() as tx:
        state = tx.receiver_states().get(lane.name)
        is_gone = state is not None and state.disabled_at is not None
        standing = [] if is_gone else tx.standing(lane.name, CLOSING)
    _send(standing, lane, sender, write)
    if standing:
        _send(_ended(store, lane, standing), lane, sender, write)


def _ended(store: Store, lane: Lane, told: Sequence[StoredNotification]) -> list[StoredNotification]:
    """The ends that were told since."""
    found = []
    with store.read() as tx:
        still = {one.incident_id for one in tx.standing(lane.name, CLOSING)}
        for one in told:
            if one.incident_id is not None and one.incident_id not in still:
                found += tx.notifications_of(one.incident_id, receiver=lane.name)[-1:]
    return [one for one in found if one.event in CLOSING]


def _send(many: Sequence[StoredNotification], lane: Lane, sender: StandingSender, write: Write) -> None:
    for start in range(0, len(many), _AT_ONCE):
        messages = [write(one, lane) for one in many[start : start + _AT_ONCE]]
        answer = sender.send_standing(messages)
        facts = {"receiver": lane.name, "messages": len(messages), "code": answer.code}
        if answer.outcome is not Outcome.ACCEPTED:
            log.warning("what goes on was not told again", extra=facts)
            return
        log.debug("told again", extra=facts)
