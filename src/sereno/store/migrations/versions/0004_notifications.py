"""The outbox: what is to be told to whom, what became of it, and how receivers are doing."""

from alembic import op
from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)

from sereno.store.column_types import CleanText, Instant, StrictJson

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create its tables; they fill from the next event of an incident on."""
    _create_notification()
    _create_attempt()
    _create_receiver_state()


def _create_notification() -> None:
    op.create_table(
        "notification",
        Column("id", Integer, primary_key=True),
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("dedup_key", CleanText, nullable=False),
        Column("incident_id", CleanText, ForeignKey("incident.id")),
        Column("receiver", CleanText, nullable=False),
        Column("event", CleanText, nullable=False),
        Column("severity", Integer, nullable=False),
        Column("body", StrictJson, nullable=False),
        Column("status", CleanText, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("next_at", Instant, nullable=False),
        Column("expires_at", Instant, nullable=False),
        Column("lease_until", Instant),
        Column("lease_owner", CleanText),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("is_uncertain", Boolean, nullable=False, server_default=text("false")),
        Column("last_error", CleanText, nullable=False, server_default=""),
        Column("sent_at", Instant),
        Column("carried_by", Integer, ForeignKey("notification.id")),
        UniqueConstraint("organization_id", "dedup_key", name="one_notification"),
        sqlite_autoincrement=True,
    )
    op.create_index("notification_of_incident", "notification", ["incident_id", "receiver"])
    op.create_index("sent_notification", "notification", ["organization_id", "receiver", "sent_at"])
    op.create_index("carried_notification", "notification", ["carried_by"])
    op.create_index("notification_of_lane", "notification", ["organization_id", "status", "receiver", "id"])


def _create_attempt() -> None:
    op.create_table(
        "delivery_attempt",
        Column("notification_id", Integer, ForeignKey("notification.id"), nullable=False),
        Column("number", Integer, nullable=False),
        Column("at", Instant, nullable=False),
        Column("outcome", CleanText, nullable=False),
        Column("code", CleanText, nullable=False),
        Column("latency_ms", Double),
        Column("detail", CleanText, nullable=False),
        PrimaryKeyConstraint("notification_id", "number"),
    )


def _create_receiver_state() -> None:
    op.create_table(
        "receiver_state",
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("receiver", CleanText, nullable=False),
        Column("since", Instant, nullable=False),
        Column("failures", Integer, nullable=False, server_default=text("0")),
        Column("blocked_until", Instant),
        Column("broken_since", Instant),
        Column("broken_reason", CleanText, nullable=False, server_default=""),
        Column("disabled_at", Instant),
        Column("accepted_at", Instant),
        Column("tested_at", Instant),
        Column("looked_at", Instant),
        PrimaryKeyConstraint("organization_id", "receiver"),
    )
