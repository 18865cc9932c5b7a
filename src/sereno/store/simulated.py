"""What a simulator wrote can be taken away again; nothing else can."""

from sqlalchemy import delete, select, text

from sereno.domain.changes import ChangeKind
from sereno.store.columns import ColumnSession
from sereno.store.reading_table import ReadingTable
from sereno.store.schema import (
    asset,
    correction,
    delivery_attempt,
    detection,
    drift_standing,
    forecast,
    incident,
    incident_event,
    notification,
    regime_change,
    rollup,
    rollup_state,
    superseded_reading,
    watch_checkpoint,
    watch_state,
)

__all__ = ["SimulatedSession"]


class SimulatedSession(ColumnSession):
    """The part of a transaction that deletes simulated readings."""

    def trim(self, profile: str, *, keep_rows: int) -> int:
        """Delete the oldest simulated rows of a profile until so many remain; returns how many went."""
        table = self._reading_table(profile)
        if table is None:
            return 0
        mine = self._simulated(table)
        n_rows = int(self._connection.exec_driver_sql(f"SELECT COUNT(*) {mine}").scalar_one())
        n_oldest = max(n_rows - keep_rows, 0)
        if n_oldest:
            oldest = f"SELECT asset_id, ts {mine} ORDER BY ts, asset_id LIMIT {n_oldest:d}"
            statement = f'DELETE FROM "{table.name}" WHERE (asset_id, ts) IN ({oldest})'
            self._connection.exec_driver_sql(statement)
            self._forget_superseded(profile, table)
            self.note(ChangeKind.READINGS, "")
        return n_oldest

    def reset_simulated(self) -> int:
        """Delete every simulated reading, and what was judged of simulated assets; returns the rows."""
        n_rows = 0
        self.note(ChangeKind.READINGS, "")
        for profile, table in self._reading_tables().items():
            n_rows += self._connection.exec_driver_sql(f"DELETE {self._simulated(table)}").rowcount
            self._forget_superseded(profile, table)
        assets = select(asset.c.id).where(
            asset.c.organization_id == self._organization_id, asset.c.is_simulated
        )
        incidents = select(incident.c.id).where(incident.c.asset_id.in_(assets))
        told = select(notification.c.id).where(notification.c.incident_id.in_(incidents))
        self._connection.execute(delete(delivery_attempt).where(delivery_attempt.c.notification_id.in_(told)))
        self._connection.execute(delete(notification).where(notification.c.incident_id.in_(incidents)))
        self._connection.execute(delete(incident_event).where(incident_event.c.incident_id.in_(incidents)))
        for about in (
            incident,
            detection,
            regime_change,
            drift_standing,
            forecast,
            watch_state,
            watch_checkpoint,
            correction,
            rollup,
            rollup_state,
        ):
            self._connection.execute(delete(about).where(about.c.asset_id.in_(assets)))
        return n_rows

    def _simulated(self, table: ReadingTable) -> str:
        mine = f"SELECT id FROM asset WHERE organization_id = {self._organization_id:d}"
        return f'FROM "{table.name}" WHERE simulated AND asset_id IN ({mine})'

    def _forget_superseded(self, profile: str, table: ReadingTable) -> None:
        """Old values of simulated rows go with the rows."""
        mine = f"SELECT id FROM asset WHERE organization_id = {self._organization_id:d}"
        kept = f'SELECT 1 FROM "{table.name}" AS kept WHERE kept.asset_id = old.asset_id AND kept.ts = old.ts'
        gone = (
            f"old.simulated AND old.profile = :profile AND old.asset_id IN ({mine}) AND NOT EXISTS ({kept})"
        )
        statement = text(f"DELETE FROM {superseded_reading.name} AS old WHERE {gone}")
        self._connection.execute(statement, {"profile": profile})
