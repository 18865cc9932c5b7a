"""Who brought readings and how many; why a model judges; timers that a restore keeps back."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, PrimaryKeyConstraint, text

from sereno.store.column_types import CleanText, Instant

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create tables and column; who brought what came before, and why a model judges, is not known."""
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
    op.create_table(
        "succession",
        Column("id", Integer, primary_key=True),
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("profile", CleanText, nullable=False),
        Column("model_id", CleanText, nullable=False),
        Column("before_id", CleanText),
        Column("at", Instant, nullable=False),
        Column("actor", CleanText, nullable=False),
        Column("reason", CleanText, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("succession_of_profile", "succession", ["organization_id", "profile", "id"])
