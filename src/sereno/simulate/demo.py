"""The bundled worlds of `sereno demo`: calm months, then a week in which something happens everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

import numpy as np

from sereno.domain.time import to_numpy
from sereno.simulate.faults import Placement, Scene
from sereno.simulate.grid import Grid
from sereno.simulate.simulator import recipe_of
from sereno.simulate.world import World, compose

__all__ = ["demo_worlds"]

ZONE = "Europe/Madrid"
HOURS_TO_THE_END = 10_000
"""Longer than any demo world: a fault that still lasts when it ends."""


@dataclass(frozen=True, slots=True)
class _Event:
    """A fault on asset `asset` (from 0), beginning at `hour` local, `days_ago` days before the end."""

    asset: int
    name: str
    days_ago: int
    hour: int
    lasts_h: float


@dataclass(frozen=True, slots=True)
class _Script:
    """Size of a demo world and what happens in it; events more than 7 days ago are the small ones."""

    n_assets: int
    days: int
    step: timedelta
    events: tuple[_Event, ...]


_HOURLY, _FIVE_MINUTES = timedelta(hours=1), timedelta(minutes=5)

SCRIPTS: Mapping[str, _Script] = MappingProxyType(
    {
        "solar": _Script(
            8,
            120,
            _HOURLY,
            (
                _Event(5, "dead_plant", 5, 11, HOURS_TO_THE_END),
                _Event(6, "broken_balance", 4, 9, 60),
                _Event(2, "missing_stretch", 3, 6, 30),
                _Event(1, "excess_consumption", 2, 5, 22),
                _Event(7, "excess_consumption", 45, 16, 6),
                _Event(3, "missing_stretch", 70, 1, 7),
            ),
        ),
        "gas": _Script(
            12,
            90,
            _HOURLY,
            (
                _Event(2, "leak_floor", 6, 3, HOURS_TO_THE_END),
                _Event(8, "stuck_volume", 4, 10, 50),
                _Event(9, "pressure_sag", 2, 7, 10),
                _Event(6, "register_x10", 40, 9, 3),
                _Event(11, "missing_stretch", 61, 0, 9),
            ),
        ),
        # Two weekends before the week of the faults' end: a shift pattern cannot be learnt from one day.
        "motor": _Script(
            6,
            15,
            _FIVE_MINUTES,
            (
                _Event(2, "temperatura_alta", 2, 8, 9),
                _Event(4, "voltaje_bajo", 4, 16, 2),
                _Event(0, "potencia_irregular", 3, 10, 4),
                _Event(5, "fallo_comb_inicial", 10, 6, 0.25),
            ),
        ),
        "process": _Script(
            2,
            15,
            _FIVE_MINUTES,
            (_Event(1, "small_shift", 1, 6, 8), _Event(0, "pressure_drop", 4, 13, 2)),
        ),
        "load": _Script(
            3,
            90,
            _HOURLY,
            (
                _Event(1, "level_drop", 4, 8, 56),
                _Event(2, "outage", 2, 18, 4),
                _Event(0, "spike", 50, 12, 1),
            ),
        ),
    }
)


def demo_worlds(seed: int, end: datetime) -> list[World]:
    """8 rooftops, 12 gas clients, 6 motors, 2 process lines and 3 city zones, up to `end`.

    The last 7 days hold a few clear faults of different kinds; the time before is almost clean. The
    end is taken down to the whole hour.
    """
    last = end.replace(minute=0, second=0, microsecond=0)
    return [_world(profile, script, seed, last) for profile, script in SCRIPTS.items()]


def _world(profile: str, script: _Script, seed: int, end: datetime) -> World:
    n_rows = timedelta(days=script.days) // script.step
    grid = Grid.of(end - timedelta(days=script.days), n_rows, script.step, ZONE)

    def plan(scene: Scene, _: np.random.Generator) -> Sequence[Placement]:
        placements = [_place(event, scene.grid, end) for event in script.events]
        return sorted(placements, key=lambda p: (p.asset_index, p.first))

    lengths = (n_rows,) * script.n_assets
    return compose(recipe_of(profile), grid, lengths=lengths, seed=seed, plan=plan)


def _place(event: _Event, grid: Grid, end: datetime) -> Placement:
    """The rows of an event: the last day of the demo is 0 days ago, whatever its hour."""
    local_end = Grid(np.array([to_numpy(end)]), grid.step, grid.zone).local_time[0]
    day = local_end.astype("datetime64[D]") - np.timedelta64(event.days_ago, "D")
    begins = day.astype("datetime64[us]") + np.timedelta64(event.hour, "h")
    first = int(np.flatnonzero(grid.local_time >= begins)[0])
    stop = first + max(1, round(timedelta(hours=event.lasts_h) / grid.step))
    return Placement(event.asset, event.name, first, min(stop, len(grid)))
