"""Values that were replaced: kept as they were, because raw is never overwritten."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection

from sereno.domain.time import to_numpy
from sereno.store.bulk import CHUNK_ROWS, Cells, insert_chunks
from sereno.store.column_types import dump_json, to_microseconds
from sereno.store.merging import AssetRows
from sereno.store.schema import superseded_reading

__all__ = ["keep_superseded"]

Document = dict[str, float | int | str]

COLUMNS = {
    "asset_id": "int4",
    "profile": "text",
    "ts": "timestamp",
    "revision": "int4",
    "simulated": "bool",
    '"values"': "jsonb",
    "quality": "jsonb",
    '"at"': "timestamp",
}


def keep_superseded(
    connection: Connection,
    profile: str,
    signals: Sequence[str],
    parts: Sequence[tuple[int, AssetRows]],
    at: datetime,
) -> None:
    """Copy rows as they are before new values replace some of theirs.

    Args:
        signals: Those of the batch; the others do not change.
        parts: Rows of each asset.
        at: Now.
    """
    cells = _postgres_cells if connection.dialect.name == "postgresql" else _sqlite_cells
    chunks = (
        [*_repeated(len(rows), asset_id, profile), *cells(rows, signals, at)]
        for asset_id, of_asset in parts
        for rows in _chunks(of_asset)
    )
    insert_chunks(connection, superseded_reading.name, COLUMNS, chunks)


def _repeated(count: int, *cells: object) -> list[Cells]:
    return [[cell] * count for cell in cells]


def _chunks(rows: AssetRows) -> Iterator[AssetRows]:
    for start in range(0, len(rows), CHUNK_ROWS):
        yield rows.take(slice(start, start + CHUNK_ROWS))


def _postgres_cells(rows: AssetRows, signals: Sequence[str], at: datetime) -> list[Cells]:
    values, quality = _documents(rows, signals)
    ts, now = rows.ts.view("datetime64[us]"), [to_numpy(at).item()] * len(rows)
    return [ts.tolist(), rows.revision.tolist(), rows.simulated.tolist(), [*values], [*quality], now]


def _sqlite_cells(rows: AssetRows, signals: Sequence[str], at: datetime) -> list[Cells]:
    values, quality = ([dump_json(one) for one in part] for part in _documents(rows, signals))
    now = [to_microseconds(at)] * len(rows)
    return [rows.ts.tolist(), rows.revision.tolist(), rows.simulated.tolist(), [*values], [*quality], [*now]]


def _documents(rows: AssetRows, signals: Sequence[str]) -> tuple[list[Document], list[Document]]:
    """Values that are there, and quality that is not good, of each row, by signal."""
    finite = ((one if math.isfinite(one) else str(one) for one in row) for row in rows.values.tolist())
    values: list[Document] = [
        {signal: one for signal, one in zip(signals, row, strict=True) if one != "nan"} for row in finite
    ]
    quality: list[Document] = [
        {signal: bits for signal, bits in zip(signals, row, strict=True) if bits}
        for row in rows.quality.tolist()
    ]
    return values, quality
