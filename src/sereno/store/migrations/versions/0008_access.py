"""Who may what: users, sessions, keys, the log of what was done; readings lie apart by organization."""

from alembic import op
from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    UniqueConstraint,
)

from sereno.store.column_types import CleanText, Instant, StrictJson

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the tables; what was read so far belongs to the organization that was there first."""
    _part_reading_tables()
    _create_users()
    _create_keys()
    _create_audit()


def _organization() -> Column[int]:
    return Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, CleanText, nullable=False)


def _part_reading_tables() -> None:
    op.rename_table("reading_table", "reading_table_before")
    if op.get_bind().dialect.name == "postgresql":
        for name in ("reading_table_pkey", "one_reading_table"):
            op.execute(f"ALTER TABLE reading_table_before DROP CONSTRAINT IF EXISTS {name}")
    op.create_table(
        "reading_table",
        _organization(),
        _text("profile"),
        _text("table_name"),
        PrimaryKeyConstraint("organization_id", "profile"),
        UniqueConstraint("table_name", name="one_reading_table"),
    )
    op.execute(
        "INSERT INTO reading_table (organization_id, profile, table_name) "
        "SELECT (SELECT MIN(id) FROM organization), profile, table_name FROM reading_table_before"
    )
    op.drop_table("reading_table_before")


def _create_users() -> None:
    op.create_table(
        "user_account",
        Column("id", CleanText, primary_key=True),
        _organization(),
        _text("name"),
        _text("password_hash"),
        Column("role", Integer, nullable=False),
        Column("sees_personal", Boolean, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("disabled_at", Instant),
        UniqueConstraint("organization_id", "name", name="one_user"),
    )
    op.create_table(
        "one_time_link",
        Column("token_hash", CleanText, primary_key=True),
        _organization(),
        _text("user_name"),
        Column("created_at", Instant, nullable=False),
        Column("expires_at", Instant, nullable=False),
        Column("used_at", Instant),
    )
    op.create_table(
        "login_session",
        Column("token_hash", CleanText, primary_key=True),
        _organization(),
        Column("user_id", CleanText, ForeignKey("user_account.id"), nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("seen_at", Instant, nullable=False),
        Column("expires_at", Instant, nullable=False),
        _text("address"),
    )
    op.create_index("session_of_user", "login_session", ["user_id"])


def _create_keys() -> None:
    op.create_table(
        "api_key",
        Column("prefix", CleanText, primary_key=True),
        _organization(),
        _text("name"),
        _text("secret_hash"),
        Column("role", Integer, nullable=False),
        Column("sites", StrictJson),
        Column("sees_personal", Boolean, nullable=False),
        _text("author"),
        Column("created_at", Instant, nullable=False),
        Column("expires_at", Instant),
        Column("revoked_at", Instant),
        Column("last_used_at", Instant),
    )
    op.create_index("key_of_organization", "api_key", ["organization_id", "name"])


def _create_audit() -> None:
    op.create_table(
        "audit_entry",
        Column("id", Integer, primary_key=True),
        _organization(),
        Column("at", Instant, nullable=False),
        _text("actor"),
        _text("address"),
        _text("door"),
        _text("action"),
        _text("subject"),
        Column("before", StrictJson),
        Column("after", StrictJson),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_of_organization", "audit_entry", ["organization_id", "id"])
    is_postgres = op.get_bind().dialect.name == "postgresql"
    for statement in POSTGRES_TRIGGERS if is_postgres else SQLITE_TRIGGERS:
        op.execute(statement)


SQLITE_TRIGGERS = (
    """CREATE TRIGGER audit_entry_never_changes BEFORE UPDATE ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END""",
    """CREATE TRIGGER audit_entry_is_kept BEFORE DELETE ON audit_entry
    BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END""",
)

POSTGRES_TRIGGERS = (
    """CREATE OR REPLACE FUNCTION keep_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'audit_entry is append-only'; END $$""",
    """CREATE TRIGGER audit_entry_is_kept BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION keep_audit_entry()""",
    """CREATE TRIGGER audit_entry_is_not_truncated BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION keep_audit_entry()""",
)
