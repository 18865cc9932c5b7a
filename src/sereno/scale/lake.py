"""A fleet in Parquet files: what assets there are, and the rows of some of them, without loading the others."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from sereno.domain.errors import CorruptFile, FileMissing, MissingColumns
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey, Profile
from sereno.scale.blocks import Block
from sereno.scale.places import is_remote, open_files

__all__ = ["ASSET", "QUALITY", "SITE", "TIME", "ZONE", "Lake"]

SITE, ASSET, TIME, ZONE = "site", "asset", "time", "zone"
QUALITY = "quality_"
"""Begins the name of the column that says what the source said of a signal."""
_NATIVE = ("s3://", "s3a://", "gs://", "gcs://", "az://", "abfs://", "abfss://", "adl://", "http", "hf://")
"""What polars reads itself, only the parts that are needed; the rest is opened by fsspec."""
_PATTERN = "**/*.parquet"
_KEY = (SITE, ASSET, TIME)


@dataclass(frozen=True, slots=True)
class Lake:
    """Parquet files with the columns `site`, `asset`, `time` and one for each signal.

    `time` is the start of the step, in UTC where it names no zone. `zone` may hold the time zone of the site,
    and `quality_` with the name of a signal the bits of `Quality`. Folders as `site=North` count as columns.
    Files are sorted by site and asset, or have few of them each: only what a block needs is read then.

    Attributes:
        address: A file, a folder or a pattern, local or any address that fsspec knows.
        zone: Time zone of sites of which the files say none.
    """

    address: str
    zone: str = "UTC"

    def columns(self) -> tuple[str, ...]:
        """Names of all columns.

        Raises:
            FileMissing, CorruptFile: There is nothing that could be read.
        """
        return tuple(_read(self.address, lambda: self._scan().collect_schema().names()))

    def keys(self) -> list[AssetKey]:
        """All assets, ascending.

        Raises:
            FileMissing, CorruptFile, MissingColumns: It is no such lake.
        """
        self._refuse_without_keys()
        wanted = self._scan().select(pl.col(SITE, ASSET).cast(pl.String)).unique().sort(SITE, ASSET)
        found = _read(self.address, lambda: wanted.collect(engine="streaming"))
        return [AssetKey(site, asset) for site, asset in found.iter_rows()]

    def read(self, block: Block, profile: Profile) -> list[Window]:
        """The rows of each asset of a block as they were read, in the order of the block.

        Of several rows of one instant the last one counts.

        Raises:
            FileMissing, CorruptFile: It cannot be read.
        """
        columns = self.columns()
        signals = _signals(columns, profile)
        frame = _read(self.address, lambda: self._rows(block, columns, signals).collect())
        return list(_windows(frame, block, signals, self.zone))

    def _rows(self, block: Block, columns: Sequence[str], signals: Sequence[str]) -> pl.LazyFrame:
        """The rows of a block, sorted by asset and time, one for each instant."""
        marks = [QUALITY + name for name in signals if QUALITY + name in columns]
        zone = [ZONE] if ZONE in columns else []
        return (
            self._scan()
            .filter(_is_of(block))
            .select(
                pl.col(SITE, ASSET, *zone).cast(pl.String),
                _utc(pl.col(TIME)),
                pl.col(*signals).cast(pl.Float64).fill_null(float("nan")),
                *(pl.col(name).cast(pl.Int32).fill_null(0) for name in marks),
            )
            .unique(_KEY, keep="last", maintain_order=True)
            .sort(_KEY)
        )

    def _scan(self) -> pl.LazyFrame:
        return pl.scan_parquet(_sources(self.address), hive_partitioning=True)

    def _refuse_without_keys(self) -> None:
        columns = self.columns()
        if not set(_KEY) <= set(columns):
            lacking = ", ".join(name for name in _KEY if name not in columns)
            raise MissingColumns(
                file=self.address, profile="lake", found=", ".join(columns), hint=f"Missing: {lacking}."
            )


def _sources(address: str) -> str | Path | list[IO[bytes]]:
    if is_remote(address) and not address.startswith(_NATIVE):
        return open_files(address, _PATTERN)
    if is_remote(address):
        return address if address.endswith(".parquet") else f"{address.rstrip('/')}/{_PATTERN}"
    path = Path(address)
    return path / _PATTERN if path.is_dir() else path


def _is_of(block: Block) -> pl.Expr:
    """Rows of the assets of a block; bounds first, by which files and parts of them are passed over."""
    sites: dict[str, list[str]] = {}
    for key in block.keys:
        sites.setdefault(key.site, []).append(key.asset)
    bounds = pl.col(SITE).is_between(pl.lit(min(sites)), pl.lit(max(sites)))
    chosen = [
        (pl.col(SITE) == pl.lit(site)) & pl.col(ASSET).is_in(sorted(assets)) for site, assets in sites.items()
    ]
    return bounds & pl.col(SITE).is_in(sorted(sites)) & reduce(or_, chosen)


def _utc(time: pl.Expr) -> pl.Expr:
    return time.map_batches(
        lambda column: (
            column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            if getattr(column.dtype, "time_zone", None)
            else column
        ).cast(pl.Datetime("us")),
        return_dtype=pl.Datetime("us"),
    )


def _signals(columns: Sequence[str], profile: Profile) -> tuple[str, ...]:
    """Columns that hold signals: of a profile that knows any, its own first, else all that remain."""
    others = [
        name for name in columns if name not in {*_KEY, ZONE, "profile"} and not name.startswith(QUALITY)
    ]
    own = [name for name in profile.signal_names if name in others]
    return tuple(own) if profile.signal_names else tuple(others)


def _windows(frame: pl.DataFrame, block: Block, signals: tuple[str, ...], zone: str) -> Iterator[Window]:
    ordered = frame.with_columns(pl.struct(SITE, ASSET).rle_id().alias("_run"))
    starts = np.flatnonzero(np.diff(ordered["_run"].to_numpy(), prepend=-1)).tolist()
    ends = [*starts[1:], frame.height]
    time = frame[TIME].to_numpy().astype("datetime64[us]")
    values = frame.select(signals).to_numpy().astype(np.float64, copy=False)
    quality = np.zeros(values.shape, dtype=np.int32)
    for place, name in enumerate(signals):
        if QUALITY + name in frame.columns:
            quality[:, place] = frame[QUALITY + name].to_numpy()
    found: dict[AssetKey, Window] = {}
    for start, end in zip(starts, ends, strict=True):
        key = AssetKey(frame[SITE][start], frame[ASSET][start])
        own = (frame[ZONE][start] if ZONE in frame.columns else None) or zone
        part = slice(start, end)
        found[key] = Window(key, block.profile, signals, time[part], values[part], quality[part], None, own)
    yield from (found[key] for key in block.keys if key in found)


def _read(address: str, reading: Callable[[], object]) -> object:
    try:
        return reading()
    except FileNotFoundError as error:
        raise FileMissing(file=address) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        if "no files" in str(error) or "expanded paths were empty" in str(error):
            raise FileMissing(file=address) from error
        raise CorruptFile(file=address, detail=str(error).splitlines()[0]) from error
