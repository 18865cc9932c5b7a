"""Figures of hours and days, and until when each asset has them.

What lies before that instant is exactly what the readings said when it was set: a later reading or mark of an
earlier instant sets it back in its own transaction, and an engine reckons anew from there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from sqlalchemy import or_, select

from sereno.domain.rollups import FIGURES, RollUp, Span
from sereno.domain.time import from_numpy
from sereno.store.bulk import Cells, insert_chunks, nullable, read_rows
from sereno.store.column_types import to_microseconds
from sereno.store.columns import ColumnSession
from sereno.store.records import StoredRows
from sereno.store.schema import asset, rollup, rollup_state

__all__ = ["RollupSession"]

_COLUMNS = {
    "asset_id": "int4",
    "span": "text",
    "signal": "text",
    "ts": "timestamp",
    "n_values": "int4",
    "n_bad": "int4",
    **dict.fromkeys(FIGURES, "float8"),
}
# Of readings that have gone, only a few may come again: who knew more values knew better.
_FRESH = ", ".join(f"{name} = excluded.{name}" for name in ("n_values", "n_bad", *FIGURES))
_UNLESS_FEWER = (
    f"ON CONFLICT (asset_id, span, signal, ts) DO UPDATE SET {_FRESH} "
    "WHERE excluded.n_values >= rollup.n_values"
)


class RollupSession(ColumnSession):
    """The part of a transaction that keeps figures of hours and days."""

    def assets_to_roll(self, until: datetime) -> list[int]:
        """Measured assets that have no figures until then yet."""
        lacks = or_(rollup_state.c.until.is_(None), rollup_state.c.until < until)
        mine = (asset.c.organization_id == self._organization_id, asset.c.is_simulated.is_(False))
        query = select(asset.c.id).outerjoin(rollup_state, rollup_state.c.asset_id == asset.c.id)
        return list(self._connection.execute(query.where(*mine, lacks).order_by(asset.c.id)).scalars())

    def rolled_until(self, asset_id: int) -> datetime | None:
        """The instant before which an asset has its figures; None without any."""
        self._check_asset(asset_id)
        mine = rollup_state.c.asset_id == asset_id
        return self._connection.execute(select(rollup_state.c.until).where(mine)).scalar()

    def first_instant(self, asset_id: int, profile: str, *, start: datetime | None) -> datetime | None:
        """The first instant of an asset that is not before another one."""
        self._check_asset(asset_id)
        table = self._reading_table(profile)
        if table is None:
            return None
        ts = "(extract(epoch FROM MIN(ts)) * 1000000)::bigint" if self._is_postgres else "MIN(ts)"
        query = f'SELECT {ts} FROM "{table.name}" WHERE asset_id = {asset_id:d}'
        given: tuple[object, ...] = ()
        if start is not None:
            query += f" AND ts >= {'%s' if self._is_postgres else '?'}"
            given = (start if self._is_postgres else to_microseconds(start),)
        found = self._connection.exec_driver_sql(query, given).scalar()
        return None if found is None else from_numpy(np.datetime64(found, "us"))

    def measured_rows(self, asset_id: int, profile: str, *, start: datetime, end: datetime) -> StoredRows:
        """The raw rows with start <= time < end that no simulator wrote."""
        self._check_asset(asset_id)
        table = self._reading_table(profile)
        if table is None:
            return StoredRows(np.empty(0, "datetime64[us]"), (), np.empty((0, 0)), np.empty((0, 0), np.int32))
        signals = tuple(table.columns)
        between = (to_microseconds(start), to_microseconds(end))
        rows = read_rows(self._connection, table, asset_id, signals, between)
        rows = rows.take(~rows.simulated)
        return StoredRows(rows.ts.view("datetime64[us]"), signals, rows.values, rows.quality)

    def save_rollups(self, asset_id: int, span: Span, found: Mapping[str, RollUp]) -> None:
        """Keep figures by signal; those of more values than these stay."""
        self._check_asset(asset_id)
        chunks: list[list[Cells]] = [
            [[asset_id] * len(one), [span.value] * len(one), [signal] * len(one), *self._cells(one)]
            for signal, one in found.items()
            if len(one)
        ]
        insert_chunks(self._connection, rollup.name, _COLUMNS, chunks, conflict=_UNLESS_FEWER)

    def set_rolled_until(self, asset_id: int, until: datetime) -> None:
        """Note that an asset has its figures before an instant."""
        self._check_asset(asset_id)
        if self._hand is not None:
            self._hand.no_figures.pop(asset_id, None)
        self._upsert(rollup_state, [{"asset_id": asset_id, "until": until}])

    def rollups(
        self, asset_id: int, span: Span, signals: Sequence[str], *, start: datetime, end: datetime
    ) -> dict[str, RollUp]:
        """The figures by signal of the spans that begin in [start, end)."""
        self._check_asset(asset_id)
        mark = "%s" if self._is_postgres else "?"
        ts = "(extract(epoch FROM ts) * 1000000)::bigint" if self._is_postgres else "ts"
        columns = ", ".join([ts, "n_values", "n_bad", *FIGURES])
        which = " AND ".join(
            f"{name} {mark}" for name in ("asset_id =", "span =", "signal =", "ts >=", "ts <")
        )
        query = f"SELECT {columns} FROM {rollup.name} WHERE {which} ORDER BY ts"
        between = [one if self._is_postgres else to_microseconds(one) for one in (start, end)]
        return {
            signal: _rollup_of(
                self._connection.exec_driver_sql(query, (asset_id, span.value, signal, *between)).all()
            )
            for signal in signals
        }

    def _cells(self, one: RollUp) -> list[Cells]:
        ts = one.start if self._is_postgres else one.start.astype(np.int64)
        figures = [nullable(getattr(one, name)) for name in FIGURES]
        return [ts.tolist(), one.n_values.tolist(), one.n_bad.tolist(), *figures]


def _rollup_of(rows: Sequence[Sequence[object]]) -> RollUp:
    cells = np.array([tuple(row) for row in rows], dtype=np.float64).reshape(len(rows), 3 + len(FIGURES))
    start = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
    n_values, n_bad = cells[:, 1].astype(np.int64), cells[:, 2].astype(np.int64)
    return RollUp(start.view("datetime64[us]"), n_values, n_bad, *cells[:, 3:].T)
