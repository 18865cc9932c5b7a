"""Reading tables of PostgreSQL lie in parts, one for each month.

What is too old goes by the part, which takes no time and leaves nothing for vacuum; what comes goes into a
part whose index is small. SQLite has no parts: its one file stays as it is.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
from sqlalchemy import Connection, bindparam, text

from sereno.domain.readings import TimeArray
from sereno.store.column_types import Instant
from sereno.store.isolation import isolate_reading_table

__all__ = [
    "BEFORE",
    "Part",
    "divide",
    "drop_before",
    "make_parts",
    "months_held",
    "months_of",
    "part_name",
    "parts_of",
]

FIRST_YEAR, END_YEAR = 2000, 2100
"""Years whose months have parts of their own; all before and all after lie in one each: a clock that is wrong
must not make a thousand tables."""
MAX_NAME = 63
PART_LOCK = 0x5E7E_12
"""Key of the PostgreSQL advisory lock under which parts are made."""
_EARLY, _LATE = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_BOUNDS = re.compile(r"FROM \((MINVALUE|'[^']+')\) TO \((MAXVALUE|'[^']+')\)")
_PARTS = text(
    "SELECT part.relname, pg_get_expr(part.relpartbound, part.oid) FROM pg_inherits "
    "JOIN pg_class AS part ON part.oid = inhrelid WHERE inhparent = to_regclass(:parent)"
)
_LOCK = (
    'DO $$ BEGIN LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE NOWAIT; '
    "EXCEPTION WHEN lock_not_available THEN NULL; END $$"
)
_LOCKED = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = to_regclass(:table) AND granted "
    "AND mode = 'AccessExclusiveLock' AND pid = pg_backend_pid())"
)
BEFORE = bindparam("before", type_=Instant())
_UTC = text("SET LOCAL timezone TO 'UTC'")


@dataclass(frozen=True, slots=True)
class Part:
    """Where the rows of a stretch of time lie: first <= ts < end."""

    name: str
    first: datetime
    end: datetime


def months_of(time: TimeArray) -> list[datetime]:
    """The first instants of the months that instants lie in; one stands for all that share a part."""
    months = np.unique(time.astype("datetime64[M]")).astype(np.int64)
    early, late = (_number(year) for year in (FIRST_YEAR, END_YEAR))
    return [_month(one) for one in sorted({*np.clip(months, early - 1, late).tolist()})]


def parts_of(connection: Connection, table: str) -> list[Part]:
    """The parts of a reading table in the order of time."""
    connection.execute(_UTC)
    rows = connection.execute(_PARTS, {"parent": f'"{table}"'}).all()
    return sorted((Part(name, *_between(bounds)) for name, bounds in rows), key=lambda part: part.first)


def months_held(connection: Connection, table: str) -> list[datetime]:
    """The months, as `months_of` gives them, of which a table may hold rows."""
    found: set[datetime] = set()
    for part in parts_of(connection, table):
        if (part.first, part.end) != _stretch(part.first):
            found |= set(_in_use(connection, part.name))
        else:
            found.add(_month(_number(FIRST_YEAR) - 1) if part.first == _EARLY else part.first)
    return sorted(found)


def _in_use(connection: Connection, part: str) -> list[datetime]:
    """The months of the rows of a part that is older than parts are."""
    query = f"SELECT DISTINCT date_trunc('month', ts AT TIME ZONE 'UTC') FROM \"{part}\""
    months = connection.exec_driver_sql(query).scalars().all()
    return months_of(np.array(months, dtype="datetime64[us]"))


def make_parts(
    connection: Connection, table: str, organization_id: int | None, months: Sequence[datetime]
) -> None:
    """Make the parts that months lack, beside whoever reads and writes the others meanwhile.

    Args:
        organization_id: Whose readings they are; None where a policy comes later.
        months: As `months_of` gives them.
    """
    if not _lacking(parts_of(connection, table), months):
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PART_LOCK})
    for month in _lacking(parts_of(connection, table), months):
        name, first, end = part_name(table, month), *_stretch(month)
        # Made first and joined then: a part that is born in its table would wait for all who read that.
        connection.exec_driver_sql(f'CREATE TABLE "{name}" (LIKE "{table}" INCLUDING ALL)')
        if organization_id is not None:
            isolate_reading_table(connection, name, organization_id)
        connection.exec_driver_sql(_joined(table, name, first, end))


def divide(connection: Connection, table: str, organization_id: int) -> None:
    """Make a table that lies in one piece one with parts; what it holds becomes its first part, uncopied."""
    connection.execute(_UTC)
    bounds = connection.exec_driver_sql(f'SELECT min(ts), max(ts) FROM "{table}"').one()
    before = _short(table, "before")
    connection.exec_driver_sql(f'ALTER TABLE "{table}" RENAME TO "{before}"')
    connection.exec_driver_sql(f'CREATE TABLE "{table}" (LIKE "{before}") PARTITION BY RANGE (ts)')
    connection.exec_driver_sql(f'ALTER TABLE "{table}" ADD PRIMARY KEY (asset_id, ts)')
    isolate_reading_table(connection, table, organization_id)
    if bounds[0] is None:
        connection.exec_driver_sql(f'DROP TABLE "{before}"')
    else:
        stretches = [_stretch(month) for month in months_of(np.array([_instant64(one) for one in bounds]))]
        connection.exec_driver_sql(_joined(table, before, stretches[0][0], stretches[-1][1]))


def drop_before(connection: Connection, table: str, before: datetime, *, which: str = "") -> int:
    """Drop the parts all of whose rows are older; returns the rows that went.

    While somebody reads, a long backup for example, nothing goes: who waits to drop keeps others waiting.

    Args:
        which: A part goes only where this is true of all its rows: `{table}` stands for it, `:before` too.
    """
    old = [part.name for part in parts_of(connection, table) if part.end <= before]
    if not old or not _is_locked(connection, table):
        return 0
    n_rows = 0
    for name in old:
        others = f"COUNT(*) FILTER (WHERE NOT ({which.format(table=name)}))" if which else "0"
        counted = text(f'SELECT COUNT(*), {others} FROM "{name}"')
        given = {"before": before} if which else {}
        n_own, n_others = connection.execute(counted.bindparams(BEFORE) if which else counted, given).one()
        if not n_others:
            n_rows += int(n_own)
            connection.exec_driver_sql(f'DROP TABLE "{name}"')
    return n_rows


def _is_locked(connection: Connection, table: str) -> bool:
    """Lock a table against everybody until the transaction ends; False where that would mean to wait."""
    connection.exec_driver_sql(_LOCK.format(table=table))
    return bool(connection.execute(_LOCKED, {"table": f'"{table}"'}).scalar_one())


def _lacking(parts: Iterable[Part], months: Sequence[datetime]) -> list[datetime]:
    there = list(parts)
    return [month for month in months if not any(part.first <= month < part.end for part in there)]


def _stretch(month: datetime) -> tuple[datetime, datetime]:
    """The stretch of a month; of what lies before the first year and after the last, all of it."""
    if month.year < FIRST_YEAR:
        return _EARLY, datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    if month.year >= END_YEAR:
        return datetime(END_YEAR, 1, 1, tzinfo=UTC), _LATE
    return month, _month(_number(month.year) + month.month)


def _joined(table: str, part: str, first: datetime, end: datetime) -> str:
    low = "MINVALUE" if first == _EARLY else f"'{first.isoformat()}'"
    high = "MAXVALUE" if end == _LATE else f"'{end.isoformat()}'"
    return f'ALTER TABLE "{table}" ATTACH PARTITION "{part}" FOR VALUES FROM ({low}) TO ({high})'


def _between(bounds: str) -> tuple[datetime, datetime]:
    """The ends of a part as PostgreSQL writes them where the clock shows UTC."""
    found = _BOUNDS.search(bounds)
    assert found is not None, bounds
    low, high = (one.strip("'") for one in found.groups())
    first = _EARLY if low == "MINVALUE" else datetime.fromisoformat(low)
    return first, _LATE if high == "MAXVALUE" else datetime.fromisoformat(high)


def part_name(table: str, month: datetime) -> str:
    """How the part of a month is called; other tables have other names, however long theirs is."""
    return _short(table, "early" if month.year < FIRST_YEAR else f"{month:%Y_%m}")


def _short(table: str, what: str) -> str:
    """A name of its own for each table, however long that is called."""
    name = f"{table}_{what}"
    if len(name) <= MAX_NAME:
        return name
    digest = sha256(table.encode()).hexdigest()[:8]
    return f"{table[: MAX_NAME - len(what) - len(digest) - 2]}_{digest}_{what}"


def _number(year: int) -> int:
    """Months since 1970 until a year begins."""
    return (year - 1970) * 12


def _month(number: int) -> datetime:
    return datetime(1970 + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _instant64(instant: datetime) -> np.datetime64:
    return np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "us")
