"""Forecasts as they were made."""

from alembic import op
from sqlalchemy import Column, Double, ForeignKey, Integer, LargeBinary, PrimaryKeyConstraint

from sereno.store.column_types import CleanText, Instant

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create their table; it fills when forecasts are made."""
    op.create_table(
        "forecast",
        Column("asset_id", Integer, ForeignKey("asset.id"), nullable=False),
        Column("signal", CleanText, nullable=False),
        Column("origin", Instant, nullable=False),
        Column("model", CleanText, nullable=False),
        Column("model_id", CleanText, nullable=False),
        Column("cut_off", Instant, nullable=False),
        Column("ends_at", Instant, nullable=False),
        Column("step_s", Double, nullable=False),
        Column("tier", CleanText, nullable=False),
        Column("steps", LargeBinary, nullable=False),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("asset_id", "signal", "origin", "model"),
    )
