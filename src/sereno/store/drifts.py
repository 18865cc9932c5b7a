"""What the watch for drift last said of each meter."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from sereno.domain.changes import ChangeKind
from sereno.domain.drift import AssetDrift, DriftKind, DriftVerdict
from sereno.domain.signals import AssetKey
from sereno.store.schema import asset, drift_standing, site
from sereno.store.session import Session

__all__ = ["DriftSession", "StoredDrift"]


@dataclass(frozen=True, slots=True)
class StoredDrift:
    """The last verdicts of one signal of an asset, and when they were given."""

    asset_id: int
    profile: str
    drift: AssetDrift
    judged_at: datetime


class DriftSession(Session):
    """The part of a transaction that keeps what the watch for drift says."""

    def save_drifts(self, found: Sequence[tuple[int, AssetDrift]], *, at: datetime) -> None:
        """Keep verdicts by the id of their asset, in place of those that were given before."""
        self._check_assets([asset_id for asset_id, _ in found])
        rows = [
            {
                "asset_id": asset_id,
                "signal": one.target,
                "judged_at": at,
                "level": int(one.level),
                "verdicts": [one.verdicts[kind].to_json() for kind in DriftKind],
            }
            for asset_id, one in found
        ]
        self._upsert(drift_standing, rows)
        self.note(ChangeKind.DRIFT, "", assets=len(rows))

    def drifts(self, asset_id: int | None = None) -> list[StoredDrift]:
        """The last verdicts of one asset or of all, the worst first, then by name."""
        if asset_id is not None:
            self._check_asset(asset_id)
        table = drift_standing.c
        query = (
            select(asset.c.id, asset.c.profile, site.c.name, asset.c.name)
            .add_columns(table.signal, table.verdicts, table.judged_at)
            .select_from(drift_standing)
            .join(asset, asset.c.id == table.asset_id)
            .join(site, site.c.id == asset.c.site_id)
            .where(asset.c.organization_id == self._organization_id)
            .order_by(table.level.desc(), site.c.name, asset.c.name, table.signal)
        )
        if asset_id is not None:
            query = query.where(table.asset_id == asset_id)
        return [
            StoredDrift(
                number, profile, AssetDrift(AssetKey(place, name), signal, _verdicts(said)), judged_at
            )
            for number, profile, place, name, signal, said, judged_at in self._connection.execute(query)
        ]


def _verdicts(said: Sequence[dict[str, object]]) -> dict[DriftKind, DriftVerdict]:
    found = [DriftVerdict.of_json(one) for one in said]
    return {one.kind: one for one in found}
