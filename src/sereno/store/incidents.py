"""Incidents: an append-only log each, and the columns that it derives."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    insert,
    or_,
    select,
    text,
    union,
    update,
)

from sereno.domain.errors import NotFound
from sereno.domain.incidents import Condition, EventKind, Incident, IncidentEvent, Verdict, apply
from sereno.domain.kin import Kin
from sereno.domain.signals import AssetKey
from sereno.store.codec import event_columns, event_of, incident_columns, incident_of
from sereno.store.records import Recorded
from sereno.store.schema import IS_ACTIVE, asset, incident, incident_event, site
from sereno.store.session import Session
from sereno.store.together import (
    among,
    since_parameters,
    span_parameters,
    unindexed,
    wanted_since,
    wanted_within,
)

__all__ = ["IncidentSession"]

MIN_PREFIX = 6
"""Characters of an id that may stand for all of it."""

MAX_ALIKE = 20
MAX_KIN = 64
CHILDREN_WITHIN = timedelta(days=2)
"""What an incident explains begins so near to it, or while it lasts on the same asset."""
MAX_IDS_IN_QUERY = 500
_KIN = (
    select(
        incident.c.id,
        site.c.name.label("site"),
        asset.c.name.label("asset"),
        *(incident.c[name] for name in ("group_key", "started_at", "ended_at", "opened_at", "inhibitors")),
    )
    .join_from(incident, asset, incident.c.asset_id == asset.c.id)
    .join(site, asset.c.site_id == site.c.id)
    .where(
        incident.c.organization_id == bindparam("mine"),
        incident.c.cause == bindparam("cause"),
        incident.c.started_at.between(bindparam("first"), bindparam("last")),
        incident.c.is_withdrawn.is_(False),
    )
    .order_by((site.c.name == bindparam("home")).desc(), incident.c.started_at, incident.c.id)
    .limit(MAX_KIN)
)
# The first key keeps these locks apart from others.
_LOCK_CAUSE = text("SELECT pg_advisory_xact_lock(1, hashtext(:name))")


class IncidentSession(Session):
    """The part of a transaction that keeps incidents.

    What happens to them is held back and written together, when it is asked for or the transaction ends.
    """

    def __init__(self, connection: Connection, organization_id: int, store: str) -> None:
        super().__init__(connection, organization_id, store)
        self._opened: dict[str, int] = {}
        """Asset of each incident that is still to be written."""
        self._changed: dict[str, None] = {}
        self._log: list[dict[str, object]] = []
        self._as_read: dict[str, Incident] = {}
        """Those that were read, as they were read last."""

    def open_incident(
        self,
        incident_id: str,
        group_key: str,
        asset_id: int,
        event: IncidentEvent,
        *,
        request_key: str | None = None,
    ) -> Incident:
        """Begin an incident with the event that opens it.

        Raises:
            StoreError: Another incident of the same group is active.
        """
        self._check_asset(asset_id)
        opened = apply(None, event, incident_id=incident_id, group_key=group_key)
        self._opened[incident_id] = asset_id
        self._note_event(None, opened, event, request_key)
        return opened

    def append_event(
        self, incident_id: str, event: IncidentEvent, *, request_key: str | None = None
    ) -> Incident:
        """The incident after one more event; a request that was heard before changes nothing.

        Raises:
            NotFound: There is no such incident.
        """
        before = self._locked(incident_id)
        if request_key is not None and self._was_heard(before.id, request_key):
            return before
        after = apply(before, event)
        self._note_event(before, after, event, request_key)
        return after

    def flush(self) -> None:
        """Write what was held back to be written together."""
        opened, changed, log = self._opened, self._changed, self._log
        self._opened, self._changed, self._log = {}, {}, []
        # What has ended makes room for what begins: one of a group is active.
        known = sorted(changed, key=lambda name: self._incidents[name].condition is Condition.ACTIVE)
        updates = [
            {"of_incident": name, **incident_columns(self._incidents[name])}
            for name in known
            if name not in opened
        ]
        mine = {"organization_id": self._organization_id}
        rows = [
            mine
            | {"id": name, "group_key": self._incidents[name].group_key, "asset_id": asset_id}
            | incident_columns(self._incidents[name])
            for name, asset_id in opened.items()
        ]
        for statement, parameters in ((_UPDATE, updates), (insert(incident), rows), (_INSERT_EVENT, log)):
            if parameters:
                self._raw_connection.execute(statement, parameters)
        super().flush()

    def incident(self, incident_id: str) -> Incident:
        """The incident with this id, or with the only id that begins like this (6 characters at least).

        Raises:
            NotFound: There is none, or more than one.
        """
        mine = select(incident).where(incident.c.organization_id == self._organization_id)
        exact = self._connection.execute(mine.where(incident.c.id == incident_id)).mappings().one_or_none()
        if exact is not None:
            return incident_of(dict(exact))
        if len(incident_id) < MIN_PREFIX:
            hint = f"Give at least {MIN_PREFIX} characters of its id."
            raise NotFound(what="incident", id=incident_id, hint=hint)
        alike = mine.where(incident.c.id.startswith(incident_id, autoescape=True)).limit(MAX_ALIKE)
        found = [
            row for row in self._connection.execute(alike).mappings() if row["id"].startswith(incident_id)
        ]
        if len(found) != 1:
            hint = "Several begin like this: give more of its id." if found else ""
            raise NotFound(what="incident", id=incident_id, hint=hint)
        return incident_of(dict(found[0]))

    def locked_incident(self, incident_id: str) -> Incident:
        """As `incident`, while every other writer of it waits for the end of this transaction."""
        return self._locked(incident_id)

    def lock_incidents(self, incident_ids: Collection[str], *, waits: bool = True) -> dict[str, Incident]:
        """As `locked_incident`, of several at once, by id; those that are not there are left out.

        Args:
            waits: Whether to wait for other writers; otherwise what they have is left out.
        """
        if not self._is_postgres:  # one writer: what this transaction has read nobody else changes
            for name in self._as_read.keys() & incident_ids:
                self._held(self._as_read[name])
        unknown = sorted(set(incident_ids) - set(self._incidents))
        query = _lock_query(waits=waits, is_postgres=self._is_postgres)
        for row in self._connection.execute(query, self._of_mine(unknown)) if unknown else ():
            self._held(self._made_of(row))
        return {name: self._incidents[name] for name in incident_ids if name in self._incidents}

    def lock_causes(self, causes: Collection[str]) -> None:
        """Let nobody else decide which incidents of these causes belong together until this transaction ends.

        What was committed before is seen after. Once in a transaction at most, or two could wait for each
        other. SQLite has one writer anyway.
        """
        if self._is_postgres:
            for cause in sorted(set(causes)):
                name = f"{self._organization_id}|{cause}"
                self._connection.execute(_LOCK_CAUSE, {"name": name})

    def was_heard(self, incident_id: str, request_key: str) -> bool:
        """Whether a request about an incident was heard before."""
        return self._was_heard(self.incident(incident_id).id, request_key)

    def kin(self, cause: str, home: str, *, first: datetime, last: datetime) -> list[Kin]:
        """The first 64 incidents of one cause that began between two instants, those of a site before others.

        Args:
            home: Name of that site.
        """
        which = {"mine": self._organization_id, "cause": cause, "home": home, "first": first, "last": last}
        rows = self._connection.execute(_KIN, which)
        return [
            Kin(
                row.id,
                AssetKey(row.site, row.asset),
                row.group_key.rpartition("|")[2],
                row.started_at,
                row.ended_at,
                row.opened_at,
                tuple(row.inhibitors),
            )
            for row in rows
        ]

    def has_incidents(self, incident_ids: Sequence[str]) -> set[str]:
        """Those of some ids that an incident has exactly, withdrawn or not."""
        if not incident_ids:
            return set()
        query = _KNOWN[self._is_postgres]
        return set(self._connection.execute(query, self._of_mine(incident_ids)).scalars())

    def incidents(
        self,
        *,
        asset_id: int | None = None,
        group_key: str | None = None,
        is_active: bool | None = None,
        since: datetime | None = None,
        include_withdrawn: bool = False,
    ) -> list[Incident]:
        """The incidents that fit, by start.

        Args:
            since: Only those that are active, or that ended or began at or after this instant of the data.
        """
        given = {"asset_id": asset_id, "group_key": group_key, "since": since}
        asked = {name: value for name, value in given.items() if value is not None}
        query = _incidents_query(frozenset(asked), is_active=is_active, with_withdrawn=include_withdrawn)
        found = self._connection.execute(query, asked | {"mine": self._organization_id}).mappings()
        return [incident_of(dict(row)) for row in found]

    def active_incidents(self, asset_ids: Collection[int]) -> dict[int, list[str]]:
        """Ids of the active incidents of each of these assets, by start; none that was withdrawn."""
        found: dict[int, list[str]] = {one: [] for one in sorted(asset_ids)}
        query = _ACTIVE[self._is_postgres]
        for asset_id, incident_id in self._connection.execute(query, self._of_mine(found)):
            found[asset_id].append(incident_id)
        return found

    def times_found_wrong(
        self, asset_ids: Collection[int]
    ) -> dict[int, list[tuple[datetime, datetime | None]]]:
        """When each of these assets had what was closed as real or as a problem of the data, by start.

        Returns:
            Start and end by asset, without those that have none; no end where it goes on.
        """
        found: dict[int, list[tuple[datetime, datetime | None]]] = {}
        query = _FOUND_WRONG[self._is_postgres]
        for row in self._connection.execute(query, self._of_mine(sorted(asset_ids))):
            found.setdefault(row.asset_id, []).append((row.started_at, row.ended_at))
        return found

    def incidents_since(
        self, since: Mapping[int, datetime], *, include_withdrawn: bool = False
    ) -> dict[int, list[Incident]]:
        """Of several assets the incidents that `incidents` gives since an instant of each, by asset."""
        query = _incidents_since(is_postgres=self._is_postgres, with_withdrawn=include_withdrawn)
        found: dict[int, list[Incident]] = {one: [] for one in since}
        which = {"mine": self._organization_id} | since_parameters(since, is_postgres=self._is_postgres)
        for row in self._connection.execute(query, which) if since else ():
            found[row.asset_id].append(self._made_of(row))
        return found

    def incidents_around(self, spans: Sequence[tuple[int, datetime, datetime]]) -> dict[int, list[Incident]]:
        """Incidents of assets that are over and had some of their time within a span.

        Args:
            spans: Assets, each with a first and a last instant.

        Returns:
            By asset, in order of their start; withdrawn ones too.
        """
        found: dict[int, list[Incident]] = {one: [] for one, _, _ in spans}
        if spans:
            query = _incidents_around(is_postgres=self._is_postgres)
            which = span_parameters(spans, is_postgres=self._is_postgres)
            for row in self._connection.execute(query, {"mine": self._organization_id} | which):
                found[row.asset_id].append(self._made_of(row))
        return found

    def count_active(self) -> dict[int, int]:
        """How many incidents are active, by severity."""
        mine = (unindexed(incident.c.organization_id) == self._organization_id, IS_ACTIVE)
        query = select(incident.c.severity, func.count()).where(*mine, incident.c.is_withdrawn.is_(False))
        return dict(self._connection.execute(query.group_by(incident.c.severity)).all())

    def children_of(self, parent: Incident, asset_id: int) -> tuple[str, ...]:
        """Ids of the incidents that one explains, by start: of its asset, and of its cause elsewhere."""
        table = incident.c
        first, last = parent.started_at - CHILDREN_WITHIN, parent.started_at + CHILDREN_WITHIN
        until = parent.ended_at and parent.ended_at + CHILDREN_WITHIN
        own = [table.asset_id == asset_id, table.started_at >= first]
        own += [] if until is None else [table.started_at <= until]
        elsewhere = and_(table.cause == parent.worst.cause, table.started_at.between(first, last))
        query = select(table.id).where(
            table.organization_id == self._organization_id,
            table.is_withdrawn.is_(False),
            cast(table.inhibitors, Text).like(f'%"{parent.id}"%'),
            or_(and_(*own), elsewhere),
        )
        return tuple(self._connection.execute(query.order_by(table.started_at, table.id)).scalars())

    def events(self, incident_id: str) -> list[IncidentEvent]:
        """The log of an incident, oldest first."""
        known = self.incident(incident_id)
        query = select(incident_event).where(incident_event.c.incident_id == known.id)
        rows = self._connection.execute(query.order_by(incident_event.c.seq)).mappings()
        return [event_of(dict(row)) for row in rows]

    def events_of(
        self, incident_ids: Sequence[str], kinds: Collection[EventKind]
    ) -> dict[str, list[IncidentEvent]]:
        """What happened of some kinds to some incidents, oldest first, by incident."""
        found: dict[str, list[IncidentEvent]] = {}
        table, mine = incident_event.c, incident.c.organization_id == self._organization_id
        joined = select(incident_event).join(incident, table.incident_id == incident.c.id).where(mine)
        of_kinds = joined.where(table.kind.in_([kind.value for kind in kinds]))
        for start in range(0, len(incident_ids), MAX_IDS_IN_QUERY):
            ids = incident_ids[start : start + MAX_IDS_IN_QUERY]
            query = of_kinds.where(table.incident_id.in_(ids)).order_by(table.incident_id, table.seq)
            for row in self._connection.execute(query).mappings():
                found.setdefault(row["incident_id"], []).append(event_of(dict(row)))
        return found

    def _made_of(self, row: Row[Any]) -> Incident:
        """The incident of a row of `_AS_TEXT`."""
        one = _incident_of_text(tuple(row))
        self._as_read[one.id] = one
        return one

    def _locked(self, incident_id: str) -> Incident:
        """The incident, with other writers of it waiting (SQLite has one writer)."""
        if incident_id in self._incidents:
            return self._incidents[incident_id]
        which = {"mine": self._organization_id, "incident_id": incident_id}
        exact = self._connection.execute(_LOCKED, which).mappings().one_or_none()
        if exact is not None:
            return self._held(incident_of(dict(exact)))
        return self._locked(self.incident(incident_id).id)

    def _held(self, one: Incident) -> Incident:
        """The incident as this transaction has it in hand."""
        return self._incidents.setdefault(one.id, one)

    def _was_heard(self, incident_id: str, request_key: str) -> bool:
        table = incident_event.c
        query = select(table.seq).where(table.incident_id == incident_id, table.request_key == request_key)
        return self._connection.execute(query).first() is not None

    def _note_event(
        self, before: Incident | None, after: Incident, event: IncidentEvent, request_key: str | None
    ) -> None:
        self._incidents[after.id] = after
        self._changed[after.id] = None
        identity = {"incident_id": after.id, "seq": after.n_events, "request_key": request_key}
        self._log.append(identity | event_columns(event))
        self._is_holding = True
        self.recorded.append(Recorded(before, after, event))


_IN_JSON = frozenset({"evidence", "comments", "silences", "inhibitors"})
_READ = ("asset_id", *(one.name for one in fields(Incident)))
_AS_TEXT = tuple(
    cast(incident.c[name], Text).label(name) if name in _IN_JSON else incident.c[name] for name in _READ
)
"""What an incident is made of, so that rows that are alike can be told."""
_MOST_KEPT = 2_000


@lru_cache(maxsize=_MOST_KEPT)
def _incident_of_text(row: tuple[Any, ...]) -> Incident:
    """The incident of a row of `_AS_TEXT`: an asset in trouble asks for the same ones with every reading."""
    known = dict(zip(_READ, row, strict=True))
    return incident_of(known | {name: json.loads(known[name]) for name in _IN_JSON})


_own = unindexed(incident.c.organization_id) == bindparam("mine")
_KNOWN = tuple(
    select(incident.c.id).where(_own, among("incident.id", "ids", is_postgres=is_postgres))
    for is_postgres in (False, True)
)
_WRONG = (Verdict.REAL.value, Verdict.DATA_PROBLEM.value)
_FOUND_WRONG = tuple(
    select(incident.c.asset_id, incident.c.started_at, incident.c.ended_at)
    .where(
        _own,
        incident.c.is_withdrawn.is_(False),
        incident.c.verdict.in_(_WRONG),
        among("incident.asset_id", "ids", is_postgres=is_postgres),
    )
    .order_by(incident.c.asset_id, incident.c.started_at, incident.c.id)
    for is_postgres in (False, True)
)
_ACTIVE = tuple(
    select(incident.c.asset_id, incident.c.id)
    .where(
        _own,
        incident.c.is_withdrawn.is_(False),
        IS_ACTIVE,
        among("incident.asset_id", "ids", is_postgres=is_postgres),
    )
    .order_by(incident.c.started_at, incident.c.id)
    for is_postgres in (False, True)
)
_UPDATE = update(incident).where(incident.c.id == bindparam("of_incident"))
_INSERT_EVENT = insert(incident_event)
_LOCKED = (
    select(incident)
    .where(incident.c.organization_id == bindparam("mine"), incident.c.id == bindparam("incident_id"))
    .with_for_update()
)


@cache
def _lock_query(*, waits: bool, is_postgres: bool) -> Select[Any]:
    """The question of `lock_incidents`."""
    mine = select(*_AS_TEXT).where(_own, among("incident.id", "ids", is_postgres=is_postgres))
    return mine.order_by(incident.c.id).with_for_update(skip_locked=not waits)


@cache
def _incidents_since(*, is_postgres: bool, with_withdrawn: bool) -> Select[Any]:
    """The question of `incidents_since`: each part of it follows an index of its own."""
    wanted, table = wanted_since(is_postgres=is_postgres), incident.c
    of_asset = select(table.id).join_from(wanted, incident, table.asset_id == wanted.c.asset_id)
    late = (IS_ACTIVE, table.ended_at >= wanted.c.since, table.started_at >= wanted.c.since)
    ids = union(*(of_asset.where(condition) for condition in late))
    query = select(*_AS_TEXT).where(table.id.in_(ids), unindexed(table.organization_id) == bindparam("mine"))
    if not with_withdrawn:
        query = query.where(table.is_withdrawn.is_(False))
    return query.order_by(table.started_at, table.id)


@cache
def _incidents_around(*, is_postgres: bool) -> Select[Any]:
    """The question of `incidents_around`."""
    wanted, table = wanted_within(is_postgres=is_postgres), incident.c
    of_asset = select(table.id).join_from(wanted, incident, table.asset_id == wanted.c.asset_id)
    ids = of_asset.where(table.ended_at >= wanted.c.since, table.started_at <= wanted.c.until)
    query = select(*_AS_TEXT).where(table.id.in_(ids), unindexed(table.organization_id) == bindparam("mine"))
    return query.order_by(table.started_at, table.id)


@cache
def _incidents_query(asked: frozenset[str], *, is_active: bool | None, with_withdrawn: bool) -> Select[Any]:
    """The question of `incidents`; kept, because to build it takes longer than to ask it."""
    table = incident.c
    # An asset, or what is active, is fewer rows than an organization has.
    has_better = "asset_id" in asked or is_active
    owner = unindexed(table.organization_id) if has_better else table.organization_id
    query = select(incident).where(owner == bindparam("mine"))
    if "asset_id" in asked:
        query = query.where(table.asset_id == bindparam("asset_id"))
    if "group_key" in asked:
        query = query.where(table.group_key == bindparam("group_key"))
    if is_active is not None:
        query = query.where(IS_ACTIVE if is_active else ~IS_ACTIVE)
    if "since" in asked:
        since = bindparam("since", type_=table.started_at.type)
        query = query.where(or_(IS_ACTIVE, table.ended_at >= since, table.started_at >= since))
    if not with_withdrawn:
        query = query.where(table.is_withdrawn.is_(False))
    return query.order_by(table.started_at, table.id)
