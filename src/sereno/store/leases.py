"""Leases: who works on what, until when; of use where several engines share a PostgreSQL store.

Beside them stands how far the wall clock of each machine is ahead of its steady one, for those who share it.

A lease is checked in the transaction that commits the work, and its row stays locked until that ends: an
engine that lost it commits nothing, and nobody takes it between the check and the commit (a fencing token;
Kleppmann, Designing Data-Intensive Applications, 2017, ch. 8). Times are the database's, so that the clocks
of machines do not matter.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects import postgresql

from sereno.domain.errors import LeaseLost
from sereno.store.column_types import clean_text
from sereno.store.schema import asset, lease
from sereno.store.session import Session

__all__ = ["Lease", "LeaseSession"]

MAX_IDS_IN_QUERY = 1000
_CLOCK = "clock/"
_KEPT_FOR = timedelta(days=400)
_DRIFT = timedelta(milliseconds=100)
"""A record of a clock that is no further off is not written anew."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on something.

    Attributes:
        token: Higher each time that it goes to another owner.
    """

    name: str
    owner: str
    token: int


class LeaseSession(Session):
    """The part of a transaction that knows who works on what."""

    def take_lease(
        self, name: str, owner: str, *, length: timedelta, dead: Collection[str] = ()
    ) -> Lease | None:
        """A lease that nobody holds or whose time is up; None while somebody else works.

        Args:
            dead: Owners known not to live any more, whose time does not matter.
        """
        table = lease.c
        row = {"organization_id": self._organization_id, "name": name, "owner": owner, "token": 1}
        insert = postgresql.insert(lease).values(row | {"until": func.clock_timestamp() + length})
        is_free = table.until <= func.clock_timestamp()
        statement = insert.on_conflict_do_update(
            index_elements=[table.organization_id, table.name],
            set_={"owner": owner, "token": table.token + 1, "until": insert.excluded.until},
            where=is_free | table.owner.in_(list(dead)),
        )
        token = self._connection.execute(statement.returning(table.token)).scalar()
        return None if token is None else Lease(clean_text(name), owner, int(token))

    def hold_lease(self, held: Lease, *, length: timedelta) -> None:
        """Make sure of a lease until this transaction ends, and hold it for another length.

        Raises:
            LeaseLost: Another engine has taken it; this transaction must not be committed.
        """
        change = update(lease).values(until=func.clock_timestamp() + length)
        if self._connection.execute(change.where(*self._is(held))).rowcount != 1:
            raise LeaseLost(name=held.name)

    def drop_lease(self, held: Lease) -> None:
        """Give a lease back; one that was lost stays with its new owner."""
        self._connection.execute(delete(lease).where(*self._is(held)))

    def lease_owner(self, name: str) -> str | None:
        """Who holds a lease now, also if its time is up; None when nobody took it."""
        mine = (lease.c.organization_id == self._organization_id, lease.c.name == name)
        return self._connection.execute(select(lease.c.owner).where(*mine)).scalar()

    def clock_was_set(
        self, clock: str, *, before: timedelta, offset: timedelta, least: timedelta
    ) -> timedelta:
        """By how much a machine's wall clock was set since any of its engines asked last, if it was.

        However many engines see it, one of them is told; the record moves with this transaction.

        Args:
            clock: Name of the machine's clocks.
            before: How far its wall clock was ahead of its steady one when this engine asked last.
            offset: How far it is now.
            least: What is less is drift.
        """
        mine = (lease.c.organization_id == self._organization_id, lease.c.name == f"{_CLOCK}{clock}")
        row = {"organization_id": self._organization_id, "name": f"{_CLOCK}{clock}", "token": 1}
        now = func.clock_timestamp()
        first = postgresql.insert(lease).values(row | {"owner": _micros(before), "until": now + _KEPT_FOR})
        self._connection.execute(first.on_conflict_do_nothing())
        known = self._connection.execute(select(lease.c.owner).where(*mine).with_for_update()).scalar_one()
        moved = offset - timedelta(microseconds=int(known))
        if abs(moved) > _DRIFT:
            change = {"owner": _micros(offset), "token": lease.c.token + 1, "until": now + _KEPT_FOR}
            self._connection.execute(update(lease).where(*mine).values(change))
            is_over = lease.c.name.startswith(_CLOCK) & (lease.c.until < now)
            self._connection.execute(delete(lease).where(mine[0], is_over))
        return moved if abs(moved) > least else timedelta(0)

    def lock_assets(self, asset_ids: Sequence[int]) -> None:
        """Let no other engine store or judge these assets until this transaction ends.

        Locked in the order of their ids, so that two batches never wait for each other. SQLite has one
        writer anyway.
        """
        if self._connection.dialect.name != "postgresql":
            return
        query = select(asset.c.id).with_for_update(key_share=True).order_by(asset.c.id)
        mine = query.where(asset.c.organization_id == self._organization_id)
        ids = sorted(set(asset_ids))
        for start in range(0, len(ids), MAX_IDS_IN_QUERY):
            self._connection.execute(mine.where(asset.c.id.in_(ids[start : start + MAX_IDS_IN_QUERY]))).all()

    def _is(self, held: Lease) -> tuple[ColumnElement[bool], ...]:
        table = lease.c
        mine = (table.organization_id == self._organization_id, table.name == held.name)
        return (*mine, table.owner == held.owner, table.token == held.token)


def _micros(length: timedelta) -> str:
    return str(length // timedelta(microseconds=1))
