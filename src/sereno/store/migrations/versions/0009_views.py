"""Views for other tools; erasure that leaves a record."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer

from sereno.store.column_types import CleanText, Instant, StrictJson

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create what views need and the record of erasures; the views are made after the last migration."""
    op.add_column("signal_column", Column("unit", CleanText))
    op.create_index("detection_of_asset", "detection", ["asset_id", "last_at"])
    op.create_table(
        "erasure",
        Column("id", Integer, primary_key=True),
        Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False),
        Column("kind", CleanText, nullable=False),
        Column("subject", CleanText, nullable=False),
        Column("before", Instant),
        Column("at", Instant, nullable=False),
        Column("actor", CleanText, nullable=False),
        Column("reason", CleanText, nullable=False),
        Column("counts", StrictJson, nullable=False),
        Column("open_site_id", Integer),
        Column("open_before", Instant),
        sqlite_autoincrement=True,
    )
    _let_erasures_delete_events()


def _let_erasures_delete_events() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(POSTGRES_FUNCTION)
        return
    op.execute("DROP TRIGGER incident_event_is_kept")
    op.execute(SQLITE_TRIGGER)


# The log stays append-only: an entry goes with what a simulator caused, or in a transaction that leaves a
# record of what it erased and why. The record is open only inside that transaction.
MAY_GO = """EXISTS (
    SELECT 1 FROM incident JOIN asset ON asset.id = incident.asset_id
    WHERE incident.id = OLD.incident_id AND (asset.is_simulated OR EXISTS (
        SELECT 1 FROM erasure WHERE erasure.organization_id = incident.organization_id AND (
            erasure.open_site_id = asset.site_id
            OR (incident.state = 'closed' AND incident.ended_at < erasure.open_before)))))"""

SQLITE_TRIGGER = f"""CREATE TRIGGER incident_event_is_kept BEFORE DELETE ON incident_event WHEN NOT {MAY_GO}
    BEGIN SELECT RAISE(ABORT, 'incident_event is append-only'); END"""

POSTGRES_FUNCTION = f"""CREATE OR REPLACE FUNCTION keep_incident_event() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF {MAY_GO} THEN RETURN OLD; END IF;
        END IF;
        RAISE EXCEPTION 'incident_event is append-only';
    END $$"""
