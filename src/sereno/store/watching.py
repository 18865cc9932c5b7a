"""Judgement that lasts from batch to batch: watch states, checkpoints, detections."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, delete, func, literal, or_, select, update

from sereno.domain.changes import ChangeKind
from sereno.domain.judgement import Detection
from sereno.domain.signals import AssetKey
from sereno.store.codec import detection_columns, detection_of
from sereno.store.records import StoredDetection, WatchState
from sereno.store.schema import asset, detection, site, watch_checkpoint, watch_state
from sereno.store.session import Session, upsert_of

__all__ = ["WatchSession"]


class WatchSession(Session):
    """The part of a transaction that remembers how far each asset was judged, and with what result."""

    def watch_state(self, asset_id: int, detector: str) -> WatchState | None:
        """What a detector remembers of an asset; None before it has judged it."""
        self._check_asset(asset_id)
        which = {"asset_id": asset_id, "detector": detector}
        return _state(self._connection.execute(_WATCH_STATE, which).one_or_none())

    def save_watch_state(self, asset_id: int, detector: str, state: WatchState) -> None:
        """Remember how far a detector has come; replaces what it remembered before."""
        self._check_asset(asset_id)
        row = _state_row(asset_id, detector, state)
        self._upsert(watch_state, [row | {"again_from": state.again_from}])

    def ask_again(self, first: Mapping[int, datetime], detector: str) -> int:
        """Ask for rows to be judged again from an instant on, of assets judged as far as that.

        Args:
            first: The instant of each asset, by its id.

        Returns:
            How many assets were judged as far.
        """
        mine = select(asset.c.id).where(asset.c.organization_id == self._organization_id)
        state, n_asked = watch_state.c, 0
        for instant in sorted(set(first.values())):
            ids = sorted(one for one, at in first.items() if at == instant)
            given = literal(instant, state.again_from.type)
            asked = case((state.again_from < given, state.again_from), else_=given)
            change = update(watch_state).where(state.detector == detector, state.last_ts >= instant)
            for start in range(0, len(ids), MAX_IDS_IN_QUERY):
                some = state.asset_id.in_(ids[start : start + MAX_IDS_IN_QUERY])
                of_some = change.where(some, state.asset_id.in_(mine)).values(again_from=asked)
                n_asked += self._connection.execute(of_some).rowcount
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
        self._check_asset(asset_id)
        which = {"asset_id": asset_id, "detector": detector, "instant": instant}
        return _state(self._connection.execute(_CHECKPOINT_BEFORE, which).one_or_none())

    def save_checkpoints(self, asset_id: int, detector: str, states: Sequence[WatchState]) -> None:
        """Keep states from which a late reading can be replayed; one of the same instant is replaced."""
        self._check_asset(asset_id)
        rows = {state.last_ts: _state_row(asset_id, detector, state) for state in states}
        self._upsert(watch_checkpoint, list(rows.values()))

    def keep_newest_checkpoints(self, asset_id: int, detector: str, *, n_kept: int) -> None:
        """Forget all but the newest checkpoints of a detector."""
        self._check_asset(asset_id)
        which = {"asset_id": asset_id, "detector": detector, "n_kept": n_kept - 1}
        self._connection.execute(_DROP_OLDER, which)

    def drop_states(self, asset_id: int, detector: str, *, since: datetime | None = None) -> None:
        """Forget the checkpoints at and after an instant; without one, all of them and the watch state."""
        self._check_asset(asset_id)
        table = watch_checkpoint.c
        where = [table.asset_id == asset_id, table.detector == detector]
        if since is not None:
            where.append(table.last_ts >= since)
        self._connection.execute(delete(watch_checkpoint).where(*where))
        if since is None:
            of_this = (watch_state.c.asset_id == asset_id, watch_state.c.detector == detector)
            self._connection.execute(delete(watch_state).where(*of_this))

    def detections(self, asset_id: int, *, since: datetime | None = None) -> list[StoredDetection]:
        """The detections of an asset by start: those that are open, or ended at or after `since`."""
        key = self._asset_key(asset_id)
        query = _DETECTIONS if since is None else _DETECTIONS_SINCE
        found = self._connection.execute(query, {"asset_id": asset_id, "since": since}).mappings()
        return [StoredDetection(row["id"], detection_of(dict(row), key)) for row in found]

    def save_detection(self, asset_id: int, found: Detection) -> int:
        """Store a detection; one of the same check and start is replaced. Returns its id.

        Raises:
            StoreError: Another detection of the same check is still open.
        """
        self._check_asset(asset_id)
        self.note(ChangeKind.DETECTIONS, found.asset.site, site=found.asset.site)
        fresh = detection_columns(found)
        row = {"organization_id": self._organization_id, "asset_id": asset_id} | fresh
        statement = upsert_of(detection, _IDENTITY, tuple(fresh), is_postgres=self._is_postgres)
        return int(self._connection.execute(statement.returning(detection.c.id), row).scalar_one())

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
_STATE = select(watch_state.c.last_ts, watch_state.c.memory, watch_state.c.model, watch_state.c.again_from)
_WATCH_STATE = _STATE.where(
    watch_state.c.asset_id == bindparam("asset_id"), watch_state.c.detector == bindparam("detector")
)
_of_detector = (
    watch_checkpoint.c.asset_id == bindparam("asset_id"),
    watch_checkpoint.c.detector == bindparam("detector"),
)
_CHECKPOINT_BEFORE = (
    select(watch_checkpoint.c.last_ts, watch_checkpoint.c.memory, watch_checkpoint.c.model)
    .where(*_of_detector, watch_checkpoint.c.last_ts < bindparam("instant"))
    .order_by(watch_checkpoint.c.last_ts.desc())
    .limit(1)
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
_DETECTIONS = (
    select(detection)
    .where(detection.c.asset_id == bindparam("asset_id"))
    .order_by(detection.c.started_at, detection.c.id)
)
_DETECTIONS_SINCE = _DETECTIONS.where(
    or_(detection.c.ended_at.is_(None), detection.c.ended_at >= bindparam("since"))
)
_IDENTITY = ("asset_id", "check", "started_at")


def _state(row: Sequence[Any] | None) -> WatchState | None:
    return None if row is None else WatchState(*row)


def _state_row(asset_id: int, detector: str, state: WatchState) -> dict[str, object]:
    key = {"asset_id": asset_id, "detector": detector}
    return key | {"last_ts": state.last_ts, "memory": state.memory, "model": state.model}
