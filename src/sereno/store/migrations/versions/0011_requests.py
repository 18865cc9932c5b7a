"""Requests that were answered, and from when on an asset is to be judged again."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer, PrimaryKeyConstraint, text

from sereno.store.column_types import CleanText, Instant, StrictJson

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the table of answers; nothing waits to be judged again while a schema changes."""
    op.create_table(
        "request",
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("key", CleanText, nullable=False),
        Column("digest", CleanText, nullable=False),
        Column("answer", StrictJson, nullable=False),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("organization_id", "key"),
    )
    op.create_index("request_at", "request", ["organization_id", "at"])
    op.add_column("watch_state", Column("again_from", Instant))
    is_waiting = text("again_from IS NOT NULL")
    op.create_index(
        "judge_again",
        "watch_state",
        ["again_from"],
        sqlite_where=is_waiting,
        postgresql_where=is_waiting,
    )
