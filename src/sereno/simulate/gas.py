"""Industrial gas clients in twin pairs: two meter runs of one station share network, habits and weather."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import numpy as np

from sereno.domain.judgement import IncidentKind
from sereno.domain.readings import FloatArray
from sereno.domain.signals import AssetKey
from sereno.simulate.faults import Episode, FaultRule, absent
from sereno.simulate.grid import Grid, autoregressive, bump
from sereno.simulate.recipe import Recipe, Streams, numbered

__all__ = ["GAS"]

SIGNALS = ("pressure", "temperature", "volume")
PRESSURE, TEMPERATURE, VOLUME = range(3)

HIGH_PRESSURE_BAR = (16.5, 17.9)
LOW_PRESSURE_BAR = 3.5
LOW_PRESSURE_EVERY = 6
"""One pair in six hangs on the low-pressure network."""
NETWORK_SWING = 0.006
"""Deviation of the network's pressure, relative; all clients see it."""
SMALLEST_M3_H, LARGEST_M3_H = 12.0, 350.0
TWINS = 2


def _name_clients(n_assets: int) -> tuple[AssetKey, ...]:
    return numbered("CLIENTE{n:02d}", n_assets)


def _courses(grid: Grid, streams: Streams) -> list[FloatArray]:
    n_pairs = -(-len(streams.assets) // TWINS)
    common, *pairs = streams.shared.spawn(n_pairs + 1)
    rng = np.random.default_rng(common)
    swing = NETWORK_SWING * autoregressive(len(grid), grid.step, timedelta(hours=12), rng)
    outdoors = _outdoors(grid, rng)
    stations = [_station(grid, i, np.random.default_rng(pair)) for i, pair in enumerate(pairs)]
    courses = []
    for i, stream in enumerate(streams.assets):
        level, flow = stations[i // TWINS]
        own = np.random.default_rng(stream)
        courses.append(_course(grid, level * (1 + swing), outdoors, flow, own))
    return courses


def _outdoors(grid: Grid, rng: np.random.Generator) -> FloatArray:
    """Gas temperature at the stations [°C], shape (rows,): season, day and weather."""
    season = 17.0 - 8.0 * np.cos(2 * np.pi * (grid.day_of_year - 20) / 365)
    daily = 5.0 * bump(grid.local_hour, centre=15, width=4) - 2.0
    return season + daily + 2.0 * autoregressive(len(grid), grid.step, timedelta(days=2), rng)


def _station(grid: Grid, index: int, rng: np.random.Generator) -> tuple[float, FloatArray]:
    """Pressure level [bar] and hourly flow of one run [m³ per step], shape (rows,)."""
    is_low = index % LOW_PRESSURE_EVERY == LOW_PRESSURE_EVERY - 1
    level = LOW_PRESSURE_BAR if is_low else rng.uniform(*HIGH_PRESSURE_BAR)
    size = np.exp(rng.uniform(np.log(SMALLEST_M3_H), np.log(LARGEST_M3_H)))
    activity = (_continuous, _two_shifts, _batches)[index % 3](grid)
    mood = autoregressive(len(grid), grid.step, timedelta(hours=6), rng)
    return level, size * activity * np.exp(0.08 * mood) * (grid.step / timedelta(hours=1))


def _continuous(grid: Grid) -> FloatArray:
    """Never stops: a furnace, a little lower at night and at weekends."""
    return (0.85 + 0.15 * bump(grid.local_hour, centre=13, width=5)) * np.where(grid.is_weekend, 0.9, 1.0)


def _two_shifts(grid: Grid) -> FloatArray:
    """6 to 22 h on working days; idle more than half the hours."""
    hour = grid.local_hour
    return np.where((hour >= 6) & (hour < 22) & ~grid.is_weekend, 1.0, 0.0)


def _batches(grid: Grid) -> FloatArray:
    """Two boiler batches on working days; idle three quarters of the hours."""
    hour = grid.local_hour
    is_on = ((hour >= 7) & (hour < 11)) | ((hour >= 15) & (hour < 18))
    return np.where(is_on & ~grid.is_weekend, 1.0, 0.0)


def _course(
    grid: Grid, network: FloatArray, outdoors: FloatArray, flow: FloatArray, rng: np.random.Generator
) -> FloatArray:
    n_rows = len(grid)
    volume = flow * rng.uniform(0.85, 1.15) * np.exp(0.03 * rng.standard_normal(n_rows))
    # Flow costs pressure in the pipe: 1 % at this client's largest flow.
    drop = 0.01 * volume / max(float(volume.max(initial=0.0)), 1.0)
    pressure = network * (1 - drop) * (1 + 0.0015 * rng.standard_normal(n_rows))
    return np.column_stack((pressure, outdoors + 0.3 * rng.standard_normal(n_rows), volume))


def _usual_flow(episode: Episode) -> float:
    """Median volume of the steps in which the client takes gas [m³ per step]."""
    volume = episode.course[:, VOLUME]
    return float(np.median(volume[volume > 0])) if (volume > 0).any() else 1.0


def _leak_floor(episode: Episode) -> FloatArray:
    """A leak: 8 to 15 % of the usual flow more, day and night."""
    rows = episode.inside()
    leak = episode.rng.uniform(0.08, 0.15) * _usual_flow(episode)
    rows[:, VOLUME] += leak * (1 + 0.03 * episode.rng.standard_normal(len(rows)))
    return rows


def _stuck_volume(episode: Episode) -> FloatArray:
    """The meter sends the same hourly volume again and again, also when the client is idle."""
    rows = episode.inside()
    rows[:, VOLUME] = _usual_flow(episode)
    return rows


def _stuck_temperature(episode: Episode) -> FloatArray:
    """The temperature probe repeats its last value."""
    rows = episode.inside()
    rows[:, TEMPERATURE] = episode.course[max(episode.first - 1, 0), TEMPERATURE]
    return rows


def _pressure_sag(episode: Episode) -> FloatArray:
    """A regulator gives way: pressure falls to 75-88 %."""
    rows = episode.inside()
    lost = 1 - episode.rng.uniform(0.75, 0.88)
    rows[:, PRESSURE] *= 1 - lost * episode.ramp(4)
    return rows


def _register_x10(episode: Episode) -> FloatArray:
    """A wrong pulse weight: ten times the volume."""
    rows = episode.inside()
    rows[:, VOLUME] *= 10
    return rows


_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_DATA, _BEHAVIOUR = IncidentKind.DATA, IncidentKind.BEHAVIOUR

FAULTS: Mapping[str, FaultRule] = MappingProxyType(
    {
        "leak_floor": FaultRule(_BEHAVIOUR, ("volume",), 3 * _DAY, 10 * _DAY, _leak_floor),
        "stuck_volume": FaultRule(_DATA, ("volume",), _DAY, 4 * _DAY, _stuck_volume),
        "stuck_temperature": FaultRule(_DATA, ("temperature",), _DAY, 5 * _DAY, _stuck_temperature),
        "pressure_sag": FaultRule(_BEHAVIOUR, ("pressure",), 4 * _HOUR, _DAY, _pressure_sag),
        "register_x10": FaultRule(_DATA, ("volume",), 6 * _HOUR, 2 * _DAY, _register_x10, needs="volume"),
        "missing_stretch": FaultRule(_DATA, SIGNALS, 6 * _HOUR, 3 * _DAY, absent),
    }
)

GAS = Recipe(
    profile="gas",
    signals=SIGNALS,
    decimals=(3, 2, 3),
    step=timedelta(hours=1),
    n_assets=12,
    fault_ratio=None,
    name_assets=_name_clients,
    courses=_courses,
    faults=FAULTS,
)
