"""Many rows at once, through the driver: where SQLite and PostgreSQL each have their own fastest way."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from sereno.domain.arrays import known_or_zero
from sereno.domain.time import EPOCH
from sereno.store.column_types import MICROSECOND
from sereno.store.merging import AssetRows
from sereno.store.reading_table import ReadingTable

if TYPE_CHECKING:
    from psycopg import Cursor

__all__ = [
    "CHUNK_ROWS",
    "Cells",
    "TableRows",
    "insert_chunks",
    "insert_rows",
    "nullable",
    "read_rows",
    "read_stretches",
    "upsert_rows",
]

CHUNK_ROWS = 20_000
"""Rows that exist as Python objects at a time."""

MIN_COPIED_ROWS = 1_000
"""Rows from which COPY into a table beside and back is faster than arrays (PostgreSQL 15)."""

STAGE = "staged_rows"

N_FIXED = 4
"""Columns of the key and the origin, before those of the signals."""

Cells = list[object]


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of a reading table, column by column.

    Attributes:
        names: Quoted names of the columns; the key is first.
        types: PostgreSQL type of each.
        arrays: Content of each, shape (rows,); NaN, and quality 0, stand for NULL.
    """

    table: str
    names: list[str] = field(default_factory=lambda: ["asset_id", "ts", "revision", "simulated"])
    types: list[str] = field(default_factory=lambda: ["int4", "timestamp", "int4", "bool"])
    arrays: list[npt.NDArray[np.generic]] = field(default_factory=list)

    @classmethod
    def collect(
        cls,
        table: ReadingTable,
        signals: Sequence[str],
        parts: Sequence[tuple[int, AssetRows]],
        *,
        with_all_quality: bool,
    ) -> "TableRows":
        """The rows of several assets in the order of the key, without columns that have no content."""
        found = cls(table.name)
        parts = sorted(parts, key=lambda part: part[0])
        rows = AssetRows.join([rows for _, rows in parts])
        ids = np.repeat([asset_id for asset_id, _ in parts], [len(rows) for _, rows in parts])
        found.arrays.extend([ids, rows.ts, rows.revision, rows.simulated])
        has_value = np.any(~np.isnan(rows.values), axis=0)
        has_quality = np.any(rows.quality, axis=0) | with_all_quality
        found._add("float8", table.values_of(signals), rows.values, has_value)
        found._add("int4", table.qualities_of(signals), rows.quality, has_quality)
        return found

    def _add(
        self, kind: str, names: list[str], block: npt.NDArray[np.generic], kept: npt.NDArray[np.bool_]
    ) -> None:
        for position in np.flatnonzero(kept):
            self.names.append(names[position])
            self.types.append(kind)
            self.arrays.append(block[:, position])

    def chunks(self, *, with_datetimes: bool) -> Iterator[list[Cells]]:
        """Lists of at most `CHUNK_ROWS` Python objects per column."""
        for start in range(0, len(self.arrays[0]), CHUNK_ROWS):
            parts = [array[start : start + CHUNK_ROWS] for array in self.arrays]
            if with_datetimes:
                parts[1] = parts[1].view("datetime64[us]")
            fixed, free = parts[:N_FIXED], parts[N_FIXED:]
            yield [*(part.tolist() for part in fixed), *(nullable(part) for part in free)]


def read_rows(
    connection: Connection,
    table: ReadingTable,
    asset_id: int,
    signals: Sequence[str],
    between: tuple[int | None, int | None] = (None, None),
) -> AssetRows:
    """The stored rows of one asset with first <= ts < last [microseconds since 1970], in time order."""
    is_postgres = connection.dialect.name == "postgresql"
    mark = "%s" if is_postgres else "?"
    columns = _row_columns(table, signals, is_postgres=is_postgres)
    where = [f"asset_id = {mark}"]
    parameters: Cells = [asset_id]
    for bound, sign in zip(between, (">=", "<"), strict=True):
        if bound is not None:
            where.append(f"ts {sign} {mark}")
            parameters.append(EPOCH + bound * MICROSECOND if is_postgres else bound)
    query = f'SELECT {", ".join(columns)} FROM "{table.name}" WHERE {" AND ".join(where)} ORDER BY ts'
    cursor = connection.exec_driver_sql(query, tuple(parameters)).cursor
    assert cursor is not None
    parts = [_as_rows([], len(signals))]
    while chunk := cursor.fetchmany(CHUNK_ROWS):
        parts.append(_as_rows(chunk, len(signals)))
    cursor.close()
    return AssetRows.join(parts)


def read_stretches(
    connection: Connection,
    table: ReadingTable,
    stretches: Sequence[tuple[int, int, int]],
    signals: Sequence[str],
) -> dict[int, AssetRows]:
    """The stored rows of several assets, each with first <= ts < last of its own, in one question.

    Args:
        stretches: Asset, first and last [microseconds since 1970]; those of one asset do not overlap.
    """
    is_postgres = connection.dialect.name == "postgresql"
    columns = ["asset_id", *_row_columns(table, signals, is_postgres=is_postgres)]
    parameters: tuple[object, ...]
    if is_postgres:
        given = "unnest(%s::int[], %s::timestamptz[], %s::timestamptz[]) AS given(asset, first, last)"
        ids, *bounds = (list(part) for part in zip(*stretches, strict=True))
        parameters = (ids, *([EPOCH + one * MICROSECOND for one in part] for part in bounds))
    else:
        cells = ", ".join(
            f"json_extract(value, '$[{place}]') AS {name}"
            for place, name in enumerate(("asset", "first", "last"))
        )
        given = f"(SELECT {cells} FROM json_each(?))"
        parameters = (json.dumps(stretches),)
    # CROSS JOIN: what is asked for leads, and the rows of each stretch lie together under the key.
    query = (
        f'SELECT {", ".join(columns)} FROM {given} CROSS JOIN "{table.name}" '
        "WHERE asset_id = asset AND ts >= first AND ts < last ORDER BY asset_id, ts"
    )
    return _by_asset(connection, query, parameters, {one for one, *_ in stretches}, len(signals))


def _by_asset(
    connection: Connection,
    query: str,
    parameters: tuple[object, ...],
    asset_ids: Collection[int],
    n_signals: int,
) -> dict[int, AssetRows]:
    """The rows that a question gives, each after its asset and in its order, as those of each asset."""
    cursor = connection.exec_driver_sql(query, parameters).cursor
    assert cursor is not None
    owners, parts = [np.empty(0, dtype=np.int64)], [AssetRows.empty(n_signals)]
    while chunk := cursor.fetchmany(CHUNK_ROWS):
        owners.append(np.fromiter((row[0] for row in chunk), dtype=np.int64, count=len(chunk)))
        parts.append(_as_rows([row[1:] for row in chunk], n_signals))
    cursor.close()
    owner, rows, ids = np.concatenate(owners), AssetRows.join(parts), sorted(asset_ids)
    edges, ends = np.searchsorted(owner, ids), np.searchsorted(owner, ids, side="right")
    stretches = zip(ids, edges.tolist(), ends.tolist(), strict=True)
    return {one: rows.take(slice(start, stop)) for one, start, stop in stretches}


def _row_columns(table: ReadingTable, signals: Sequence[str], *, is_postgres: bool) -> list[str]:
    ts = "(extract(epoch FROM ts) * 1000000)::bigint" if is_postgres else "ts"
    return [ts, "revision", "simulated", *table.values_of(signals), *table.qualities_of(signals)]


def insert_rows(connection: Connection, rows: TableRows) -> None:
    """Write rows of instants that are not there; the caller holds the lock that makes sure of it."""
    chunks = rows.chunks(with_datetimes=connection.dialect.name == "postgresql")
    insert_chunks(connection, rows.table, dict(zip(rows.names, rows.types, strict=True)), chunks)


def insert_chunks(
    connection: Connection,
    table: str,
    columns: Mapping[str, str],
    chunks: Iterable[Sequence[Cells]],
    *,
    conflict: str = "",
) -> None:
    """Write rows given as chunks of columns.

    Args:
        columns: Quoted name and PostgreSQL type of each column.
        conflict: What becomes of rows whose key is there: `ON CONFLICT …`; without it none is.
        chunks: In each, one list of cells per column, as the driver takes them.
    """
    into = f'"{table}" ({", ".join(columns)})'
    if connection.dialect.name != "postgresql":
        _execute_many(connection, f"INSERT INTO {into} VALUES ({_marks(columns)}) {conflict}", chunks)
        return
    for chunk in chunks:
        if len(chunk[0]) < MIN_COPIED_ROWS:
            connection.exec_driver_sql(
                f"INSERT INTO {into} {_unnested(columns)} {conflict}", _parameters(columns, chunk)
            )
        else:
            _insert_copied(connection, table, columns, chunk, conflict)


def _insert_copied(
    connection: Connection, table: str, columns: Mapping[str, str], chunk: Sequence[Cells], conflict: str
) -> None:
    """COPY cannot fill a table with row-level security, so it fills one beside it."""
    names = ", ".join(columns)
    connection.exec_driver_sql(
        f'CREATE TEMPORARY TABLE {STAGE} ON COMMIT DROP AS SELECT {names} FROM "{table}" LIMIT 0'
    )
    # psycopg's own cursor: SQLAlchemy has no word for COPY.
    cursor = cast("Cursor", connection.connection.cursor())
    with cursor, cursor.copy(f"COPY {STAGE} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        # In binary form a timestamp without zone is the same eight bytes as one in UTC with zone.
        copy.set_types(list(columns.values()))
        for row in zip(*chunk, strict=True):
            copy.write_row(row)
    connection.exec_driver_sql(f'INSERT INTO "{table}" ({names}) SELECT {names} FROM {STAGE} {conflict}')
    connection.exec_driver_sql(f"DROP TABLE {STAGE}")


def _unnested(columns: Mapping[str, str]) -> str:
    """Rows out of one array per column."""
    arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
    chosen = ", ".join(
        f"{name} AT TIME ZONE 'UTC'" if kind == "timestamp" else name for name, kind in columns.items()
    )
    return f"SELECT {chosen} FROM unnest({arrays}) AS given({', '.join(columns)})"


def _parameters(columns: Mapping[str, str], chunk: Sequence[Cells]) -> tuple[Cells, ...]:
    from psycopg.types.json import Jsonb

    return tuple(
        [Jsonb(cell) for cell in cells] if kind == "jsonb" else cells
        for kind, cells in zip(columns.values(), chunk, strict=True)
    )


def upsert_rows(connection: Connection, rows: TableRows) -> None:
    """Write rows of instants that are there; a value that is absent here leaves the stored one."""
    into = f'INSERT INTO "{rows.table}" ({", ".join(rows.names)})'
    fresh = ", ".join(
        _update(rows.table, name, kind) for name, kind in zip(rows.names, rows.types, strict=True)
    )
    conflict = f"ON CONFLICT (asset_id, ts) DO UPDATE SET {fresh}"
    if connection.dialect.name == "postgresql":
        source = _unnested(dict(zip(rows.names, rows.types, strict=True)))
        for chunk in rows.chunks(with_datetimes=True):
            connection.exec_driver_sql(f"{into} {source} {conflict}", tuple(chunk))
        return
    chunks = rows.chunks(with_datetimes=False)
    _execute_many(connection, f"{into} VALUES ({_marks(rows.names)}) {conflict}", chunks)


def _update(table: str, name: str, kind: str) -> str:
    if kind == "float8":
        return f'{name} = COALESCE(excluded.{name}, "{table}".{name})'
    # Quality columns are the ones that are free to be empty: 0 is written as nothing.
    return f"{name} = NULLIF(excluded.{name}, 0)" if name.endswith('__q"') else f"{name} = excluded.{name}"


def _marks(names: Collection[str]) -> str:
    return ", ".join("?" * len(names))


def _execute_many(connection: Connection, statement: str, chunks: Iterable[Sequence[Cells]]) -> None:
    for chunk in chunks:
        connection.exec_driver_sql(statement, list(zip(*chunk, strict=True)))


def nullable(array: npt.NDArray[np.generic]) -> Cells:
    """Cells as a driver takes them: NaN, and a quality of 0, are nothing."""
    cells: Cells = array.tolist()
    if array.dtype.kind == "f":
        return [None if cell != cell else cell for cell in cells] if np.isnan(array).any() else cells  # noqa: PLR0124
    return [cell or None for cell in cells]


def _as_rows(chunk: Sequence[Sequence[object]], n_signals: int) -> AssetRows:
    n_rows = len(chunk)
    cells = np.array(chunk, dtype=np.float64).reshape(n_rows, 3 + 2 * n_signals)
    first_quality = 3 + n_signals
    return AssetRows(
        # Not through float64, which is exact only until the year 2255.
        ts=np.fromiter((row[0] for row in chunk), dtype=np.int64, count=n_rows),
        revision=cells[:, 1].astype(np.int64),
        simulated=cells[:, 2].astype(np.bool_),
        values=np.ascontiguousarray(cells[:, 3:first_quality]),
        quality=known_or_zero(cells[:, first_quality:]).astype(np.int32),
    )
