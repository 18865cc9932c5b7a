"""Series as files again, in the dialect in which they came."""

from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.faults.series import Series
from sereno.domain.signals import Profile
from sereno.ingest.identity import site_from_file_name
from sereno.ingest.units import conversion

__all__ = ["write_series"]

_DATES = {"dmy": "%d.%m.%Y", "mdy": "%m/%d/%Y", "ymd": "%Y-%m-%d"}
_UNIT_DATES = {"dmy": "[dd.MM.yyyy]", "mdy": "[MM/dd/yyyy]", "ymd": "[yyyy-MM-dd]"}
_DECIMALS = 6
"""Written in every cell, as exporters do: a lone `5.606` among integers might be five thousand."""


def write_series(series: Series, rows: slice, values: np.ndarray, profile: Profile, folder: Path) -> Path:
    """Write some rows of a series; rows without any value are not there.

    Args:
        rows: Which rows of the series.
        values: What is written in them, canonical units, shape (rows, signals).
    """
    kept = ~np.isnan(values).all(axis=1)
    local = (
        pl.Series(series.time[rows][kept])
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(series.zone)
        .dt.replace_time_zone(None)
    )
    columns = _identity(series, profile, int(kept.sum()))
    for column, (name, unit) in enumerate(series.dialect.columns):
        columns[name] = pl.Series(_written(series, profile, column, unit, values[kept, column]))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / series.dialect.file
    if path.suffix == ".parquet":
        pl.DataFrame({series.dialect.time_header: local, **columns}).write_parquet(path)
        return path
    return _write_text(series, local, columns, path)


def _written(series: Series, profile: Profile, column: int, unit: str, values: np.ndarray) -> np.ndarray:
    canonical = profile.signal(series.signals[column]).unit
    change = conversion(canonical, unit) if unit else None
    if change is not None and not change.is_identity:
        values = values * change.factor + change.offset
    return np.round(values, _DECIMALS)


def _identity(series: Series, profile: Profile, n_rows: int) -> dict[str, pl.Series]:
    """Columns that name the site and the asset where the file's name does not."""
    site, asset = series.key.site, series.key.asset
    columns = {}
    if site_from_file_name(series.dialect.file) != site:
        columns[profile.site_aliases[0]] = pl.Series([site] * n_rows, dtype=pl.String)
    if asset != site:
        columns[profile.asset_aliases[0]] = pl.Series([asset] * n_rows, dtype=pl.String)
    return columns


def _write_text(series: Series, local: pl.Series, columns: dict[str, pl.Series], path: Path) -> Path:
    dialect = series.dialect
    form = _DATES[dialect.date_order] + ("" if series.is_daily else " %H:%M:%S")
    frame = pl.DataFrame({dialect.time_header: local.dt.strftime(form), **columns})
    units = dict(dialect.columns)
    first = _UNIT_DATES[dialect.date_order]
    unit_row = [first, *(f"[{units[name]}]" if units.get(name) else "" for name in frame.columns[1:])]
    head = [frame.columns, *([unit_row] if dialect.has_unit_row else [])]
    delimiter = dialect.delimiter or ","
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(delimiter.join(_quoted(cell, delimiter) for cell in row) + "\n" for row in head)
        file.write(
            frame.write_csv(
                include_header=False,
                separator=delimiter,
                decimal_comma=dialect.decimal == ",",
                float_scientific=False,
                float_precision=_DECIMALS,
            )
        )
    return path.rename(path.with_suffix(".csv"))


def _quoted(cell: str, delimiter: str) -> str:
    return f'"{cell}"' if delimiter in cell else cell
