"""How many of the stored records are abnormal, counted by the database."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select, text

from sereno.store.column_types import Instant
from sereno.store.columns import ColumnSession
from sereno.store.reading_table import ReadingTable
from sereno.store.schema import asset, watch_state

__all__ = ["StatisticsSession"]

_TOTAL = """
    SELECT COUNT(*) FROM asset a JOIN "{table}" r ON r.asset_id = a.id
    WHERE a.organization_id = :mine AND a.profile = :profile AND r.ts >= :since"""

_ABNORMAL = """
    SELECT COUNT(*) FROM (
        SELECT DISTINCT r.asset_id, r.ts
        FROM detection d JOIN asset a ON a.id = d.asset_id
        JOIN "{table}" r ON r.asset_id = d.asset_id AND r.ts >= d.started_at AND r.ts <= d.last_at
        WHERE a.organization_id = :mine AND a.profile = :profile AND d.last_at >= :since AND r.ts >= :since
    ) AS covered"""


class StatisticsSession(ColumnSession):
    """The part of a transaction that counts."""

    def count_abnormal(self, window: timedelta) -> tuple[int, int]:
        """How many records the last stretch of the judged data has, and how many of them detections cover.

        A record is an asset at an instant; one that several detections cover counts once. What a file says
        of its own records takes no part.
        """
        query = select(func.max(watch_state.c.last_ts, type_=Instant())).join_from(
            watch_state, asset, watch_state.c.asset_id == asset.c.id
        )
        mine = query.where(asset.c.organization_id == self._organization_id)
        until = self._connection.execute(mine).scalar()
        if until is None:
            return 0, 0
        tables = self._reading_tables()
        since = until - window
        total = sum(self._counted(_TOTAL, name, table, since) for name, table in tables.items())
        return total, sum(self._counted(_ABNORMAL, name, table, since) for name, table in tables.items())

    def _counted(self, query: str, profile: str, table: ReadingTable, since: datetime) -> int:
        statement = text(query.format(table=table.name)).bindparams(bindparam("since", type_=Instant()))
        said = {"mine": self._organization_id, "profile": profile, "since": since}
        return int(self._connection.execute(statement, said).scalar_one())
