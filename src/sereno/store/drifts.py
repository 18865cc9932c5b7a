"""What the watch for drift last said of each meter."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select

from sereno.domain.changes import ChangeKind
from sereno.domain.drift import AssetDrift, DriftKind, DriftLevel, DriftStanding, DriftVerdict
from sereno.domain.signals import AssetKey
from sereno.store.schema import asset, drift_standing, site
from sereno.store.session import Session

__all__ = ["DriftSession"]

_REPLAYS = "replays"


class DriftSession(Session):
    """The part of a transaction that keeps what the watch for drift says."""

    def save_drifts(self, found: Sequence[tuple[int, AssetDrift]], *, at: datetime) -> None:
        """Keep verdicts by the id of their asset, in place of those that were given before."""
        self._check_assets([asset_id for asset_id, _ in found])
        rows = []
        for asset_id, one in found:
            verdicts = [one.verdicts[kind].to_json() for kind in DriftKind]
            replays = {str(said["kind"]): said.pop(_REPLAYS) for said in verdicts}
            row = {"asset_id": asset_id, "signal": one.target, "judged_at": at, "level": int(one.level)}
            rows.append(row | {"verdicts": verdicts, _REPLAYS: replays})
        self._upsert(drift_standing, rows)
        self.note(ChangeKind.DRIFT, "", assets=len(rows))

    def drifts(
        self,
        asset_id: int | None = None,
        *,
        level: DriftLevel = DriftLevel.UNKNOWN,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[DriftStanding]:
        """The last verdicts, the worst first, then by name; those of one asset with their replays.

        Args:
            level: Only of assets that are at least there.
            limit, offset: At most so many, after so many.
        """
        table = drift_standing.c
        query = (
            select(asset.c.id, asset.c.profile, site.c.name, asset.c.name, table.signal, table.judged_at)
            .add_columns(table.verdicts, *([] if asset_id is None else [table.replays]))
            .select_from(drift_standing)
            .join(asset, asset.c.id == table.asset_id)
            .join(site, site.c.id == asset.c.site_id)
            .where(asset.c.organization_id == self._organization_id, table.level >= int(level))
            .order_by(table.level.desc(), site.c.name, asset.c.name, asset.c.id, table.signal)
        )
        if asset_id is not None:
            self._check_asset(asset_id)
            query = query.where(table.asset_id == asset_id)
        found = self._connection.execute(query.limit(limit).offset(offset))
        return [
            DriftStanding(number, profile, AssetDrift(AssetKey(place, name), signal, _verdicts(*said)), at)
            for number, profile, place, name, signal, at, *said in found
        ]

    def drift_judged_at(self) -> datetime | None:
        """When any asset was last judged; None before the first time."""
        mine = select(asset.c.id).where(asset.c.organization_id == self._organization_id)
        last = select(func.max(drift_standing.c.judged_at)).where(drift_standing.c.asset_id.in_(mine))
        found: datetime | None = self._connection.execute(last).scalar()
        return found


def _verdicts(
    said: Sequence[Mapping[str, object]], replays: Mapping[str, object] | None = None
) -> dict[DriftKind, DriftVerdict]:
    known = replays or {}
    every = (DriftVerdict.of_json({**one, _REPLAYS: known.get(str(one["kind"]), ())}) for one in said)
    return {one.kind: one for one in every}
