"""Readings on PostgreSQL lie in parts by month; what is there becomes the first part, uncopied."""

from alembic import op
from sqlalchemy import text

from sereno.store.months import divide

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Divide the reading tables of every organization."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    whole = text(
        "SELECT table_name, organization_id FROM reading_table "
        "JOIN pg_class ON pg_class.oid = to_regclass(quote_ident(table_name)) WHERE relkind = 'r'"
    )
    for name, organization_id in connection.execute(whole).all():
        divide(connection, name, organization_id)
