"""What changed, in the order in which it became true: for lists that are up to date and for who listens.

Ids are given at the end of each transaction, on PostgreSQL under a lock that lasts until its commit: an id
that is seen is never followed by a smaller one, so nobody who goes on after the last one misses any.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, text

from sereno.domain.changes import Change, ChangeKind
from sereno.store.schema import change
from sereno.store.session import Session

__all__ = ["ChangeSession"]

KEPT = 100_000
"""Changes that are kept at least; who was away for longer is told to look at everything again."""

PRUNED_EVERY = 1_000
CHANGE_LOCK = 0x5E7E_12
"""First key of the PostgreSQL advisory lock of each organization; the second is its number."""

MAX_SUBJECTS_IN_QUERY = 500
_LASTING = frozenset({ChangeKind.INCIDENT})
"""Kinds of which each change is kept; of others the last one of each subject says it all."""


@dataclass(frozen=True, slots=True)
class _Range:
    """First and last id that are kept; 0 for none."""

    first: int
    last: int


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
        for kind in {str(row["kind"]) for row in rows} - _LASTING:
            self._forget(kind, [str(row["subject"]) for row in rows if row["kind"] == kind])
        self._connection.execute(insert(change), rows)
        last = self._kept().last
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
        return self._kept().last

    def is_change_known(self, number: int) -> bool:
        """Whether one can go on after this id: nothing was forgotten since, and it is of this store."""
        kept = self._kept()
        return number == kept.last or (number < kept.last and number >= kept.last - KEPT)

    def _kept(self) -> _Range:
        table = change.c
        query = select(func.min(table.id), func.max(table.id)).where(
            table.organization_id == self._organization_id
        )
        first, last = self._connection.execute(query).one()
        return _Range(first or 0, last or 0)

    def _forget(self, kind: str, subjects: Sequence[str]) -> None:
        table = change.c
        for start in range(0, len(subjects), MAX_SUBJECTS_IN_QUERY):
            some = subjects[start : start + MAX_SUBJECTS_IN_QUERY]
            gone = delete(change).where(table.organization_id == self._organization_id, table.kind == kind)
            self._connection.execute(gone.where(table.subject.in_(some)))

    def _change_rows(self) -> list[dict[str, object]]:
        told = [(ChangeKind.INCIDENT, one.after.id, one.to_facts()) for one in self.recorded]
        noted = [(kind, subject, facts) for (kind, subject), facts in self.noted.items()]
        mine = {"organization_id": self._organization_id}
        return [
            mine | {"kind": kind.value, "subject": subject, "facts": dict(facts)}
            for kind, subject, facts in [*noted, *told]
        ]
