"""What a writer of an embedded store knows from the transaction before, as long as nobody else writes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sereno.store.merging import AssetRows
from sereno.store.reading_table import ReadingTable
from sereno.store.records import StoredAsset

__all__ = ["Hand", "Look", "Tail"]

_MOST_ROWS, _KEPT_ROWS = 128, 64
"""Rows of an asset that are kept at most, and of how many of them when there are more."""
_MOST_ASSETS = 2_000


@dataclass(frozen=True, slots=True)
class Look:
    """A view of an embedded store in which one transaction writes.

    Attributes:
        turn: Of that transaction.
        connection: Stands for the connection.
        version: Another number as soon as another connection has committed (SQLite's `data_version`).
    """

    turn: int
    connection: object
    version: int

    def follows(self, before: "Look") -> bool:
        """Whether what was seen in another transaction, with what it wrote, is all that there is."""
        is_next = self.turn == before.turn + 1
        return is_next and self.connection is before.connection and self.version == before.version


@dataclass(frozen=True, slots=True)
class Tail:
    """All rows of an asset from an instant on.

    Attributes:
        since: That instant [microseconds since 1970].
        signals: Of the columns.
    """

    since: int
    signals: tuple[str, ...]
    rows: AssetRows

    def ends_before(self, ts: int) -> bool:
        """Whether no row lies at an instant or after it."""
        return self.since <= ts and (not len(self.rows) or int(self.rows.ts[-1]) < ts)

    def from_on(self, ts: int) -> AssetRows:
        """The rows from an instant on that is not before `since`."""
        return self.rows.take(slice(int(np.searchsorted(self.rows.ts, ts)), None))

    def followed_by(self, rows: AssetRows, signals: tuple[str, ...]) -> "Tail":
        """With rows after its last one; the oldest are let go when there are many."""
        columns = [self.signals.index(name) for name in signals]
        values = np.full((len(rows), len(self.signals)), np.nan)
        quality = np.zeros((len(rows), len(self.signals)), dtype=np.int32)
        values[:, columns], quality[:, columns] = rows.values, rows.quality
        joined = AssetRows.join([self.rows, replace(rows, values=values, quality=quality)])
        if len(joined) <= _MOST_ROWS:
            return Tail(self.since, self.signals, joined)
        kept = joined.take(slice(-_KEPT_ROWS, None))
        return Tail(int(kept.ts[0]), self.signals, kept)


@dataclass(slots=True)
class Hand:
    """Tables, assets and the last rows of some of them, as they are stored.

    Attributes:
        tables: By profile.
        assets: All of a profile at a site.
        tails: By id of the asset.
        no_figures: Of an asset, by its id, an instant from which on it has no figures of hours and days
            [microseconds since 1970].
    """

    tables: dict[str, ReadingTable] = field(default_factory=dict)
    assets: dict[tuple[str, str], list[StoredAsset]] = field(default_factory=dict)
    tails: dict[int, Tail] = field(default_factory=dict)
    no_figures: dict[int, int] = field(default_factory=dict)
    _seen: Look | None = None

    def resume(self, look: Look) -> None:
        """Go on in a transaction; what others may have changed since is let go."""
        before = self._seen
        if before is None or not (look == before or look.follows(before)):
            for known in (self.tables, self.assets, self.tails, self.no_figures):
                known.clear()
        self._seen = look

    def keep(self, found: Mapping[int, tuple[int, AssetRows]], signals: tuple[str, ...]) -> None:
        """Rows of assets, each all from an instant on."""
        if len(self.tails) + len(found) > _MOST_ASSETS:
            self.tails.clear()
        for asset_id, (since, rows) in found.items():
            if len(rows) <= _MOST_ROWS:
                self.tails[asset_id] = Tail(since, signals, rows)

    def add(self, asset_id: int, rows: AssetRows, signals: tuple[str, ...]) -> None:
        """Rows that an asset did not have."""
        tail = self.tails.get(asset_id)
        if tail is None:
            return
        if tail.ends_before(int(rows.ts[0])) and set(signals) <= set(tail.signals):
            self.tails[asset_id] = tail.followed_by(rows, signals)
        else:
            del self.tails[asset_id]

    def let_rows_go(self, asset_ids: Iterable[int]) -> None:
        """Rows of these are other than they were."""
        for asset_id in asset_ids:
            self.tails.pop(asset_id, None)
