"""City zones: power with day, week, season and weather, and the temperature that explains part of it."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import numpy as np

from sereno.domain.judgement import IncidentKind
from sereno.domain.readings import FloatArray
from sereno.domain.signals import AssetKey
from sereno.simulate.faults import Episode, FaultRule, held
from sereno.simulate.grid import Grid, autoregressive, bump
from sereno.simulate.recipe import Recipe, Streams, numbered

__all__ = ["LOAD"]

SIGNALS = ("power", "temperature")
POWER = 0

LARGEST_ZONE_KW = 30_000.0
COMFORT_C = 18.0
HEATING_PER_C, COOLING_PER_C = 0.008, 0.018
"""Relative growth of the load per degree below and above comfort."""
WEEKEND_LOAD = 0.9
NOISE = 0.015


def _name_zones(n_assets: int) -> tuple[AssetKey, ...]:
    return numbered("Zona {n}", n_assets)


def _courses(grid: Grid, streams: Streams) -> list[FloatArray]:
    outdoors = _outdoors(grid, np.random.default_rng(streams.shared))
    need = 1 + HEATING_PER_C * np.maximum(COMFORT_C - outdoors, 0)
    need = need + COOLING_PER_C * np.maximum(outdoors - COMFORT_C, 0)
    courses = []
    for i, stream in enumerate(streams.assets):
        rng = np.random.default_rng(stream)
        size = LARGEST_ZONE_KW / (1 + 0.4 * i) * rng.uniform(0.9, 1.1)
        noise = 1 + NOISE * autoregressive(len(grid), grid.step, timedelta(hours=4), rng)
        courses.append(np.column_stack((size * _habit(grid, rng) * need * noise, outdoors)))
    return courses


def _outdoors(grid: Grid, rng: np.random.Generator) -> FloatArray:
    """Air temperature of the city [°C], shape (rows,)."""
    season = 16.0 - 9.0 * np.cos(2 * np.pi * (grid.day_of_year - 20) / 365)
    daily = 8.0 * bump(grid.local_hour, centre=16, width=4) - 3.0
    return season + daily + 2.5 * autoregressive(len(grid), grid.step, timedelta(days=2), rng)


def _habit(grid: Grid, rng: np.random.Generator) -> FloatArray:
    """Morning and evening peak of a zone, relative to its size, shape (rows,)."""
    hour = grid.local_hour
    morning = rng.uniform(0.25, 0.4) * bump(hour, centre=11.5, width=3.0)
    evening = rng.uniform(0.35, 0.5) * bump(hour, centre=20.5, width=2.2)
    return (0.6 + morning + evening) * np.where(grid.is_weekend, WEEKEND_LOAD, 1.0)


def _times(rows: FloatArray, factor: float) -> FloatArray:
    rows[:, POWER] *= factor
    return rows


def _outage(episode: Episode) -> FloatArray:
    """A feeder trips: 0 to 5 % of the load is left."""
    return _times(episode.inside(), episode.rng.uniform(0.0, 0.05))


def _spike(episode: Episode) -> FloatArray:
    """A wrong reading: 2.5 to 4 times the load."""
    return _times(episode.inside(), episode.rng.uniform(2.5, 4.0))


def _level_drop(episode: Episode) -> FloatArray:
    """Part of the zone is switched to another feeder: 60 to 75 % is left."""
    return _times(episode.inside(), episode.rng.uniform(0.60, 0.75))


_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

FAULTS: Mapping[str, FaultRule] = MappingProxyType(
    {
        "outage": FaultRule(IncidentKind.BEHAVIOUR, ("power",), _HOUR, 6 * _HOUR, _outage),
        "spike": FaultRule(IncidentKind.DATA, ("power",), _HOUR / 6, 2 * _HOUR, _spike),
        "frozen": FaultRule(IncidentKind.DATA, SIGNALS, 12 * _HOUR, 2 * _DAY, held),
        "level_drop": FaultRule(IncidentKind.BEHAVIOUR, ("power",), 2 * _DAY, 6 * _DAY, _level_drop),
    }
)

LOAD = Recipe(
    profile="load",
    signals=SIGNALS,
    decimals=(2, 2),
    step=timedelta(hours=1),
    n_assets=3,
    fault_ratio=None,
    name_assets=_name_zones,
    courses=_courses,
    faults=FAULTS,
)
