"""Generated hourly exports of many solar sites in one CSV: unit row, Wh, local times, site after site."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from benchmarks.solar_fleet import HEADERS, WH_PER_KWH, ZONE
from sereno.simulate import simulate_world

__all__ = ["Export", "write_export", "write_large_export"]

HEADER = ",".join(["Planta", "Fecha y hora", *HEADERS])
UNIT_ROW = ",".join(["", "[dd.MM.yyyy HH:mm:ss]", *["[Wh]"] * len(HEADERS)])
TIME_FORMAT = "%d.%m.%Y %H:%M:%S"
START = datetime(2022, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Export:
    """A file and how many values it holds."""

    path: Path
    n_values: int


def write_export(path: Path, n_rows: int, sites: int, *, start: datetime = START) -> tuple[Export, datetime]:
    """A file of so many rows and sites, and the instant at which the next file goes on."""
    hours = max(1, n_rows // sites)
    frame = _frame(hours, sites, start)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{HEADER}\n{UNIT_ROW}\n")
        file.write(frame.write_csv(include_header=False))
    return Export(path, frame.height * len(HEADERS)), start + hours * HOUR


def write_large_export(path: Path, n_bytes: int, hours: int, sites: int) -> Export:
    """A file of at least `n_bytes`: the same courses under ever new names, so that no reading repeats."""
    frame = _frame(hours, sites, START)
    n_values = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{HEADER}\n{UNIT_ROW}\n")
        for block in _renamed(frame):
            file.write(block.write_csv(include_header=False))
            n_values += block.height * len(HEADERS)
            if file.tell() >= n_bytes:
                break
    return Export(path, n_values)


def _renamed(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    number = 0
    while True:
        number += 1
        yield frame.with_columns(pl.col("site") + f" {number:03d}")


def _frame(hours: int, sites: int, start: datetime) -> pl.DataFrame:
    world = simulate_world(
        "solar", seed=2, start=start, end=start + hours * HOUR, assets=sites, faults=(), step=HOUR, zone=ZONE
    )
    readings = world.readings
    sites = pl.Series("site", [key.site for key in readings.assets]).gather(readings.asset_index)
    local = pl.Series("time", readings.time).dt.replace_time_zone("UTC").dt.convert_time_zone(ZONE)
    columns = [sites, local.dt.strftime(TIME_FORMAT)]
    columns += [
        pl.Series(name, (values * WH_PER_KWH).round(1))
        for name, values in zip(HEADERS, readings.values.T, strict=True)
    ]
    return pl.DataFrame(columns)
