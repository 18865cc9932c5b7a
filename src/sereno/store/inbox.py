"""What sources sent, kept until it is judged; and how far each source has been read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Table, bindparam, cast, delete, func, select, update

from sereno.contracts.source import Item
from sereno.domain.errors import NotFound
from sereno.store.column_types import CleanText
from sereno.store.schema import cursor, inbox
from sereno.store.session import Session

__all__ = ["DONE", "NEW", "QUARANTINED", "InboxSession", "SourceState", "StoredItem"]

NEW, DONE, QUARANTINED = "new", "done", "quarantined"
MAX_ERROR = 500
MAX_IDS_IN_QUERY = 500


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item that waits to be judged, or could not be.

    Attributes:
        attempts: How often judging it has failed.
        error: Why it was set aside; empty while it waits.
    """

    id: int
    key: str
    received_at: datetime
    payload: bytes
    attempts: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How far a source has been read.

    Attributes:
        position: Its cursor, opaque.
        heard_at: When it was last known to live.
    """

    position: str | None = None
    heard_at: datetime | None = None


_UNKNOWN = SourceState()


class InboxSession(Session):
    """The part of a transaction that knows what sources sent."""

    def add_items(self, source: str, items: Sequence[Item], *, at: datetime) -> None:
        """Keep items in their order; those that are kept already stay as they are."""
        self._free_keys(source, [item.key for item in items if item.is_fresh])
        rows = [
            {
                **self._named(source),
                "item_key": item.key,
                "received_at": at,
                "payload": item.payload,
                "status": QUARANTINED if item.reason else NEW,
                "error": item.reason[:MAX_ERROR],
            }
            for item in items
        ]
        self._insert_missing(inbox, rows)

    def waiting_items(self, source: str, *, limit: int, after: int = 0) -> list[StoredItem]:
        """The oldest items that nobody has judged.

        Args:
            after: Only items with a higher id.
        """
        return self._items(source, NEW, inbox.c.id > after, limit=limit)

    def quarantined_items(self, source: str, *, limit: int) -> list[StoredItem]:
        """The oldest items that could not be used."""
        return self._items(source, QUARANTINED, limit=limit)

    def settle_items(self, source: str, done: Sequence[int], refused: Mapping[int, str]) -> None:
        """Note what became of items: judged, or set aside for a reason."""
        for start in range(0, len(done), MAX_IDS_IN_QUERY):
            chunk = list(done[start : start + MAX_IDS_IN_QUERY])
            change = update(inbox).where(*self._items_of(inbox, source), inbox.c.id.in_(chunk))
            self._connection.execute(change.values(status=DONE))
        if refused:
            change = update(inbox).where(*self._items_of(inbox, source), inbox.c.id == bindparam("which"))
            change = change.values(status=QUARANTINED, error=bindparam("reason"))
            rows = [{"which": which, "reason": reason[:MAX_ERROR]} for which, reason in refused.items()]
            self._connection.execute(change, rows)

    def note_attempt(self, source: str, item_id: int) -> int:
        """Count a failed attempt at judging an item; returns how many there were.

        Raises:
            NotFound: The source has no such item.
        """
        change = update(inbox).where(*self._items_of(inbox, source), inbox.c.id == item_id)
        change = change.values(attempts=inbox.c.attempts + 1)
        n_attempts = self._connection.execute(change.returning(inbox.c.attempts)).scalar()
        if n_attempts is None:
            raise NotFound(what="item", id=item_id, hint="")
        return int(n_attempts)

    def prune_items(self, source: str, *, keep: int) -> int:
        """Forget judged items but the newest; returns how many went.

        Args:
            keep: How many of all items, by their order, are the newest.
        """
        mine = self._items_of(inbox, source)
        border = select(inbox.c.id).where(*mine).order_by(inbox.c.id.desc()).offset(keep).limit(1)
        newest = self._connection.execute(border).scalar()
        if newest is None:
            return 0
        gone = delete(inbox).where(*mine, inbox.c.status == DONE, inbox.c.id <= newest)
        return self._connection.execute(gone).rowcount

    def count_items(self, source: str) -> dict[str, int]:
        """Items by status."""
        query = (
            select(inbox.c.status, func.count())
            .where(*self._items_of(inbox, source))
            .group_by(inbox.c.status)
        )
        return dict(self._connection.execute(query).all())

    def count_tried(self, source: str) -> tuple[int, int]:
        """How many waiting items have failed at least once, and the most failures of one of them."""
        query = select(func.count(), func.coalesce(func.max(inbox.c.attempts), 0)).where(
            *self._items_of(inbox, source), inbox.c.status == NEW, inbox.c.attempts > 0
        )
        count, most = self._connection.execute(query).one()
        return count, most

    def source_state(self, source: str) -> SourceState:
        """How far a source has been read."""
        query = select(cursor.c.position, cursor.c.heard_at).where(*self._items_of(cursor, source))
        row = self._connection.execute(query).one_or_none()
        return _UNKNOWN if row is None else SourceState(*row)

    def save_source_state(
        self, source: str, *, position: str | None = None, heard_at: datetime | None = None
    ) -> None:
        """Note how far a source has been read and when it was heard of; what is not given stays."""
        given = {"position": position, "heard_at": heard_at}
        kept = [name for name, value in given.items() if value is None]
        if len(kept) < len(given):
            self._upsert(cursor, [self._named(source) | given], keep=kept)

    def _items(self, source: str, status: str, *more: ColumnElement[bool], limit: int) -> list[StoredItem]:
        table = inbox.c
        query = select(
            table.id, table.item_key, table.received_at, table.payload, table.attempts, table.error
        ).where(*self._items_of(inbox, source), table.status == status, *more)
        found = self._connection.execute(query.order_by(table.id).limit(limit))
        return [StoredItem(*row) for row in found]

    def _free_keys(self, source: str, keys: Sequence[str]) -> None:
        """Take keys from the items that have them."""
        if keys:
            old = (*self._items_of(inbox, source), inbox.c.item_key == bindparam("known"))
            renamed = inbox.c.item_key + "#" + cast(inbox.c.id, CleanText)
            change = update(inbox).where(*old).values(item_key=renamed)
            self._connection.execute(change, [{"known": key} for key in keys])

    def _named(self, source: str) -> dict[str, object]:
        return {"organization_id": self._organization_id, "source": source}

    def _items_of(self, table: Table, source: str) -> tuple[ColumnElement[bool], ...]:
        return (table.c.organization_id == self._organization_id, table.c.source == source)
