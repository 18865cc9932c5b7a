"""Changes of regime: told by judging, taken back and told again when rows are judged again."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select

from sereno.domain.judgement import RegimeChange
from sereno.domain.signals import AssetKey
from sereno.store.schema import asset, regime_change, site
from sereno.store.session import Session
from sereno.store.together import ALWAYS

__all__ = ["RegimeSession"]

_DROP = delete(regime_change).where(
    regime_change.c.asset_id == bindparam("of_asset"), regime_change.c.at > bindparam("after")
)


class RegimeSession(Session):
    """The part of a transaction that keeps changes of regime."""

    def add_regime_changes(self, changes: Mapping[int, Sequence[RegimeChange]]) -> None:
        """Keep what judging the next rows of assets told, by asset."""
        self._check_assets(changes)
        rows = [
            {
                "asset_id": asset_id,
                "at": one.at,
                "signal": one.signal,
                "before": one.before,
                "after": one.after,
            }
            for asset_id, own in changes.items()
            for one in own
        ]
        if rows:
            self._connection.execute(insert(regime_change), rows)

    def drop_regime_changes(self, after: Mapping[int, datetime | None]) -> None:
        """Forget those of each asset after its instant; all of them without one."""
        self._check_assets(after)
        rows = [{"of_asset": asset_id, "after": at or ALWAYS} for asset_id, at in after.items()]
        if rows:
            self._connection.execute(_DROP, rows)

    def regime_changes(self, asset_id: int, *, since: datetime | None = None) -> list[RegimeChange]:
        """Those of an asset, at or after an instant, in time order."""
        self._check_asset(asset_id)
        table = regime_change.c
        query = (
            select(site.c.name, asset.c.name, table.signal, table.at, table.before, table.after)
            .select_from(regime_change)
            .join(asset, asset.c.id == table.asset_id)
            .join(site, site.c.id == asset.c.site_id)
            .where(table.asset_id == asset_id)
        )
        if since is not None:
            query = query.where(table.at >= since)
        found = self._connection.execute(query.order_by(table.at, table.signal))
        return [RegimeChange(AssetKey(place, name), *figures) for place, name, *figures in found]
