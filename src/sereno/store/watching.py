"""Judgement that lasts from batch to batch: watch states, checkpoints, detections."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, bindparam, case, delete, func, select, union_all, update

from sereno.domain.changes import ChangeKind
from sereno.domain.judgement import Detection
from sereno.domain.signals import AssetKey
from sereno.store.codec import detection_columns, detection_of
from sereno.store.records import StoredDetection, WatchState
from sereno.store.schema import asset, detection, site, watch_checkpoint, watch_state
from sereno.store.session import Session, Upsert, upsert_of
from sereno.store.together import ALWAYS, among, listed, since_parameters, wanted_since

__all__ = ["WatchSession"]


class WatchSession(Session):
    """The part of a transaction that remembers how far each asset was judged, and with what result."""

    def watch_state(self, asset_id: int, detector: str) -> WatchState | None:
        """What a detector remembers of an asset; None before it has judged it."""
        self._check_asset(asset_id)
        return self.watch_states([asset_id], detector).get(asset_id)

    def watch_states(self, asset_ids: Collection[int], detector: str) -> dict[int, WatchState]:
        """What a detector remembers of assets, by id; those that it has not judged are left out."""
        self._check_assets(asset_ids)
        found: dict[int, WatchState] = {}
        for some in _chunks(asset_ids):
            rows = self._connection.execute(_WATCH_STATES, {"assets": some, "detector": detector})
            found |= {asset_id: WatchState(*rest) for asset_id, *rest in rows}
        return found

    def save_watch_state(self, asset_id: int, detector: str, state: WatchState) -> None:
        """Remember how far a detector has come; replaces what it remembered before."""
        self.save_watch_states({asset_id: state}, detector)

    def save_watch_states(self, states: Mapping[int, WatchState], detector: str) -> None:
        """As `save_watch_state`, of several assets."""
        self._check_assets(states)
        rows = [
            _state_row(asset_id, detector, state) | {"again_from": state.again_from}
            for asset_id, state in states.items()
        ]
        self._upsert(watch_state, rows)

    def ask_again(self, first: Mapping[int, datetime], detector: str) -> int:
        """Ask for rows to be judged again from an instant on, of assets judged as far as that.

        Args:
            first: The instant of each asset, by its id.

        Returns:
            How many assets were judged as far.
        """
        return self._ask(_ASK_AGAIN, first, detector)

    def ask_next(self, first: Mapping[int, datetime], detector: str) -> None:
        """As `ask_again`, of assets that have been judged at all: their rows may come after those judged."""
        self._ask(_ASK_NEXT, first, detector)

    def _ask(self, statements: Sequence[Update], first: Mapping[int, datetime], detector: str) -> int:
        n_asked = 0
        for instant in sorted(set(first.values())):
            ids = sorted(one for one, at in first.items() if at == instant)
            given = self._of_mine(ids, of_detector=detector, instant=instant)
            n_asked += self._connection.execute(statements[self._is_postgres], given).rowcount
        return n_asked

    def asked_again(self, detector: str, *, limit: int) -> list[int]:
        """Ids of assets of which rows are to be judged again, those with the earliest rows first."""
        query = (
            select(watch_state.c.asset_id)
            .join(asset, watch_state.c.asset_id == asset.c.id)
            .where(asset.c.organization_id == self._organization_id)
            .where(watch_state.c.again_from.is_not(None), watch_state.c.detector == detector)
            .order_by(watch_state.c.again_from, watch_state.c.asset_id)
        )
        return list(self._connection.execute(query.limit(limit)).scalars())

    def checkpoint_before(self, asset_id: int, detector: str, instant: datetime) -> WatchState | None:
        """The newest checkpoint whose last row lies before an instant; None when there is none."""
        return self.checkpoints_before({asset_id: instant}, [detector]).get(asset_id)

    def checkpoints_before(
        self, instants: Mapping[int, datetime], detectors: Sequence[str]
    ) -> dict[int, WatchState]:
        """By asset the newest checkpoint of some detectors whose last row lies before its instant."""
        self._check_assets(instants)
        given = since_parameters(instants, is_postgres=self._is_postgres)
        query = _checkpoints_before(is_postgres=self._is_postgres)
        found: dict[int, WatchState] = {}
        which = given | {"detectors": listed(detectors, is_postgres=self._is_postgres)}
        for asset_id, *rest in self._connection.execute(query, which) if instants else ():
            one, known = WatchState(*rest), found.get(asset_id)
            if known is None or _last_ts(one) > _last_ts(known):
                found[asset_id] = one
        return found

    def save_checkpoints(self, asset_id: int, detector: str, states: Sequence[WatchState]) -> None:
        """Keep states from which a late reading can be replayed; one of the same instant is replaced."""
        self.save_all_checkpoints({asset_id: states}, detector)

    def save_all_checkpoints(self, states: Mapping[int, Sequence[WatchState]], detector: str) -> None:
        """As `save_checkpoints`, of several assets."""
        self._check_assets(states)
        rows = {
            (asset_id, state.last_ts): _state_row(asset_id, detector, state)
            for asset_id, own in states.items()
            for state in own
        }
        self._upsert(watch_checkpoint, list(rows.values()))

    def keep_newest_checkpoints(self, asset_ids: Collection[int], detector: str, *, n_kept: int) -> None:
        """Forget all but the newest checkpoints that a detector has of each of these assets."""
        self._check_assets(asset_ids)
        which = [{"asset_id": one, "detector": detector, "n_kept": n_kept - 1} for one in asset_ids]
        if which:
            self._connection.execute(_DROP_OLDER, which)

    def drop_states(self, since: Mapping[int, datetime | None], detectors: Sequence[str]) -> None:
        """Forget the checkpoints of each asset from its instant on; without one, its watch state, too."""
        self._check_assets(since)
        rows = [
            {"asset_id": asset_id, "detector": detector, "since": at or ALWAYS}
            for detector in detectors
            for asset_id, at in since.items()
        ]
        if rows:
            self._connection.execute(_DROP_CHECKPOINTS, rows)
        whole = [row for row in rows if row["since"] == ALWAYS]
        if whole:
            self._connection.execute(_DROP_STATES, whole)

    def detections(self, asset_id: int, *, since: datetime | None = None) -> list[StoredDetection]:
        """The detections of an asset by start: those that are open, or ended at or after `since`."""
        self._asset_key(asset_id)
        return self.detections_since({asset_id: since})[asset_id]

    def detections_since(self, since: Mapping[int, datetime | None]) -> dict[int, list[StoredDetection]]:
        """As `detections`, of several assets, each since an instant of its own."""
        found: dict[int, list[StoredDetection]] = {one: [] for one in since}
        keys = {one: self._asset_key(one) for one in since}
        given = {one: at or ALWAYS for one, at in since.items()}
        which = since_parameters(given, is_postgres=self._is_postgres)
        query = _detections_since(is_postgres=self._is_postgres)
        for row in self._connection.execute(query, which).mappings() if since else ():
            one = row["asset_id"]
            found[one].append(StoredDetection(row["id"], detection_of(dict(row), keys[one])))
        return found

    def save_detection(self, asset_id: int, found: Detection) -> int:
        """Store a detection; one of the same check and start is replaced. Returns its id.

        Raises:
            StoreError: Another detection of the same check is still open.
        """
        row = self._detection_row(asset_id, found)
        statement = self._save_of(row).returning(detection.c.id)
        return int(self._connection.execute(statement, row).scalar_one())

    def save_detections(self, found: Sequence[tuple[int, Detection]]) -> None:
        """As `save_detection`, of several assets, given by their ids.

        Raises:
            StoreError: Another detection of the same check is still open.
        """
        # What has ended makes room for what goes on: one of a check is open.
        rows = [self._detection_row(*one) for one in sorted(found, key=lambda one: one[1].ended_at is None)]
        if rows:
            self._connection.execute(self._save_of(rows[0]), rows)

    def _detection_row(self, asset_id: int, found: Detection) -> dict[str, object]:
        self._check_asset(asset_id)
        self.note(ChangeKind.DETECTIONS, found.asset.site, site=found.asset.site)
        mine: dict[str, object] = {"organization_id": self._organization_id, "asset_id": asset_id}
        return mine | detection_columns(found)

    def _save_of(self, row: Mapping[str, object]) -> Upsert:
        fresh = tuple(name for name in row if name not in _MINE)
        return upsert_of(detection, _IDENTITY, fresh, is_postgres=self._is_postgres)

    def delete_detections(self, ids: Sequence[int]) -> None:
        """Forget detections whose evidence is gone."""
        mine = detection.c.organization_id == self._organization_id
        for start in range(0, len(ids), MAX_IDS_IN_QUERY):
            chunk = ids[start : start + MAX_IDS_IN_QUERY]
            self._connection.execute(delete(detection).where(mine, detection.c.id.in_(chunk)))

    def _asset_key(self, asset_id: int) -> AssetKey:
        self._check_asset(asset_id)
        if asset_id not in self._asset_keys:
            query = select(site.c.name, asset.c.name).join_from(asset, site, asset.c.site_id == site.c.id)
            found = self._connection.execute(query.where(asset.c.id == asset_id)).one()
            self._asset_keys[asset_id] = AssetKey(*found)
        return self._asset_keys[asset_id]


MAX_IDS_IN_QUERY = 1000
# Kept, because to build a statement takes longer than to run it.
_WATCH_STATES = select(
    watch_state.c.asset_id,
    watch_state.c.last_ts,
    watch_state.c.memory,
    watch_state.c.model,
    watch_state.c.again_from,
).where(
    watch_state.c.asset_id.in_(bindparam("assets", expanding=True)),
    watch_state.c.detector == bindparam("detector"),
)
_of_detector = (
    watch_checkpoint.c.asset_id == bindparam("asset_id"),
    watch_checkpoint.c.detector == bindparam("detector"),
)
_oldest_kept = (
    select(watch_checkpoint.c.last_ts)
    .where(*_of_detector)
    .order_by(watch_checkpoint.c.last_ts.desc())
    .limit(1)
    .offset(bindparam("n_kept"))
    .scalar_subquery()
)
_DROP_OLDER = delete(watch_checkpoint).where(*_of_detector, watch_checkpoint.c.last_ts < _oldest_kept)
_DROP_CHECKPOINTS = delete(watch_checkpoint).where(
    *_of_detector, watch_checkpoint.c.last_ts >= bindparam("since")
)
_DROP_STATES = delete(watch_state).where(
    watch_state.c.asset_id == bindparam("asset_id"), watch_state.c.detector == bindparam("detector")
)
_again_from = watch_state.c.again_from
_asked = bindparam("instant", type_=_again_from.type)


def _asking(*conditions: ColumnElement[bool]) -> tuple[Update, Update]:
    """To ask for judging of some assets, on SQLite and on PostgreSQL."""
    lite, server = (
        update(watch_state)
        .where(
            watch_state.c.detector == bindparam("of_detector"),
            *conditions,
            among("watch_state.asset_id", "ids", is_postgres=is_postgres),
            watch_state.c.asset_id.in_(
                select(asset.c.id).where(asset.c.organization_id == bindparam("mine"))
            ),
        )
        .values(again_from=case((_again_from < _asked, _again_from), else_=_asked))
        for is_postgres in (False, True)
    )
    return lite, server


_ASK_AGAIN = _asking(watch_state.c.last_ts >= _asked)
_ASK_NEXT = _asking()
_IDENTITY = ("asset_id", "check", "started_at")
_MINE = ("organization_id", "asset_id")


@cache
def _checkpoints_before(*, is_postgres: bool) -> Select[Any]:
    wanted, table, other = (
        wanted_since(is_postgres=is_postgres),
        watch_checkpoint.c,
        watch_checkpoint.alias("other").c,
    )
    newest = (
        select(func.max(other.last_ts, type_=other.last_ts.type))
        .where(
            other.asset_id == wanted.c.asset_id,
            other.detector == table.detector,
            other.last_ts < wanted.c.since,
        )
        .correlate(wanted, watch_checkpoint)
        .scalar_subquery()
    )
    return (
        select(table.asset_id, table.last_ts, table.memory, table.model)
        .join_from(wanted, watch_checkpoint, table.asset_id == wanted.c.asset_id)
        .where(
            among("watch_checkpoint.detector", "detectors", is_postgres=is_postgres), table.last_ts == newest
        )
    )


@cache
def _detections_since(*, is_postgres: bool) -> Select[Any]:
    wanted, table = wanted_since(is_postgres=is_postgres), detection.c
    of_asset = select(table.id).join_from(wanted, detection, table.asset_id == wanted.c.asset_id)
    # Each part follows an index of its own.
    late = (table.ended_at.is_(None), table.ended_at >= wanted.c.since)
    ids = union_all(*(of_asset.where(condition) for condition in late))
    return select(detection).where(table.id.in_(ids)).order_by(table.started_at, table.id)


def _chunks(ids: Collection[int]) -> Iterator[list[int]]:
    known = list(ids)
    for start in range(0, len(known), MAX_IDS_IN_QUERY):
        yield known[start : start + MAX_IDS_IN_QUERY]


def _last_ts(state: WatchState) -> datetime:
    assert state.last_ts is not None
    return state.last_ts


def _state_row(asset_id: int, detector: str, state: WatchState) -> dict[str, object]:
    key = {"asset_id": asset_id, "detector": detector}
    return key | {"last_ts": state.last_ts, "memory": state.memory, "model": state.model}
