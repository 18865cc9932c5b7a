"""The door of the stage: a seeded, labelled world of a profile, of any size and step."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from sereno.domain.errors import UsageError
from sereno.simulate.faults import Placement, Scene, Wish, draw_placements
from sereno.simulate.gas import GAS
from sereno.simulate.grid import Grid
from sereno.simulate.load import LOAD
from sereno.simulate.motor import MOTOR
from sereno.simulate.process import PROCESS, SIGNALS, process_recipe
from sereno.simulate.recipe import Recipe
from sereno.simulate.solar import SOLAR
from sereno.simulate.world import World, compose

__all__ = ["fault_names", "recipe_of", "simulate_world"]

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {recipe.profile: recipe for recipe in (SOLAR, GAS, MOTOR, PROCESS, LOAD)}
)
ROWWISE_BELOW = timedelta(minutes=1)
"""Motors sampled faster than this get faults row by row, as a start-up or a loose contact shows them."""
LARGEST_RATIO = 0.5
MAX_ROWS = 20_000_000
"""About 2 GB; more is a slip of the keyboard."""


def recipe_of(profile: str) -> Recipe:
    """How worlds of that profile are made.

    Raises:
        UsageError: There is no simulator for the profile.
    """
    if profile not in RECIPES:
        raise _usage(f"There is no simulated world '{profile}': choose one of {', '.join(RECIPES)}")
    return RECIPES[profile]


def fault_names(profile: str) -> tuple[str, ...]:
    """The faults that a world of the profile can have."""
    return tuple(recipe_of(profile).faults)


def simulate_world(  # noqa: PLR0913 - one question per option of `sereno simulate`, all by name
    profile: str,
    *,
    seed: int,
    start: datetime,
    end: datetime | None = None,
    rows: int | None = None,
    assets: int | None = None,
    fault_ratio: float | None = None,
    faults: Sequence[str] | None = None,
    step: timedelta | None = None,
    zone: str = "Europe/Madrid",
    variables: int = len(SIGNALS),
) -> World:
    """A labelled synthetic world; the same arguments give the same bytes.

    A fault that does not fit into the world (dead for days in a world of hours) is left out: what there
    is stands in `World.faults`.

    Args:
        profile: solar, gas, motor, process or load.
        start: First instant, aware.
        end: End of the last step, aware; or give `rows`.
        rows: Rows of all assets together, before rows of missing stretches are taken out; or give `end`.
        assets: Number of assets; the profile's habit when None.
        fault_ratio: Share of faulty rows, 0 to 0.5; None for the profile's habit (0.1 for motors, 0.03
            for process lines, each fault once elsewhere).
        faults: Names to draw from; all when None, none when empty.
        step: Distance between rows; the profile's habit when None (1 s, 1 min or 1 h).
        zone: IANA zone whose clock the sites' people live by.
        variables: Process lines only: how many of temperature, pressure and flow rate, 1 to 3.

    Raises:
        UsageError: The request contradicts itself or names something that does not exist.
    """
    recipe = recipe_of(profile)
    if profile == PROCESS.profile and 1 <= variables <= len(SIGNALS):
        recipe = process_recipe(variables)
    elif variables != len(SIGNALS):
        raise _usage(f"A {profile} world cannot have {variables} variables: process lines have 1 to 3")
    step = recipe.step if step is None else step
    _check(seed, start, step, zone, fault_ratio)
    n_assets = recipe.n_assets if assets is None else assets
    lengths = _lengths(start, end, rows, step, n_assets)
    wish = Wish(
        names=_chosen(recipe, faults),
        fault_ratio=recipe.fault_ratio if fault_ratio is None else fault_ratio,
        is_rowwise=profile == MOTOR.profile and step < ROWWISE_BELOW,
    )

    def plan(scene: Scene, rng: np.random.Generator) -> Sequence[Placement]:
        return draw_placements(scene, wish, rng)

    grid = Grid.of(start, max(lengths), step, zone)
    return compose(recipe, grid, lengths=lengths, seed=seed, plan=plan)


def _check(seed: int, start: datetime, step: timedelta, zone: str, fault_ratio: float | None) -> None:
    if seed < 0:
        raise _usage(f"The seed must be 0 or more: found {seed}")
    if start.tzinfo is None:
        raise _usage("The start has no time zone: give it one")
    if not timedelta() < step <= timedelta(days=1):
        raise _usage(f"The step must be above 0 and at most a day: found {step}")
    if fault_ratio is not None and not 0 <= fault_ratio <= LARGEST_RATIO:
        raise _usage(f"The fault ratio must lie between 0 and {LARGEST_RATIO}: found {fault_ratio}")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _usage(f"There is no time zone '{zone}'") from error


def _lengths(
    start: datetime, end: datetime | None, rows: int | None, step: timedelta, n_assets: int
) -> tuple[int, ...]:
    """Rows of each asset; the first ones take what does not divide evenly."""
    if (end is None) == (rows is None):
        raise _usage("Give the end of the world or its number of rows, one of the two")
    if n_assets < 1:
        raise _usage(f"A world has at least one asset: found {n_assets}")
    if end is not None:
        if end.tzinfo is None:
            raise _usage("The end has no time zone: give it one")
        rows = max((end - start) // step, 0) * n_assets
    assert rows is not None
    if not n_assets <= rows <= MAX_ROWS:
        raise _usage(f"A world of {n_assets} assets has {n_assets} to {MAX_ROWS} rows: found {rows}")
    each, rest = divmod(rows, n_assets)
    return tuple(each + (i < rest) for i in range(n_assets))


def _chosen(recipe: Recipe, faults: Sequence[str] | None) -> tuple[str, ...]:
    if faults is None:
        return tuple(recipe.faults)
    unknown = [name for name in faults if name not in recipe.faults]
    if unknown:
        known = ", ".join(recipe.faults)
        raise _usage(f"A {recipe.profile} world has no fault '{unknown[0]}': choose among {known}")
    return tuple(faults)


def _usage(detail: str) -> UsageError:
    return UsageError(detail=detail, command="simulate")
