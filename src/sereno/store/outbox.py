"""The outbox: what is to be told, in a lane per receiver, and what became of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    union,
    union_all,
    update,
)

from sereno.contracts.notification import Answer, Outcome
from sereno.domain.changes import ChangeKind
from sereno.domain.errors import NotFound
from sereno.domain.incidents import HumanState, Incident
from sereno.store.codec import incident_of
from sereno.store.column_types import Instant
from sereno.store.records import (
    NewNotification,
    ReceiverState,
    StoredAttempt,
    StoredNotification,
)
from sereno.store.schema import IS_ACTIVE, delivery_attempt, incident, notification, receiver_state
from sereno.store.session import MAX_IDS_IN_QUERY, Session
from sereno.store.together import unindexed

__all__ = [
    "DEAD",
    "FOLDED",
    "HELD",
    "KEPT",
    "LEASED",
    "PATIENCE",
    "QUEUED",
    "SENT",
    "STATUSES",
    "OutboxSession",
]

PATIENCE = timedelta(hours=72)
"""How long a notification is tried before it is given up, visibly."""

QUEUED, HELD, LEASED, SENT, FOLDED, DEAD, KEPT = STATUSES = (
    "queued",
    "held",
    "leased",
    "sent",
    "folded",
    "dead",
    "kept",
)
"""What may become of a notification: `held`, `leased` and `queued` ones are still to be sent, a `kept` one if
somebody releases it."""

_table = notification.c
_COLUMNS = [_table[one.name] for one in fields(StoredNotification)]
_UNSENT = _table.status.in_((QUEUED, LEASED, HELD))


class OutboxSession(Session):
    """The part of a transaction that keeps what is to be told to whom."""

    def add_notifications(self, new: Sequence[NewNotification]) -> None:
        """Put them at the end of their lanes; those whose key is known are there already."""
        self._check_incidents(*{one.incident_id for one in new if one.incident_id is not None})
        rows = [
            {
                "organization_id": self._organization_id,
                "dedup_key": one.dedup_key,
                "incident_id": one.incident_id,
                "receiver": one.receiver,
                "event": one.event,
                "severity": one.severity,
                "body": dict(one.body),
                "status": QUEUED,
                "created_at": one.created_at,
                "next_at": one.created_at,
                "expires_at": one.created_at + PATIENCE,
            }
            for one in new
        ]
        self._insert_missing(notification, rows)
        for one in new:
            self.note(ChangeKind.NOTIFICATION, one.receiver, receiver=one.receiver)

    def notification(self, notification_id: int) -> StoredNotification:
        """The notification with this id.

        Raises:
            NotFound: There is none.
        """
        found = self._all(self._mine(_table.id == notification_id))
        if not found:
            raise NotFound(what="notification", id=notification_id, hint="")
        return found[0]

    def notification_by_key(self, dedup_key: str) -> StoredNotification | None:
        """The notification with this key; None where there is none."""
        return next(iter(self._all(self._mine(_table.dedup_key == dedup_key))), None)

    def notifications(
        self, *, statuses: Collection[str] = (), limit: int | None = None
    ) -> list[StoredNotification]:
        """Notifications of these statuses, or all of them, newest first."""
        query = self._mine(*([_table.status.in_(statuses)] if statuses else []))
        return self._all(query.order_by(_table.id.desc()).limit(limit))

    def notifications_of(self, incident_id: str, *, receiver: str | None = None) -> list[StoredNotification]:
        """What was, or is to be, told of an incident, oldest first."""
        conditions = [_table.incident_id == incident_id]
        if receiver is not None:
            conditions.append(_table.receiver == receiver)
        return self._all(self._mine(*conditions).order_by(_table.id))

    def notifications_of_all(self, incident_ids: Collection[str]) -> list[StoredNotification]:
        """What was, or is to be, told of some incidents, oldest first."""
        ids = sorted(incident_ids)
        found: list[StoredNotification] = []
        for start in range(0, len(ids), MAX_IDS_IN_QUERY):
            some = _table.incident_id.in_(ids[start : start + MAX_IDS_IN_QUERY])
            mine = unindexed(_table.organization_id) == self._organization_id
            found += self._all(select(*_COLUMNS).where(mine, some).order_by(_table.id))
        return found

    def told_since(self, since: datetime) -> list[tuple[str, str, datetime]]:
        """Receiver, incident and instant of what was accepted from an instant on, alone or in a digest."""
        carrier = notification.alias("carrier").c
        sent_at = func.coalesce(_table.sent_at, carrier.sent_at, type_=Instant)
        query = (
            select(_table.receiver, _table.incident_id, sent_at)
            .outerjoin_from(
                notification,
                carrier.id.table,
                and_(_table.carried_by == carrier.id, carrier.organization_id == _table.organization_id),
            )
            .where(
                _table.organization_id == self._organization_id,
                _table.incident_id.is_not(None),
                or_(_table.sent_at >= since, and_(carrier.sent_at >= since, carrier.incident_id.is_(None))),
            )
        )
        rows = self._connection.execute(query.distinct().order_by(sent_at, _table.incident_id))
        return [(receiver, incident_id, at) for receiver, incident_id, at in rows]

    def carried_by(self, notification_id: int, *, limit: int | None = None) -> list[StoredNotification]:
        """The notifications that another one tells, too, oldest first."""
        query = self._mine(_table.carried_by == notification_id)
        return self._all(query.order_by(_table.id).limit(limit))

    def delivery_attempts(self, ids: Collection[int]) -> list[StoredAttempt]:
        """The attempts to deliver these notifications, in order."""
        table = delivery_attempt.c
        query = (
            select(delivery_attempt)
            .join(notification, table.notification_id == _table.id)
            .where(_table.organization_id == self._organization_id, _table.id.in_(list(ids)))
        )
        rows = self._connection.execute(query.order_by(table.notification_id, table.number)).mappings()
        return [_attempt(dict(row)) for row in rows]

    def receivers_due(self, now: datetime) -> list[str]:
        """The receivers of whom something may leave, be gathered, or come back from a lease that is lost."""
        rests = exists().where(
            receiver_state.c.organization_id == self._organization_id,
            receiver_state.c.receiver == _table.receiver,
            receiver_state.c.blocked_until > now,
        )
        # A part for each status: all at once is a walk over everything that was ever sent.
        query = union(
            *(
                select(_table.receiver).where(
                    _table.organization_id == self._organization_id,
                    _table.status == status,
                    *(() if status == LEASED else (_table.next_at <= now,)),
                    ~rests,
                )
                for status in (LEASED, QUEUED, HELD)
            )
        )
        return sorted(self._connection.execute(query).scalars())

    def untold_incidents(self) -> list[Incident]:
        """The active incidents that nobody has seen to, and nobody has ever been told of."""
        table = incident.c
        is_told = exists().where(
            _table.organization_id == self._organization_id, _table.incident_id == table.id
        )
        query = select(incident).where(
            unindexed(table.organization_id) == self._organization_id,
            IS_ACTIVE,
            table.state == HumanState.NEW.value,
            table.is_withdrawn.is_(False),
            ~is_told,
        )
        return [incident_of(dict(row)) for row in self._connection.execute(query).mappings()]

    def incidents_told_over(self, closing: Collection[str]) -> list[Incident]:
        """The active incidents whose end is the last that some receiver was, or is to be, told.

        Args:
            closing: Events after which a receiver believes that it is over.
        """
        table, later = incident.c, notification.alias("later").c
        heard = (_table.incident_id == table.id, _table.status != DEAD)
        is_followed = exists().where(
            later.incident_id == table.id,
            later.receiver == _table.receiver,
            later.id > _table.id,
            later.status != DEAD,
        )
        query = select(incident).where(
            unindexed(table.organization_id) == self._organization_id,
            IS_ACTIVE,
            table.state != HumanState.CLOSED.value,
            table.is_withdrawn.is_(False),
            exists().where(*heard, _table.event.in_(closing), ~is_followed),
        )
        return [incident_of(dict(row)) for row in self._connection.execute(query).mappings()]

    def standing(self, receiver: str, closing: Collection[str]) -> list[StoredNotification]:
        """What a receiver was told last of each active incident whose end it has not been told.

        Args:
            closing: Events after which it believes that an incident is over.
        """
        carrier = notification.alias("carrier").c
        is_told = or_(_table.status == SENT, and_(_table.status == FOLDED, carrier.status == SENT))
        query = (
            self._mine(_table.receiver == receiver, or_(is_told, _table.event.in_(closing)))
            .join_from(notification, incident, _table.incident_id == incident.c.id)
            .outerjoin(carrier.id.table, _table.carried_by == carrier.id)
            .where(
                IS_ACTIVE,
                incident.c.state != HumanState.CLOSED.value,
                incident.c.is_withdrawn.is_(False),
            )
        )
        last = {one.incident_id: one for one in self._all(query.order_by(_table.id))}
        return [one for one in last.values() if one.event not in closing]

    def counts(self) -> dict[tuple[str, str], int]:
        """How many notifications there are, by receiver and status."""
        query = select(_table.receiver, _table.status, func.count()).where(
            _table.organization_id == self._organization_id
        )
        rows = self._connection.execute(query.group_by(_table.receiver, _table.status))
        return {(receiver, status): count for receiver, status, count in rows}

    def receiver_states(self) -> dict[str, ReceiverState]:
        """How each receiver is doing that anything was ever to be told to."""
        query = select(receiver_state).where(receiver_state.c.organization_id == self._organization_id)
        return {row["receiver"]: _state(dict(row)) for row in self._connection.execute(query).mappings()}

    def parts_of(self, receiver: str, *, only_waiting: bool = False) -> list[ReceiverState]:
        """How the addresses of a receiver are doing that have been told apart from the others.

        Args:
            only_waiting: Only those that something is still to be sent to.
        """
        table, between = receiver_state.c, f"{receiver}/"
        query = select(receiver_state).where(
            table.organization_id == self._organization_id,
            table.receiver.startswith(between, autoescape=True),
        )
        if only_waiting:
            mine = (_table.organization_id == self._organization_id, _table.receiver == table.receiver)
            query = query.where(exists().where(*mine, _UNSENT))
        rows = self._connection.execute(query.order_by(table.receiver)).mappings()
        return [_state(dict(row)) for row in rows if row["receiver"].startswith(between)]

    def rewrite(self, notification_id: int, body: Mapping[str, object]) -> None:
        """Change what is needed to write a message."""
        self._change([_table.id == notification_id], {"body": dict(body)})

    def lock_receiver(self, receiver: str, now: datetime, *, waits: bool = False) -> ReceiverState | None:
        """How a receiver is doing, with nobody else working its lane.

        Args:
            waits: Whether to wait until nobody else does; otherwise None is given while somebody does.
        """
        mine = {"organization_id": self._organization_id, "receiver": receiver}
        self._insert_missing(receiver_state, [mine | {"since": now}])
        query = select(receiver_state).where(
            receiver_state.c.organization_id == self._organization_id, receiver_state.c.receiver == receiver
        )
        found = (
            self._connection.execute(query.with_for_update(skip_locked=not waits)).mappings().one_or_none()
        )
        return None if found is None else _state(dict(found))

    def save_receiver_state(self, state: ReceiverState) -> None:
        """Keep how a receiver is doing."""
        row = {one.name: getattr(state, one.name) for one in fields(ReceiverState)}
        self._upsert(receiver_state, [{"organization_id": self._organization_id} | row], keep=("since",))
        self.note(ChangeKind.NOTIFICATION, state.receiver, receiver=state.receiver)

    def leases(self, receiver: str) -> list[StoredNotification]:
        """What somebody has in hand of a lane."""
        return self._all(self._mine(_table.receiver == receiver, _table.status == LEASED))

    def lane(
        self, receiver: str, status: str = QUEUED, *, due: datetime | None = None, limit: int | None = None
    ) -> list[StoredNotification]:
        """The notifications of a lane, oldest first.

        Args:
            due: Only those whose time has come by then.
        """
        conditions = [_table.receiver == receiver, _table.status == status]
        if due is not None:
            conditions.append(_table.next_at <= due)
        return self._all(self._mine(*conditions).order_by(_table.id).limit(limit))

    def hold(self, receiver: str, until: datetime, *, below: int, reason: str) -> None:
        """Keep back what is queued of a lane about incidents of a lower severity."""
        self._change(
            [
                *(_table.receiver == receiver, _table.status == QUEUED, _table.is_uncertain.is_(False)),
                *(_table.incident_id.is_not(None), _table.severity < below),
            ],
            {"status": HELD, "next_at": until, "last_error": reason},
        )

    def release(self, ids: Collection[int], now: datetime, *, renews: bool = True) -> None:
        """Put notifications back into their lane, to leave as soon as it is their turn.

        Args:
            renews: Whether the time in which they are tried begins anew.
        """
        freed: dict[str, object] = {"status": QUEUED, "next_at": now}
        freed |= {"expires_at": now + PATIENCE} if renews else {}
        self._change([_table.id.in_(list(ids))], {**freed, "lease_until": None, "lease_owner": None})

    def hasten(self, receiver: str, now: datetime) -> None:
        """Let what is queued in a lane be tried at once: its receiver takes messages again."""
        self._change(
            [_table.receiver == receiver, _table.status == QUEUED, _table.next_at > now], {"next_at": now}
        )

    def give_back(self, leased: StoredNotification, due: datetime) -> None:
        """Put a notification back whose lease is lost; whether it arrived nobody knows."""
        self._change(
            [_table.id == leased.id, _table.lease_owner == leased.lease_owner],
            {"status": QUEUED, "next_at": due, "lease_until": None, "lease_owner": None},
        )

    def fold(self, ids: Collection[int], into: int, *, event: str, body: Mapping[str, object]) -> None:
        """Let another notification tell these, as an event of its own."""
        self.notification(into)
        self._change([_table.id.in_(list(ids))], {"status": FOLDED, "carried_by": into})
        self._change([_table.id == into], {"event": event, "body": dict(body)})
        # What these carried is carried on.
        self._change([_table.carried_by.in_(list(ids))], {"carried_by": into})

    def withdraw(self, notification_id: int, reason: str, body: Mapping[str, object]) -> None:
        """Let a notification that nobody needs any more not leave; it stays visible."""
        changes = {"status": FOLDED, "last_error": reason, "body": dict(body)}
        self._change([_table.id == notification_id], changes)

    def bury(self, receiver: str, reason: str) -> None:
        """Give up all that is still to be sent to a receiver; it stays visible."""
        gone = {"status": DEAD, "last_error": reason}
        self._change([_table.receiver == receiver, _table.status.in_((QUEUED, HELD))], gone)

    def nth_sent(self, receiver: str, number: int, *, after: datetime, now: datetime) -> datetime | None:
        """When the message was accepted that is so many back from the newest one, itself counted.

        None where fewer were accepted in (after, now]; a clock that was put back has no say.
        """
        query = (
            select(_table.sent_at)
            .where(_table.organization_id == self._organization_id, _table.receiver == receiver)
            .where(_table.sent_at > after, _table.sent_at <= now)
            .order_by(_table.sent_at.desc())
        )
        found: datetime | None = self._connection.execute(query.offset(number - 1).limit(1)).scalar()
        return found

    def lease_head(
        self, receiver: str, now: datetime, *, until: datetime, owner: str
    ) -> StoredNotification | None:
        """Take the oldest unsent notification of a lane in hand; None while it is not its time.

        Only the head may be taken: what is behind it waits for it, and order holds.
        """
        # The first of each status stands at the end of an index; of both at once it takes a walk.
        firsts = union_all(
            *(
                select(func.min(_table.id).label("id")).where(
                    _table.organization_id == self._organization_id,
                    _table.receiver == receiver,
                    _table.status == status,
                )
                for status in (QUEUED, LEASED)
            )
        ).subquery()
        head = select(func.min(firsts.c.id)).scalar_subquery()
        return self._lease(
            [_table.id == head, _table.status == QUEUED, _table.next_at <= now], until=until, owner=owner
        )

    def lease_one(self, notification_id: int, *, until: datetime, owner: str) -> StoredNotification | None:
        """Take one notification in hand out of its turn; None where somebody else has it, or it is done."""
        return self._lease(
            [_table.id == notification_id, _table.status.in_((QUEUED, HELD))], until=until, owner=owner
        )

    def record_attempt(
        self, leased: StoredNotification, attempt: StoredAttempt, *, changes: Mapping[str, object]
    ) -> bool:
        """Keep what was answered, and what follows; returns whether the lease was still ours."""
        answer = attempt.answer
        row = {
            "notification_id": attempt.notification_id,
            "number": attempt.number,
            "at": attempt.at,
            "outcome": answer.outcome.value,
            "code": answer.code,
            "latency_ms": attempt.latency_ms,
            "detail": answer.detail,
        }
        self.notification(attempt.notification_id)
        self._connection.execute(insert(delivery_attempt), row)
        self.note(ChangeKind.NOTIFICATION, leased.receiver, receiver=leased.receiver)
        ours = [_table.id == leased.id, _table.status == LEASED, _table.attempts == leased.attempts]
        done = {"lease_until": None, "lease_owner": None, **changes}
        return self._change([*ours, _table.lease_owner == leased.lease_owner], done) > 0

    def _lease(
        self, conditions: Sequence[ColumnElement[bool]], *, until: datetime, owner: str
    ) -> StoredNotification | None:
        # Uncertain from here until an answer is recorded: whoever has it may die meanwhile.
        taken = {
            "status": LEASED,
            "lease_until": until,
            "lease_owner": owner,
            "attempts": _table.attempts + 1,
            "is_uncertain": True,
        }
        mine = _table.organization_id == self._organization_id
        change = update(notification).where(mine, *conditions).values(taken).returning(*_COLUMNS)
        found = self._connection.execute(change).mappings().one_or_none()
        return None if found is None else StoredNotification(**dict(found))

    def _change(self, conditions: Sequence[ColumnElement[bool]], values: Mapping[str, object]) -> int:
        mine = _table.organization_id == self._organization_id
        return self._connection.execute(update(notification).where(mine, *conditions).values(values)).rowcount

    def _mine(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        return select(*_COLUMNS).where(_table.organization_id == self._organization_id, *conditions)

    def _all(self, query: Select[Any]) -> list[StoredNotification]:
        return [StoredNotification(**dict(row)) for row in self._connection.execute(query).mappings()]


def _attempt(row: Mapping[str, Any]) -> StoredAttempt:
    answer = Answer(Outcome(row["outcome"]), row["code"], row["detail"])
    return StoredAttempt(row["notification_id"], row["number"], row["at"], row["latency_ms"], answer)


def _state(row: Mapping[str, Any]) -> ReceiverState:
    return ReceiverState(**{one.name: row[one.name] for one in fields(ReceiverState)})
