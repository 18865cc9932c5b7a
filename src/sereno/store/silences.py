"""Silences: added and ended, never deleted."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import cast

from sqlalchemy import insert, or_, select, update

from sereno.domain.changes import ChangeKind
from sereno.domain.errors import NotFound
from sereno.domain.judgement import Severity
from sereno.domain.silences import Matcher, Recurrence, Silence
from sereno.store.schema import silence
from sereno.store.session import Session

__all__ = ["SilenceSession"]

MIN_PREFIX = 6
"""Characters of an id that may stand for all of it."""


class SilenceSession(Session):
    """The part of a transaction that keeps silences."""

    def add_silence(self, one: Silence) -> None:
        """Keep a new silence."""
        matcher = {
            name: getattr(one.matcher, name) for name in ("site", "asset", "profile", "cause", "problem")
        }
        worst = one.matcher.severity_at_most
        row = {
            "id": one.id,
            "organization_id": self._organization_id,
            "starts_at": one.starts_at,
            "ends_at": one.ends_at,
            "matcher": matcher | {"severity_at_most": None if worst is None else int(worst)},
            "recurrence": None if one.recurrence is None else _recurrence_document(one.recurrence),
            "mutes": list(one.mutes),
            "author": one.author,
            "comment": one.comment,
            "at": one.at,
        }
        self._connection.execute(insert(silence), row)
        said = {"matcher": row["matcher"], "author": one.author, "comment": one.comment}
        self.audit_change(f"silence {one.id}", None, said)
        self.note(ChangeKind.SILENCE, one.id)

    def silences(self, *, not_over: datetime | None = None) -> list[Silence]:
        """The silences by start; with `not_over` only those that may still be in force then or later."""
        table = silence.c
        query = select(silence).where(table.organization_id == self._organization_id)
        if not_over is not None:
            query = query.where(
                or_(table.ends_at.is_(None), table.ends_at > not_over), table.ended_at.is_(None)
            )
        rows = self._connection.execute(query.order_by(table.starts_at, table.id)).mappings()
        return [_silence_of(dict(row)) for row in rows]

    def end_silence(self, silence_id: str, *, at: datetime, by: str) -> Silence:
        """End a silence early, by its id or the beginning of it; one that has ended stays as it is.

        Raises:
            NotFound: There is none, or more than one.
        """
        alike = [one for one in self.silences() if one.id.startswith(silence_id)]
        if len(silence_id) < MIN_PREFIX or len(alike) != 1:
            hint = f"Give its id, or at least {MIN_PREFIX} characters of it that no other id begins with."
            raise NotFound(what="silence", id=silence_id, hint=hint)
        change = update(silence).where(silence.c.id == alike[0].id, silence.c.ended_at.is_(None))
        self._connection.execute(change.values(ended_at=at, ended_by=by))
        before = {"ended_by": alike[0].ended_by}
        self.audit_change(f"silence {alike[0].id}", before, {"ended_by": by})
        self.note(ChangeKind.SILENCE, alike[0].id)
        return next(one for one in self.silences() if one.id == alike[0].id)


def _recurrence_document(one: Recurrence) -> dict[str, object]:
    return {
        "begins": one.begins.isoformat(),
        "ends": one.ends.isoformat(),
        "zone": one.zone,
        "days": sorted(one.days),
        "dates": sorted(day.isoformat() for day in one.dates),
    }


def _silence_of(row: Mapping[str, object]) -> Silence:
    said = dict(cast("Mapping[str, object]", row["matcher"]))
    worst = cast("int | None", said.pop("severity_at_most"))
    again = cast("Mapping[str, object] | None", row["recurrence"])
    return Silence(
        id=cast("str", row["id"]),
        starts_at=cast("datetime", row["starts_at"]),
        ends_at=cast("datetime | None", row["ends_at"]),
        matcher=Matcher(
            **cast("dict[str, str]", said), severity_at_most=None if worst is None else Severity(worst)
        ),
        author=cast("str", row["author"]),
        comment=cast("str", row["comment"]),
        at=cast("datetime", row["at"]),
        recurrence=None if again is None else _recurrence_of(again),
        mutes=tuple(cast("list[str]", row["mutes"])),
        ended_at=cast("datetime | None", row["ended_at"]),
        ended_by=cast("str | None", row["ended_by"]),
    )


def _recurrence_of(document: Mapping[str, object]) -> Recurrence:
    return Recurrence(
        begins=time.fromisoformat(cast("str", document["begins"])),
        ends=time.fromisoformat(cast("str", document["ends"])),
        zone=cast("str", document["zone"]),
        days=frozenset(cast("list[int]", document["days"])),
        dates=frozenset(date.fromisoformat(day) for day in cast("list[str]", document["dates"])),
    )
