"""Schema versions: look first, touch only what is ours."""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine import URL

from sereno.domain.errors import StoreNewer
from sereno.store.engine import READ_ONLY, sqlite_path

__all__ = ["SCHEMA", "check_before_opening", "upgrade"]

SCHEMA = 5
"""Number of the last migration in `migrations/versions`."""

VERSION_TABLE = "alembic_version"
VERSION_QUERY = f"SELECT version_num FROM {VERSION_TABLE}"
MIGRATION_LOCK = 0x5E7E_10
"""Key of the PostgreSQL advisory lock under which schemas change."""


def check_before_opening(url: URL) -> None:
    """Refuse a newer SQLite file before a connection of ours could write to it.

    Raises:
        StoreNewer: Its schema is not one that this version knows.
    """
    path = sqlite_path(url)
    if path is None or not path.exists() or not path.stat().st_size:
        return
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        exists = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone()
        row = connection.execute(VERSION_QUERY).fetchone() if exists else None
    finally:
        connection.close()
    _refuse_newer(None if row is None else str(row[0]), url)


def upgrade(engine: Engine) -> None:
    """Bring the schema to `SCHEMA` in one transaction; nothing happens when it is there already."""
    # Reading only: opening a store must not wait for a long writer.
    with engine.connect().execution_options(**{READ_ONLY: True}) as connection:
        if _refuse_newer(_version(connection), engine.url) == SCHEMA:
            return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        # Another process may have finished while this one waited for the lock.
        if _refuse_newer(_version(connection), engine.url) < SCHEMA:
            _run_migrations(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.exec_driver_sql(VERSION_QUERY).scalar()
    return None if found is None else str(found)


def _refuse_newer(found: str | None, url: URL) -> int:
    number = int(found) if found and found.isdecimal() else 0
    if found is not None and not 0 < number <= SCHEMA:
        raise StoreNewer(store=url.render_as_string(hide_password=True), found=found, known=f"{SCHEMA:04d}")
    return number


def _run_migrations(connection: Connection) -> None:
    # Costs 0.2 s to import, and most stores are up to date.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
