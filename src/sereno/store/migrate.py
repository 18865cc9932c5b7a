"""Schema versions: look first, touch only what is ours."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine import URL

from sereno.domain.errors import StoreNewer, StoreOlder
from sereno.domain.failpoints import reach
from sereno.store.engine import READ_ONLY, sqlite_path
from sereno.store.isolation import isolate_tables
from sereno.store.views import drop_views, make_views

__all__ = [
    "SCHEMA",
    "VERSION_TABLE",
    "Told",
    "check_before_opening",
    "create_or_check",
    "lock_schema",
    "migrate",
    "migrations_after",
    "run_migrations",
    "schema_of",
    "unheard",
]

SCHEMA = 19
"""Number of the last migration in `migrations/versions`."""

SCRIPTS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"
VERSION_QUERY = f"SELECT version_num FROM {VERSION_TABLE}"
MIGRATION_LOCK = 0x5E7E_10
"""Key of the PostgreSQL advisory lock under which schemas change."""


Told = Callable[[str], object]


def unheard(revision: str) -> None:
    """Nobody wants to know how far a migration is."""


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


def create_or_check(engine: Engine) -> None:
    """Create the schema where there is none; a schema that is older is left to `sereno upgrade`.

    Raises:
        StoreNewer: Its schema is not one that this version knows.
        StoreOlder: It has to be migrated first.
    """
    # Reading only: opening a store must not wait for a long writer.
    with engine.connect().execution_options(**{READ_ONLY: True}) as connection:
        if _known_version(connection, engine.url) == SCHEMA:
            return
    with engine.begin() as connection:
        lock_schema(connection)
        # Another process may have finished while this one waited for the lock.
        found = _known_version(connection, engine.url)
        if 0 < found < SCHEMA:
            raise StoreOlder(
                store=engine.url.render_as_string(hide_password=True),
                found=f"{found:04d}",
                known=f"{SCHEMA:04d}",
            )
        if found < SCHEMA:
            run_migrations(connection)
            isolate_tables(connection)


def migrate(engine: Engine, told: Told = unheard) -> None:
    """Bring an older schema to `SCHEMA` in one transaction: all of it, or nothing when anything fails.

    Args:
        told: Hears the revision of each migration that is done.
    """
    with engine.begin() as connection:
        lock_schema(connection)
        if 0 < _known_version(connection, engine.url) < SCHEMA:
            run_migrations(connection, told=told)
            isolate_tables(connection)
            reach("migrate.before_commit")
    reach("migrate.after_commit")


def schema_of(engine: Engine) -> int:
    """Number of the schema that a store has; 0 for none.

    Raises:
        StoreNewer: It is not one that this version knows.
    """
    with engine.connect().execution_options(**{READ_ONLY: True}) as connection:
        return _known_version(connection, engine.url)


def migrations_after(number: int) -> list[tuple[str, str]]:
    """Revision and first line of each migration after the one of this number, in their order."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(SCRIPTS))
    found = [(one.revision, one.doc) for one in scripts.walk_revisions()]
    return [one for one in reversed(found) if int(one[0]) > number]


def lock_schema(connection: Connection) -> None:
    """Let nobody else change the schema until this transaction ends (SQLite has one writer)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})


def run_migrations(connection: Connection, revision: str = "head", *, told: Told = unheard) -> None:
    """Run the migrations up to a revision in the transaction of a connection; the last one has its views.

    Args:
        told: Hears the revision of each migration that is done.
    """
    # Costs 0.2 s to import, and most stores are up to date.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes |= {"connection": connection, "told": told}
    if connection.dialect.name == "sqlite":
        # SQLite checks views while it changes the tables below them.
        drop_views(connection)
    command.upgrade(config, revision)
    if revision == "head":
        make_views(connection)


def _known_version(connection: Connection, url: URL) -> int:
    return _refuse_newer(_version(connection), url)


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
