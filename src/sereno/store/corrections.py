"""Corrections: beside the readings, added and taken back, never deleted."""

from dataclasses import fields
from datetime import datetime

from sqlalchemy import insert, select, update

from sereno.domain.changes import ChangeKind
from sereno.domain.corrections import Correction, CorrectionKind
from sereno.domain.errors import NotFound
from sereno.store.schema import correction
from sereno.store.session import Session

__all__ = ["CorrectionSession"]

MIN_PREFIX = 6
"""Characters of an id that may stand for all of it."""

_COLUMNS = [correction.c[one.name] for one in fields(Correction)]


class CorrectionSession(Session):
    """The part of a transaction that keeps corrections."""

    def add_correction(self, one: Correction) -> None:
        """Keep a new correction."""
        self._check_asset(one.asset_id)
        row = {each.name: getattr(one, each.name) for each in fields(Correction)}
        mine = {"organization_id": self._organization_id, "kind": one.kind.value}
        self._connection.execute(insert(correction), row | mine)
        said = {name: row[name] for name in ("signal", "amount", "author", "reason")}
        self.audit_change(f"correction {one.id}", None, said | {"kind": one.kind.value})
        self.note(ChangeKind.CORRECTION, one.id)

    def correction(self, correction_id: str) -> Correction:
        """The correction with this id, or with the only id that begins like this (6 characters at least).

        Raises:
            NotFound: There is none, or more than one.
        """
        exact = select(*_COLUMNS).where(
            correction.c.organization_id == self._organization_id, correction.c.id == correction_id
        )
        row = self._connection.execute(exact).mappings().one_or_none()
        if row is not None:
            return _correction_of(dict(row))
        alike = [one for one in self.corrections(with_undone=True) if one.id.startswith(correction_id)]
        if len(correction_id) < MIN_PREFIX or len(alike) != 1:
            hint = f"Give its id, or at least {MIN_PREFIX} characters of it that no other id begins with."
            raise NotFound(what="correction", id=correction_id, hint=hint)
        return alike[0]

    def corrections(
        self, *, asset_id: int | None = None, signal: str | None = None, with_undone: bool = False
    ) -> list[Correction]:
        """The corrections that fit, in the order in which they were made.

        Args:
            with_undone: Those that were taken back, too.
        """
        query = select(*_COLUMNS).where(correction.c.organization_id == self._organization_id)
        if asset_id is not None:
            query = query.where(correction.c.asset_id == asset_id)
        if signal is not None:
            query = query.where(correction.c.signal == signal)
        if not with_undone:
            query = query.where(correction.c.undone_at.is_(None))
        found = self._connection.execute(query.order_by(correction.c.at, correction.c.id)).mappings()
        return [_correction_of(dict(row)) for row in found]

    def undo_correction(self, correction_id: str, *, at: datetime, by: str, reason: str) -> Correction:
        """Take a correction back; one that was taken back before stays as it was noted then."""
        known = self.correction(correction_id)
        change = update(correction).where(correction.c.id == known.id, correction.c.undone_at.is_(None))
        self._connection.execute(change.values(undone_at=at, undone_by=by, undone_reason=reason))
        self.audit_change(f"correction {known.id}", {"undone_by": None}, {"undone_by": by, "reason": reason})
        self.note(ChangeKind.CORRECTION, known.id)
        return self.correction(known.id)


def _correction_of(row: dict[str, object]) -> Correction:
    return Correction(**{**row, "kind": CorrectionKind(str(row["kind"]))})  # type: ignore[arg-type]
