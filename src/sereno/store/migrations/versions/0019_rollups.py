"""Figures of hours and days, and until when each asset has them."""

from alembic import op
from sqlalchemy import Column, Double, ForeignKey, Integer, PrimaryKeyConstraint

from sereno.store.column_types import CleanText, Instant

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add both tables; an engine fills them."""
    op.create_table(
        "rollup",
        Column("asset_id", Integer, ForeignKey("asset.id"), nullable=False),
        Column("span", CleanText, nullable=False),
        Column("signal", CleanText, nullable=False),
        Column("ts", Instant, nullable=False),
        Column("n_values", Integer, nullable=False),
        Column("n_bad", Integer, nullable=False),
        *(Column(name, Double) for name in ("total", "low", "high", "last")),
        PrimaryKeyConstraint("asset_id", "span", "signal", "ts"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_state",
        Column("asset_id", Integer, ForeignKey("asset.id"), primary_key=True),
        Column("until", Instant, nullable=False),
    )
