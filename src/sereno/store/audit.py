"""The log of what was done: added to in the transaction that does it, never changed."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from sereno.domain.audit import Act, AuditEntry, redacted
from sereno.domain.incidents import Incident
from sereno.domain.time import system_clock
from sereno.store.schema import audit_entry
from sereno.store.session import AuditedChange, Session

__all__ = ["AuditSession"]

_COLUMNS = [audit_entry.c[one.name] for one in fields(AuditEntry)]
MAX_CHANGES = 50
"""Changes of one act that are noted one by one; of more only what was asked for."""

CHUNK_ROWS = 1_000


class AuditSession(Session):
    """The part of a transaction that notes who did what."""

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

    def _incident_changes(self) -> Iterator[AuditedChange]:
        for one in self.recorded:
            if one.event.actor == "sereno":
                continue  # what judging says is no act of anybody
            before = None if one.before is None else _outline(one.before)
            after = {**_outline(one.after), "event": one.event.kind.value, **one.event.facts}
            yield AuditedChange(f"incident {one.after.id}", before, after)


def _outline(incident: Incident) -> Mapping[str, Any]:
    """What people change of an incident."""
    until = incident.shelved_until
    return {
        "state": incident.state.value,
        "owner": incident.owner,
        "verdict": None if incident.verdict is None else incident.verdict.value,
        "shelved_until": None if until is None else until.isoformat(),
    }
