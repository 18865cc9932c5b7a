"""What an overview asks of many assets at once, and a picture of one: few queries, few rows."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np
from sqlalchemy import RowMapping, func, or_, select

from sereno.domain.judgement import Detection, Severity
from sereno.domain.readings import FloatArray
from sereno.domain.time import EPOCH
from sereno.store.codec import detection_of
from sereno.store.column_types import MICROSECOND
from sereno.store.columns import ColumnSession
from sereno.store.reading_table import ReadingTable
from sereno.store.records import Spell, StoredDetection
from sereno.store.schema import asset, detection, incident, watch_state
from sereno.store.watching import WatchSession

__all__ = ["OverviewSession"]

_MAX_IDS = 500


class OverviewSession(ColumnSession, WatchSession):
    """The part of a transaction that screens look with."""

    def last_readings(self) -> dict[int, datetime]:
        """The latest instant of each asset that has a reading, by its id: one seek each, no scan."""
        found: dict[int, datetime] = {}
        ts = "(extract(epoch FROM MAX(ts)) * 1000000)::bigint" if self._is_postgres else "MAX(ts)"
        for profile, table in self._reading_tables().items():
            query = select(asset.c.id).where(
                asset.c.organization_id == self._organization_id, asset.c.profile == profile
            )
            ids = self._connection.execute(query).scalars().all()
            for start in range(0, len(ids), _MAX_IDS):
                own = ", ".join(str(int(one)) for one in ids[start : start + _MAX_IDS])
                latest = f'(SELECT {ts} FROM "{table.name}" WHERE asset_id = asset.id)'
                rows = self._connection.exec_driver_sql(f"SELECT id, {latest} FROM asset WHERE id IN ({own})")
                found |= {one: EPOCH + last * MICROSECOND for one, last in rows if last is not None}
        return found

    def pulse(self) -> str:
        """A text that changes when an asset was judged further or something happened to an incident."""
        n_events = (
            select(func.sum(incident.c.n_events))
            .where(incident.c.organization_id == self._organization_id)
            .scalar_subquery()
        )
        n_assets, judged = self._connection.execute(
            select(func.count(asset.c.id), func.max(watch_state.c.last_ts))
            .select_from(asset)
            .outerjoin(watch_state, watch_state.c.asset_id == asset.c.id)
            .where(asset.c.organization_id == self._organization_id)
        ).one()
        return f"{n_assets}|{judged}|{self._connection.execute(select(n_events)).scalar()}"

    def spells(self, *, since: datetime) -> list[Spell]:
        """When which assets were in trouble, of the incidents that are active or ended after an instant."""
        table = incident.c
        is_recent = or_(table.ended_at.is_(None), table.ended_at >= since)
        query = select(table.asset_id, table.severity, table.started_at, table.ended_at).where(
            table.organization_id == self._organization_id, table.is_withdrawn.is_(False), is_recent
        )
        rows = self._connection.execute(query.order_by(table.started_at))
        return [Spell(one, Severity(severity), begin, end) for one, severity, begin, end in rows]

    def open_detections(self) -> dict[int, list[StoredDetection]]:
        """The detections that go on, by asset."""
        query = select(detection).where(
            detection.c.organization_id == self._organization_id, detection.c.ended_at.is_(None)
        )
        found: dict[int, list[StoredDetection]] = {}
        for row in self._connection.execute(query).mappings():
            found.setdefault(row["asset_id"], []).append(self._stored_detection(row))
        return found

    def detections_between(self, asset_id: int, start: datetime, end: datetime) -> list[Detection]:
        """The detections of an asset that touch a stretch of time, by start."""
        self._check_asset(asset_id)
        table = detection.c
        goes_on = or_(table.ended_at.is_(None), table.ended_at > start)
        query = select(detection).where(table.asset_id == asset_id, table.started_at < end, goes_on)
        rows = self._connection.execute(query.order_by(table.started_at, table.id)).mappings()
        return [self._stored_detection(row).detection for row in rows]

    def extremes(
        self, asset_id: int, profile: str, signals: Sequence[str], edges: Sequence[int]
    ) -> tuple[FloatArray, FloatArray]:
        """Least and largest value of each signal in each stretch of time, NaN where there is none.

        Each stretch is a range of the primary key: nothing is sorted, and no row becomes a Python object.

        Args:
            edges: Begin of each stretch and the end of the last [microseconds since 1970], ascending.

        Returns:
            Two arrays, shape (stretches, signals).
        """
        self._check_asset(asset_id)
        table = self._reading_table(profile)
        known = [] if table is None else [name for name in signals if name in table.columns]
        n_stretches = len(edges) - 1
        cells = np.full((n_stretches, 2 * len(signals)), np.nan)
        if table is not None and known:
            columns = [signals.index(name) * 2 + bound for name in known for bound in (0, 1)]
            cells[:, columns] = self._extremes(table, asset_id, known, edges)
        return cells[:, ::2], cells[:, 1::2]

    def sums(
        self, asset_id: int, profile: str, signals: Collection[str], start: datetime, end: datetime
    ) -> dict[str, float]:
        """The sum of each signal over the readings with start <= time < end, of those that have any.

        A reading counts as it came, whatever was found of it.
        """
        self._check_asset(asset_id)
        table = self._reading_table(profile)
        known = [] if table is None else [name for name in signals if name in table.columns]
        if table is None or not known:
            return {}
        wanted = ", ".join(f"SUM({column})" for column in table.values_of(known))
        found = self._connection.exec_driver_sql(*self._ranged(table, asset_id, wanted, start, end)).one()
        return {name: float(value) for name, value in zip(known, found, strict=True) if value is not None}

    def quality_counts(
        self, asset_id: int, profile: str, signals: Sequence[str], start: datetime, end: datetime
    ) -> tuple[int, dict[str, int], dict[str, Counter[int]]]:
        """Rows with start <= time < end; of each signal its values, and how often each set of flags is there.

        Rows are counted where they lie: as many come back as there are different sets of flags.
        """
        self._check_asset(asset_id)
        table = self._reading_table(profile)
        known = [] if table is None else [name for name in signals if name in table.columns]
        values, flags = dict.fromkeys(signals, 0), {name: Counter[int]() for name in signals}
        if table is None or not known:
            return 0, values, flags
        groups = ", ".join(table.qualities_of(known))
        counts = ", ".join(f"COUNT({column})" for column in table.values_of(known))
        query, bounds = self._ranged(table, asset_id, f"{groups}, COUNT(*), {counts}", start, end)
        n_all = 0
        for row in self._connection.exec_driver_sql(f"{query} GROUP BY {groups}", bounds):
            n_rows = int(row[len(known)])
            n_all += n_rows
            for name, flag, count in zip(known, row, row[len(known) + 1 :], strict=False):
                values[name] += int(count)
                flags[name][int(flag or 0)] += n_rows
        return n_all, values, flags

    def _extremes(
        self, table: ReadingTable, asset_id: int, signals: Sequence[str], edges: Sequence[int]
    ) -> FloatArray:
        wanted = ", ".join(f"MIN({column}), MAX({column})" for column in table.values_of(signals))
        if self._is_postgres:
            return self._extremes_at_once(table, asset_id, wanted, edges, 2 * len(signals))
        query = f'SELECT {wanted} FROM "{table.name}" WHERE asset_id = ? AND ts >= ? AND ts < ?'
        cursor = self._connection.connection.cursor()
        rows = [cursor.execute(query, (asset_id, first, stop)).fetchone() for first, stop in pairwise(edges)]
        cursor.close()
        return np.array(rows, dtype=np.float64).reshape(len(edges) - 1, 2 * len(signals))

    def _extremes_at_once(
        self, table: ReadingTable, asset_id: int, wanted: str, edges: Sequence[int], width: int
    ) -> FloatArray:
        """One query: a round trip for each stretch would cost more than sorting."""
        bounds = [EPOCH + edge * MICROSECOND for edge in edges]
        place = "width_bucket(ts, %s::timestamptz[])"
        query = (
            f'SELECT {place} - 1, {wanted} FROM "{table.name}" '
            "WHERE asset_id = %s AND ts >= %s AND ts < %s GROUP BY 1"
        )
        rows = self._connection.exec_driver_sql(query, (bounds, asset_id, bounds[0], bounds[-1]))
        cells = np.full((len(edges) - 1, width), np.nan)
        for number, *values in rows:
            cells[number] = np.array(values, dtype=np.float64)
        return cells

    def _ranged(
        self, table: ReadingTable, asset_id: int, wanted: str, start: datetime, end: datetime
    ) -> tuple[str, tuple[object, ...]]:
        mark = "%s" if self._is_postgres else "?"
        where = f"asset_id = {mark} AND ts >= {mark} AND ts < {mark}"
        bounds: list[object] = [start, end]
        if not self._is_postgres:
            bounds = [(one - EPOCH) // MICROSECOND for one in (start, end)]
        return f'SELECT {wanted} FROM "{table.name}" WHERE {where}', (asset_id, *bounds)

    def _stored_detection(self, row: RowMapping) -> StoredDetection:
        return StoredDetection(row["id"], detection_of(dict(row), self._asset_key(row["asset_id"])))
