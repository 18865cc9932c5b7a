"""What versions say in the shadow of the champion: told to nobody, kept for the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from sereno.domain.judgement import Detection
from sereno.store.schema import asset, detection, shadow_detection, shadow_standing
from sereno.store.session import Session

__all__ = ["ShadowSession", "ShadowStanding"]


@dataclass(frozen=True, slots=True)
class ShadowStanding:
    """How far a version has judged an asset in the shadow.

    Attributes:
        since, until: Start of the first and the last row.
    """

    asset_id: int
    model_id: str
    since: datetime
    until: datetime
    n_rows: int


class ShadowSession(Session):
    """The part of a transaction that keeps what is said in the shadow."""

    def save_shadow(self, standing: ShadowStanding, told: Sequence[Detection]) -> None:
        """Keep what a version said of an asset's next rows; what it says again replaces what it said."""
        self._check_asset(standing.asset_id)
        same = {"asset_id": standing.asset_id, "model_id": standing.model_id}
        rows = [
            same
            | {
                "check": one.check,
                "started_at": one.started_at,
                "ended_at": one.ended_at,
                "severity": int(one.severity),
            }
            for one in told
        ]
        self._upsert(shadow_detection, rows)
        how_far = {"since": standing.since, "until": standing.until, "n_rows": standing.n_rows}
        self._upsert(shadow_standing, [same | how_far])

    def shadow_standings(self, model_id: str) -> list[ShadowStanding]:
        """How far a version has come, by asset."""
        table = shadow_standing.c
        columns = (table.asset_id, table.model_id, table.since, table.until, table.n_rows)
        query = select(*columns).join(asset, asset.c.id == table.asset_id)
        mine = query.where(asset.c.organization_id == self._organization_id, table.model_id == model_id)
        return [ShadowStanding(*row) for row in self._connection.execute(mine.order_by(table.asset_id))]

    def shadow_counts(self, model_id: str, checks: Sequence[str]) -> tuple[int, int]:
        """Episodes that a version would have told, and those that the champion told of the same rows."""
        mine = asset.c.organization_id == self._organization_id
        own = (
            select(func.count())
            .select_from(shadow_detection)
            .join(asset, asset.c.id == shadow_detection.c.asset_id)
            .where(mine, shadow_detection.c.model_id == model_id, shadow_detection.c.check.in_(checks))
        )
        standing = shadow_standing.c
        told = (
            select(func.count())
            .select_from(detection)
            .join(shadow_standing, standing.asset_id == detection.c.asset_id)
            .join(asset, asset.c.id == detection.c.asset_id)
            .where(mine, standing.model_id == model_id, detection.c.check.in_(checks))
            .where(detection.c.started_at >= standing.since, detection.c.started_at <= standing.until)
        )
        counts = [int(self._connection.execute(query).scalar_one()) for query in (own, told)]
        return counts[0], counts[1]
