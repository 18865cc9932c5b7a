"""Tables of results, as Parquet."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import polars as pl

from sereno.scale.places import Place, is_remote, open_files

__all__ = ["read_table", "read_tables", "write_table"]

_ALL = "*.parquet"


def write_table(place: Place, name: str, columns: Mapping[str, Sequence[object] | np.ndarray]) -> None:
    """Write columns under a name, whole or not at all; instants are UTC.

    Raises:
        SystemRefused: It cannot be written.
    """
    file = BytesIO()
    # All values say what a column is: a unit may be missing from a thousand rows and then be there.
    pl.DataFrame(dict(columns), infer_schema_length=None).write_parquet(file)
    place.write(name, file.getvalue())


def read_table(place: Place, name: str) -> dict[str, list[object]]:
    """The columns of a table; none where there is no such table."""
    data = place.read(name)
    return {} if data is None else pl.read_parquet(BytesIO(data)).to_dict(as_series=False)


def read_tables(place: Place, folder: str) -> pl.DataFrame:
    """All tables of a folder one below the other, where there are rows."""
    address = f"{place.address.rstrip('/')}/{folder}"
    sources = open_files(address, _ALL) if is_remote(address) else f"{address}/{_ALL}"
    return pl.scan_parquet(sources, missing_columns="insert", extra_columns="ignore").collect()
