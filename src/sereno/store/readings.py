"""Readings: appended once, compared for ever, never overwritten without a trace."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from sqlalchemy import bindparam, select, update

from sereno.domain.arrays import micros_of
from sereno.domain.changes import ChangeKind
from sereno.domain.readings import Readings, TimeArray
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy, isoformat
from sereno.store.bulk import TableRows, insert_rows, read_rows, read_stretches, upsert_rows
from sereno.store.column_types import clean_text, to_microseconds
from sereno.store.columns import ColumnSession
from sereno.store.merging import AssetRows, IntArray, Merged, by_asset, merge, with_flags
from sereno.store.months import make_parts, months_of
from sereno.store.reading_table import ReadingTable
from sereno.store.records import Appended, FoundFlags, StoredRows
from sereno.store.schema import asset, rollup_state
from sereno.store.superseding import keep_superseded
from sereno.store.together import among

__all__ = ["LATE", "ReadingSession"]

LATE = timedelta(days=2)
"""A reading that is older when it comes may lie where figures of hours and days are already."""

MAX_ROWS_AT_ONCE = 20_000
"""Rows of a batch that are compared with what is stored at a time."""
END_OF_TIME_US = to_microseconds(datetime(9999, 12, 31, tzinfo=UTC))

MAX_GAP_US = 30 * 86_400_000_000
"""A batch with a longer gap is compared in two stretches: one wrong date must not read years of history."""


class ReadingSession(ColumnSession):
    """The part of a transaction that stores and gives readings."""

    def append(
        self,
        readings: Readings,
        profile: Profile,
        ids: Mapping[AssetKey, int],
        *,
        at: datetime,
        is_simulated: bool = False,
    ) -> Appended:
        """Store a batch; what is there already changes nothing.

        A different value replaces the stored one, which is kept in `superseded_reading`; a value that is
        absent erases nothing; quality flags add up. What a simulator says never touches a measured row.

        Args:
            readings: Any order, any overlap with what is stored or with itself.
            profile: Its signals all get a column, with those of the batch.
            ids: As `ensure_assets` gave them.
            at: Now, noted beside values that are replaced.
            is_simulated: The batch comes from a simulator.
        """
        signals = tuple(clean_text(signal) for signal in readings.signals)
        units = {signal: profile.signal(signal).unit for signal in (*profile.signal_names, *signals)}
        table = self._widened(profile.name, units)
        self._make_room(table, readings.time)
        parts = by_asset(readings, is_simulated=is_simulated)
        batches = {readings.assets[index]: rows for index, rows in parts.items()}
        simulated = self._lock_assets([ids[key] for key in batches])
        merged: dict[AssetKey, Merged] = {}
        for part in _parts_of(batches, ids):
            stored = self._stored(table, {ids[key]: rows.ts for key, rows in part.items()}, signals)
            merged |= {key: merge(rows, stored[ids[key]]) for key, rows in part.items()}
        for key, one in merged.items():
            if (one.n_new or one.n_changed) and (ids[key] in simulated) != is_simulated:
                self._note_origin(ids[key], is_simulated=is_simulated)
        old = [(ids[key], one.superseded) for key, one in merged.items()]
        keep_superseded(self._connection, profile.name, signals, old, at)
        self._write(table, signals, {ids[key]: one for key, one in merged.items()})
        first, late_us = {key: one.first_ts for key, one in merged.items()}, to_microseconds(at - LATE)
        self._let_figures_go({ids[key]: ts for key, ts in first.items() if ts is not None and ts < late_us})
        for key, one in merged.items():
            if one.n_new or one.n_changed:
                self.note(ChangeKind.READINGS, key.site, site=key.site, until=_last_of(one))
        return Appended(
            n_new=sum(one.n_new for one in merged.values()),
            n_changed=sum(one.n_changed for one in merged.values()),
            first_touched={key: np.datetime64(ts, "us") for key, ts in first.items() if ts is not None},
            new_times={key: one.new.ts.view("datetime64[us]") for key, one in merged.items() if len(one.new)},
            changed_times={
                key: one.touched.ts.view("datetime64[us]") for key, one in merged.items() if len(one.touched)
            },
        )

    def set_flags(self, profile: str, found: Sequence[FoundFlags]) -> int:
        """Set what judging found of rows; instants without a row have none. Returns the rows."""
        self._check_assets([one.asset_id for one in found])
        table = self._reading_table(profile)
        if table is None or not found:
            return 0
        self._lock_assets(sorted({one.asset_id for one in found}))
        self._let_figures_go({one.asset_id: int(micros_of(one.time)[0]) for one in found if len(one.time)})
        alike: dict[tuple[str, ...], list[FoundFlags]] = {}
        for one in found:
            alike.setdefault(tuple(name for name in one.signals if name in table.columns), []).append(one)
        return sum(self._set_flags(table, names, some) for names, some in alike.items())

    def _set_flags(self, table: ReadingTable, names: Sequence[str], found: Sequence[FoundFlags]) -> int:
        """As `set_flags`, of flags of the same known signals, each asset once."""
        stored = self._stored(table, {one.asset_id: micros_of(one.time) for one in found}, names)
        flagged = []
        for one in found:
            known = [one.signals.index(name) for name in names]
            rows = with_flags(stored[one.asset_id], micros_of(one.time), one.flags[:, known])
            flagged += [(one.asset_id, rows)] if len(rows) else []
        if flagged:
            if self._hand is not None:
                self._hand.let_rows_go([asset_id for asset_id, _ in flagged])
            upsert_rows(self._connection, TableRows.collect(table, names, flagged, with_all_quality=True))
        return sum(len(rows) for _, rows in flagged)

    def rows(
        self, asset_id: int, profile: str, *, start: datetime | None = None, end: datetime | None = None
    ) -> StoredRows:
        """The raw rows of an asset with start <= time < end, in time order."""
        self._check_asset(asset_id)
        table = self._reading_table(profile)
        signals = () if table is None else tuple(table.columns)
        between = tuple(None if one is None else to_microseconds(one) for one in (start, end))
        if table is None:
            found = AssetRows.empty(0)
        else:
            found = read_rows(self._connection, table, asset_id, signals, (between[0], between[1]))
        return StoredRows(found.ts.view("datetime64[us]"), signals, found.values, found.quality)

    def rows_since(self, starts: Mapping[int, datetime], profile: str) -> dict[int, StoredRows]:
        """The raw rows of several assets, each from an instant of its own on, by their ids."""
        self._check_assets(starts)
        table = self._reading_table(profile)
        if table is None or not starts:
            return {}
        signals = tuple(table.columns)
        found = self._rows_since(
            table, {one: to_microseconds(start) for one, start in starts.items()}, signals
        )
        return {
            one: StoredRows(rows.ts.view("datetime64[us]"), signals, rows.values, rows.quality)
            for one, rows in found.items()
        }

    def _rows_since(
        self, table: ReadingTable, starts: Mapping[int, int], signals: tuple[str, ...]
    ) -> dict[int, AssetRows]:
        tails = {} if self._hand is None else self._hand.tails
        found = {
            one: tail.from_on(start)
            for one, start in starts.items()
            if (tail := tails.get(one)) is not None and tail.since <= start and tail.signals == signals
        }
        asked = [(one, start, END_OF_TIME_US) for one, start in starts.items() if one not in found]
        if asked:
            read = read_stretches(self._connection, table, asked, signals)
            if self._hand is not None:
                self._hand.keep({one: (starts[one], rows) for one, rows in read.items()}, signals)
            found |= read
        return found

    def measured(self, profile: str) -> tuple[str, ...]:
        """The signals of a profile of which any asset has a value."""
        table = self._reading_table(profile)
        if table is None or not table.columns:
            return ()
        counts = ", ".join(f"COUNT({column})" for column in table.values_of(tuple(table.columns)))
        found = self._connection.exec_driver_sql(self._over_own(table, counts)).one()
        return tuple(name for name, count in zip(table.columns, found, strict=True) if count)

    def n_rows(self) -> int:
        """Rows of all assets: one per asset and instant."""
        return sum(self._count(table, "COUNT(*)") for table in self._reading_tables().values())

    def n_values(self) -> int:
        """Readings of all assets: values that are there."""
        tables = self._reading_tables().values()
        return sum(
            self._count(
                table, " + ".join(f"COUNT({column})" for column in table.values_of(tuple(table.columns)))
            )
            for table in tables
            if table.columns
        )

    def span(self, asset_id: int) -> tuple[datetime, datetime] | None:
        """First and last instant of an asset; None when it has no reading."""
        self._check_asset(asset_id)
        profile = self._connection.execute(select(asset.c.profile).where(asset.c.id == asset_id)).scalar_one()
        table = self._reading_table(profile)
        if table is None:
            return None
        # Each bound by itself is one seek; both in one query are a walk over all rows.
        ts = "(extract(epoch FROM {bound}(ts)) * 1000000)::bigint" if self._is_postgres else "{bound}(ts)"
        bounds = ", ".join(
            f'(SELECT {ts.format(bound=bound)} FROM "{table.name}" WHERE asset_id = {asset_id:d})'
            for bound in ("MIN", "MAX")
        )
        first, last = self._connection.exec_driver_sql(f"SELECT {bounds}").one()
        if first is None:
            return None
        return from_numpy(np.datetime64(first, "us")), from_numpy(np.datetime64(last, "us"))

    def _let_figures_go(self, first: Mapping[int, int]) -> None:
        """Let the hours and days of assets be reckoned anew from an instant on [microseconds since 1970]."""
        known = {} if self._hand is None else self._hand.no_figures
        going = {one: ts for one, ts in first.items() if one not in known or ts < known[one]}
        rows = [{"of": one, "first": from_numpy(np.datetime64(ts, "us"))} for one, ts in going.items()]
        if rows:
            self._connection.execute(_LET_GO, rows)
        known |= going

    def _make_room(self, table: ReadingTable, time: TimeArray) -> None:
        """Make the parts that instants lie in, before any asset is locked."""
        if not self._is_postgres:
            return
        months = [one for one in months_of(time) if (table.name, one) not in self._rooms]
        if months:
            make_parts(self._connection, table.name, self._organization_id, months)
            self._rooms |= {(table.name, one) for one in months}

    def _stored(
        self, table: ReadingTable, instants: Mapping[int, IntArray], signals: Sequence[str]
    ) -> dict[int, AssetRows]:
        """What is stored around the instants of a batch, by asset."""
        tails = {} if self._hand is None else self._hand.tails
        new = {
            one: AssetRows.empty(len(signals))
            for one, ts in instants.items()
            if (tail := tails.get(one)) is not None and tail.ends_before(int(ts[0]))
        }
        unknown = {one: ts for one, ts in instants.items() if one not in new}
        stretches = [(one, *between) for one, ts in unknown.items() for between in _stretches(ts)]
        return new | (read_stretches(self._connection, table, stretches, signals) if stretches else {})

    def _count(self, table: ReadingTable, what: str) -> int:
        return int(self._connection.exec_driver_sql(self._over_own(table, what)).scalar_one())

    def _over_own(self, table: ReadingTable, what: str) -> str:
        mine = f"SELECT id FROM asset WHERE organization_id = {self._organization_id:d}"
        return f'SELECT {what} FROM "{table.name}" WHERE asset_id IN ({mine})'

    def _lock_assets(self, asset_ids: Sequence[int]) -> set[int]:
        """Make other writers of these assets wait until this transaction ends (SQLite has one writer).

        Returns:
            Those that only a simulator has written so far.
        """
        known = self._origins
        unlocked = asset_ids if self._is_postgres else [one for one in asset_ids if one not in known]
        if unlocked:
            locked = _LOCKED[self._is_postgres]
            known |= dict(self._connection.execute(locked, self._of_mine(sorted(unlocked))).all())
        self._own_assets.update(known)
        for asset_id in asset_ids:
            self._check_asset(asset_id)
        return {asset_id for asset_id in asset_ids if known[asset_id]}

    def _note_origin(self, asset_id: int, *, is_simulated: bool) -> None:
        """An asset counts as simulated while nothing but a simulator has given it a value."""
        if is_simulated and self.span(asset_id) is not None:
            return
        self._let_assets_go()
        change = update(asset).where(asset.c.id == asset_id).values(is_simulated=is_simulated)
        self._connection.execute(change)
        self._origins[asset_id] = is_simulated

    def _write(self, table: ReadingTable, signals: Sequence[str], merged: Mapping[int, Merged]) -> None:
        new = [(asset_id, one.new) for asset_id, one in merged.items() if len(one.new)]
        if self._hand is not None:
            for asset_id, rows in new:
                self._hand.add(asset_id, rows, tuple(signals))
            self._hand.let_rows_go([asset_id for asset_id, one in merged.items() if len(one.touched)])
        if new:
            insert_rows(self._connection, TableRows.collect(table, signals, new, with_all_quality=False))
        touched = [(asset_id, one.touched) for asset_id, one in merged.items() if len(one.touched)]
        if touched:
            upsert_rows(self._connection, TableRows.collect(table, signals, touched, with_all_quality=True))


_LOCKED = tuple(
    select(asset.c.id, asset.c.is_simulated)
    .with_for_update(key_share=True)
    .order_by(asset.c.id)
    .where(asset.c.organization_id == bindparam("mine"), among("asset.id", "ids", is_postgres=is_postgres))
    for is_postgres in (False, True)
)


_LET_GO = (
    update(rollup_state)
    .where(rollup_state.c.asset_id == bindparam("of"), rollup_state.c.until > bindparam("first"))
    .values(until=bindparam("first"))
)


def _parts_of(
    batches: Mapping[AssetKey, AssetRows], ids: Mapping[AssetKey, int]
) -> Iterator[dict[AssetKey, AssetRows]]:
    """Different assets whose rows are compared together: `MAX_ROWS_AT_ONCE`, or one asset."""
    part: dict[AssetKey, AssetRows] = {}
    n_rows = 0
    for key, rows in batches.items():
        is_full = n_rows + len(rows) > MAX_ROWS_AT_ONCE
        if part and (is_full or any(ids[other] == ids[key] for other in part)):
            yield part
            part, n_rows = {}, 0
        part[key], n_rows = rows, n_rows + len(rows)
    if part:
        yield part


def _last_of(merged: Merged) -> str | None:
    """The last instant that was written."""
    last = max((int(part.ts[-1]) for part in (merged.new, merged.touched) if len(part)), default=None)
    return None if last is None else isoformat(from_numpy(np.datetime64(last, "us")))


def _stretches(ts: IntArray) -> Iterator[tuple[int, int]]:
    """First and last instant + 1 of each run of instants without a long gap."""
    cuts = np.flatnonzero(np.diff(ts) > MAX_GAP_US) + 1
    for start, stop in pairwise([0, *cuts.tolist(), len(ts)]):
        yield int(ts[start]), int(ts[stop - 1]) + 1
