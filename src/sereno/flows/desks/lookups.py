"""What is stored of assets: who they are, what they read, what physics gives of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sereno.domain.errors import NotFound
from sereno.domain.signals import AssetKey
from sereno.flows.corrections import (
    CorrectionRequest,
    CorrectionView,
    add_correction,
    find_corrections,
    undo_correction,
)
from sereno.flows.desks.desk import Desk
from sereno.flows.listing import AssetView, asset_view, quality_of
from sereno.flows.physics import AssetPhysics, gas_rows, physics_of
from sereno.flows.regimes import RegimeView, find_regimes
from sereno.flows.series import SeriesQuery, SeriesView, find_series
from sereno.ingest.identity import site_from_file_name
from sereno.store import DetectionQuery, FileIssue, StoredAsset, StoredDetection

__all__ = ["LookupDesk"]


class LookupDesk(Desk):
    """What is stored of assets, looked up and corrected."""

    def assets(self, *, site: str | None = None, profile: str | None = None) -> list[StoredAsset]:
        """The assets of a site, of a profile, or all, sorted by profile, site and asset."""
        with self._store.read() as tx:
            return tx.assets(profile, sites=None if site is None else [site])

    def describe_assets(self, assets: Sequence[StoredAsset]) -> list[AssetView]:
        """Assets with the signals that they send and the time that they cover."""
        with self._store.read() as tx:
            return [asset_view(tx, one, self.profiles) for one in assets]

    def asset(self, asset_id: int) -> AssetView:
        """An asset by its number.

        Raises:
            NotFound: There is none.
        """
        found = [one for one in self.assets() if one.id == asset_id]
        if not found:
            raise NotFound(what="asset", id=asset_id, hint="")
        return self.describe_assets(found)[0]

    def asset_keys(self) -> list[AssetKey]:
        """All assets that have ever sent a reading."""
        with self._store.read() as tx:
            return [asset.key for asset in tx.assets()]

    def sites(self) -> list[str]:
        """Names of all sites."""
        with self._store.read() as tx:
            return tx.site_list()

    def site_of(self, path: str | Path) -> str:
        """The site that a file's name speaks of, for rows that name none."""
        return site_from_file_name(Path(path).name)

    def series(self, query: SeriesQuery) -> SeriesView:
        """A stretch of an asset's readings with few points and all of its peaks.

        Raises:
            NotFound, UnknownSignal, InvalidQuery: See `find_series`.
        """
        with self._store.read() as tx:
            return find_series(tx, query, self.profiles)

    def detections(self, query: DetectionQuery, *, limit: int) -> list[StoredDetection]:
        """Detections, newest first."""
        with self._store.read() as tx:
            return [one for one, _ in tx.find_detections(query, limit=limit)]

    def issues(
        self, *, code: str | None = None, before: tuple[datetime, str, str, int] | None = None, limit: int
    ) -> list[FileIssue]:
        """What was wrong in the files, those of the newest first.

        Args:
            before: When its file was read, digest and code of the one after which to begin, and how many of
                that file and code were given, itself too.
        """
        with self._store.read() as tx:
            return tx.find_issues(code=code, before=before, limit=limit)

    def quality(self, assets: Sequence[StoredAsset], *, days: int = 30) -> list[dict[str, object]]:
        """Of each signal of these assets over the last days of its data: what is there, what is flagged."""
        with self._store.read() as tx:
            return [row for one in assets for row in quality_of(tx, one, self.profiles, days=days)]

    def last_reading_at(self) -> datetime | None:
        """The latest instant that any asset has a reading of."""
        with self._store.read() as tx:
            return max(tx.last_readings().values(), default=None)

    def _since(self, days: int) -> datetime:
        return (self.last_reading_at() or self.now()) - timedelta(days=days)

    def physics(self, *, days: int = 30) -> list[AssetPhysics]:
        """What physics gives of each asset over the last days of the data.

        Self-consumption, self-sufficiency and performance against peers of plants; base volume, amount and
        error bound of gas; ratio of declared twins; unbalance and derating of motors.
        """
        with self._store.read() as tx:
            return physics_of(tx, self._setup, self._since(days))

    def each_gas_row(self, use: Callable[[Iterator[Mapping[str, object]]], None], *, days: int = 30) -> None:
        """Give the derived rows of gas clients over the last days of the data to `use`, one by one."""
        with self._store.read() as tx:
            use(gas_rows(tx, self._setup, self._since(days)))

    def regimes(self, *, asset: str | None = None, since: datetime | None = None) -> list[RegimeView]:
        """When process lines started, stopped or came to other set-points, newest first.

        Raises:
            UnknownAsset: Nothing has that name.
        """
        with self._store.read() as tx:
            return find_regimes(tx, self.profiles, asset=asset, since=since)

    def correct(self, request: CorrectionRequest) -> CorrectionView:
        """Keep a correction beside the raw values; judging stays on the raw ones.

        Raises:
            InvalidCorrection: It makes no sense.
        """
        with self._store.begin() as tx:
            return add_correction(tx, request, self.profiles, at=self._setup.clock())

    def corrections(self, *, asset: str | None = None, with_undone: bool = False) -> list[CorrectionView]:
        """The corrections in force, in the order in which they were made."""
        with self._store.read() as tx:
            return find_corrections(tx, self.profiles, asset=asset, with_undone=with_undone)

    def undo_correction(self, correction_id: str, *, author: str, reason: str = "") -> CorrectionView:
        """Take a correction back, by its id or the beginning of it; it stays in the list of all."""
        with self._store.begin() as tx:
            return undo_correction(
                tx, correction_id, self.profiles, at=self._setup.clock(), author=author, reason=reason
            )
