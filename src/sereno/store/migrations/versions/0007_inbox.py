"""What sources sent and nobody has judged yet, and how far each source has been read."""

from alembic import op
from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)

from sereno.store.column_types import CleanText, Instant

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the inbox and the cursors; both begin empty."""
    op.create_table(
        "inbox",
        Column("id", Integer, primary_key=True),
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("source", CleanText, nullable=False),
        Column("item_key", CleanText, nullable=False),
        Column("received_at", Instant, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("status", CleanText, nullable=False),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("error", CleanText, nullable=False, server_default=""),
        UniqueConstraint("organization_id", "source", "item_key", name="one_item"),
        Index("inbox_of_source", "organization_id", "source", "status", "id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cursor",
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("source", CleanText, nullable=False),
        Column("position", CleanText),
        Column("heard_at", Instant),
        PrimaryKeyConstraint("organization_id", "source"),
    )
