"""Tables of results, as Parquet."""

from collections.abc import Collection, Mapping, Sequence
from io import BytesIO

import numpy as np
import polars as pl

from sereno.scale.places import Place, is_remote, open_files

__all__ = ["read_table", "read_tables", "write_table"]

_ALL = "*.parquet"


def write_table(
    place: Place,
    name: str,
    columns: Mapping[str, Sequence[object] | np.ndarray],
    *,
    numbers: Collection[str] = (),
) -> None:
    """Write columns under a name, whole or not at all; instants are UTC.

    Args:
        numbers: Columns that hold numbers where they hold anything; others of nothing hold text, so that
            tables of one kind fit below each other.

    Raises:
        SystemRefused: It cannot be written.
    """
    # All values say what a column is: a unit may be missing from a thousand rows and then be there.
    frame = pl.DataFrame(dict(columns), infer_schema_length=None)
    kinds = {
        column: pl.Float64 if column in numbers else pl.String
        for column, kind in frame.schema.items()
        if kind == pl.Null
    }
    file = BytesIO()
    frame.with_columns(pl.col(column).cast(kind) for column, kind in kinds.items()).write_parquet(file)
    place.write(name, file.getvalue())


def read_table(place: Place, name: str) -> dict[str, list[object]]:
    """The columns of a table; none where there is no such table."""
    data = place.read(name)
    return {} if data is None else pl.read_parquet(BytesIO(data)).to_dict(as_series=False)


def read_tables(place: Place, folder: str, columns: Sequence[str]) -> list[list[object]]:
    """Columns of all tables of a folder, one below the other."""
    address = f"{place.address.rstrip('/')}/{folder}"
    sources = open_files(address, _ALL) if is_remote(address) else f"{address}/{_ALL}"
    found = pl.scan_parquet(sources).select(pl.col(*columns).cast(pl.String)).collect()
    return [found[name].to_list() for name in columns]
