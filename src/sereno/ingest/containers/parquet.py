"""Parquet: its typed columns as a tab-separated text, written in bounded memory."""

from pathlib import Path

import polars as pl

from sereno.domain.errors import CorruptFile, DiskFull, FileTooLarge
from sereno.ingest.containers.held import HeldTable, Opened, Scratch
from sereno.ingest.options import BYTES_PER_MIB, ReadOptions

__all__ = ["open_parquet"]

DETAIL_LENGTH = 160
_NO_SPACE = "os error 28"
"""How polars names ENOSPC."""
_THREE_DECIMALS = r"^(-?\d+\.\d{3})$"
"""Could be read as thousands; one more zero says that they are decimals."""
_CONTROL = r"[\t\r\n\x00]"


def open_parquet(path: Path, name: str, file: str, options: ReadOptions, scratch: Scratch) -> Opened:
    """The one table of a Parquet file; columns of lists and other nested ones are left out.

    Raises:
        CorruptFile: It cannot be read.
        FileTooLarge: Its text exceeds the limit on expanded content.
        DiskFull: There is no space where temporary files are.
    """
    target = scratch.room() / "table.tsv"
    try:
        frame = pl.scan_parquet(path, glob=False)
        schema = frame.collect_schema()
        cells = [_as_text(column, kind) for column, kind in schema.items() if not kind.is_nested()]
        frame.select(cells).sink_csv(target, separator="\t", quote_style="necessary", null_value="")
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
        if _NO_SPACE in str(error):
            raise DiskFull(store=str(target.parent)) from error
        raise CorruptFile(file=name, detail=_first_line(error)) from error
    if target.stat().st_size > options.max_expanded_bytes:
        raise FileTooLarge(file=name, detail=f"> {options.max_expanded_bytes // BYTES_PER_MIB} MiB")
    return Opened((HeldTable(name, "", target, "parquet", file),), (), (), scratch)


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """A column as text that can be read in one way only."""
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        zone = getattr(kind, "time_zone", None)
        if zone:
            return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).dt.to_string(
                "%Y-%m-%d %H:%M:%S%.fZ"
            )  # fmt: skip
        return column.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
    if kind.is_float() or kind.is_decimal():
        return column.cast(pl.String).str.replace(_THREE_DECIMALS, "${1}0")
    if kind == pl.Binary:
        return pl.lit("").alias(name)
    text = column.cast(pl.String)
    is_text = kind in (pl.String, pl.Categorical) or isinstance(kind, pl.Enum)
    return text.str.replace_all(_CONTROL, " ") if is_text else text


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:DETAIL_LENGTH]
