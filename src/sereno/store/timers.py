"""Timers: rows that are due at an instant, whoever runs then."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select, update

from sereno.domain.timers import Timer, TimerKind
from sereno.store.schema import timer
from sereno.store.session import Session

__all__ = ["TimerSession"]

_DROP = delete(timer).where(
    timer.c.organization_id == bindparam("organization_id"),
    timer.c.incident_id == bindparam("of_incident"),
    timer.c.kind == bindparam("of_kind"),
)


class TimerSession(Session):
    """The part of a transaction that keeps timers."""

    def __init__(self, connection: Connection, organization_id: int, store: str) -> None:
        super().__init__(connection, organization_id, store)
        self._dropped: dict[tuple[str, str], None] = {}
        """Incident and kind of timers to forget, before others are set."""
        self._set: dict[tuple[str, str, int], datetime] = {}

    def set_timer(self, one: Timer) -> None:
        """Keep a timer; one of the same incident, kind and step is replaced."""
        self._check_incidents(one.incident_id)
        self._set[one.incident_id, one.kind.value, one.step] = one.due_at
        self._is_holding = True

    def drop_timers(self, incident_id: str, kinds: Iterable[TimerKind]) -> None:
        """Forget the timers of an incident of some kinds."""
        for kind in kinds:
            self._dropped[incident_id, kind.value] = None
            for key in [key for key in self._set if key[:2] == (incident_id, kind.value)]:
                del self._set[key]
        self._is_holding = True

    def flush(self) -> None:
        """Write what was held back to be written together."""
        super().flush()
        mine = {"organization_id": self._organization_id}
        if self._dropped:
            gone = [{"of_incident": name, "of_kind": kind} for name, kind in self._dropped]
            self._dropped = {}
            self._connection.execute(_DROP, [mine | row for row in gone])
        if self._set:
            names = ("incident_id", "kind", "step")
            rows = [
                mine | {"is_kept": False, "due_at": due_at, **dict(zip(names, key, strict=True))}
                for key, due_at in self._set.items()
            ]
            self._set = {}
            self._upsert(timer, rows)

    def timers(self, *, due: datetime | None = None, limit: int | None = None) -> list[Timer]:
        """The timers by when they are due; with `due` only those that are due by then, and not kept back."""
        query = select(timer).where(timer.c.organization_id == self._organization_id)
        if due is not None:
            query = query.where(timer.c.due_at <= due, timer.c.is_kept.is_(False))
        order = query.order_by(timer.c.due_at, timer.c.incident_id, timer.c.kind, timer.c.step)
        return [
            Timer(row.incident_id, TimerKind(row.kind), row.due_at, row.step)
            for row in self._connection.execute(order.limit(limit))
        ]

    def take_timer(self, one: Timer, *, now: datetime) -> bool:
        """Delete a timer that is due; False when somebody else has taken, dropped or postponed it."""
        key = (
            timer.c.organization_id == self._organization_id,
            timer.c.incident_id == one.incident_id,
            timer.c.kind == one.kind.value,
            timer.c.step == one.step,
        )
        return self._connection.execute(delete(timer).where(*key, timer.c.due_at <= now)).rowcount == 1

    def release_timers(self) -> None:
        """Let timers fire that a restore has kept back."""
        mine = timer.c.organization_id == self._organization_id
        self._connection.execute(update(timer).where(mine).values(is_kept=False))

    def shift_timers(self, by: timedelta) -> None:
        """Let every timer be due so much later (or earlier): the clock was set, the waits stay."""
        mine = timer.c.organization_id == self._organization_id
        for one in self.timers():
            key = (timer.c.incident_id == one.incident_id, timer.c.kind == one.kind.value)
            change = update(timer).where(mine, *key, timer.c.step == one.step)
            self._connection.execute(change.values(due_at=one.due_at + by))
