"""A store: opened by its address, worked with one transaction at a time."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Self
from weakref import finalize

from sqlalchemy import Connection, Engine, func, inspect, select
from sqlalchemy.dialects import postgresql, sqlite

from sereno.domain.access import DEFAULT_ORGANIZATION
from sereno.domain.accounts import ApiKey
from sereno.domain.audit import current_act
from sereno.domain.errors import StoreError
from sereno.domain.failpoints import reach
from sereno.store.accounts import key_of_row
from sereno.store.column_types import clean_text
from sereno.store.engine import (
    ALL,
    ORGANIZATION,
    READ_ONLY,
    driver_error,
    make_engine,
    parse_url,
    sqlite_path,
)
from sereno.store.failures import FailureTranslator
from sereno.store.hand import Hand
from sereno.store.migrate import (
    Told,
    check_before_opening,
    create_or_check,
    migrate,
    schema_of,
    unheard,
)
from sereno.store.schema import api_key as api_key_table
from sereno.store.schema import lease as lease_table
from sereno.store.schema import organization as organization_table
from sereno.store.transaction import Transaction

__all__ = [
    "BeforeCommit",
    "Store",
    "lease_holders",
    "migrate_store",
    "open_store",
    "opened_engine",
    "stored_schema",
]

BeforeCommit = Callable[[Transaction], None]


class Store:
    """The database of a workspace, as one organization sees it; safe to share between threads.

    One that nobody closes is closed with its last reference.

    Attributes:
        url: Its address, without the password.
        is_shared: Several engines may work on it, each with leases.
    """

    def __init__(
        self,
        engine: Engine,
        failures: FailureTranslator,
        organization_id: int,
        before_commit: BeforeCommit | None = None,
    ) -> None:
        self.url = engine.url.render_as_string(hide_password=True)
        self.is_shared = engine.dialect.name == "postgresql"
        self._engine = engine.execution_options(**{ORGANIZATION: organization_id})
        self._failures = failures
        self._driver_error = driver_error(engine)
        self._organization_id = organization_id
        self._before_commit = before_commit
        self._turns = count(1)
        self._hand = Hand()
        self._close = finalize(self, self._engine.dispose)

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """One transaction: durable when the context ends, undone when an exception leaves it.

        Raises:
            StoreUnreachable: The database does not answer, or somebody else keeps it locked.
            DiskFull: There is no space; nothing is half-written.
            StoreError: The database refuses what was asked.
        """
        try:
            with self._failures.guard(self._driver_error), self._opened().begin() as connection:
                tx = self._transaction(connection)
                tx.turn, tx.hand = next(self._turns), self._hand
                yield tx
                self._complete(tx)
        except BaseException:
            next(self._turns)  # none follows one that was undone
            raise
        reach("store.after_commit")

    def _complete(self, tx: Transaction) -> None:
        """Write what belongs to the end of a transaction."""
        tx.flush()
        if tx.recorded and self._before_commit is not None:
            self._before_commit(tx)
        act = current_act()
        if act is not None:
            tx.note_act(act)
        tx.write_changes()
        reach("store.before_commit")

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A snapshot: what others commit meanwhile is not seen, and nothing can be written.

        Raises:
            StoreUnreachable: The database does not answer.
            StoreError: Something was written.
        """
        with self._failures.guard(self._driver_error), self._opened().connect() as connection:
            tx = self._transaction(connection.execution_options(**{READ_ONLY: True}))
            yield tx
            tx.flush()

    def find_key(self, prefix: str) -> tuple[str, ApiKey] | None:
        """A key of any organization with the organization's name: before it is known who asks.

        Raises:
            StoreUnreachable: The database does not answer.
        """
        options = {READ_ONLY: True, ORGANIZATION: ALL}
        joined = api_key_table.join(organization_table)
        query = select(organization_table.c.name.label("organization"), api_key_table).select_from(joined)
        with (
            self._failures.guard(self._driver_error),
            self._opened().execution_options(**options).connect() as connection,
        ):
            found = connection.execute(query.where(api_key_table.c.prefix == prefix)).mappings().one_or_none()
        return None if found is None else (found["organization"], key_of_row(dict(found)))

    def close(self) -> None:
        """Give back every connection; the store refuses all that comes afterwards."""
        self._close()

    def _opened(self) -> Engine:
        """The engine; one that has given back its connections would open new ones that nobody closes."""
        if not self._close.alive:
            raise StoreError(store=self.url, detail="it has been closed")
        return self._engine

    def _transaction(self, connection: Connection) -> Transaction:
        return Transaction(connection, self._organization_id, self.url)


def open_store(
    url: str, *, organization: str = DEFAULT_ORGANIZATION, before_commit: BeforeCommit | None = None
) -> Store:
    """The store at an address, created where there is none.

    Args:
        url: `sqlite:///absolute/path`, `postgresql://…` or `postgres://…`.
        organization: Whose data is seen and written; created when it is new.
        before_commit: Called at the end of every transaction that has recorded events of incidents, in it.

    Raises:
        StoreNewer: A newer version wrote it; it was not touched.
        StoreOlder: An older version wrote it, and nobody has migrated it; it was not touched.
        StoreUnreachable: It cannot be opened.
        DiskFull: There is no space to create it.
        StoreError: It is not a store, or the address is none.
    """
    with opened_engine(url, keep=True) as (engine, failures):
        create_or_check(engine)
        return Store(engine, failures, _organization_id(engine, organization), before_commit)


def stored_schema(url: str) -> int:
    """Number of the schema of the store at an address; 0 where there is none. Nothing is created.

    Raises:
        StoreNewer: A newer version wrote it.
        StoreUnreachable, StoreError: It cannot be opened.
    """
    path = sqlite_path(parse_url(url))
    if path is not None and not (path.exists() and path.stat().st_size):
        return 0
    with opened_engine(url) as (engine, _):
        return schema_of(engine)


def lease_holders(url: str, prefix: str) -> list[str]:
    """Owners of the live leases whose name begins so, in a server's store of any schema."""
    with opened_engine(url) as (engine, _), engine.connect() as connection:
        if not inspect(connection).has_table(lease_table.name):
            return []
        table = lease_table.c
        query = select(table.owner).where(table.until > func.clock_timestamp())
        return list(connection.execute(query.where(table.name.startswith(prefix))).scalars())


def migrate_store(url: str, told: Told = unheard) -> None:
    """Bring a store that an older version wrote up to date: in one transaction, all of it or nothing.

    Args:
        told: Hears the revision of each migration that is done; what follows may still undo them all.

    Raises:
        StoreError: A migration failed; the store is as it was.
    """
    with opened_engine(url) as (engine, _):
        migrate(engine, told)


@contextmanager
def opened_engine(url: str, *, keep: bool = False) -> Iterator[tuple[Engine, FailureTranslator]]:
    """The engine of an address, for all organizations, checked before anything could be written.

    With it comes its translator of failures.

    Args:
        keep: Leave it open when nothing fails: somebody else closes it.
    """
    parsed = parse_url(url)
    failures = FailureTranslator(parsed)
    with failures.guard(sqlite3.Error, OSError, ModuleNotFoundError):
        check_before_opening(parsed)
        path = sqlite_path(parsed)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        engine = make_engine(parsed, failures)
        try:
            yield engine.execution_options(**{ORGANIZATION: ALL}), failures
        except BaseException:
            engine.dispose()
            raise
        if not keep:
            engine.dispose()


def _organization_id(engine: Engine, name: str) -> int:
    query = select(organization_table.c.id).where(organization_table.c.name == clean_text(name))
    with engine.connect().execution_options(**{READ_ONLY: True}) as connection:
        known = connection.execute(query).scalar()
    if known is not None:
        return int(known)
    with engine.begin() as connection:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(organization_table).on_conflict_do_nothing(), {"name": name})
        return int(connection.execute(query).scalar_one())
