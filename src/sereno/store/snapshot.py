"""All of a store as files, and back: what a backup keeps of the database.

SQLite is copied by its online backup, PostgreSQL by COPY of every table in one snapshot. Both see one
committed state, whoever writes meanwhile.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine import make_url

from sereno.domain.errors import StoreError, StoreUnreachable
from sereno.domain.failpoints import reach
from sereno.domain.timers import TimerKind
from sereno.store.engine import BUSY_TIMEOUT_MS, READ_ONLY, driver_error, parse_url, sqlite_path
from sereno.store.failures import FailureTranslator
from sereno.store.isolation import isolate_tables
from sereno.store.migrate import SCHEMA, VERSION_TABLE, lock_schema, run_migrations
from sereno.store.months import make_parts, months_held
from sereno.store.opening import migrate_store, opened_engine, stored_schema
from sereno.store.outbox import HELD, KEPT, LEASED, QUEUED
from sereno.store.schema import metadata
from sereno.store.schema import reading_table as reading_table_list
from sereno.store.views import make_views

if TYPE_CHECKING:
    from psycopg import Cursor

__all__ = [
    "DATABASE_FILE",
    "Snapshot",
    "check_unused",
    "fill_store",
    "is_empty",
    "prepare_file",
    "take_snapshot",
]

DATABASE_FILE = "sereno.db"
_KEEP = (
    (
        f"UPDATE notification SET status = '{KEPT}', lease_until = NULL, lease_owner = NULL "
        f"WHERE status IN ('{QUEUED}', '{HELD}', '{LEASED}')"
    ),
    f"UPDATE timer SET is_kept = true WHERE kind = '{TimerKind.ESCALATE.value}'",
)
"""Nothing that a copy still had to send leaves, and nobody is called, before somebody releases it."""
COPY_SUFFIX = ".copy"
COPY_BYTES = 1 << 20
NOT_KEPT = frozenset({VERSION_TABLE, "lease"})
"""What Alembic writes itself, and who worked on the store when it was copied."""

READING_TYPES = frozenset({"integer", "double precision", "boolean", "timestamp with time zone"})
PLAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
KEY = ("asset_id", "ts")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a copy of a store holds.

    Attributes:
        kind: `sqlite` or `postgresql`.
        schema: Number of its last migration.
        counts: Rows by table.
        readings: Columns and their types of each reading table; of PostgreSQL only.
        columns: Columns of every table in the order of its copy; of PostgreSQL only.
        sequences: The last id that was given, by table; of PostgreSQL only.
        months: First instants of the months that each reading table has parts for; of PostgreSQL only, and
            empty in copies of before there were parts.
    """

    kind: str
    schema: int
    counts: Mapping[str, int]
    readings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    columns: Mapping[str, list[str]] = field(default_factory=dict)
    sequences: Mapping[str, int] = field(default_factory=dict)
    months: Mapping[str, list[str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """For the manifest of an archive."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, object]) -> Self:
        """As `to_json` wrote it.

        Raises:
            TypeError, ValueError, KeyError: It is not.
        """
        known = [name for name in cls.__slots__ if name in said or name != "months"]
        found = cls(**{name: said[name] for name in known})  # type: ignore[arg-type]
        found._check()
        return found

    def _check(self) -> None:
        if self.kind not in ("sqlite", "postgresql") or not isinstance(self.schema, int):
            raise ValueError("kind or schema")
        if not all(isinstance(rows, int) for rows in self.counts.values()):
            raise ValueError("counts")
        for table, types in self.readings.items():
            is_plain = all(PLAIN_NAME.fullmatch(name) for name in (table, *types))
            if not is_plain or not table.startswith("reading_") or not set(types.values()) <= READING_TYPES:
                raise ValueError(table)
        known = {*metadata.tables, *self.readings} - NOT_KEPT
        if not set(self.columns) <= known or not set(self.sequences) <= known:
            raise ValueError("tables")
        if not set(self.months) <= set(self.readings):
            raise ValueError("months")
        for month in (one for months in self.months.values() for one in months):
            datetime.fromisoformat(month)
        if not all(PLAIN_NAME.fullmatch(name) for names in self.columns.values() for name in names):
            raise ValueError("columns")


def take_snapshot(url: str, folder: Path) -> Snapshot:
    """Copy a store into an empty folder while others go on writing.

    Raises:
        StoreUnreachable, DiskFull: See `open_store`.
        StoreError: There is no store, or what was copied is damaged.
    """
    schema = stored_schema(url)
    parsed = parse_url(url)
    if not schema:
        raise StoreError(store=parsed.render_as_string(hide_password=True), detail="there is nothing to copy")
    path = sqlite_path(parsed)
    if path is None:
        return _copy_tables(url, folder)
    with FailureTranslator(parsed).guard(sqlite3.Error):
        copy = folder / DATABASE_FILE
        _copy_file(path, copy)
        return Snapshot("sqlite", schema, _checked_counts(copy))


def _copy_file(path: Path, copy: Path) -> None:
    with closing(_read_only(path)) as live, closing(sqlite3.connect(copy)) as target:
        # In one step: a copy in several would begin again whenever somebody writes.
        live.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")


def _read_only(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    return connection


def _checked_counts(path: Path) -> dict[str, int]:
    """Rows of every table of a file.

    Raises:
        StoreError: SQLite finds the file damaged.
    """
    with closing(_read_only(path)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise StoreError(store=path.name, detail=f"integrity check: {found}")
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        tables = sorted(name for (name,) in names if name not in NOT_KEPT)
        return {name: connection.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in tables}


def prepare_file(path: Path, snapshot: Snapshot, *, keeps_pending: bool = False) -> None:
    """Make a copied file what this version opens: whole, as counted, migrated.

    Args:
        keeps_pending: Whether notifications that are still to be sent wait until somebody releases them.

    Raises:
        StoreError: It is damaged or not as the snapshot says.
    """
    with FailureTranslator(make_url(f"sqlite:///{path}")).guard(sqlite3.Error):
        _compare(_checked_counts(path), snapshot, path.name)
        if snapshot.schema < SCHEMA:
            migrate_store(f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
            if keeps_pending:
                for statement in _KEEP:
                    connection.execute(statement)
                connection.commit()


def check_unused(path: Path) -> None:
    """Fold the log of an embedded store into its file, which fails while anybody has it open.

    Raises:
        StoreUnreachable: Somebody has.
    """
    with FailureTranslator(make_url(f"sqlite:///{path}")).guard(sqlite3.Error):
        with closing(sqlite3.connect(path, timeout=1)) as connection:
            mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
        if mode != "delete":
            raise StoreUnreachable(store=path.name, detail="another process has it open")


def is_empty(url: str) -> bool:
    """Whether a store holds no asset; a store that does not exist does not."""
    if not stored_schema(url):
        return True
    with opened_engine(url) as (engine, _), engine.connect() as connection:
        return connection.execute(text("SELECT 1 FROM asset LIMIT 1")).first() is None


def fill_store(url: str, folder: Path, snapshot: Snapshot, *, keeps_pending: bool = False) -> None:
    """Replace everything in a PostgreSQL store by a snapshot, in one transaction, and migrate it.

    Args:
        keeps_pending: Whether notifications that are still to be sent wait until somebody releases them.

    Raises:
        StoreError: The copy does not fit; the store is as it was.
    """
    with _driven(url) as engine, engine.begin() as connection:
        lock_schema(connection)
        _drop_tables(connection)
        run_migrations(connection, f"{snapshot.schema:04d}")
        _make_reading_tables(connection, snapshot)
        counts = {
            name: _copy_in(connection, name, columns, folder / f"{name}{COPY_SUFFIX}")
            for name, columns in _in_order(snapshot.columns)
        }
        _compare(counts, snapshot, "store")
        for table, last in snapshot.sequences.items():
            _set_sequence(connection, table, last)
        if snapshot.schema < SCHEMA:
            run_migrations(connection)
        if keeps_pending:
            for statement in _KEEP:
                connection.exec_driver_sql(statement)
        # Not before: COPY cannot fill a table that has a policy.
        isolate_tables(connection)
        make_views(connection)
        reach("restore.filled")


@contextmanager
def _driven(url: str) -> Iterator[Engine]:
    """The engine of an address, for work through its driver."""
    with opened_engine(url) as (engine, failures), failures.guard(driver_error(engine)):
        yield engine


def _compare(counts: Mapping[str, int], snapshot: Snapshot, store: str) -> None:
    for name in sorted({*counts, *snapshot.counts}):
        found, wanted = counts.get(name), snapshot.counts.get(name)
        if found != wanted:
            detail = f"table {name} has {found} rows, the manifest says {wanted}"
            raise StoreError(store=store, detail=detail)


def _copy_tables(url: str, folder: Path) -> Snapshot:
    with _driven(url) as engine, engine.connect().execution_options(**{READ_ONLY: True}) as connection:
        readings = _reading_columns(connection)
        columns = _kept_columns(connection, readings)
        counts = {
            name: _copy_out(connection, name, names, folder / f"{name}{COPY_SUFFIX}")
            for name, names in columns.items()
        }
        version = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar_one()
        sequences = {name: last for name in columns if (last := _sequence(connection, name)) is not None}
        months = {name: [one.isoformat() for one in months_held(connection, name)] for name in readings}
        return Snapshot("postgresql", int(version), counts, readings, columns, sequences, months)


def _reading_columns(connection: Connection) -> dict[str, dict[str, str]]:
    names = connection.execute(reading_table_list.select().with_only_columns(reading_table_list.c.table_name))
    query = text(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = :name ORDER BY ordinal_position"
    )
    return {name: dict(connection.execute(query, {"name": name}).all()) for name in sorted(names.scalars())}


def _kept_columns(connection: Connection, readings: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    there = inspect(connection)
    known = set(there.get_table_names())
    ours = [table.name for table in metadata.sorted_tables if table.name in known - NOT_KEPT]
    own = {name: [column["name"] for column in there.get_columns(name)] for name in ours}
    return own | {name: list(types) for name, types in readings.items()}


def _in_order(columns: Mapping[str, list[str]]) -> Iterable[tuple[str, list[str]]]:
    """Tables so that a row finds what it refers to."""
    ours = [table.name for table in metadata.sorted_tables if table.name in columns]
    for name in [*ours, *(one for one in columns if one not in ours)]:
        yield name, columns[name]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _copy_out(connection: Connection, name: str, columns: list[str], path: Path) -> int:
    """Rows of a table in PostgreSQL's text form, in which every line is a row."""
    n_rows = 0
    cursor = cast("Cursor", connection.connection.cursor())
    with (
        path.open("wb") as file,
        cursor,
        cursor.copy(f'COPY (SELECT {_quoted(columns)} FROM "{name}") TO STDOUT') as copy,
    ):
        for block in copy:
            n_rows += bytes(block).count(b"\n")
            file.write(block)
    return n_rows


def _copy_in(connection: Connection, name: str, columns: list[str], path: Path) -> int:
    cursor = cast("Cursor", connection.connection.cursor())
    with path.open("rb") as file, cursor:
        with cursor.copy(f'COPY "{name}" ({_quoted(columns)}) FROM STDIN') as copy:
            while block := file.read(COPY_BYTES):
                copy.write(block)
        return cursor.rowcount


def _sequence(connection: Connection, table: str) -> int | None:
    if "id" not in metadata.tables.get(table, reading_table_list).c:
        return None
    name = connection.exec_driver_sql(f"SELECT pg_get_serial_sequence('\"{table}\"', 'id')").scalar()
    if name is None:
        return None
    last, is_called = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {name}").one()
    return int(last) if is_called else 0


def _set_sequence(connection: Connection, table: str, last: int) -> None:
    query = text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last, :is_called)")
    connection.execute(query, {"table": f'"{table}"', "last": max(last, 1), "is_called": last > 0})


def _drop_tables(connection: Connection) -> None:
    """Take everything of ours away, with the functions of its triggers."""
    there = set(inspect(connection).get_table_names())
    readings = _reading_columns(connection) if reading_table_list.name in there else {}
    ours = sorted(there & {*metadata.tables, *readings, VERSION_TABLE})
    if not ours:
        return
    query = text(
        "SELECT DISTINCT tgfoid::regprocedure::text FROM pg_trigger "
        "WHERE NOT tgisinternal AND tgrelid = ANY (CAST(:tables AS regclass[]))"
    )
    functions = connection.execute(query, {"tables": [f'"{name}"' for name in ours]}).scalars().all()
    connection.exec_driver_sql(f"DROP TABLE {_quoted(ours)} CASCADE")
    for function in functions:
        connection.exec_driver_sql(f"DROP FUNCTION {function}")


def _make_reading_tables(connection: Connection, snapshot: Snapshot) -> None:
    for name, types in snapshot.readings.items():
        body = [f'"{c}" {kind}{" NOT NULL" if i < 4 else ""}' for i, (c, kind) in enumerate(types.items())]
        statement = f'CREATE TABLE "{name}" ({", ".join(body)}, PRIMARY KEY ({", ".join(KEY)}))'
        if name not in snapshot.months:  # of before there were parts: a migration makes them
            connection.exec_driver_sql(statement)
            continue
        connection.exec_driver_sql(f"{statement} PARTITION BY RANGE (ts)")
        make_parts(connection, name, None, [datetime.fromisoformat(one) for one in snapshot.months[name]])
