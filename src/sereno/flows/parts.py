"""Addresses of one receiver that do not all take a message: who missed it is told in a lane of their own.

What others took is sent; a copy for each address that did not waits in the lane `receiver/address`, with its
own delays, order and end. While such a lane holds anything, all that its receiver is told goes there too: an
address never hears of an end before the beginning that it missed, and nobody gets a message twice.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from sereno.contracts.notification import Message
from sereno.store import NewNotification, ReceiverState, StoredNotification, Transaction

__all__ = ["APART", "COPY_OF", "add_copy", "address_of", "for_address", "leave_out", "mend", "receiver_of"]

APART, COPY_OF = "apart", "copy_of"
"""In a body: addresses that are told apart from the others; the notification that a copy was made of."""
_BETWEEN = "/"
"""No name of a receiver holds it."""


def receiver_of(lane: str) -> str:
    """The receiver whose lane this is.

    Example:
        >>> receiver_of("correo"), receiver_of("correo/ana@planta.example")
        ('correo', 'correo')
    """
    return lane.partition(_BETWEEN)[0]


def address_of(lane: str) -> str:
    """The one address that a lane is for; empty where it is for all of its receiver."""
    return lane.partition(_BETWEEN)[2]


def add_copy(tx: Transaction, told: StoredNotification, address: str) -> StoredNotification | None:
    """Queue what a receiver is told for one of its addresses; None where that was done and is over."""
    key = f"{told.dedup_key}>{address}"
    body = {name: value for name, value in told.body.items() if name != APART}
    # The end is told to the receiver, and comes here by way of `leave_out` if it is wanted.
    body |= {COPY_OF: told.id, "resolved": False}
    lane = f"{told.receiver}{_BETWEEN}{address}"
    new = NewNotification(key, lane, told.event, told.created_at, told.incident_id, told.severity, body)
    tx.add_notifications([new])
    return tx.notification_by_key(key)


def leave_out(tx: Transaction, leased: StoredNotification) -> StoredNotification:
    """The notification for those addresses only that wait for nothing else; the others get a copy."""
    known = _apart(leased.body)
    waiting = [address_of(one.receiver) for one in tx.parts_of(leased.receiver, only_waiting=True)]
    new = [one for one in waiting if one not in known]
    if not new:
        return leased
    for address in new:
        add_copy(tx, leased, address)
    body = {**leased.body, APART: [*known, *new]}
    tx.rewrite(leased.id, body)
    return replace(leased, body=body)


def mend(tx: Transaction, told: StoredNotification, missed: Collection[str], now: datetime) -> None:
    """Addresses that took what their receiver was sent are well again."""
    apart = {*missed, *_apart(told.body)}
    for state in tx.parts_of(told.receiver):
        if state.broken_since is not None and address_of(state.receiver) not in apart:
            tx.save_receiver_state(ReceiverState(state.receiver, state.since, accepted_at=now))


def for_address(message: Message, told: StoredNotification) -> Message:
    """A message that says which addresses of its receiver it is for."""
    return replace(message, only=address_of(told.receiver), without=_apart(told.body))


def _apart(body: Mapping[str, object]) -> list[str]:
    found = body.get(APART)
    return [str(one) for one in found] if isinstance(found, list) else []
