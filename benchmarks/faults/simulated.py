"""A folder of the layout that this benchmark reads, simulated: no real data needed to see that it works."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from benchmarks.solar_fleet import HEADERS, WH_PER_KWH
from sereno.simulate import simulate_world
from sereno.simulate.world import World

__all__ = ["write_simulated"]

ZONE = "Europe/Amsterdam"
DAILY_SITES = 2
RESTING = 2
"""The first simulated gas client that rests at night."""
DAILY, HOURLY, GAS = timedelta(days=300), timedelta(days=200), timedelta(days=60)
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_START = datetime(2023, 1, 31, 23, tzinfo=UTC)


def write_simulated(folder: Path, seed: int) -> Path:
    """Daily solar exports with a unit row, hourly solar without self-consumption, hourly gas volumes.

    Returns:
        The folder.
    """
    _write_daily(_world("solar", seed, DAILY, _DAY, DAILY_SITES), folder / "solar_daily")
    _write_hourly(_world("solar", seed + 1, HOURLY, _HOUR, 1), folder / "solar_home")
    _write_gas(_world("gas", seed + 2, GAS, _HOUR, RESTING + 1), folder / "gas_home")
    return folder


def _world(profile: str, seed: int, length: timedelta, step: timedelta, assets: int) -> World:
    return simulate_world(
        profile,
        seed=seed,
        start=_START,
        end=_START + length,
        assets=assets,
        faults=(),
        step=step,
        zone=ZONE,
    )


def _local(world: World, site: int) -> tuple[pl.Series, pl.DataFrame]:
    """Local times and signals of one site."""
    readings = world.readings
    rows = readings.asset_index == site
    local = (
        pl.Series(readings.time[rows])
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(ZONE)
        .dt.replace_time_zone(None)
    )
    return local, pl.DataFrame(readings.values[rows], schema=list(readings.signals))


def _write_daily(world: World, folder: Path) -> None:
    folder.mkdir(parents=True)
    for site in range(len(world.readings.assets)):
        local, values = _local(world, site)
        energies = (values * WH_PER_KWH).select(pl.all().round(1))
        energies.columns = list(HEADERS)
        frame = energies.insert_column(0, local.dt.strftime("%d.%m.%Y").alias("Fecha"))
        units = ",".join(["[dd.MM.yyyy]", *["[Wh]"] * len(HEADERS)])
        header, body = frame.write_csv().split("\n", maxsplit=1)
        name = f"23_02_SITE_{site:02d}_{local[0]:%d%m%Y}-{local[-1]:%d%m%Y}.csv"
        (folder / name).write_text(f"{header}\n{units}\n{body}", "utf-8")


def _write_hourly(world: World, folder: Path) -> None:
    folder.mkdir(parents=True)
    local, values = _local(world, 0)
    names = {
        "generation": "Energy Produced (Wh)",
        "consumption": "Energy Consumed (Wh)",
        "export": "Exported to Grid (Wh)",
        "import": "Imported from Grid (Wh)",
    }
    frame = (values.select(*names) * WH_PER_KWH).select(pl.all().round(0)).rename(names)
    frame.insert_column(0, local.alias("Date/Time")).write_parquet(folder / "nl_house_hourly.parquet")


def _write_gas(world: World, folder: Path) -> None:
    folder.mkdir(parents=True)
    local, values = _local(world, RESTING)
    frame = values.select(pl.col("volume").round(3).alias("m³"))
    frame.insert_column(0, local.alias("timestamp")).write_parquet(folder / "nl_house_gas_hourly.parquet")
