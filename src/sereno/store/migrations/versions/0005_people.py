"""What people and time do to incidents: timers, silences, adjusted thresholds."""

from datetime import UTC, datetime, timedelta

from alembic import op
from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    column,
    insert,
    literal,
    not_,
    select,
    table,
    text,
    update,
)

from sereno.store.column_types import CleanText, Instant, StrictJson

revision = "0005"
down_revision = "0004"

ACKNOWLEDGE_FOR, UNATTENDED_AFTER = timedelta(days=7), timedelta(days=14)


def upgrade() -> None:
    """Create their tables and the columns that incidents derive from their events."""
    _extend_incidents()
    op.create_table(
        "timer",
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("incident_id", CleanText, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
        Column("kind", CleanText, nullable=False),
        Column("step", Integer, nullable=False),
        Column("due_at", Instant, nullable=False),
        PrimaryKeyConstraint("incident_id", "kind", "step"),
    )
    op.create_index("timer_due", "timer", ["organization_id", "due_at"])
    _begin_waiting()
    op.create_table(
        "silence",
        Column("id", CleanText, primary_key=True),
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("starts_at", Instant, nullable=False),
        Column("ends_at", Instant),
        Column("matcher", StrictJson, nullable=False),
        Column("recurrence", StrictJson),
        Column("mutes", StrictJson, nullable=False),
        Column("author", CleanText, nullable=False),
        Column("comment", CleanText, nullable=False),
        Column("at", Instant, nullable=False),
        Column("ended_at", Instant),
        Column("ended_by", CleanText),
    )
    op.create_table(
        "adjustment",
        Column("id", CleanText, primary_key=True),
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("asset_id", Integer, ForeignKey("asset.id"), nullable=False),
        Column("check", CleanText, nullable=False),
        Column("factor", Double, nullable=False),
        Column("incident_id", CleanText, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
        Column("author", CleanText, nullable=False),
        Column("at", Instant, nullable=False),
        Column("undone_at", Instant),
        Column("undone_by", CleanText),
    )
    op.create_index("adjustment_of_asset", "adjustment", ["asset_id"])


def _begin_waiting() -> None:
    """Give the incidents that are there what they would wait for: nobody has waited before."""
    incident = table(
        "incident",
        *(column(name) for name in ("organization_id", "id", "condition", "state", "severity")),
        column("is_withdrawn", Boolean),
        column("shelved_until", Instant),
        column("acknowledged_severity", Integer),
    )
    timer = table(
        "timer",
        *(column(name) for name in ("organization_id", "incident_id", "kind", "step")),
        column("due_at", Instant),
    )
    now, row = datetime.now(UTC), incident.c
    is_acknowledged = row.state == "acknowledged"
    waits = (
        (
            "unacknowledge",
            literal(now + ACKNOWLEDGE_FOR, Instant),
            (row.condition == "active") & is_acknowledged,
        ),
        ("unshelve", row.shelved_until, row.shelved_until.is_not(None)),
        (
            "close",
            literal(now + UNATTENDED_AFTER, Instant),
            (row.condition == "cleared") & (row.state != "closed") & not_(row.is_withdrawn),
        ),
    )
    for kind, due_at, is_waiting in waits:
        chosen = select(row.organization_id, row.id, literal(kind), literal(0), due_at).where(is_waiting)
        op.execute(insert(timer).from_select([one.name for one in timer.columns], chosen))
    op.execute(update(incident).where(is_acknowledged).values(acknowledged_severity=row.severity))


def _extend_incidents() -> None:
    for one in (
        Column("is_unattended", Boolean, nullable=False, server_default=text("false")),
        Column("acknowledged_severity", Integer),
        Column("escalated", Integer, nullable=False, server_default=text("0")),
        Column("silences", StrictJson, nullable=False, server_default=text("'{}'")),
        Column("inhibitors", StrictJson, nullable=False, server_default=text("'[]'")),
        Column("is_chattering", Boolean, nullable=False, server_default=text("false")),
    ):
        op.add_column("incident", one)
    op.create_index("incident_of_cause", "incident", ["organization_id", "cause", "started_at"])
