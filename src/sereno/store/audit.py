"""The log of what was done: added to in the transaction that does it, never changed."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from sereno.domain.audit import Act, AuditEntry, Bringer, BroughtEntry, redacted
from sereno.domain.incidents import Incident
from sereno.domain.time import system_clock
from sereno.store.schema import audit_entry, brought
from sereno.store.session import AuditedChange, Session, Upsert

__all__ = ["AuditSession", "count_brought"]

_COLUMNS = [audit_entry.c[one.name] for one in fields(AuditEntry)]
MAX_CHANGES = 50
"""Changes of one act that are noted one by one; of more only what was asked for."""

CHUNK_ROWS = 1_000
_WRITER = secrets.token_hex(4)
"""Each process counts for itself: two never wait for each other's row."""


class AuditSession(Session):
    """The part of a transaction that notes who did what."""

    def __init__(self, connection: Connection, organization_id: int, store: str) -> None:
        super().__init__(connection, organization_id, store)
        self._brought: dict[tuple[Bringer, datetime], BroughtEntry] = {}

    def note_act(self, act: Act, *, at: datetime | None = None) -> None:
        """Note an act with what this transaction has changed, or else with what was asked for.

        An act of several transactions is noted by the first, and by each later one that changes something
        that is told one by one.
        """
        changes = [*self.audited, *self._incident_changes()]
        if act.is_noted and not changes:
            return
        asked = AuditedChange(act.subject, None, act.facts or None)
        noted = changes if 0 < len(changes) <= MAX_CHANGES else [asked]
        common = {
            "organization_id": self._organization_id,
            "at": system_clock() if at is None else at,
            "actor": act.actor,
            "address": act.address,
            "door": act.door,
            "action": act.action,
        }
        rows = [
            {"subject": one.subject, "before": redacted(one.before), "after": redacted(one.after)}
            for one in noted
        ]
        self._connection.execute(insert(audit_entry), [common | row for row in rows])
        act.is_noted = True

    def audit(
        self, *, after: int = 0, limit: int | None = None, newest_first: bool = False
    ) -> Iterator[AuditEntry]:
        """What was done, oldest first.

        Args:
            after: Only entries whose id is higher.
            newest_first: The other way round.
        """
        table = audit_entry.c
        query = select(*_COLUMNS).where(table.organization_id == self._organization_id, table.id > after)
        ordered = query.order_by(table.id.desc() if newest_first else table.id)
        rows = self._connection.execute(ordered.limit(limit)).mappings()
        while chunk := rows.fetchmany(CHUNK_ROWS):
            yield from (AuditEntry(**row) for row in chunk)

    def note_brought(self, bringer: Bringer, *, n_records: int, n_stored: int, at: datetime) -> None:
        """Note a batch of readings: those of a bringer within a minute become one entry."""
        minute = at.replace(second=0, microsecond=0)
        before = self._brought.get((bringer, minute), BroughtEntry(minute, bringer, 0, 0, 0, at))
        self._brought[bringer, minute] = BroughtEntry(
            minute,
            bringer,
            before.n_batches + 1,
            before.n_records + n_records,
            before.n_stored + n_stored,
            max(before.last_at, at),
        )
        self._is_holding = True

    def flush(self) -> None:
        """Write what was held back to be written together."""
        super().flush()
        if not self._brought:
            return
        rows = [
            {
                "organization_id": self._organization_id,
                **asdict(one.bringer),
                "at": one.at,
                "writer": _WRITER,
                "n_batches": one.n_batches,
                "n_records": one.n_records,
                "n_stored": one.n_stored,
                "last_at": one.last_at,
            }
            for one in self._brought.values()
        ]
        self._brought = {}
        self._connection.execute(count_brought(is_postgres=self._is_postgres), rows)

    def brought(self, *, until: datetime | None = None, limit: int | None = None) -> list[BroughtEntry]:
        """Who brought readings, when, how many; newest first.

        Args:
            until: Only minutes that began before this instant.
        """
        table = brought.c
        query = select(brought).where(table.organization_id == self._organization_id)
        if until is not None:
            query = query.where(table.at < until)
        ordered = query.order_by(table.at.desc(), table.actor, table.subject, table.address, table.writer)
        return [
            BroughtEntry(
                row.at,
                Bringer(row.actor, row.door, row.subject, row.address),
                row.n_batches,
                row.n_records,
                row.n_stored,
                row.last_at,
            )
            for row in self._connection.execute(ordered.limit(limit))
        ]

    def _incident_changes(self) -> Iterator[AuditedChange]:
        for one in self.recorded:
            if one.event.actor == "sereno":
                continue  # what judging says is no act of anybody
            before = None if one.before is None else _outline(one.before)
            after = {**_outline(one.after), "event": one.event.kind.value, **one.event.facts}
            yield AuditedChange(f"incident {one.after.id}", before, after)


@cache
def count_brought(*, is_postgres: bool) -> Upsert:
    """The statement that adds to the entry of a minute; kept, as to build it takes longer than to run it."""
    new: Upsert = postgresql.insert(brought) if is_postgres else sqlite.insert(brought)
    sums = {name: brought.c[name] + new.excluded[name] for name in ("n_batches", "n_records", "n_stored")}
    key = [one.name for one in brought.primary_key]
    return new.on_conflict_do_update(index_elements=key, set_={**sums, "last_at": new.excluded["last_at"]})


def _outline(incident: Incident) -> Mapping[str, Any]:
    """What people change of an incident."""
    until = incident.shelved_until
    return {
        "state": incident.state.value,
        "owner": incident.owner,
        "verdict": None if incident.verdict is None else incident.verdict.value,
        "shelved_until": None if until is None else until.isoformat(),
    }
