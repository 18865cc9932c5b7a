"""What was deleted leaves the files of the database, too, as far as its owner can see to it."""

import sqlite3
from contextlib import closing

from sereno.store.engine import BUSY_TIMEOUT_MS, parse_url, sqlite_path
from sereno.store.failures import FailureTranslator
from sereno.store.opening import opened_engine

__all__ = ["scrub"]


def scrub(url: str) -> None:
    """Write a store anew without the space of what was deleted.

    An embedded store is rewritten whole and its log emptied, for which it needs its own size of free space. A
    server's is vacuumed: the space is free to be written over; archived logs and replicas are its owner's.

    Raises:
        StoreUnreachable: Somebody keeps it locked, or reads an older state.
        DiskFull: There is no space for it; the store is as it was.
    """
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is None:
        with opened_engine(url) as (engine, _), engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            alone.exec_driver_sql("VACUUM")
        return
    failures = FailureTranslator(parsed)
    with failures.guard(sqlite3.Error), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("VACUUM")
        is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if is_busy:
            raise sqlite3.OperationalError("database is locked: its log still holds older states")
