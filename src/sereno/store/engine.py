"""Connections: how each database is opened, and how its transactions begin."""

import sqlite3
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from sereno.domain.errors import StoreError
from sereno.store.column_types import dump_json
from sereno.store.failures import FailureTranslator
from sereno.store.isolation import ALL_SETTING, ORGANIZATION_SETTING

if TYPE_CHECKING:
    from psycopg import Connection as PostgresConnection

__all__ = ["ALL", "ORGANIZATION", "READ_ONLY", "driver_error", "make_engine", "parse_url", "sqlite_path"]

BUSY_TIMEOUT_MS = 30_000
WAL_RETRY_S = 0.01
SQLITE_CACHE_KIB = 32_768
CHECKPOINT_PAGES = 4_000
"""Pages of 4 KiB in the log after which it goes into the store: what changes often goes there once."""
MAX_IDLE_MS = 300_000
KEEPALIVE_S = 30
READ_ONLY = "sereno_read_only"
"""Execution option of a connection that must not write."""

ORGANIZATION = "sereno_organization"
"""Execution option: id of the organization whose rows are seen, or `ALL`; without it none are."""

ALL = "all"

POSTGRES_SCHEMES = ("postgres", "postgresql", "postgresql+psycopg")


def parse_url(url: str) -> URL:
    """The address of a store, with the driver that we use.

    Args:
        url: `sqlite:///absolute/path`, `postgresql://…` or `postgres://…`.

    Raises:
        StoreError: It is neither.
    """
    scheme = url.partition("://")[0]
    if scheme not in ("sqlite", *POSTGRES_SCHEMES):
        detail = (
            "only sqlite:/// and postgresql:// addresses are known; correct it under `store` in sereno.yaml"
        )
        raise StoreError(store=f"{scheme[:20]}://…", detail=detail)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            store=f"{scheme}://…", detail="the address cannot be read; write its parts again"
        ) from error
    return parsed.set(drivername="sqlite" if scheme == "sqlite" else "postgresql+psycopg")


def sqlite_path(url: URL) -> Path | None:
    """The file of an embedded store; None for a server or a store in memory."""
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(url.database or "") if is_file else None


def make_engine(url: URL, failures: FailureTranslator) -> Engine:
    """An engine whose transactions are durable and whose errors are ours."""
    if url.get_backend_name() == "sqlite":
        # Who writes gets the connection again with which it wrote last (`Session.look`).
        pool = {} if sqlite_path(url) is None else {"pool_use_lifo": True}
        engine = create_engine(url, json_serializer=dump_json, **pool)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(url, json_serializer=dump_json, pool_pre_ping=True)
        event.listen(engine, "connect", _prepare_postgres)
        event.listen(engine, "begin", _begin_postgres)
    event.listen(engine, "handle_error", failures.replace)
    return engine


def driver_error(engine: Engine) -> type[Exception]:
    """The root of the errors of the engine's driver."""
    root: type[Exception] = engine.dialect.loaded_dbapi.Error
    return root


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # Transactions begin where we say: the driver would begin them late and never around DDL.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}")
    cursor.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    cursor.close()


def _use_wal(cursor: sqlite3.Cursor) -> None:
    # SQLite does not wait where two change the mode of a new database at once: one of them is told "locked".
    deadline = monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                raise
            sleep(WAL_RETRY_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    is_read_only = connection.get_execution_options().get(READ_ONLY, False)
    if connection.info.get(READ_ONLY, False) != is_read_only:
        connection.exec_driver_sql(f"PRAGMA query_only={int(is_read_only)}")
        connection.info[READ_ONLY] = is_read_only
    connection.exec_driver_sql("BEGIN" if is_read_only else "BEGIN IMMEDIATE")


def _begin_postgres(connection: Connection) -> None:
    options = connection.get_execution_options()
    # A writer that is stopped in the middle must not hold what others wait for.
    begin = (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
        if options.get(READ_ONLY, False)
        else f"SET LOCAL idle_in_transaction_session_timeout = {MAX_IDLE_MS}"
    )
    # One round trip for both.
    connection.exec_driver_sql(f"{begin}; {_scope(options.get(ORGANIZATION))}")


def _scope(organization: int | str | None) -> str:
    """The statement by which row-level security knows whose rows a transaction may see."""
    if organization == ALL:
        return f"SET LOCAL {ALL_SETTING} = 'on'"
    return f"SET LOCAL {ORGANIZATION_SETTING} = '{int(organization or 0)}'"


def _prepare_postgres(connection: "PostgresConnection", _: ConnectionPoolEntry) -> None:
    # A server finds out in about a minute that the machine of a writer is gone; by default in two hours.
    connection.autocommit = True
    connection.execute(f"SET tcp_keepalives_idle = {KEEPALIVE_S}")
    connection.execute(f"SET tcp_keepalives_interval = {KEEPALIVE_S // 2}")
    connection.execute("SET tcp_keepalives_count = 2")
    connection.autocommit = False
