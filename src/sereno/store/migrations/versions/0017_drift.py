"""What the watch for drift last said of each meter."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer, PrimaryKeyConstraint

from sereno.store.column_types import CleanText, Instant, StrictJson

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add the table; what was said before was not kept."""
    op.create_table(
        "drift_standing",
        Column("asset_id", Integer, ForeignKey("asset.id"), nullable=False),
        Column("signal", CleanText, nullable=False),
        Column("judged_at", Instant, nullable=False),
        Column("level", Integer, nullable=False),
        Column("verdicts", StrictJson, nullable=False),
        Column("replays", StrictJson, nullable=False),
        PrimaryKeyConstraint("asset_id", "signal"),
    )
