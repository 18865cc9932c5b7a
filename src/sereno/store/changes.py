"""What changed, in the order in which it became true: for lists that are up to date and for who listens.

Ids are given at the end of each transaction, on PostgreSQL under a lock that lasts until its commit: an id
that is seen is never followed by a smaller one, so nobody who goes on after the last one misses any.
"""

from collections.abc import Mapping

from sqlalchemy import bindparam, delete, func, insert, select, text

from sereno.domain.changes import Change, ChangeKind
from sereno.store.schema import change
from sereno.store.session import Session

__all__ = ["ChangeSession"]

KEPT = 100_000
"""Changes that are kept at least; who was away for longer is told to look at everything again."""

PRUNED_EVERY = 1_000
CHANGE_LOCK = 0x5E7E_12
"""First key of the PostgreSQL advisory lock of each organization; the second is its number."""

_LASTING = frozenset({ChangeKind.INCIDENT.value})
"""Kinds of which each change is kept; of others the last one of each subject says it all."""
# The last id alone is the end of an index; asked together with the first it is a walk over all that is kept.
_LAST = select(func.max(change.c.id)).where(change.c.organization_id == bindparam("mine"))
_WRITE = insert(change)
_FORGET = delete(change).where(
    change.c.organization_id == bindparam("mine"),
    change.c.kind == bindparam("of_kind"),
    change.c.subject == bindparam("of_subject"),
)


class ChangeSession(Session):
    """The part of a transaction that knows what changed."""

    def write_changes(self) -> None:
        """Write what this transaction changed; nothing may follow but its end."""
        rows = self._change_rows()
        if not rows:
            return
        if self._is_postgres:
            keys = {"lock": CHANGE_LOCK, "mine": self._organization_id}
            self._connection.execute(text("SELECT pg_advisory_xact_lock(:lock, :mine)"), keys)
        gone = [{"mine": self._organization_id, **_named(row)} for row in rows if row["kind"] not in _LASTING]
        if gone:
            self._connection.execute(_FORGET, gone)
        if rows[1:]:
            self._connection.execute(_WRITE, rows[:-1])
        (last,) = self._connection.execute(_WRITE, rows[-1]).inserted_primary_key or (0,)
        if last // PRUNED_EVERY != (last - len(rows)) // PRUNED_EVERY:
            self._connection.execute(
                delete(change).where(
                    change.c.organization_id == self._organization_id, change.c.id <= last - KEPT
                )
            )

    def changes(self, after: int, *, limit: int) -> list[Change]:
        """What changed after the change with this id, oldest first."""
        table = change.c
        query = select(table.id, table.kind, table.subject, table.facts).where(
            table.organization_id == self._organization_id, table.id > after
        )
        rows = self._connection.execute(query.order_by(table.id).limit(limit))
        return [Change(number, ChangeKind(kind), *rest) for number, kind, *rest in rows]

    def last_change(self) -> int:
        """Id of the last change; 0 before the first."""
        return int(self._connection.execute(_LAST, {"mine": self._organization_id}).scalar() or 0)

    def is_change_known(self, number: int) -> bool:
        """Whether one can go on after this id: nothing was forgotten since, and it is of this store."""
        last = self.last_change()
        return number == last or last - KEPT <= number < last

    def _change_rows(self) -> list[dict[str, object]]:
        told = [(ChangeKind.INCIDENT, one.after.id, one.to_facts()) for one in self.recorded]
        noted = [(kind, subject, facts) for (kind, subject), facts in self.noted.items()]
        mine = {"organization_id": self._organization_id}
        return [
            mine | {"kind": kind.value, "subject": subject, "facts": dict(facts)}
            for kind, subject, facts in [*noted, *told]
        ]


def _named(row: Mapping[str, object]) -> dict[str, object]:
    return {"of_kind": row["kind"], "of_subject": row["subject"]}
