"""Corrections beside the raw readings."""

from alembic import op
from sqlalchemy import Column, Double, ForeignKey, Integer

from sereno.store.column_types import CleanText, Instant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of corrections; no reading is touched."""
    op.create_table(
        "correction",
        Column("id", CleanText, primary_key=True),
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("asset_id", Integer, ForeignKey("asset.id"), nullable=False),
        Column("signal", CleanText, nullable=False),
        Column("kind", CleanText, nullable=False),
        Column("started_at", Instant, nullable=False),
        Column("ended_at", Instant, nullable=False),
        Column("amount", Double),
        Column("author", CleanText, nullable=False),
        Column("reason", CleanText, nullable=False),
        Column("at", Instant, nullable=False),
        Column("undone_at", Instant),
        Column("undone_by", CleanText),
        Column("undone_reason", CleanText),
    )
    op.create_index("correction_of_asset", "correction", ["asset_id", "signal"])
