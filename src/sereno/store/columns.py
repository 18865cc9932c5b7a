"""The wide reading tables: one per organization and profile, made on demand.

Each signal has a column of values and one of quality.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, inspect, select, text, update

from sereno.store.column_types import clean_text
from sereno.store.isolation import isolate_reading_table
from sereno.store.reading_table import ReadingTable
from sereno.store.schema import reading_table, signal_column
from sereno.store.session import Session
from sereno.store.views import foreign_names, refresh_reading_views

__all__ = ["MAX_SIGNALS", "ColumnSession"]

MAX_SIGNALS = 790
"""Signals per table: PostgreSQL allows 1,600 columns, SQLite 2,000; a signal takes two."""

MAX_SLUG = 48
"""Characters; with a number and `__q` a name stays below PostgreSQL's 63."""

KEY_COLUMNS = ("asset_id", "ts", "revision", "simulated")
COLUMN_LOCK = 0x5E7E_11
"""Key of the PostgreSQL advisory lock under which reading tables grow."""


class ColumnSession(Session):
    """The part of a transaction that knows where signals are stored."""

    def __init__(self, connection: Connection, organization_id: int, store: str) -> None:
        super().__init__(connection, organization_id, store)
        self._known_tables: dict[str, ReadingTable] = {}
        self._rooms: set[tuple[str, datetime]] = set()
        """Months for which a reading table has a part, of those that were looked up."""

    def foreign_views(self) -> list[str]:
        """Names of our views that something else in the database bears, so that ours are not there."""
        return foreign_names(self._connection)

    def _reading_table(self, profile: str) -> ReadingTable | None:
        """The table of a profile as this transaction sees it; None before the first reading."""
        known = self._known_tables if self._hand is None else self._hand.tables
        if profile not in known:
            table = self._find_reading_table(profile)
            if table is None:
                return None
            known[profile] = table
        return known[profile]

    def _find_reading_table(self, profile: str) -> ReadingTable | None:
        which = {"mine": self._organization_id, "of_profile": profile}
        rows = self._connection.execute(_COLUMNS, which).all()
        if not rows:
            return None
        columns = {signal: column for _, signal, column, _ in rows if signal is not None}
        units = {signal: unit for _, signal, _, unit in rows if unit is not None}
        return ReadingTable(rows[0][0], columns, units)

    def _reading_tables(self) -> dict[str, ReadingTable]:
        query = select(reading_table.c.profile).order_by(reading_table.c.profile)
        mine = query.where(reading_table.c.organization_id == self._organization_id)
        found = {one: self._reading_table(one) for one in self._connection.execute(mine).scalars()}
        return {profile: table for profile, table in found.items() if table is not None}

    def _widened(self, profile: str, units: Mapping[str, str]) -> ReadingTable:
        """The table of a profile, with a column for each of the signals, whose units are noted."""
        table = self._reading_table(profile)
        if table is None or not all(signal in table.columns for signal in units):
            table = self._with_columns(profile, tuple(units))
        self._note_units(profile, table, units)
        return table

    def _with_columns(self, profile: str, signals: Sequence[str]) -> ReadingTable:
        table = self._reading_table(profile)
        if self._is_postgres:
            self._connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": COLUMN_LOCK})
            self._known_tables.pop(profile, None)  # another writer may have widened it before we had the lock
            table = self._reading_table(profile)
        table = table or self._new_table(profile)
        missing = [signal for signal in dict.fromkeys(signals) if signal not in table.columns]
        self._name_columns(profile, table, missing)
        self._make_columns(profile, table)
        refresh_reading_views(self._connection)
        return table

    def _note_units(self, profile: str, table: ReadingTable, units: Mapping[str, str]) -> None:
        """Keep the units, for those who look into the database without our profiles."""
        new = {signal: unit for signal, unit in units.items() if table.units.get(signal) != unit}
        if not new:
            return
        where = (signal_column.c.organization_id == self._organization_id, signal_column.c.profile == profile)
        change = update(signal_column).where(*where, signal_column.c.signal == bindparam("named"))
        rows = [{"named": signal, "unit": unit} for signal, unit in new.items()]
        self._connection.execute(change, rows)
        table.units.update(new)

    def _new_table(self, profile: str) -> ReadingTable:
        mine = reading_table.c.organization_id == self._organization_id
        taken = set(self._connection.execute(select(reading_table.c.table_name).where(mine)).scalars())
        # No slug begins with a digit, so that the tables of two organizations never share a name.
        whose = f"{self.namespace}_" if self.namespace else ""
        # `reading_table` itself would be the name of a profile called "table".
        name = _free_name(f"reading_{whose}{_slug(profile)}", {*taken, reading_table.name})
        row = {"organization_id": self._organization_id, "profile": profile, "table_name": name}
        self._connection.execute(reading_table.insert(), row)
        return ReadingTable(name)

    def _name_columns(self, profile: str, table: ReadingTable, signals: Sequence[str]) -> None:
        taken = {*KEY_COLUMNS, *table.columns.values()}
        rows: list[dict[str, object]] = []
        for signal in signals:
            column = _free_name(_slug(signal), taken)
            taken.add(column)
            row = {"signal": signal, "column_name": column, "position": len(table.columns)}
            rows.append({"organization_id": self._organization_id, "profile": profile} | row)
            table.columns[signal] = column
        if rows:
            self._connection.execute(signal_column.insert(), rows)

    def _make_columns(self, profile: str, table: ReadingTable) -> None:
        """Bring the table in the database up to its names."""
        exists = inspect(self._connection).has_table(table.name)
        found = (
            {one["name"] for one in inspect(self._connection).get_columns(table.name)} if exists else set()
        )
        wanted = [column for column in table.columns.values() if column not in found]
        n_signals = (len(found) - len(KEY_COLUMNS)) // 2 + len(wanted) if exists else len(wanted)
        if n_signals > MAX_SIGNALS:
            detail = (
                f"profile '{profile}' would have {n_signals} signals; {MAX_SIGNALS} is the most a table takes"
            )
            raise self._failure(f"{detail}. Split the file by columns into several profiles")
        for statement in self._table_statements(table.name, wanted, exists=exists):
            self._connection.exec_driver_sql(statement)
        if self._is_postgres and not exists:
            isolate_reading_table(self._connection, table.name, self._organization_id)

    def _table_statements(self, name: str, columns: Sequence[str], *, exists: bool) -> list[str]:
        kinds = [("", "DOUBLE PRECISION"), ("__q", "INTEGER")]
        added = [f'"{column}{suffix}" {kind}' for column in columns for suffix, kind in kinds]
        if exists:
            return [f'ALTER TABLE "{name}" ADD COLUMN {column}' for column in added]
        instant = "timestamptz" if self._is_postgres else "BIGINT"
        kept = "PARTITION BY RANGE (ts)" if self._is_postgres else "WITHOUT ROWID"
        # No foreign key to `asset`: `append` checks the ids once per batch, the database would once per row.
        fixed = ["asset_id INTEGER NOT NULL", f"ts {instant} NOT NULL", "revision INTEGER NOT NULL"]
        flag = "simulated BOOLEAN NOT NULL"
        body = ", ".join([*fixed, flag, *added, "PRIMARY KEY (asset_id, ts)"])
        return [f'CREATE TABLE "{name}" ({body}) {kept}']


_COLUMNS = (
    select(
        reading_table.c.table_name,
        signal_column.c.signal,
        signal_column.c.column_name,
        signal_column.c.unit,
    )
    .outerjoin_from(
        reading_table,
        signal_column,
        (signal_column.c.organization_id == reading_table.c.organization_id)
        & (signal_column.c.profile == reading_table.c.profile),
    )
    .where(
        reading_table.c.organization_id == bindparam("mine"),
        reading_table.c.profile == bindparam("of_profile"),
    )
    .order_by(signal_column.c.position)
)


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", clean_text(name)).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:MAX_SLUG].strip("_")
    if not slug:
        return "signal"
    return f"s_{slug}"[:MAX_SLUG] if slug[0].isdigit() else slug


def _free_name(slug: str, taken: Collection[str]) -> str:
    number, name = 1, slug
    while name in taken:
        number += 1
        name = f"{slug}_{number}"
    return name
