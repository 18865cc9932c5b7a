"""A plant line to try a detector on: calm days to learn from, days with faults, and a live moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

import numpy as np

from sereno.domain.errors import UsageError
from sereno.domain.judgement import IncidentKind
from sereno.simulate.faults import Placement, Scene
from sereno.simulate.grid import Grid
from sereno.simulate.process import BLOCK, SIGNALS, process_recipe
from sereno.simulate.world import World, compose

__all__ = ["Trial", "process_trial", "start_of_trial"]

TRAINING, TESTING = timedelta(days=7), timedelta(days=5)
LIVE = timedelta(minutes=45)
"""A sequence of half an hour and a quarter of an hour more."""
N_BLOCKS: Mapping[int, int] = MappingProxyType({1: 25, 2: 20, 3: 15})
"""Blocks of faults in the days of testing, by number of variables."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A world and its parts.

    Attributes:
        parts: Rows of `train` (no fault), `test` and `live` (a fault at its end).
    """

    world: World
    parts: Mapping[str, slice]


def start_of_trial(now: datetime) -> datetime:
    """Midnight, by UTC, of the last trial that is over now."""
    ended = (now - LIVE).replace(hour=0, minute=0, second=0, microsecond=0)
    return ended - TRAINING - TESTING


def process_trial(*, seed: int, start: datetime, variables: int, zone: str = "Europe/Madrid") -> Trial:
    """Seven calm days at one minute, five with labelled blocks of a quarter of an hour, and 45 live minutes.

    Raises:
        UsageError: There is no line with so many variables.
    """
    if variables not in N_BLOCKS:
        detail = f"A process line has 1 to {len(SIGNALS)} variables: found {variables}"
        raise UsageError(detail=detail, command="simulate")
    recipe = process_recipe(variables)
    first, live = TRAINING // recipe.step, (TRAINING + TESTING) // recipe.step
    n_rows = live + LIVE // recipe.step

    def plan(scene: Scene, rng: np.random.Generator) -> Sequence[Placement]:
        length = BLOCK // scene.grid.step
        # A signal frozen for a quarter of an hour of minutes is not yet one that stands.
        names = [name for name, rule in scene.rules.items() if rule.kind is IncidentKind.BEHAVIOUR]
        n_blocks = N_BLOCKS[variables]
        drawn = [str(name) for _ in range(-(-n_blocks // len(names))) for name in rng.permutation(names)]
        edges = np.linspace(first, live, n_blocks + 1).astype(int).tolist()
        blocks = []
        for name, start_row, stop_row in zip(drawn, edges, edges[1:], strict=False):
            at = int(rng.integers(start_row + 2 * length, stop_row - 2 * length))
            blocks.append(Placement(0, name, at, at + length))
        return [*blocks, Placement(0, str(rng.choice(names)), n_rows - length, n_rows)]

    grid = Grid.of(start, n_rows, recipe.step, zone)
    world = compose(recipe, grid, lengths=(n_rows,), seed=seed, plan=plan)
    parts = {"train": slice(0, first), "test": slice(first, live), "live": slice(live, n_rows)}
    return Trial(world, parts)
