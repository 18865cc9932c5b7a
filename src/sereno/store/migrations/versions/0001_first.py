"""The first schema."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)

from sereno.store.column_types import CleanText, Instant, StrictJson

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table that is not one of readings."""
    _create_assets()
    _create_readings()
    _create_ledger()
    _create_models()
    _create_judgement()
    _create_incidents()
    _forbid_rewriting_events()


def _text(name: str) -> Column[str]:
    return Column(name, CleanText, nullable=False)


def _number(name: str) -> Column[float]:
    return Column(name, Double)


def _organization() -> Column[int]:
    return Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False)


def _asset() -> Column[int]:
    return Column("asset_id", Integer, ForeignKey("asset.id"), nullable=False)


def _unique_where(name: str, table: str, columns: list[str], condition: str) -> None:
    where = text(condition)
    op.create_index(name, table, columns, unique=True, sqlite_where=where, postgresql_where=where)


def _create_assets() -> None:
    op.create_table(
        "organization",
        Column("id", Integer, primary_key=True),
        _text("name"),
        UniqueConstraint("name", name="one_organization"),
    )
    op.create_table(
        "site",
        Column("id", Integer, primary_key=True),
        _organization(),
        _text("name"),
        _text("zone"),
        UniqueConstraint("organization_id", "name", name="one_site"),
    )
    op.create_table(
        "asset",
        Column("id", Integer, primary_key=True),
        _organization(),
        Column("site_id", Integer, ForeignKey("site.id"), nullable=False),
        _text("name"),
        _text("profile"),
        Column("step_us", BigInteger),
        Column("is_simulated", Boolean, nullable=False, server_default=text("false")),
        UniqueConstraint("site_id", "name", "profile", name="one_asset"),
        Index("asset_of_organization", "organization_id", "profile"),
    )


def _create_readings() -> None:
    op.create_table(
        "reading_table",
        Column("profile", CleanText, primary_key=True),
        _text("table_name"),
        UniqueConstraint("table_name", name="one_reading_table"),
    )
    op.create_table(
        "signal_column",
        _organization(),
        _text("profile"),
        _text("signal"),
        _text("column_name"),
        Column("position", Integer, nullable=False),
        PrimaryKeyConstraint("organization_id", "profile", "signal"),
        UniqueConstraint("organization_id", "profile", "column_name", name="one_signal_column"),
    )
    op.create_table(
        "superseded_reading",
        _asset(),
        _text("profile"),
        Column("ts", Instant, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("simulated", Boolean, nullable=False),
        Column("values", StrictJson, nullable=False),
        Column("quality", StrictJson, nullable=False),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("asset_id", "ts", "revision"),
    )


def _create_ledger() -> None:
    op.create_table(
        "file_ledger",
        _organization(),
        _text("sha256"),
        _text("name"),
        Column("size", BigInteger, nullable=False),
        _text("status"),
        Column("report", StrictJson, nullable=False),
        Column("n_new", BigInteger, nullable=False),
        Column("at", Instant, nullable=False),
        PrimaryKeyConstraint("organization_id", "sha256"),
    )
    op.create_table(
        "quarantined_row",
        _organization(),
        _text("sha256"),
        Column("line", BigInteger, nullable=False),
        _text("reason"),
        _text("text"),
        PrimaryKeyConstraint("organization_id", "sha256", "line"),
    )
    op.create_table(
        "data_issue",
        _organization(),
        _text("sha256"),
        _text("code"),
        _text("where"),
        Column("count", BigInteger, nullable=False),
        Column("facts", StrictJson, nullable=False),
        PrimaryKeyConstraint("organization_id", "sha256", "code", "where"),
    )


def _create_models() -> None:
    op.create_table(
        "model",
        _organization(),
        _text("id"),
        _text("profile"),
        Column("trained_at", Instant, nullable=False),
        Column("card", StrictJson, nullable=False),
        _text("path"),
        Column("is_active", Boolean, nullable=False, server_default=text("false")),
        PrimaryKeyConstraint("organization_id", "id"),
    )
    _unique_where("one_active_model", "model", ["organization_id", "profile"], "is_active")
    op.create_table(
        "metric",
        Column("id", Integer, primary_key=True),
        _organization(),
        Column("total", BigInteger, nullable=False),
        Column("abnormal", BigInteger, nullable=False),
        _number("percent"),
        _text("status"),
        Column("at", Instant, nullable=False),
    )


def _create_judgement() -> None:
    op.create_table(
        "watch_state",
        _asset(),
        _text("detector"),
        Column("last_ts", Instant),
        Column("memory", LargeBinary, nullable=False),
        _text("model"),
        PrimaryKeyConstraint("asset_id", "detector"),
    )
    op.create_table(
        "watch_checkpoint",
        _asset(),
        _text("detector"),
        Column("last_ts", Instant, nullable=False),
        Column("memory", LargeBinary, nullable=False),
        _text("model"),
        PrimaryKeyConstraint("asset_id", "detector", "last_ts"),
    )
    op.create_table(
        "detection",
        Column("id", Integer, primary_key=True),
        _organization(),
        _asset(),
        _text("check"),
        _text("kind"),
        _text("cause"),
        Column("severity", Integer, nullable=False),
        Column("started_at", Instant, nullable=False),
        Column("ended_at", Instant),
        Column("last_at", Instant, nullable=False),
        Column("peak_at", Instant, nullable=False),
        Column("signals", StrictJson, nullable=False),
        _number("score"),
        _number("threshold"),
        _number("observed"),
        _number("expected"),
        _text("unit"),
        _number("impact"),
        _text("impact_unit"),
        Column("n_rows", Integer, nullable=False),
        Column("contributions", StrictJson, nullable=False),
        _text("model"),
        UniqueConstraint("asset_id", "check", "started_at", name="one_detection"),
        # An id that was given once is never given again.
        sqlite_autoincrement=True,
    )
    _unique_where("one_open_detection", "detection", ["asset_id", "check"], "ended_at IS NULL")


def _create_incidents() -> None:
    op.create_table(
        "incident",
        Column("id", CleanText, primary_key=True),
        _organization(),
        _asset(),
        _text("group_key"),
        _text("kind"),
        _text("cause"),
        Column("severity", Integer, nullable=False),
        Column("opened_at", Instant, nullable=False),
        Column("started_at", Instant, nullable=False),
        Column("ended_at", Instant),
        _text("condition"),
        _text("state"),
        Column("verdict", CleanText),
        _text("owner"),
        Column("shelved_until", Instant),
        Column("is_withdrawn", Boolean, nullable=False),
        Column("n_events", Integer, nullable=False),
        Column("evidence", StrictJson, nullable=False),
        Column("comments", StrictJson, nullable=False),
        Index("incident_of_asset", "asset_id", "started_at"),
        Index("incident_of_group", "organization_id", "group_key"),
    )
    _unique_where("one_active_incident", "incident", ["organization_id", "group_key"], "condition = 'active'")
    op.create_table(
        "incident_event",
        Column("incident_id", CleanText, nullable=False),
        Column("seq", Integer, nullable=False),
        _text("kind"),
        Column("at", Instant, nullable=False),
        Column("event_time", Instant, nullable=False),
        _text("actor"),
        Column("detection", StrictJson),
        Column("facts", StrictJson, nullable=False),
        Column("request_key", CleanText),
        PrimaryKeyConstraint("incident_id", "seq"),
        ForeignKeyConstraint(["incident_id"], ["incident.id"]),
        UniqueConstraint("incident_id", "request_key", name="one_request"),
    )


def _forbid_rewriting_events() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in POSTGRES_TRIGGERS:
            op.execute(statement)
    else:
        for statement in SQLITE_TRIGGERS:
            op.execute(statement)


# The log is the audit trail: an entry never changes, and only what a simulator caused can be deleted.
IS_SIMULATED = """EXISTS (
    SELECT 1 FROM incident JOIN asset ON asset.id = incident.asset_id
    WHERE incident.id = OLD.incident_id AND asset.is_simulated)"""

SQLITE_TRIGGERS = (
    """CREATE TRIGGER incident_event_never_changes BEFORE UPDATE ON incident_event
    BEGIN SELECT RAISE(ABORT, 'incident_event is append-only'); END""",
    f"""CREATE TRIGGER incident_event_is_kept BEFORE DELETE ON incident_event WHEN NOT {IS_SIMULATED}
    BEGIN SELECT RAISE(ABORT, 'incident_event is append-only'); END""",
    # SQLite enforces foreign keys only for those who ask; a log must not lose its incident to the others.
    """CREATE TRIGGER incident_with_events_is_kept BEFORE DELETE ON incident
    WHEN EXISTS (SELECT 1 FROM incident_event WHERE incident_id = OLD.id)
    BEGIN SELECT RAISE(ABORT, 'incident_event is append-only'); END""",
)

POSTGRES_TRIGGERS = (
    f"""CREATE FUNCTION keep_incident_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF {IS_SIMULATED} THEN RETURN OLD; END IF;
        END IF;
        RAISE EXCEPTION 'incident_event is append-only';
    END $$""",
    """CREATE TRIGGER incident_event_is_kept BEFORE UPDATE OR DELETE ON incident_event
    FOR EACH ROW EXECUTE FUNCTION keep_incident_event()""",
    """CREATE TRIGGER incident_event_is_not_truncated BEFORE TRUNCATE ON incident_event
    FOR EACH STATEMENT EXECUTE FUNCTION keep_incident_event()""",
)
