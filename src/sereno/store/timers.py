"""Timers: rows that are due at an instant, whoever runs then."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from sereno.domain.timers import Timer, TimerKind
from sereno.store.schema import timer
from sereno.store.session import Session

__all__ = ["TimerSession"]


class TimerSession(Session):
    """The part of a transaction that keeps timers."""

    def set_timer(self, one: Timer) -> None:
        """Keep a timer; one of the same incident, kind and step is replaced."""
        self._check_incidents(one.incident_id)
        row = {"incident_id": one.incident_id, "kind": one.kind.value, "step": one.step}
        mine = {"organization_id": self._organization_id, "is_kept": False}
        self._upsert(timer, [row | mine | {"due_at": one.due_at}])

    def drop_timers(self, incident_id: str, kinds: Iterable[TimerKind]) -> None:
        """Forget the timers of an incident of some kinds."""
        which = (timer.c.incident_id == incident_id, timer.c.kind.in_([kind.value for kind in kinds]))
        mine = timer.c.organization_id == self._organization_id
        self._connection.execute(delete(timer).where(mine, *which))

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
