"""Who works on what, where several engines share a store."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, PrimaryKeyConstraint

from sereno.store.column_types import CleanText, Instant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table of leases; nobody holds one while a schema changes."""
    op.create_table(
        "lease",
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("name", CleanText, nullable=False),
        Column("owner", CleanText, nullable=False),
        Column("token", BigInteger, nullable=False),
        Column("until", Instant, nullable=False),
        PrimaryKeyConstraint("organization_id", "name"),
    )
