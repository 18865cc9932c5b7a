"""What each kind of drift is looked for by in one week, compared with other weeks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.drift.season import IntArray, Pool, Season, anomaly, nearest
from sereno.drift.weeks import Weeks

__all__ = ["Look", "Looking", "behaviour", "errors", "faults", "inputs"]

_TINY = 1e-9
_BEYOND, _LEAST_FAULT = 2.0, 0.02
"""A fault is judged beyond so many times what has been, and so much of a week's values."""
_SHRINKAGE = 16.0
"""Weeks of "it does not depend on it" that the dependence on each input begins with."""
_SPREAD_WEEKS = 8
"""Weeks of the season that say how far weeks lie from its line."""
_SPREAD_SHRINKAGE = 2.0
"""Weeks of the spread of the whole year that the spread of a season begins with."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one kind of drift is seen by in one week, compared with some weeks.

    Attributes:
        sizes: Without sign, shape (parts,); parts of the same signals may follow one another.
        shifts: Signed, whose sum over weeks shows slow drift, shape (parts,); none for what is never slow.
        changes: Of the signals, as they are told, shape (signals,).
        is_scaled: Whether a size of 1 is the threshold; otherwise it comes from the replays.
    """

    sizes: FloatArray
    shifts: FloatArray
    changes: FloatArray
    is_scaled: bool = False


Looking = Callable[[int, IntArray], Look]


def faults(weeks: Weeks) -> Looking:
    """Faults of the data know no season: beyond twice what has been, a fault is one."""

    def look(week: int, others: IntArray) -> Look:
        limits = _BEYOND * weeks.faults[others].max(axis=0, initial=0.0) + _LEAST_FAULT
        nothing = np.empty(0)
        return Look((weeks.faults[week] / limits).max(axis=1), nothing, nothing, is_scaled=True)

    return look


def inputs(weeks: Weeks, pool: Pool, count: int) -> Looking:
    """How far each input is from its season, and from what the other inputs make expect.

    First the distance of the week's distribution from the season's [unit] and the shift of its mean; then
    the shift that those of the other inputs do not explain: warm weeks are dry, and a sensor that drifts is
    warm alone.

    Source:
        Wasserstein distance of order 1 between two distributions as the mean distance of their quantiles.
    """
    n_inputs = len(weeks.inputs)

    def shifts(week: int, others: IntArray) -> FloatArray:
        return anomaly(weeks.means[week], week, weeks.means[others], others, count)

    given = _Given.learn(pool.replays(0, count), shifts, (n_inputs, n_inputs))

    def look(week: int, others: IntArray) -> Look:
        found = shifts(week, others)
        alone = given.rest(week, found)
        sizes = np.concatenate([_distances(weeks, week, others, count), np.abs(alone)])
        return Look(sizes, np.concatenate([found, alone]), found)

    return look


def behaviour(weeks: Weeks, pool: Pool, count: int) -> Looking:
    """The shift of the target's level that the shifts of its inputs do not explain, in spreads of the season.

    In some seasons a level wanders further from week to week than in others.
    """
    both = np.column_stack([weeks.level, weeks.degrees])

    def shifts(week: int, others: IntArray) -> FloatArray:
        return anomaly(both[week], week, both[others], others, count)

    replays = pool.replays(0, count)
    given = _Given.learn(replays, shifts, (1, both.shape[1]))
    season = Season(weeks.level - np.nan_to_num(both) @ given.slopes[0], _SPREAD_WEEKS)
    usual = season.usual(replays)

    def look(week: int, others: IntArray) -> Look:
        rest = given.rest(week, shifts(week, others))
        shift = rest / max(season.spread(week, others, usual, _SPREAD_SHRINKAGE), _TINY)
        return Look(np.abs(shift), shift, rest)

    return look


def errors(weeks: Weeks, count: int) -> Looking:
    """By how much the forecasts of the week err more than those of its season, as a logarithm."""
    known = np.log(np.maximum(weeks.errors, _TINY))[:, None]

    def look(week: int, others: IntArray) -> Look:
        worse = anomaly(known[week], week, known[others], others, count)
        return Look(np.maximum(worse, 0.0), worse, worse)

    return look


def _distances(weeks: Weeks, week: int, others: IntArray, count: int) -> FloatArray:
    """Of the distribution of each input from that of its season [unit], shape (inputs,)."""
    near, _ = nearest(week, others, count)
    distances = np.full(len(weeks.inputs), np.nan)
    for place in range(len(weeks.inputs)):
        season = weeks.quantiles[near, place]
        season = season[~np.isnan(season).any(axis=1)]
        if len(season):
            pooled = np.sort(season, axis=None)[len(season) // 2 :: len(season)]
            distances[place] = np.abs(weeks.quantiles[week, place] - pooled).mean()
    return distances


@dataclass(frozen=True, slots=True)
class _Given:
    """How the shifts of the first columns follow those of all others.

    A replay is of a week that taught it; what that hides of it is put back.

    Attributes:
        slopes: Shape (first columns, columns), 0 for itself.
        visible: Share of its shift that is left of a week that taught, by week, shape (first columns,).
    """

    slopes: FloatArray
    visible: Mapping[int, FloatArray]

    @classmethod
    def learn(
        cls,
        replays: Sequence[tuple[int, IntArray]],
        shifts: Callable[[int, IntArray], FloatArray],
        shape: tuple[int, int],
    ) -> "_Given":
        """From the weeks of replays; `shape` is that of the slopes."""
        n_first, n_columns = shape
        taught = [shifts(week, others) for week, others in replays]
        table = np.array(taught).reshape(len(taught), n_columns)
        slopes, leverages = np.zeros(shape), np.zeros((len(table), n_first))
        for column in range(n_first):
            others = np.arange(n_columns) != column
            slopes[column, others], leverages[:, column] = _dependence(table[:, column], table[:, others])
        weeks = (week for week, _ in replays)
        return cls(slopes, dict(zip(weeks, 1.0 - leverages, strict=True)))

    def rest(self, week: int, found: FloatArray) -> FloatArray:
        """Of the shifts of a week (columns,), what the others do not explain, shape (first columns,)."""
        own: FloatArray = found[: len(self.slopes)] - self.slopes @ np.nan_to_num(found)
        return own / self.visible.get(week, np.ones(1))


def _dependence(target: FloatArray, others: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How shifts (weeks,) follow those of others (weeks, columns), by ridge regression.

    Returns:
        Slopes, shape (columns,), and the leverage of each week, shape (weeks,), 0 for one that is not known.
    """
    if not len(target):
        return np.zeros(others.shape[1]), np.empty(0)
    known = np.asarray(~(np.isnan(target) | np.isnan(others).any(axis=1)))
    told = np.where(known[:, None], others, 0.0)
    scale = np.maximum(told.std(axis=0), _TINY)
    unit = told / scale
    solved = np.linalg.solve(unit.T @ unit + _SHRINKAGE * np.eye(unit.shape[1]), unit.T)
    slopes: FloatArray = solved @ np.where(known, target, 0.0) / scale
    leverages: FloatArray = np.einsum("ij,ji->i", unit, solved)
    return slopes, leverages
