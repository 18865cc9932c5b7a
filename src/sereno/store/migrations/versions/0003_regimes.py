"""Changes of regime, which are events and no alarms."""

from alembic import op
from sqlalchemy import Column, Double, ForeignKey, Integer, PrimaryKeyConstraint

from sereno.store.column_types import CleanText, Instant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create their table; it fills when rows are judged."""
    op.create_table(
        "regime_change",
        Column("asset_id", Integer, ForeignKey("asset.id"), nullable=False),
        Column("at", Instant, nullable=False),
        Column("signal", CleanText, nullable=False),
        Column("before", Double, nullable=False),
        Column("after", Double, nullable=False),
        PrimaryKeyConstraint("asset_id", "at", "signal"),
    )
