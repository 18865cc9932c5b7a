"""Simulated readings in a workspace: added, bounded and reset without touching real ones."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.domain.access import DEFAULT_ORGANIZATION
from sereno.domain.errors import UsageError
from sereno.flows.workspace import Workspace
from sereno.simulate import (
    World,
    process_trial,
    recipe_of,
    simulate_world,
    start_of_trial,
    write_trial,
    write_world,
)

__all__ = [
    "SimulationPlan",
    "SimulationResult",
    "add_simulation",
    "is_simulated_plant",
    "plan_until_now",
    "plant_name",
    "reset_plant",
    "reset_simulation",
    "write_simulation",
]

_DEFAULT_DAYS = 90
_RATIO_BOUNDS = (0.02, 0.12)
_VARIABLES = 3
_ZONE = "Europe/Madrid"
_SEED_BITS = 31


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """What to simulate.

    Attributes:
        rows, days: Length of the world, one of the two; 90 days without either.
        seed: Of everything random, the share of abnormal rows included; drawn when absent. Given back within
            the same hour it makes the same world; later, the same faults on the calendar of then.
        variables: Process lines only: how many of temperature, pressure and flow rate.
        step: Distance between rows; the profile's habit without one.
        max_rows: Simulated rows of the profile that stay stored; the oldest are deleted.
    """

    profile: str
    rows: int | None = None
    days: int | None = None
    assets: int | None = None
    seed: int | None = None
    variables: int | None = None
    step: timedelta | None = None
    max_rows: int | None = None

    @property
    def is_trial(self) -> bool:
        """Whether files are wanted of a process line whose length nobody said."""
        return self.variables is not None and self.rows is None and self.days is None and self.assets is None


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What was simulated.

    Attributes:
        ratio: Share of rows in a fault.
        n_trimmed: Old simulated rows that went.
        truth: CSV with the faults.
    """

    world: World
    seed: int
    ratio: float
    n_new: int
    n_trimmed: int
    truth: Path | None


def add_simulation(workspace: Workspace, plan: SimulationPlan, now: datetime) -> SimulationResult:
    """Simulate, store, and bound what is stored; a world goes on where the last one of its profile ended."""
    seed, world = _make(plan, now, start=_last_simulated(workspace, plan.profile))
    n_new = workspace.add(world.readings, zone=world.zone, is_simulated=True)
    n_trimmed = 0
    if plan.max_rows is not None:
        with workspace.store.begin() as tx:
            n_trimmed = tx.trim(plan.profile, keep_rows=plan.max_rows)
    truth = write_world(world, workspace.folder / "simulated" / f"{plan.profile}-{seed}")[-1]
    return SimulationResult(world, seed, _ratio(world), n_new, n_trimmed, truth)


def write_simulation(plan: SimulationPlan, folder: Path, now: datetime, language: str) -> SimulationResult:
    """Simulate into CSV files, as exports of the field look, with the truth beside them.

    A process line of so many variables, without a length, is a trial: seven calm days, five with labelled
    blocks of faults and a live moment, in folders of their own.
    """
    if plan.is_trial and plan.variables is not None:
        return _write_trial(plan, plan.variables, folder, now, language)
    seed, world = _make(plan, now, start=None)
    files = write_world(world, folder, language=language)
    return SimulationResult(world, seed, _ratio(world), 0, 0, files[-1])


def _write_trial(
    plan: SimulationPlan, variables: int, folder: Path, now: datetime, language: str
) -> SimulationResult:
    if plan.profile != "process":
        detail = f"A {plan.profile} world cannot have {variables} variables: process lines have 1 to 3"
        raise UsageError(detail=detail, command="simulate")
    seed = _seed(plan)
    trial = process_trial(seed=seed, start=start_of_trial(now), variables=variables, zone=_ZONE)
    files = write_trial(trial, folder, language=language)
    return SimulationResult(trial.world, seed, _ratio(trial.world), 0, 0, files[-1])


def _seed(plan: SimulationPlan) -> int:
    return secrets.randbits(_SEED_BITS) if plan.seed is None else plan.seed


def reset_simulation(workspace: Workspace) -> int:
    """Delete simulated readings and what was judged of them, nothing else; returns how many rows."""
    with workspace.store.begin() as tx:
        return tx.reset_simulated()


def plant_name(workspace: Workspace) -> str:
    """What somebody has to write who wants to reset a plant: its organization, or the name of its folder."""
    is_alone = workspace.organization == DEFAULT_ORGANIZATION
    return workspace.folder.resolve().name if is_alone else workspace.organization


def is_simulated_plant(workspace: Workspace) -> bool:
    """Whether simulated readings may be added to a plant: it has some, or nothing at all."""
    with workspace.store.read() as tx:
        assets = tx.assets()
    return not assets or any(one.is_simulated for one in assets)


def plan_until_now(workspace: Workspace, plan: SimulationPlan, now: datetime) -> SimulationPlan:
    """The plan for what is simulated already to go on: its assets, at its step, and not beyond now.

    Raises:
        UsageError: The plant measures something real, or what is simulated reaches until now.
    """
    if not is_simulated_plant(workspace):
        detail = "this plant has measured readings, and simulated ones would stand among them"
        raise UsageError(detail=detail, command="simulate")
    recipe = recipe_of(plan.profile)
    with workspace.store.read() as tx:
        known = [one for one in tx.assets(plan.profile) if one.is_simulated]
    start = _last_simulated(workspace, plan.profile)
    if plan.rows is None or start is None:
        return plan
    step = next((one.step for one in known if one.step is not None), recipe.step)
    fitting = max((now - start) // step, 0) * len(known)
    if fitting < len(known):
        detail = "the simulated readings reach until now: reset them, or wait for time to pass"
        raise UsageError(detail=detail, command="simulate")
    return replace(plan, rows=min(plan.rows, fitting), assets=len(known), step=step)


def reset_plant(workspace: Workspace, name: str) -> int:
    """Delete simulated readings for who has written the name of the plant; returns how many rows.

    Raises:
        UsageError: It is the name of another plant.
    """
    if name.strip() != plant_name(workspace):
        detail = f"'{name}' is not the name of this plant, '{plant_name(workspace)}': nothing was deleted"
        raise UsageError(detail=detail, command="simulate")
    return reset_simulation(workspace)


def _make(plan: SimulationPlan, now: datetime, start: datetime | None) -> tuple[int, World]:
    seed = _seed(plan)
    ratio = float(np.random.default_rng(seed).uniform(*_RATIO_BOUNDS))
    first = start or now.replace(minute=0, second=0, microsecond=0) - timedelta(
        days=plan.days or _DEFAULT_DAYS
    )
    end = None if plan.rows is not None else first + timedelta(days=plan.days or _DEFAULT_DAYS)
    world = simulate_world(
        plan.profile,
        seed=seed,
        start=first,
        end=end,
        rows=plan.rows,
        assets=plan.assets,
        fault_ratio=ratio,
        step=plan.step,
        zone=_ZONE,
        variables=plan.variables or _VARIABLES,
    )
    return seed, world


def _last_simulated(workspace: Workspace, profile: str) -> datetime | None:
    """Where the next simulated row of a profile goes: one step after the last one."""
    ends = []
    with workspace.store.read() as tx:
        for asset in tx.assets(profile):
            span = tx.span(asset.id) if asset.is_simulated else None
            if span is not None:
                ends.append(span[1] + (asset.step or timedelta(seconds=1)))
    return max(ends, default=None)


def _ratio(world: World) -> float:
    return float(np.mean(world.labels)) if len(world.labels) else 0.0
