"""What is open, or ended late, of an asset is found without a walk over all that it ever had."""

from alembic import op
from sqlalchemy import text

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("detection_by_end", "detection", ["asset_id", "ended_at"])
    op.create_index("incident_by_end", "incident", ["asset_id", "ended_at"])
    is_active = text("condition = 'active'")
    op.create_index(
        "active_incident_of_asset",
        "incident",
        ["asset_id"],
        sqlite_where=is_active,
        postgresql_where=is_active,
    )
