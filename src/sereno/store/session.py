"""What every topic of a transaction stands on: the connection and whose data it sees."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from sereno.domain.changes import ChangeKind
from sereno.domain.errors import NotFound, StoreError
from sereno.domain.incidents import Incident
from sereno.domain.signals import AssetKey
from sereno.store import schema
from sereno.store.hand import Hand, Look
from sereno.store.records import Recorded
from sereno.store.together import among, listed, unindexed

__all__ = ["AuditedChange", "FIRST_ORGANIZATION", "Session", "Upsert", "upsert_of"]

MAX_IDS_IN_QUERY = 500
FIRST_ORGANIZATION = 1
"""The one whose names need nothing to set them apart."""

_STANDS_FOR = "sereno.look"
Upsert = postgresql.Insert | sqlite.Insert


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """Something that a transaction has changed, for the log of what was done.

    Attributes:
        before, after: None where it was not there.
    """

    subject: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


class Session:
    """One database transaction of one organization.

    Args:
        connection: In a transaction that somebody else ends.
        organization_id: Whose rows are seen and written; nobody else's ever are.
        store: Address of the store without its password, for errors.

    Attributes:
        turn: Counts the transactions that a store begins to write in; another one after each that is undone.
        hand: What the store's writers know of each other; none where nobody can say what others write.
        recorded: The events of incidents that this transaction has recorded so far.
        audited: What else it has changed that the log of what was done tells one by one.
        noted: What else it has changed so far, by kind and subject, with its facts.
    """

    def __init__(self, connection: Connection, organization_id: int, store: str) -> None:
        self._raw_connection = connection
        self.turn: int | None = None
        self.hand: Hand | None = None
        self._hand: Hand | None = None
        """The same, once this transaction uses it."""
        self._look: Look | None = None
        """As it was told already: nobody else commits while this one writes."""
        self._is_holding = False
        """Whether something is still to be written that others of its kind may join."""
        self._incidents: dict[str, Incident] = {}
        """Those that nobody else can change until this transaction ends, as they are now."""
        self._organization_id = organization_id
        self._store = store
        self._own_assets: set[int] = set()
        self._origins: dict[int, bool] = {}
        """Whether only a simulator has written an asset, of those that were looked up."""
        self._asset_keys: dict[int, AssetKey] = {}
        self.recorded: list[Recorded] = []
        self.noted: dict[tuple[ChangeKind, str], dict[str, object]] = {}
        self.audited: list[AuditedChange] = []

    @property
    def _connection(self) -> Connection:
        """Where statements go; none overtakes what was held back."""
        if self._is_holding:
            self.flush()
        return self._raw_connection

    def flush(self) -> None:
        """Write what was held back to be written together."""
        self._is_holding = False

    def look(self) -> Look | None:
        """What tells a later transaction whether anybody has written in between; None where nothing does."""
        if self.turn is None or self._is_postgres:
            return None
        if self._look is None:
            version = self._raw_connection.exec_driver_sql("PRAGMA data_version").scalar_one()
            stands_for = self._raw_connection.info.setdefault(_STANDS_FOR, object())
            self._look = Look(self.turn, stands_for, version)
        return self._look

    def go_on(self) -> None:
        """Use what is at hand of the transaction before, and keep it up to date; nothing is written yet."""
        look = self.look()
        if look is not None and self.hand is not None:
            self.hand.resume(look)
            self._hand = self.hand

    def audit_change(
        self, subject: str, before: Mapping[str, object] | None, after: Mapping[str, object] | None
    ) -> None:
        """Let the log of what was done tell a change, if somebody does it."""
        self.audited.append(AuditedChange(subject, before, after))

    @property
    def namespace(self) -> str:
        """What sets names and ids of this organization apart from those of others; empty for the first."""
        return "" if self._organization_id == FIRST_ORGANIZATION else str(self._organization_id)

    @property
    def _is_postgres(self) -> bool:
        return self._raw_connection.dialect.name == "postgresql"

    def note(self, kind: ChangeKind, subject: str, **facts: object) -> None:
        """Let those who listen know of a change once it is true."""
        self.noted[kind, subject] = facts

    def _let_assets_go(self) -> None:
        """Assets are about to be other than what is known of them."""
        if self._hand is not None:
            self._hand.assets.clear()

    def _check_asset(self, asset_id: int) -> None:
        """Refuse an asset that is not of this organization."""
        if asset_id not in self._own_assets:
            self._check_assets([asset_id])

    def _check_assets(self, asset_ids: Iterable[int]) -> None:
        """Refuse assets of which one is not of this organization."""
        unknown = set(asset_ids) - self._own_assets
        if not unknown:
            return
        query = _OWN_ASSETS[self._is_postgres]
        self._own_assets.update(self._connection.execute(query, self._of_mine(unknown)).scalars())
        for asset_id in sorted(unknown):
            if asset_id not in self._own_assets:
                raise NotFound(what="asset", id=asset_id, hint="")

    def _of_mine(self, ids: Collection[int] | Collection[str], **others: object) -> dict[str, object]:
        """Parameters: the organization as `mine`, and a list as `ids`."""
        return {"mine": self._organization_id, "ids": listed(ids, is_postgres=self._is_postgres), **others}

    def _check_incidents(self, *incident_ids: str) -> None:
        """Refuse incidents that are not of this organization."""
        unknown = set(incident_ids) - set(self._incidents)
        if not unknown:
            return
        query = _OWN_INCIDENTS[self._is_postgres]
        found = set(self._connection.execute(query, self._of_mine(unknown)).scalars())
        for incident_id in unknown:
            if incident_id not in found:
                raise NotFound(what="incident", id=incident_id, hint="")

    def _upsert(
        self, table: Table, rows: Sequence[Mapping[str, object]], *, keep: Iterable[str] = ()
    ) -> None:
        """Insert rows; those whose primary key exists get the new values, except in the columns `keep`."""
        if not rows:
            return
        key = tuple(column.name for column in table.primary_key)
        fresh = tuple(name for name in rows[0] if name not in {*key, *keep})
        statement = upsert_of(table, key, fresh, is_postgres=self._is_postgres)
        self._connection.execute(statement, [dict(row) for row in rows])

    def _insert_missing(self, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert rows; those that break a uniqueness law are there already and stay as they are."""
        if not rows:
            return
        insert = postgresql.insert(table) if self._is_postgres else sqlite.insert(table)
        self._connection.execute(insert.on_conflict_do_nothing(), [dict(row) for row in rows])

    def _failure(self, detail: str) -> StoreError:
        return StoreError(store=self._store, detail=detail)


# Kept, because to build a statement takes longer than to run it: of SQLite, and of PostgreSQL.
_OWN_ASSETS = tuple(
    select(schema.asset.c.id).where(
        schema.asset.c.organization_id == bindparam("mine"),
        among("asset.id", "ids", is_postgres=is_postgres),
    )
    for is_postgres in (False, True)
)
_OWN_INCIDENTS = tuple(
    select(schema.incident.c.id).where(
        unindexed(schema.incident.c.organization_id) == bindparam("mine"),
        among("incident.id", "ids", is_postgres=is_postgres),
    )
    for is_postgres in (False, True)
)


@lru_cache(maxsize=64)
def upsert_of(table: Table, key: tuple[str, ...], fresh: tuple[str, ...], *, is_postgres: bool) -> Upsert:
    """The statement that inserts rows, or gives those whose `key` exists the new values of columns `fresh`.

    Kept: to build it takes longer than to run it.
    """
    insert: Upsert = postgresql.insert(table) if is_postgres else sqlite.insert(table)
    set_ = {name: insert.excluded[name] for name in fresh}
    return insert.on_conflict_do_update(index_elements=list(key), set_=set_)
