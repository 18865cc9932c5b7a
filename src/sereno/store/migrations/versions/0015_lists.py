"""What lists of incidents are sorted and grouped by, in columns with indexes."""

from alembic import op
from sqlalchemy import Column, Double, Integer, bindparam, column, select, table, text, update

from sereno.domain.incidents import Incident
from sereno.store.codec import evidence_of, ranking_columns
from sereno.store.column_types import CleanText, Instant, StrictJson

revision = "0015"
down_revision = "0014"

_AT_ONCE = 500
_INCIDENT = table(
    "incident",
    column("id", CleanText),
    column("opened_at", Instant),
    column("evidence", StrictJson),
    *(column(name) for name in ("n_rows", "lost", "lost_per_day", "lost_unit", "trouble")),
)


def upgrade() -> None:
    """Add the columns, fill them from the evidence, and create the indexes."""
    for one in (
        Column("n_rows", Integer, nullable=False, server_default=text("0")),
        Column("lost", Double, nullable=False, server_default=text("0")),
        Column("lost_per_day", Double, nullable=False, server_default=text("0")),
        Column("lost_unit", CleanText, nullable=False, server_default=text("''")),
        Column("trouble", CleanText, nullable=False, server_default=text("''")),
    ):
        op.add_column("incident", one)
    _fill()
    op.create_index("incident_of_trouble", "incident", ["asset_id", "trouble", "started_at"])
    is_cleared, is_inhibited = text("condition = 'cleared'"), text("inhibitors <> '[]'")
    for name, columns, where in (
        ("cleared_by_start", ["started_at DESC", "id"], is_cleared),
        ("cleared_by_severity", ["severity DESC", "n_rows DESC", "started_at", "id"], is_cleared),
        ("incident_inhibited", ["started_at"], is_inhibited),
    ):
        keys = [text(one) for one in ("organization_id", *columns)]
        op.create_index(name, "incident", keys, sqlite_where=where, postgresql_where=where)


def _fill() -> None:
    """Work the columns out as a new incident's are; some rows at a time."""
    connection, row = op.get_bind(), _INCIDENT.c
    change = update(_INCIDENT).where(row.id == bindparam("of_incident"))
    some = select(row.id, row.opened_at, row.evidence).order_by(row.id).limit(_AT_ONCE)
    last = ""
    while found := connection.execute(some.where(row.id > last)).all():
        filled = [
            {"of_incident": id_, **ranking_columns(Incident(id_, "", opened_at, evidence_of(evidence)))}
            for id_, opened_at, evidence in found
        ]
        connection.execute(change, filled)
        last = found[-1].id
