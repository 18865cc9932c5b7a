"""Whether the file of an embedded store is whole."""

import sqlite3
from contextlib import closing

from sereno.store.engine import parse_url, sqlite_path
from sereno.store.failures import FailureTranslator

__all__ = ["MAX_CHECKED_BYTES", "damage_of"]

MAX_CHECKED_BYTES = 2 * 2**30
"""A larger file is not read as a whole just to look at it [bytes]; a backup does."""


def damage_of(url: str) -> str | None:
    """What SQLite finds wrong with a store; empty where it is whole, None where it was not read.

    A server looks after its own, and a file beyond `MAX_CHECKED_BYTES` takes minutes.

    Raises:
        StoreError: It cannot be read.
    """
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is None or path.stat().st_size > MAX_CHECKED_BYTES:
        return None
    with (
        FailureTranslator(parsed).guard(sqlite3.Error),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    return "" if found == "ok" else found
