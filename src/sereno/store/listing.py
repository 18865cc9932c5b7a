"""What lists and charts are made of: a page of rows at a time, and only the columns that are shown."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_

from sereno.domain.arrays import micros_of
from sereno.domain.issues import DataIssue
from sereno.domain.readings import FloatArray, QualityArray, TimeArray
from sereno.domain.signals import AssetKey
from sereno.domain.time import EPOCH, to_numpy
from sereno.store.codec import detection_of
from sereno.store.column_types import MICROSECOND
from sereno.store.columns import ColumnSession
from sereno.store.records import FileIssue, StoredDetection, StoredNotification
from sereno.store.schema import asset, data_issue, detection, file_ledger, notification, site

__all__ = ["DetectionQuery", "ListSession", "NotificationQuery"]

CHUNK_ROWS = 20_000
"""Rows that exist as Python objects at a time."""

LAST_ROWS = 2_000
"""Rows of an asset that say which signals it sends."""


@dataclass(frozen=True, slots=True)
class DetectionQuery:
    """Which detections; what is None fits all.

    Attributes:
        since, until: Only those that lasted beyond `since` and began before `until`.
        before: Start and id of the one after which the page begins.
    """

    asset_id: int | None = None
    site: str | None = None
    kind: str | None = None
    severity: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, int] | None = None


@dataclass(frozen=True, slots=True)
class NotificationQuery:
    """Which notifications; what is None fits all.

    Attributes:
        before: Id of the one after which the page begins.
    """

    status: str | None = None
    receiver: str | None = None
    before: int | None = None


class ListSession(ColumnSession):
    """The part of a transaction that gives pages, newest first, and columns of readings."""

    def signals_sent(self, asset_id: int, profile: str) -> tuple[str, ...]:
        """The signals of which an asset has a value in its last rows, in the order of the columns."""
        self._check_asset(asset_id)
        table = self._reading_table(profile)
        if table is None or not table.columns:
            return ()
        columns = table.values_of(tuple(table.columns))
        counts = ", ".join(f"COUNT({column})" for column in columns)
        last = f'SELECT {", ".join(columns)} FROM "{table.name}" WHERE asset_id = {asset_id:d} '
        query = f"SELECT {counts} FROM ({last} ORDER BY ts DESC LIMIT {LAST_ROWS}) AS last_rows"
        found = self._connection.exec_driver_sql(query).one()
        return tuple(name for name, count in zip(table.columns, found, strict=True) if count)

    def stored_signals(self, profile: str) -> tuple[str, ...]:
        """The signals that the table of a profile has a column for."""
        table = self._reading_table(profile)
        return () if table is None else tuple(table.columns)

    def values(
        self,
        asset_id: int,
        profile: str,
        signals: Sequence[str],
        *,
        start: datetime,
        end: datetime,
    ) -> tuple[TimeArray, FloatArray]:
        """Instants with a row in [start, end), shape (rows,), and the raw values, shape (rows, signals).

        NaN where nothing was read, or of a signal that nobody ever sent.
        """
        ts, cells = self._read(asset_id, profile, signals, start, end, flagged=False)
        return ts, cells

    def flags(
        self,
        asset_id: int,
        profile: str,
        signals: Sequence[str],
        *,
        start: datetime,
        end: datetime,
    ) -> tuple[TimeArray, QualityArray]:
        """Instants in [start, end) at which any of the signals is flagged, and the flags of each."""
        ts, cells = self._read(asset_id, profile, signals, start, end, flagged=True)
        return ts, np.nan_to_num(cells).astype(np.int32)

    def _read(
        self,
        asset_id: int,
        profile: str,
        signals: Sequence[str],
        start: datetime,
        end: datetime,
        *,
        flagged: bool,
    ) -> tuple[TimeArray, FloatArray]:
        self._check_asset(asset_id)
        table = self._reading_table(profile)
        cells = np.full((0, len(signals)), np.nan)
        known = [] if table is None else [name for name in signals if name in table.columns]
        if table is None or not known:
            return np.empty(0, dtype="datetime64[us]"), cells
        columns = table.qualities_of(known) if flagged else table.values_of(known)
        ts = "(extract(epoch FROM ts) * 1000000)::bigint" if self._is_postgres else "ts"
        mark = "%s" if self._is_postgres else "?"
        any_flag = f" AND ({' OR '.join(f'{column} IS NOT NULL' for column in columns)})" if flagged else ""
        query = (
            f'SELECT {", ".join([ts, *columns])} FROM "{table.name}" '
            f"WHERE asset_id = {mark} AND ts >= {mark} AND ts < {mark}{any_flag} ORDER BY ts"
        )
        bounds = [_micros(one) for one in (start, end)]
        given = [EPOCH + one * MICROSECOND for one in bounds] if self._is_postgres else bounds
        cursor = self._connection.exec_driver_sql(query, (asset_id, *given)).cursor
        assert cursor is not None
        parts = [np.empty((0, 1 + len(known)))]
        while chunk := cursor.fetchmany(CHUNK_ROWS):
            parts.append(np.array(chunk, dtype=np.float64))
        cursor.close()
        block = np.concatenate(parts)
        found = np.full((len(block), len(signals)), np.nan)
        found[:, [signals.index(name) for name in known]] = block[:, 1:]
        # A float64 holds microseconds exactly until the year 2255, after which nothing is read.
        return block[:, 0].astype(np.int64).view("datetime64[us]"), found

    def find_detections(self, query: DetectionQuery, *, limit: int) -> list[tuple[StoredDetection, str]]:
        """Detections and the profiles of their assets, newest first."""
        table = detection.c
        statement = (
            select(
                detection, site.c.name.label("site_name"), asset.c.name.label("asset_name"), asset.c.profile
            )
            .join_from(detection, asset, table.asset_id == asset.c.id)
            .join(site, asset.c.site_id == site.c.id)
            .where(table.organization_id == self._organization_id)
        )
        said = ((table.asset_id, query.asset_id), (site.c.name, query.site), (table.kind, query.kind))
        for column, value in (*said, (table.severity, query.severity)):
            if value is not None:
                statement = statement.where(column == value)
        if query.since is not None:
            last = func.coalesce(table.ended_at, table.last_at, type_=table.ended_at.type)
            statement = statement.where(or_(table.ended_at.is_(None), last >= query.since))
        if query.until is not None:
            statement = statement.where(table.started_at < query.until)
        if query.before is not None:
            statement = statement.where(_before((table.started_at, table.id), query.before))
        newest = statement.order_by(table.started_at.desc(), table.id.desc()).limit(limit)
        rows = [dict(row) for row in self._connection.execute(newest).mappings()]
        return [
            (
                StoredDetection(row["id"], detection_of(row, AssetKey(row["site_name"], row["asset_name"]))),
                row["profile"],
            )
            for row in rows
        ]

    def find_notifications(self, query: NotificationQuery, *, limit: int) -> list[StoredNotification]:
        """Notifications, newest first."""
        table = notification.c
        statement = select(*(table[one.name] for one in fields(StoredNotification)))
        statement = statement.where(table.organization_id == self._organization_id)
        if query.status is not None:
            statement = statement.where(table.status == query.status)
        if query.receiver is not None:
            statement = statement.where(table.receiver == query.receiver)
        if query.before is not None:
            statement = statement.where(table.id < query.before)
        rows = self._connection.execute(statement.order_by(table.id.desc()).limit(limit)).mappings()
        return [StoredNotification(**dict(row)) for row in rows]

    def find_issues(
        self, *, code: str | None = None, before: tuple[datetime, str, str, int] | None = None, limit: int
    ) -> list[FileIssue]:
        """What was wrong in the files, those of the newest file first.

        Args:
            before: Of the one after which the page begins: when its file was read, digest, code, and how many
                of that file and code were given, itself too. Places may name people: they stand in no cursor.
        """
        table, file = data_issue.c, file_ledger.c
        key = (file.at, table.sha256, table.code, table.where)
        statement: Select[Any] = select(*key, file.name, table.count, table.facts)
        statement = statement.join_from(
            data_issue,
            file_ledger,
            (table.sha256 == file.sha256) & (table.organization_id == file.organization_id),
        ).where(table.organization_id == self._organization_id)
        if code is not None:
            statement = statement.where(table.code == code)
        if before is not None:
            kinds = [one.type for one in key[:3]]
            statement = statement.where(tuple_(*key[:3]) <= tuple_(*before[:3], types=kinds))
        ordered = statement.order_by(*(one.desc() for one in key)).offset(0 if before is None else before[3])
        rows = self._connection.execute(ordered.limit(limit))
        return [
            FileIssue(sha256, name, at, DataIssue(code, where, count, facts))
            for at, sha256, code, where, name, count, facts in rows
        ]


def _before(key: Sequence[ColumnElement[Any]], values: Sequence[object]) -> ColumnElement[bool]:
    """Whether a row comes before values, by these columns."""
    return tuple_(*key) < tuple_(*values, types=[one.type for one in key])


def _micros(instant: datetime) -> int:
    return int(micros_of(np.array([to_numpy(instant)]))[0])
