"""Stores as earlier versions left them: their schema by Alembic, the rows of a store of today."""

from sqlalchemy import Connection, Engine, MetaData, create_engine, make_url, select, text

from sereno.store.migrate import run_migrations
from sereno.store.months import divide

__all__ = ["write_older_store"]

ROWS_AT_ONCE = 1000
FIRST_WITH_PARTS = 18
"""From this revision on, readings of PostgreSQL lie in parts by month."""


def write_older_store(source: str, target: str, revision: int) -> None:
    """Make an empty database a store of an earlier revision that holds what one of today holds.

    Columns and tables that the revision does not know are left out.
    """
    ours, theirs = _engine(source), _engine(target)
    try:
        with ours.connect() as reading, theirs.begin() as writing:
            run_migrations(writing, f"{revision:04d}")
            _copy(reading, writing)
            if revision >= FIRST_WITH_PARTS and writing.dialect.name == "postgresql":
                _divide(writing)
    finally:
        ours.dispose()
        theirs.dispose()


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    return create_engine(
        parsed if parsed.drivername == "sqlite" else parsed.set(drivername="postgresql+psycopg")
    )


def _copy(reading: Connection, writing: Connection) -> None:
    now, then = MetaData(), MetaData()
    readings = set(reading.execute(text("SELECT table_name FROM reading_table")).scalars())
    now.reflect(
        reading, only=lambda name, _: not name.startswith("reading_") or name in readings | {"reading_table"}
    )
    then.reflect(writing)
    for table in now.sorted_tables:
        if table.name in readings and table.name not in then.tables:
            table.to_metadata(then).create(writing)
    for table in then.sorted_tables:
        if table.name == "alembic_version":
            continue
        known = [now.tables[table.name].c[column.name] for column in table.columns]
        found = reading.execute(select(*known))
        while rows := found.mappings().fetchmany(ROWS_AT_ONCE):
            writing.execute(table.insert(), [dict(row) for row in rows])
        if writing.dialect.name == "postgresql" and "id" in table.c:
            _go_on_counting(writing, table.name)


def _divide(writing: Connection) -> None:
    """Let the reading tables lie in parts, as those of the revision do."""
    tables = text("SELECT table_name, organization_id FROM reading_table")
    for name, organization_id in writing.execute(tables).all():
        divide(writing, name, organization_id)


def _go_on_counting(writing: Connection, table: str) -> None:
    sequence = writing.execute(text(f"SELECT pg_get_serial_sequence('{table}', 'id')")).scalar()
    if sequence is not None:
        writing.execute(text(f"SELECT setval('{sequence}', (SELECT COALESCE(MAX(id), 0) + 1 FROM {table}))"))
