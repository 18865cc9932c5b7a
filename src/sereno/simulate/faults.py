"""Named faults: what each does to an asset, and where a seeded world places them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import numpy as np

from sereno.domain.judgement import IncidentKind
from sereno.domain.readings import BoolArray, FloatArray
from sereno.simulate.grid import Grid

__all__ = [
    "Disturb",
    "Episode",
    "FaultRule",
    "Placement",
    "Scene",
    "Wish",
    "absent",
    "draw_placements",
    "held",
]

Disturb = Callable[["Episode"], FloatArray]

MAX_SHARE_OF_COURSE = 6
"""An episode takes at most 1/6 of an asset's rows: normal days are left to compare it with."""
MIN_SHARE_NEEDED = 0.2
"""Share of the rows of an episode in which the signal it `needs` must not be zero."""
MAX_TRIES = 60
MAX_FULL_ROUNDS = 3
"""Rounds over all names without room for any of them after which a world counts as full."""
MAX_BURST_ROWS = 3
"""Longest burst of a fault that is drawn row by row."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One fault about to happen to one asset.

    Attributes:
        course: What the asset would do, shape (rows, signals); not to be changed.
        first: First row of the fault.
        stop: Row after the last one.
        step: Distance between two rows.
        rng: Where the fault's magnitude is drawn.
    """

    course: FloatArray
    first: int
    stop: int
    step: timedelta
    rng: np.random.Generator

    def __len__(self) -> int:
        return self.stop - self.first

    def inside(self) -> FloatArray:
        """A copy of the rows of the fault, shape (stop - first, signals)."""
        return self.course[self.first : self.stop].copy()

    def ramp(self, share: int = 8) -> FloatArray:
        """From above 0 to 1 within the first 1/`share` of the fault, shape (stop - first,)."""
        n_rising = -(-len(self) // share)
        return np.minimum(1.0, np.arange(1, len(self) + 1) / n_rising)


@dataclass(frozen=True, slots=True)
class FaultRule:
    """What a named fault is.

    Attributes:
        signals: The signals that show it, the most guilty first.
        shortest: Shortest episode.
        longest: Longest episode.
        disturb: The values of the rows of an episode, shape (stop - first, signals); all-NaN rows are absent.
        starts_at_hour: Local hour of its first row; None for any.
        needs: Signal that must be at work for the fault to be visible; empty for none.
    """

    kind: IncidentKind
    signals: tuple[str, ...]
    shortest: timedelta
    longest: timedelta
    disturb: Disturb
    starts_at_hour: int | None = None
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """A fault of `name` on rows [first, stop) of the asset at `asset_index`."""

    asset_index: int
    name: str
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Where faults can be placed: undisturbed courses, each of shape (rows, signals), on one grid."""

    grid: Grid
    signals: tuple[str, ...]
    courses: Sequence[FloatArray]
    rules: Mapping[str, FaultRule]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which faults, and how many.

    Attributes:
        names: Faults to draw from, each as often as the others.
        fault_ratio: Share of the rows that become faulty; None places each name once.
        is_rowwise: Single rows and short bursts instead of episodes.
    """

    names: tuple[str, ...]
    fault_ratio: float | None = None
    is_rowwise: bool = False


def held(episode: Episode) -> FloatArray:
    """Every signal repeats the last row before the fault: a logger that hangs."""
    return np.repeat(episode.course[max(episode.first - 1, 0)][None, :], len(episode), axis=0)


def absent(episode: Episode) -> FloatArray:
    """No rows: all NaN."""
    return np.full_like(episode.inside(), np.nan)


def draw_placements(scene: Scene, wish: Wish, rng: np.random.Generator) -> tuple[Placement, ...]:
    """Where the wished faults happen: never two at once on an asset, nor on its first row.

    A fault that finds no room (a world shorter than it) is left out; the world's `faults` say what there is.
    """
    n_total = sum(len(course) for course in scene.courses)
    n_wanted = n_total if wish.fault_ratio is None else round(wish.fault_ratio * n_total)
    is_free = [np.arange(len(course)) > 0 for course in scene.courses]
    placements: list[Placement] = []
    n_misses = 0
    for name in _order_of_names(wish, rng):
        if n_wanted <= 0 or n_misses > MAX_FULL_ROUNDS * len(wish.names):
            break
        found = _find_room(scene, wish, name, is_free, n_wanted, rng)
        if found is None:
            n_misses += 1
            continue
        n_misses = 0
        n_wanted -= found.stop - found.first
        placements.append(found)
    return tuple(sorted(placements, key=lambda p: (p.asset_index, p.first)))


def _order_of_names(wish: Wish, rng: np.random.Generator) -> Iterator[str]:
    """Each name once; with a ratio to fill, round after round in changing order until nothing fits."""
    rounds = range(1) if wish.fault_ratio is None else count()
    for _ in rounds if wish.names else ():
        yield from rng.permutation(np.array(wish.names)).tolist()


def _find_room(
    scene: Scene, wish: Wish, name: str, is_free: list[BoolArray], n_wanted: int, rng: np.random.Generator
) -> Placement | None:
    rule = scene.rules[name]
    for _ in range(MAX_TRIES):
        asset = int(rng.integers(len(scene.courses)))
        free = is_free[asset]
        length = min(_draw_length(rule, scene.grid.step, wish, len(free), rng), n_wanted)
        if length < 1 or len(free) <= length:
            continue
        first = _draw_first(scene.grid, rule, len(free) - length, rng)
        if free[first : first + length].all() and _is_visible(scene, rule, asset, first, first + length):
            # A calm row on both sides keeps two faults apart.
            free[max(first - 1, 0) : first + length + 1] = False
            return Placement(asset, name, first, first + length)
    return None


def _draw_length(rule: FaultRule, step: timedelta, wish: Wish, n_rows: int, rng: np.random.Generator) -> int:
    if wish.is_rowwise:
        return int(rng.integers(1, MAX_BURST_ROWS, endpoint=True))
    duration = rng.uniform(rule.shortest.total_seconds(), rule.longest.total_seconds())
    return max(1, min(round(duration / step.total_seconds()), n_rows // MAX_SHARE_OF_COURSE))


def _draw_first(grid: Grid, rule: FaultRule, n_starts: int, rng: np.random.Generator) -> int:
    first = int(rng.integers(1, n_starts, endpoint=True))
    if rule.starts_at_hour is None:
        return first
    one_day = grid.local_hour[first : min(first + round(timedelta(days=1) / grid.step), n_starts + 1)]
    at_hour = np.flatnonzero(one_day.astype(np.int64) == rule.starts_at_hour)
    return first + int(at_hour[0]) if len(at_hour) else first


def _is_visible(scene: Scene, rule: FaultRule, asset: int, first: int, stop: int) -> bool:
    if not rule.needs:
        return True
    at_work = scene.courses[asset][first:stop, scene.signals.index(rule.needs)] != 0
    return bool(at_work.mean() >= MIN_SHARE_NEEDED)
