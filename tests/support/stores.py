"""What a store holds, written the same way whatever its database and however it came about."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, create_engine, make_url, select

__all__ = ["Row", "count", "differences", "dump", "sqlite_address"]

Row = tuple[object, ...]
Dump = dict[str, list[Row]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SKIPPED = {
    *("alembic_version", "organization", "asset", "site", "signal_column", "reading_table", "lease"),
    *("audit_entry", "brought", "succession", "registry_entry"),  # who did what and when, not what came of it
    *("change", "job"),  # what was told and asked for on the way, not where it led
    *("rollup", "rollup_state"),  # what an engine reckons of readings when a day has passed, beside all else
}
_CLOCK = {
    *("at", "due_at", "opened_at", "trained_at"),
    *("created_at", "next_at", "expires_at", "sent_at", "accepted_at", "tested_at", "looked_at"),
}
"""When sereno recorded something: the machine's clock, not the data's."""
_RECENT = "judge.recent"
"""States of the last batches: they tell in which batches rows came."""
_INCIDENTAL = {"organization_id", "n_events"}
_NUMBERED = {"detection", "metric", "notification"}
"""Tables whose `id` counts insertions."""


def sqlite_address(workspace: Path) -> str:
    """The embedded store of a workspace."""
    return f"sqlite:///{workspace / 'sereno.db'}"


def dump(url: str, *, with_history: bool = True) -> Dump:
    """Every table, sorted; assets by name, times as text, nothing of clocks and counters.

    Args:
        with_history: With the log of incidents and the withdrawn ones: they tell in what order readings came.
    """
    with _connection(url) as (connection, tables):
        assets = _asset_names(connection, tables)
        found = {
            name: sorted((_row(row, name, assets) for row in _rows(connection, table)), key=repr)
            for name, table in tables.items()
            if name not in _SKIPPED
        }
        found["watch_checkpoint"] = [
            row for row in found["watch_checkpoint"] if ("detector", _RECENT) not in row
        ]
        found["asset"] = sorted(((*name,) for name in assets.values()), key=repr)
    if not with_history:
        found.pop("incident_event")
        found.pop("watch_checkpoint")
        found["incident"] = [row for row in found["incident"] if ("is_withdrawn", False) in row]
    return found


def count(url: str, table: str) -> int:
    """Rows of a table."""
    with _connection(url) as (connection, tables):
        return len(_rows(connection, tables[table]))


def differences(found: Dump, wanted: Dump) -> dict[str, tuple[list[Row], list[Row]]]:
    """By table, what is there and should not be, and what should be and is not; the first three of each."""
    apart = {}
    for name in sorted({*found, *wanted}):
        here, there = found.get(name, []), wanted.get(name, [])
        if here != there:
            extra = [row for row in here if row not in there] or [("rows", len(here))]
            lost = [row for row in there if row not in here] or [("rows", len(there))]
            apart[name] = (extra[:3], lost[:3])
    return apart


@contextmanager
def _connection(url: str) -> Iterator[tuple[Connection, dict[str, Table]]]:
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed)
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")  # one snapshot, also while somebody writes
            else:
                connection.execution_options(isolation_level="REPEATABLE READ")
            parts = _parts(connection)
            known = MetaData()
            known.reflect(connection, only=lambda name, _: name not in parts)
            yield connection, dict(known.tables)
    finally:
        engine.dispose()


def _parts(connection: Connection) -> set[str]:
    """Tables that are parts of others, which show their rows."""
    if connection.dialect.name == "sqlite":
        return set()
    return set(connection.exec_driver_sql("SELECT relname FROM pg_class WHERE relispartition").scalars())


def _rows(connection: Connection, table: Table) -> list[Mapping[str, object]]:
    return list(connection.execute(select(table)).mappings())


def _asset_names(connection: Connection, tables: Mapping[str, Table]) -> dict[int, Row]:
    sites = {row["id"]: (row["name"], row["zone"]) for row in _rows(connection, tables["site"])}
    return {
        row["id"]: (
            *sites[row["site_id"]],
            row["name"],
            row["profile"],
            row["step_us"],
            bool(row["is_simulated"]),
        )  # type: ignore[misc,index]
        for row in _rows(connection, tables["asset"])
    }


def _row(row: Mapping[str, object], table: str, assets: Mapping[int, Row]) -> Row:
    left_out = _CLOCK | _INCIDENTAL | ({"id"} if table in _NUMBERED else set())
    kept = {name: _plain(name, value) for name, value in row.items() if name not in left_out}
    if "asset_id" in kept:
        kept["asset_id"] = assets[kept["asset_id"]][:4]  # type: ignore[index]
    if table == "model":
        card = json.loads(str(kept["card"]))
        kept["path"] = str(kept["path"]).replace(card["digest"], "")
        kept["card"] = json.dumps({**card, "trained_at": None, "digest": None}, sort_keys=True)
    if table == "file_ledger":
        report = json.loads(str(kept["report"]))
        kept["report"] = json.dumps({**report, "file": Path(report["file"]).name}, sort_keys=True)
    return tuple(sorted(kept.items()))


def _plain(name: str, value: object) -> object:
    """Instants as ISO text whether the database keeps a number or a time; flags as booleans."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, int) and name.endswith(("ts", "_at", "event_time", "_until")):
        return (_EPOCH + timedelta(microseconds=value)).isoformat()
    if isinstance(value, int) and name in {"simulated", "is_withdrawn", "is_simulated", "is_active"}:
        return bool(value)
    if isinstance(value, bytes | memoryview):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, str) and value.startswith(("{", "[")):
        with suppress(ValueError):
            value = json.loads(value)
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value
