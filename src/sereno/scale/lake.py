"""A fleet in Parquet files: what assets there are, and the rows of some of them, not loading the others."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from sereno.domain.errors import CorruptFile, FileMissing, MissingColumns
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey, Profile
from sereno.scale.blocks import Block
from sereno.scale.places import is_remote, open_files

__all__ = ["ASSET", "QUALITY", "SITE", "TIME", "ZONE", "Lake", "rows_in"]

SITE, ASSET, TIME, ZONE = "site", "asset", "time", "zone"
QUALITY = "quality_"
"""Begins the name of the column that says what the source said of a signal."""
_NATIVE = ("s3://", "s3a://", "gs://", "gcs://", "az://", "abfs://", "abfss://", "adl://", "http", "hf://")
"""What polars reads itself, only the parts that are needed; the rest is opened by fsspec."""
_PATTERN = "**/*.parquet"
_KEY = (SITE, ASSET, TIME)
_PLACE = "_place"


@dataclass(frozen=True, slots=True)
class Lake:
    """Parquet files with the columns `site`, `asset`, `time` and one for each signal.

    `time` is the start of the step, in UTC where it names no zone. `zone` may hold the time zone of the site,
    and `quality_` with the name of a signal the bits of `Quality`. Folders as `site=North` count as columns
    where polars reads the address itself.
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
        return tuple(self._schema())

    def keys(self) -> list[AssetKey]:
        """All assets, ascending.

        Raises:
            FileMissing, CorruptFile, MissingColumns: It is no such lake.
        """
        self._refuse_without_keys()
        wanted = self._scan().select(pl.col(SITE, ASSET).cast(pl.String)).unique().sort(SITE, ASSET)
        with _told(self.address):
            found = wanted.collect(engine="streaming")
        return [AssetKey(site, asset) for site, asset in found.iter_rows()]

    def read(self, block: Block, profile: Profile) -> list[Window]:
        """The rows of each asset of a block as they were read, in the order of the block.

        Of several rows of one instant the last one counts.

        Raises:
            FileMissing, CorruptFile: It cannot be read.
        """
        with _told(self.address):
            return rows_in(self._scan(), block, profile, zone=self.zone)

    def _schema(self) -> pl.Schema:
        with _told(self.address):
            return self._scan().collect_schema()

    def _scan(self) -> pl.LazyFrame:
        sources = _sources(self.address)
        return pl.scan_parquet(sources, hive_partitioning=not isinstance(sources, list))

    def _refuse_without_keys(self) -> None:
        columns = self.columns()
        if not set(_KEY) <= set(columns):
            lacking = ", ".join(name for name in _KEY if name not in columns)
            raise MissingColumns(
                file=self.address, profile="lake", found=", ".join(columns), hint=f"Missing: {lacking}."
            )


def rows_in(scan: pl.LazyFrame, block: Block, profile: Profile, *, zone: str) -> list[Window]:
    """As `Lake.read`, from a table with the columns of a lake.

    Args:
        zone: Time zone of sites of which the table says none.
    """
    schema = scan.collect_schema()
    signals = _signals(schema, profile)
    frame = _rows(scan, block, schema, signals).collect()
    return list(_windows(frame, block, signals, zone))


def _rows(scan: pl.LazyFrame, block: Block, schema: pl.Schema, signals: Sequence[str]) -> pl.LazyFrame:
    """The rows of a block, sorted by asset and time; of one instant the last of the files comes last."""
    marks = [QUALITY + name for name in signals if QUALITY + name in schema]
    zone = [ZONE] if ZONE in schema else []
    named = [(key.site, key.asset, place) for place, key in enumerate(block.keys)]
    keys = pl.LazyFrame(named, [SITE, ASSET, (_PLACE, pl.Int32)], orient="row")
    return (
        scan.filter(_may_be_of(block))
        .select(
            pl.col(SITE, ASSET, *zone).cast(pl.String),
            _utc(schema[TIME]),
            pl.col(*signals).cast(pl.Float64).fill_null(float("nan")),
            *(pl.col(name).cast(pl.Int32).fill_null(0) for name in marks),
        )
        .join(keys, on=[SITE, ASSET], how="inner", maintain_order="left")
        .drop(SITE, ASSET)
        .sort(_PLACE, TIME, maintain_order=True)
    )


def _sources(address: str) -> str | Path | list[IO[bytes]]:
    if is_remote(address) and not address.startswith(_NATIVE):
        return open_files(address, _PATTERN)
    if is_remote(address):
        return address if address.endswith(".parquet") else f"{address.rstrip('/')}/{_PATTERN}"
    path = Path(address)
    return path / _PATTERN if path.is_dir() else path


def _may_be_of(block: Block) -> pl.Expr:
    """Rows of the sites and names of a block; bounds first, by which parts of files are passed over."""
    sites, assets = sorted({key.site for key in block.keys}), sorted({key.asset for key in block.keys})
    bounds = pl.col(SITE).is_between(pl.lit(sites[0]), pl.lit(sites[-1]))
    return bounds & pl.col(SITE).is_in(sites) & pl.col(ASSET).is_in(assets)


def _utc(kind: pl.DataType) -> pl.Expr:
    time = pl.col(TIME)
    if getattr(kind, "time_zone", None):
        time = time.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return time.cast(pl.Datetime("us"))


def _signals(schema: pl.Schema, profile: Profile) -> tuple[str, ...]:
    """Columns that hold signals: those of the profile, or all numbers where it knows none."""
    if profile.signal_names:
        return tuple(name for name in profile.signal_names if name in schema)
    others = [name for name in schema if name not in {*_KEY, ZONE} and not name.startswith(QUALITY)]
    return tuple(name for name in others if schema[name].is_numeric())


def _windows(frame: pl.DataFrame, block: Block, signals: tuple[str, ...], zone: str) -> Iterator[Window]:
    """The rows of each asset in turn, of several of one instant the last."""
    place, time = frame[_PLACE].to_numpy(), frame[TIME].to_numpy().astype("datetime64[us]")
    is_last = np.append((place[1:] != place[:-1]) | (time[1:] != time[:-1]), True)[: len(place)]
    if not is_last.all():
        frame, place, time = frame.filter(is_last), place[is_last], time[is_last]
    values = frame.select(signals).to_numpy().astype(np.float64, copy=False)
    quality = np.zeros(values.shape, dtype=np.int32)
    for column, name in enumerate(signals):
        if QUALITY + name in frame.columns:
            quality[:, column] = frame[QUALITY + name].to_numpy()
    starts = np.flatnonzero(np.diff(place, prepend=-1)).tolist()
    for start, end in pairwise([*starts, frame.height]):
        key = block.keys[place[start]]
        own = (frame[ZONE][start] if ZONE in frame.columns else None) or zone
        part = slice(start, end)
        yield Window(key, block.profile, signals, time[part], values[part], quality[part], None, own)


@contextmanager
def _told(address: str) -> Iterator[None]:
    """What polars says of files, in our words."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileMissing(file=address) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        if "expanded paths were empty" in str(error):
            raise FileMissing(file=address) from error
        raise CorruptFile(file=address, detail=str(error).splitlines()[0]) from error
