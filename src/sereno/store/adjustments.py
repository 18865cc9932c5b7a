"""Adjusted thresholds: added and taken back, never deleted."""

from dataclasses import fields
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from sereno.domain.adjustments import Adjustment
from sereno.store.schema import adjustment
from sereno.store.session import Session

__all__ = ["AdjustmentSession"]

_FACTORS = (
    select(adjustment.c.asset_id, adjustment.c.check, adjustment.c.factor)
    .where(adjustment.c.organization_id == bindparam("mine"), adjustment.c.undone_at.is_(None))
    .order_by(adjustment.c.at, adjustment.c.id)
)
"""Kept, because to build it takes longer than to ask it."""
_COLUMNS = [adjustment.c[one.name] for one in fields(Adjustment)]


class AdjustmentSession(Session):
    """The part of a transaction that keeps adjusted thresholds."""

    _factors: dict[int, dict[str, float]] | None = None
    """What multiplies thresholds, by asset and check, once somebody has asked."""

    def add_adjustment(self, one: Adjustment) -> None:
        """Keep a new adjustment."""
        self._check_asset(one.asset_id)
        self._check_incidents(one.incident_id)
        self._factors = None
        row = {each.name: getattr(one, each.name) for each in fields(Adjustment)}
        self._connection.execute(insert(adjustment), row | {"organization_id": self._organization_id})
        said = {"check": one.check, "factor": one.factor, "incident": one.incident_id}
        self.audit_change(f"adjustment {one.id}", None, said)

    def adjustments(
        self,
        *,
        asset_id: int | None = None,
        incident_id: str | None = None,
        with_undone: bool = False,
    ) -> list[Adjustment]:
        """The adjustments that fit, in the order in which they were made.

        Args:
            with_undone: Those that were taken back, too.
        """
        query = select(*_COLUMNS).where(adjustment.c.organization_id == self._organization_id)
        if asset_id is not None:
            query = query.where(adjustment.c.asset_id == asset_id)
        if incident_id is not None:
            query = query.where(adjustment.c.incident_id == incident_id)
        if not with_undone:
            query = query.where(adjustment.c.undone_at.is_(None))
        rows = self._connection.execute(query.order_by(adjustment.c.at, adjustment.c.id)).mappings()
        return [Adjustment(**row) for row in rows]

    def threshold_factors(self, asset_id: int) -> dict[str, float]:
        """What multiplies the thresholds of an asset, by check; those that nobody moved are not named."""
        if self._factors is None:
            # There are few, and a batch asks for many assets.
            self._factors = {}
            for moved, check, factor in self._connection.execute(_FACTORS, {"mine": self._organization_id}):
                own = self._factors.setdefault(moved, {})
                own[check] = own.get(check, 1.0) * factor
        return dict(self._factors.get(asset_id, {}))

    def undo_adjustments(self, incident_id: str, *, at: datetime, by: str) -> list[Adjustment]:
        """Take back what an incident's verdict moved; gives what was taken back."""
        undone = self.adjustments(incident_id=incident_id)
        self._factors = None
        change = update(adjustment).where(
            adjustment.c.organization_id == self._organization_id,
            adjustment.c.incident_id == incident_id,
            adjustment.c.undone_at.is_(None),
        )
        self._connection.execute(change.values(undone_at=at, undone_by=by))
        for one in undone:
            self.audit_change(f"adjustment {one.id}", {"factor": one.factor}, {"undone_by": by})
        return undone
