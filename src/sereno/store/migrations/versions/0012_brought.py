"""Who brought readings, when, how many; and timers that a restore keeps back."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, PrimaryKeyConstraint, text

from sereno.store.column_types import CleanText, Instant

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create table and column; who brought what came before is not known, and nothing is kept back."""
    op.create_table(
        "brought",
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("at", Instant, nullable=False),
        *(
            Column(name, CleanText, nullable=False)
            for name in ("actor", "door", "subject", "address", "writer")
        ),
        *(Column(name, BigInteger, nullable=False) for name in ("n_batches", "n_records", "n_stored")),
        Column("last_at", Instant, nullable=False),
        PrimaryKeyConstraint("organization_id", "at", "actor", "door", "subject", "address", "writer"),
    )
    op.add_column("timer", Column("is_kept", Boolean, nullable=False, server_default=text("false")))
