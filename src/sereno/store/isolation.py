"""The second lock between organizations: PostgreSQL shows a transaction only the rows of its organization.

Row-level security holds for the owner of the tables, too (`FORCE`), but not for superusers and roles with
`BYPASSRLS`: sereno should connect as neither. The first lock is the condition in every statement.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, select, text

from sereno.store.schema import metadata, reading_table

__all__ = [
    "ALL_SETTING",
    "ORGANIZATION_SETTING",
    "all_organizations",
    "isolate_reading_table",
    "isolate_tables",
]

ORGANIZATION_SETTING = "sereno.organization"
"""Id of the organization that a transaction belongs to."""

ALL_SETTING = "sereno.all_organizations"
"""`on` in transactions that copy, restore or migrate a store as a whole."""

# In a sub-select, so that each is looked at once per statement and not once per row.
_MINE = f"(SELECT NULLIF(current_setting('{ORGANIZATION_SETTING}', true), '')::integer)"
_ALL = f"(SELECT current_setting('{ALL_SETTING}', true)) = 'on'"
_PARENTS = {"asset_id": "asset", "incident_id": "incident", "notification_id": "notification"}
"""Tables without an organization of their own, by the column that leads to one."""

_ISOLATED = text(
    "SELECT relname FROM pg_class WHERE relforcerowsecurity "
    "AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
)
_PARTS = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
    "WHERE inhparent = to_regclass(:parent)"
)
_SETTING = text("SELECT current_setting(:name, true)")
_SET = text("SELECT set_config(:name, :value, true)")
_THERE = text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")


def isolate_tables(connection: Connection) -> None:
    """Put a policy on every table of ours that has none; nothing to do on SQLite, which has one user."""
    if connection.dialect.name != "postgresql":
        return
    done = set(connection.execute(_ISOLATED).scalars())
    there = set(connection.execute(_THERE).scalars())
    for table in metadata.sorted_tables:
        if table.name in there - done:
            _isolate(connection, table.name, f"{_condition(table)} OR {_ALL}")
    readings = connection.execute(select(reading_table.c.table_name, reading_table.c.organization_id))
    for name, organization_id in readings.all():
        parts = connection.execute(_PARTS, {"parent": f'"{name}"'}).scalars().all()
        for one in {name, *parts} & there - done:
            isolate_reading_table(connection, one, organization_id)


@contextmanager
def all_organizations(connection: Connection) -> Iterator[None]:
    """Let a transaction see the rows of every organization, for what is about the store as a whole."""
    if connection.dialect.name != "postgresql":
        yield
        return
    before = connection.execute(_SETTING, {"name": ALL_SETTING}).scalar() or ""
    connection.execute(_SET, {"name": ALL_SETTING, "value": "on"})
    yield
    connection.execute(_SET, {"name": ALL_SETTING, "value": before})


def isolate_reading_table(connection: Connection, name: str, organization_id: int) -> None:
    """Put the policy on the readings of one organization: one comparison for the whole statement."""
    _isolate(connection, name, f"{_MINE} = {organization_id:d} OR {_ALL}")


def _condition(table: Table) -> str:
    if table.name == "organization":
        return f"id = {_MINE}"
    if "organization_id" in table.c:
        return f"organization_id = {_MINE}"
    column = next(name for name in _PARENTS if name in table.c)
    parent = _PARENTS[column]
    of_parent = f"parent.id = {table.name}.{column} AND parent.organization_id = {_MINE}"
    return f"EXISTS (SELECT FROM {parent} AS parent WHERE {of_parent})"


def _isolate(connection: Connection, name: str, condition: str) -> None:
    connection.exec_driver_sql(f'ALTER TABLE "{name}" ENABLE ROW LEVEL SECURITY')
    connection.exec_driver_sql(f'ALTER TABLE "{name}" FORCE ROW LEVEL SECURITY')
    connection.exec_driver_sql(f'CREATE POLICY own_rows ON "{name}" USING ({condition})')
