"""The registry of models: forecasters beside detectors, what became of each, what they say in the shadow."""

from alembic import op
from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    text,
)

from sereno.store.column_types import CleanText, Instant, StrictJson

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add columns and tables; what became of earlier models is known as far as they judged."""
    op.add_column("model", Column("family", CleanText, nullable=False, server_default=text("'detector'")))
    op.add_column("forecast", Column("is_shadow", Boolean, nullable=False, server_default=text("false")))
    op.create_table(
        "registry_entry",
        Column("id", Integer, primary_key=True),
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("profile", CleanText, nullable=False),
        Column("model_id", CleanText, nullable=False),
        Column("event", CleanText, nullable=False),
        Column("at", Instant, nullable=False),
        Column("actor", CleanText, nullable=False),
        Column("reason", CleanText, nullable=False),
        Column("facts", StrictJson, nullable=False),
        sqlite_autoincrement=True,
    )
    for statement in POSTGRES_TRIGGERS if op.get_bind().dialect.name == "postgresql" else SQLITE_TRIGGERS:
        op.execute(statement)
    op.create_index("registry_of_profile", "registry_entry", ["organization_id", "profile", "id"])
    op.create_table(
        "shadow_detection",
        Column("asset_id", Integer, ForeignKey("asset.id"), nullable=False),
        Column("model_id", CleanText, nullable=False),
        Column("check", CleanText, nullable=False),
        Column("started_at", Instant, nullable=False),
        Column("ended_at", Instant),
        Column("severity", Integer, nullable=False),
        PrimaryKeyConstraint("asset_id", "model_id", "check", "started_at"),
    )
    op.create_table(
        "shadow_standing",
        Column("asset_id", Integer, ForeignKey("asset.id"), nullable=False),
        Column("model_id", CleanText, nullable=False),
        Column("since", Instant, nullable=False),
        Column("until", Instant, nullable=False),
        Column("n_rows", Integer, nullable=False),
        PrimaryKeyConstraint("asset_id", "model_id"),
    )


# Only an erasure rewrites, and only the names in a reason and in facts.
_FIXED = "id, organization_id, profile, model_id, event, at"
SQLITE_TRIGGERS = (
    """CREATE TRIGGER registry_entry_is_kept BEFORE DELETE ON registry_entry
    BEGIN SELECT RAISE(ABORT, 'registry_entry is append-only'); END""",
    f"""CREATE TRIGGER registry_entry_never_changes BEFORE UPDATE OF {_FIXED} ON registry_entry
    BEGIN SELECT RAISE(ABORT, 'registry_entry is append-only'); END""",
)
POSTGRES_TRIGGERS = (
    """CREATE OR REPLACE FUNCTION keep_registry_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'registry_entry is append-only'; END $$""",
    """CREATE TRIGGER registry_entry_is_kept BEFORE DELETE ON registry_entry
    FOR EACH ROW EXECUTE FUNCTION keep_registry_entry()""",
    f"""CREATE TRIGGER registry_entry_never_changes BEFORE UPDATE OF {_FIXED} ON registry_entry
    FOR EACH ROW EXECUTE FUNCTION keep_registry_entry()""",
    """CREATE TRIGGER registry_entry_is_not_truncated BEFORE TRUNCATE ON registry_entry
    FOR EACH STATEMENT EXECUTE FUNCTION keep_registry_entry()""",
)
