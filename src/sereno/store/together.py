"""One question about many assets, each since an instant of its own.

The question has the same text however many assets there are, so databases and drivers know it already.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from sqlalchemy import CTE, Column, ColumnElement, Integer, TextClause, text

from sereno.store.column_types import Instant, to_microseconds

__all__ = [
    "ALWAYS",
    "among",
    "listed",
    "since_parameters",
    "span_parameters",
    "unindexed",
    "wanted_since",
    "wanted_within",
]

ALWAYS = datetime(2, 1, 1, tzinfo=UTC)
"""Before all that is stored, and far enough from the end of the calendar for every time zone."""
_SQLITE = """
SELECT json_extract(value, '$[0]') AS asset_id, json_extract(value, '$[1]') AS since FROM json_each(:wanted)
"""
_SQLITE_SPANS = """
SELECT json_extract(value, '$[0]') AS asset_id, json_extract(value, '$[1]') AS since,
       json_extract(value, '$[2]') AS until
FROM json_each(:wanted)
"""
_POSTGRES = """
SELECT given.asset_id, given.since
FROM unnest(CAST(:wanted AS integer[]), CAST(:instants AS timestamptz[])) AS given(asset_id, since)
"""
_POSTGRES_SPANS = """
SELECT given.asset_id, given.since, given.until
FROM unnest(CAST(:wanted AS integer[]), CAST(:instants AS timestamptz[]), CAST(:ends AS timestamptz[]))
     AS given(asset_id, since, until)
"""


def unindexed(column: Column[int]) -> ColumnElement[int]:
    """A column by which rows are not looked up.

    SQLite knows nothing of how many rows an organization has, and would rather walk all of them than look
    up a few by their ids.
    """
    return column + 0


@cache
def among(column: str, name: str, *, is_postgres: bool) -> TextClause:
    """The condition that a column, with the name of its table, is one of a list: the parameter `name`.

    The text is the same however long the list is, so nobody has to read it again.
    """
    if not is_postgres:
        return text(f"{column} IN (SELECT value FROM json_each(:{name}))")
    return text(f"{column} = ANY(:{name})")


def listed(values: Collection[int] | Collection[str], *, is_postgres: bool) -> object:
    """A list as the parameter of `among`."""
    return list(values) if is_postgres else json.dumps(list(values))


@cache
def wanted_since(*, is_postgres: bool) -> CTE:
    """The rows (asset_id, since) that `since_parameters` fill."""
    given = text(_POSTGRES if is_postgres else _SQLITE)
    return given.columns(asset_id=Integer, since=Instant).cte("wanted")


def since_parameters(since: Mapping[int, datetime], *, is_postgres: bool) -> dict[str, object]:
    """The assets and instants as the parameters of `wanted_since`."""
    if is_postgres:
        return {"wanted": list(since), "instants": list(since.values())}
    return {"wanted": json.dumps([[one, to_microseconds(at)] for one, at in since.items()])}


@cache
def wanted_within(*, is_postgres: bool) -> CTE:
    """The rows (asset_id, since, until) that `span_parameters` fill."""
    given = text(_POSTGRES_SPANS if is_postgres else _SQLITE_SPANS)
    return given.columns(asset_id=Integer, since=Instant, until=Instant).cte("wanted")


def span_parameters(
    spans: Sequence[tuple[int, datetime, datetime]], *, is_postgres: bool
) -> dict[str, object]:
    """Assets, each with a first and a last instant, as the parameters of `wanted_within`."""
    if is_postgres:
        names = ("wanted", "instants", "ends")
        return {name: list(part) for name, part in zip(names, zip(*spans, strict=True), strict=True)}
    rows = [[one, to_microseconds(first), to_microseconds(last)] for one, first, last in spans]
    return {"wanted": json.dumps(rows)}
