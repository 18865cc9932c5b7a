"""What changed, in order, for those who listen; and work that goes on behind a request."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer, UniqueConstraint, text

from sereno.store.column_types import CleanText, Instant, StrictJson

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create both tables; of what happened before nobody needs to hear."""
    op.create_table(
        "change",
        Column("id", Integer, primary_key=True),
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("kind", CleanText, nullable=False),
        Column("subject", CleanText, nullable=False),
        Column("facts", StrictJson, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("change_of_organization", "change", ["organization_id", "id"])
    op.create_index("change_of_subject", "change", ["organization_id", "kind", "subject"])
    op.create_table(
        "job",
        Column("id", CleanText, primary_key=True),
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("kind", CleanText, nullable=False),
        Column("options", StrictJson, nullable=False),
        Column("author", CleanText, nullable=False),
        Column("state", CleanText, nullable=False),
        Column("progress", StrictJson),
        Column("result", StrictJson),
        Column("error", StrictJson),
        Column("owner", CleanText, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("alive_at", Instant, nullable=False),
        Column("started_at", Instant),
        Column("ended_at", Instant),
        Column("request_key", CleanText),
        UniqueConstraint("organization_id", "request_key", name="one_job_request"),
    )
    op.create_index("job_of_organization", "job", ["organization_id", "created_at"])
    is_running = text("state = 'running'")
    op.create_index(
        "one_running_job",
        "job",
        ["organization_id"],
        unique=True,
        sqlite_where=is_running,
        postgresql_where=is_running,
    )
