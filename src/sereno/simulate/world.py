"""A simulated world: readings, and the truth about what is wrong in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from sereno.domain.judgement import IncidentKind
from sereno.domain.readings import BoolArray, FloatArray, Readings, TimeArray
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy
from sereno.simulate.faults import Episode, Placement, Scene
from sereno.simulate.grid import Grid
from sereno.simulate.recipe import Recipe, Streams

__all__ = ["Fault", "World", "compose"]

Plan = Callable[[Scene, np.random.Generator], Sequence[Placement]]


@dataclass(frozen=True, slots=True)
class Fault:
    """The truth about one fault, in UTC, half-open: [started_at, ended_at).

    Attributes:
        name: Name in the profile's table of faults.
        kind: What a perfect judge would call it.
        signals: The signals that show it, the most guilty first.
    """

    asset: AssetKey
    name: str
    kind: IncidentKind
    signals: tuple[str, ...]
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class World:
    """Readings of one profile with their truth.

    Attributes:
        readings: Sorted by asset, then time; rows of a missing stretch are absent.
        faults: Sorted by asset, then start.
        labels: True where a row lies in a fault, shape (rows,).
    """

    readings: Readings
    faults: tuple[Fault, ...]
    step: timedelta
    zone: str
    seed: int
    labels: BoolArray


def compose(recipe: Recipe, grid: Grid, *, lengths: Sequence[int], seed: int, plan: Plan) -> World:
    """The world of a recipe: undisturbed courses, the planned faults on them, and the truth.

    Args:
        lengths: Rows of each asset, none above the grid's.
        plan: Where the faults happen, given the undisturbed courses.
    """
    root = np.random.SeedSequence([seed, *recipe.profile.encode()])
    shared, planning, faults, assets = root.spawn(4)
    streams = Streams(shared, tuple(assets.spawn(len(lengths))))
    courses = [course[:n] for course, n in zip(recipe.courses(grid, streams), lengths, strict=True)]
    scene = Scene(grid, recipe.signals, courses, recipe.faults)
    placements = plan(scene, np.random.default_rng(planning))
    keys = recipe.name_assets(len(lengths))
    disturbed = _disturbed(scene, placements, faults)
    readings, labels = _assemble(recipe, keys, grid.time, disturbed, placements)
    truth = tuple(_fault(recipe, keys, grid, placement) for placement in placements)
    return World(readings, truth, grid.step, grid.zone, seed, labels)


def _disturbed(
    scene: Scene, placements: Sequence[Placement], chance: np.random.SeedSequence
) -> list[FloatArray]:
    courses = [course.copy() for course in scene.courses]
    # Episodes see the undisturbed course: the magnitude of one fault does not depend on another's.
    for placement, child in zip(placements, chance.spawn(len(placements)), strict=True):
        course = scene.courses[placement.asset_index]
        rng = np.random.default_rng(child)
        episode = Episode(course, placement.first, placement.stop, scene.grid.step, rng)
        rows = slice(placement.first, placement.stop)
        courses[placement.asset_index][rows] = scene.rules[placement.name].disturb(episode)
    return courses


def _assemble(
    recipe: Recipe,
    keys: tuple[AssetKey, ...],
    time: TimeArray,
    courses: Sequence[FloatArray],
    placements: Sequence[Placement],
) -> tuple[Readings, BoolArray]:
    values = _rounded(np.concatenate(courses), recipe.decimals)
    is_there = ~np.isnan(values).all(axis=1)
    asset_index = np.repeat(np.arange(len(courses), dtype=np.int32), [len(course) for course in courses])
    times = np.concatenate([time[: len(course)] for course in courses])
    readings = Readings(
        profile=recipe.profile,
        assets=keys,
        asset_index=asset_index[is_there],
        time=times[is_there],
        signals=recipe.signals,
        values=values[is_there],
        quality=np.zeros((int(is_there.sum()), len(recipe.signals)), dtype=np.int32),
    )
    return readings, _labels(courses, placements)[is_there]


def _labels(courses: Sequence[FloatArray], placements: Sequence[Placement]) -> BoolArray:
    masks = [np.zeros(len(course), dtype=np.bool_) for course in courses]
    for placement in placements:
        masks[placement.asset_index][placement.first : placement.stop] = True
    return np.concatenate(masks)


def _rounded(values: FloatArray, decimals: tuple[int, ...]) -> FloatArray:
    for column, places in enumerate(decimals):
        values[:, column] = np.round(values[:, column], places)
    return values


def _fault(recipe: Recipe, keys: tuple[AssetKey, ...], grid: Grid, placement: Placement) -> Fault:
    rule = recipe.faults[placement.name]
    return Fault(
        asset=keys[placement.asset_index],
        name=placement.name,
        kind=rule.kind,
        signals=rule.signals,
        started_at=from_numpy(grid.time[placement.first]),
        ended_at=from_numpy(grid.time[placement.stop - 1]) + grid.step,
    )
