"""A fleet in a Spark table: learnt and judged by the workers of a Spark cluster (extra `spark`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from sereno.domain.signals import AssetKey
from sereno.flows.blocks import judge_block, train_block
from sereno.flows.build import Setup
from sereno.flows.lake_fleet import blocks_of
from sereno.flows.lake_tables import INCIDENT_COLUMNS, NUMBERS, incident_rows
from sereno.flows.learning import training_plan
from sereno.flows.train import TrainingPlan
from sereno.scale.blocks import Block
from sereno.scale.lake import ASSET, SITE, rows_in
from sereno.scale.spark import map_blocks
from sereno.settings.tree import Tariff

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

__all__ = ["judge_spark"]

_SCHEMA = ", ".join(f"{name} {'double' if name in NUMBERS else 'string'}" for name in INCIDENT_COLUMNS)


def judge_spark(
    setup: Setup, frame: "DataFrame", profile: str, *, before: datetime | None = None
) -> "DataFrame":
    """The incidents of a fleet, as `score --lake` writes them: each block is learnt and judged in one go.

    Args:
        frame: With the columns of a lake; every worker needs this version of sereno.
        profile: What kind of assets they are.
        before: Learn only from what was read before this instant.

    Raises:
        DetectorUnknown, ExtraMissing: As of `train`.
    """
    chosen = setup.profiles[profile]
    keys = [AssetKey(row[SITE], row[ASSET]) for row in frame.select(SITE, ASSET).distinct().toLocalIterator()]
    plan = training_plan(setup, chosen, None, None)
    zone = setup.settings.timezone or "UTC"
    work = JudgeTable(plan, setup.settings.tariff, zone, setup.clock(), before)
    return map_blocks(frame, blocks_of(setup, keys, chosen), work, _SCHEMA)


@dataclass(frozen=True, slots=True)
class JudgeTable:
    """Learns and judges the rows of a block."""

    plan: TrainingPlan
    tariff: Tariff | None
    zone: str
    now: datetime
    before: datetime | None

    def __call__(self, block: Block, table: "pa.Table") -> "pa.Table":
        """See `train_block` and `judge_block`."""
        profile = self.plan.profile
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        rows = rows_in(frame.lazy(), block, profile, zone=self.zone)
        model = train_block(rows, self.plan, before=self.before)
        judged = judge_block(rows, profile, model, now=self.now)
        kinds = {name: pl.Float64 if name in NUMBERS else pl.String for name in INCIDENT_COLUMNS}
        return pl.DataFrame(incident_rows(judged, profile, self.tariff, self.now), schema=kinds).to_arrow(
            compat_level=pl.CompatLevel.oldest()
        )
