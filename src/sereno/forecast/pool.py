"""A pool of members that are weighed by backtest, with bands from the mixture's own errors."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from sereno.domain.calendar import DAY
from sereno.domain.errors import HistoryTooShort
from sereno.domain.forecasts import QUANTILES
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey
from sereno.forecast.bands import CALIBRATION_DAYS, band_table, by_day, origins_of_days, sizes
from sereno.forecast.boost import BOOST, BoostModel, BoostOptions, learn_boost
from sereno.forecast.features import LOOKBACK_DAYS, Single
from sereno.forecast.mixing import begun, effective, follow, mixed, weigh
from sereno.forecast.naive import DAY_BEFORE, WEEK_BEFORE, predict_naive
from sereno.forecast.panel import Panel, after, blocks, build_panel, common_step
from sereno.forecast.ridge import (
    AS_LAST_WEEK,
    AS_USUAL,
    OWN,
    POOLED,
    VARIANTS,
    RidgeModel,
    RidgeOptions,
    Sums,
    learn_model,
    learn_sums,
    solve,
)

__all__ = ["WEATHER", "Learnt", "Plan", "Taught", "errors_of", "learn", "said_of"]

WEATHER = "weather"
"""The ridge that also knows the covariates."""
_LEAST_DAYS = 10
"""Days of the longest meter from which on a ridge is learnt."""
_EARLY_DAYS = 8
_SHORT_HISTORY_DAYS = 60
_CALIBRATION_SHARE = 4
_TINY = 1e-9
_WEATHER_WORTH = 0.97
"""Share of the error without covariates that theirs must be below: less is chance."""
Said = tuple[slice, list[np.ndarray], np.ndarray, FloatArray]
"""Meters, what each member says, what was, and their sizes."""
_BELIEVED = {
    OWN: 0.6,
    POOLED: 0.2,
    AS_LAST_WEEK: 0.1,
    AS_USUAL: 0.1,
    BOOST: 0.6,
    WEATHER: 0.6,
}
"""What members weigh beside each other before any error is known, where a ridge is among them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What learns, and how.

    Attributes:
        kind: Name of the forecaster, as its forecasts carry it.
        members: Of `ridge`, `seasonal_naive` and `boost`.
        covariates: Signals known ahead, used where the backtest says that they help.
        memory_days: Days that are remembered.
    """

    signal: str
    kind: str
    members: tuple[str, ...]
    ridge: RidgeOptions
    boost: BoostOptions
    country: str = ""
    covariates: tuple[str, ...] = ()
    memory_days: int = 400


@dataclass(frozen=True, slots=True)
class Taught:
    """The models of a pool, and the sums that they come from by which they learn a day more.

    Attributes:
        ridges: By `""` and `WEATHER`.
        sums: By the same names.
    """

    ridges: Mapping[str, RidgeModel]
    sums: Mapping[str, Sums]
    boost: BoostModel | None

    def predict(
        self, panel: Panel, rows: np.ndarray, origins: np.ndarray, n_steps: int, members: Sequence[str]
    ) -> list[np.ndarray]:
        """What each member says, shape (meters, origins, steps) each, in the order of `members`."""
        said: dict[str, np.ndarray] = {}
        if {DAY_BEFORE, WEEK_BEFORE} & set(members):
            said |= predict_naive(panel, origins, n_steps)
        if "" in self.ridges:
            said |= self.ridges[""].predict(replace(panel, covariates={}), rows, origins, n_steps)
        if WEATHER in members and WEATHER in self.ridges:
            said[WEATHER] = self.ridges[WEATHER].predict(panel, rows, origins, n_steps)[OWN]
        if BOOST in members and self.boost is not None:
            plain = replace(panel, covariates={})
            said[BOOST] = self.boost.predict(plain, origins, n_steps)
        return [said[name] for name in members]


@dataclass(frozen=True, slots=True)
class Learnt:
    """All that a trained pool knows; arrays have a row per meter of `keys`.

    Attributes:
        until: First local day, from 1970-01-01, that it has not learnt.
        members: What the weights are of.
        weights: As they follow the errors, shape (meters, parts of the horizon, members); see `mixing`.
        errors: Latest errors of the mixture, in sizes of the meter, shape (meters, days, origins, steps).
        bands: Shape (meters, origins, steps, levels).
        naive_ratio: How many times larger errors of the naive forecast are than those of the mixture,
            (meters,).
        n_days: Days with values, (meters,).
        is_positive: Whether no value was ever negative, (meters,).
    """

    plan: Plan
    step: timedelta
    keys: tuple[AssetKey, ...]
    until: int
    n_taught: int
    taught: Taught
    members: tuple[str, ...]
    weights: FloatArray
    errors: Single
    bands: Single
    naive_ratio: FloatArray
    n_days: FloatArray
    is_positive: BoolArray

    @property
    def per_day(self) -> int:
        """Slots of a day."""
        return DAY // self.step


def learn(history: Sequence[Window], plan: Plan) -> Learnt:
    """Learn from windows of one step; their order makes no difference.

    Raises:
        HistoryTooShort: No meter has values of two days.
        StepUnsupported: The steps differ, or do not part a day evenly.
    """
    windows = sorted((one for one in history if len(one)), key=lambda one: one.asset)
    if not windows:
        raise HistoryTooShort(found="no rows", needed="two days of one meter")
    step = common_step(windows)
    panel = build_panel(
        windows,
        plan.signal,
        days_ahead=0,
        country=plan.country,
        covariates=plan.covariates,
        dtype=np.float32,
    )
    panel, n_days = _complete_days(panel, plan)
    counts = _known_days(panel)
    if counts.max(initial=0) < 2:
        raise HistoryTooShort(
            found=f"{counts.max(initial=0):g} days of {plan.signal}", needed="two days of one meter"
        )
    cut = _calibration_start(n_days)
    early = _teach(panel, plan, cut)
    members = _members(early)
    origins = origins_of_days(cut, n_days, panel.per_day)
    n_steps = plan.ridge.days_ahead * panel.per_day
    members = _opted_in(members, early, panel, origins, n_steps)
    weights, errors, naive_ratio = _weighed(members, early, panel, origins, n_steps)
    members, weights = _worthy(members, weights)
    errors = by_day(errors, panel.per_day)
    return Learnt(
        plan=plan,
        step=step,
        keys=tuple(one.asset for one in windows),
        until=panel.first_day + n_days,
        n_taught=n_days,
        taught=_teach(panel, plan, n_days, early, cut, members),
        members=members,
        weights=weights,
        errors=errors,
        bands=band_table(errors, QUANTILES, panel.per_day),
        naive_ratio=naive_ratio,
        n_days=counts,
        is_positive=np.logical_not((panel.values < 0).any(axis=1)),
    )


def _complete_days(panel: Panel, plan: Plan) -> tuple[Panel, int]:
    """The panel without a last day that goes on, and without days beyond the memory."""
    known = np.flatnonzero(~np.isnan(np.fmax.reduce(panel.values, axis=0)))
    n_days = (int(known[-1]) + 1) // panel.per_day if len(known) else 0
    n_days = n_days or int(len(known) > 0)
    first = max(0, n_days - plan.memory_days)
    return panel.days(first, n_days), n_days - first


def _known_days(panel: Panel) -> FloatArray:
    """Days with values, shape (meters,), counted by their slots."""
    return np.array([np.count_nonzero(~np.isnan(one)) for one in panel.values]) / panel.per_day


def _calibration_start(n_days: int) -> int:
    """First day of those on which the members are weighed, at the end of the history."""
    return n_days - min(CALIBRATION_DAYS, max(n_days // _CALIBRATION_SHARE, 1))


def _first_taught(n_days: int) -> int:
    return LOOKBACK_DAYS if n_days >= _SHORT_HISTORY_DAYS else _EARLY_DAYS


def _teach(
    panel: Panel,
    plan: Plan,
    last_day: int,
    before: Taught | None = None,
    since: int = 0,
    members: Sequence[str] | None = None,
) -> Taught:
    """The models of the days before `last_day`; given those of the days before `since`, from the rest."""
    ridges, sums = {}, {}
    first = _first_taught(last_day)
    if "ridge" in plan.members and last_day >= _LEAST_DAYS:
        names = ["", *([WEATHER] if plan.covariates and (members is None or WEATHER in members) else [])]
        for name in names:
            some = panel if name else replace(panel, covariates={})
            if before is not None and name in before.sums and _first_taught(since) == first:
                known = before.sums[name]
                sums[name] = learn_sums(some, plan.ridge.days_ahead, since, last_day, known=known)
                own, pooled = solve(sums[name], plan.ridge)
                earlier = before.ridges[name]
                start = max(since - earlier.days_ahead - 1, 0)
                ridges[name] = replace(
                    earlier,
                    own=own,
                    pooled=pooled,
                    following=earlier.learn_following(some, start, last_day, 1.0),
                )
                continue
            sums[name] = learn_sums(some, plan.ridge.days_ahead, first, last_day)
            ridges[name] = learn_model(some, sums[name], plan.ridge, last_day)
    boost = None
    if "boost" in plan.members and last_day >= _LEAST_DAYS and (members is None or BOOST in members):
        boost = learn_boost(replace(panel, covariates={}), plan.boost, first, last_day)
    return Taught(ridges, sums, boost)


def _members(taught: Taught) -> tuple[str, ...]:
    """What can be weighed; a seasonal naive always can."""
    ridges = list(VARIANTS) if "" in taught.ridges else []
    boost = [BOOST] if taught.boost is not None else []
    weather = [WEATHER] if WEATHER in taught.ridges else []
    return (*ridges, *boost, WEEK_BEFORE, DAY_BEFORE, *weather)


def errors_of(said_by_block: Iterable[Said]) -> Iterator[tuple[slice, list[Single]]]:
    """Meters, and errors of each member in their sizes, shape (meters, origins, steps); NaN where unknown."""
    for block, said, actual, size in said_by_block:
        was, share = actual.astype(np.float32, copy=False), (1.0 / size).astype(np.float32)
        yield block, [(was - one.astype(np.float32, copy=False)) * share for one in said]


def said_of(
    taught: Taught,
    panel: Panel,
    members: Sequence[str],
    origins: np.ndarray,
    n_steps: int,
) -> Iterator[Said]:
    """What each member says, block by block of meters.

    Args:
        origins: Slots of the panel; steps may reach beyond its end.
    """
    ahead = -(-n_steps // panel.per_day)
    first = max(0, int(origins[0]) // panel.per_day - LOOKBACK_DAYS - ahead)
    part = _padded(panel.days(first, panel.n_days), ahead)
    places = origins - first * panel.per_day
    rows = np.arange(len(panel.values))
    for block in blocks(len(rows), len(origins) * n_steps):
        some = part.meters(block)
        actual = after(some.values, places, n_steps)
        size = sizes(some.values, places, panel.per_day)[:, :, None]
        yield block, taught.predict(some, rows[block], places, n_steps, members), actual, size


def _weighed(
    members: Sequence[str],
    taught: Taught,
    panel: Panel,
    origins: np.ndarray,
    n_steps: int,
) -> tuple[FloatArray, Single, FloatArray]:
    """Weights of the members, the errors of the mixture, and how many times larger those of the naive are."""
    per_day = panel.per_day
    mixture = np.empty((len(panel.values), len(origins), n_steps), dtype=np.float32)
    weights, ratio = [], np.empty(len(mixture))
    for block, errors in errors_of(said_of(taught, panel, members, origins, n_steps)):
        weights.append(_weights(members, errors, per_day))
        mixture[block] = mixed(errors, effective(weights[-1]), per_day)
        naive, own = (
            np.abs(np.nan_to_num(one)).mean(axis=(1, 2))
            for one in (errors[members.index(DAY_BEFORE)], mixture[block])
        )
        ratio[block] = np.maximum(naive / np.maximum(own, _TINY), 1.0)
    return np.concatenate(weights), mixture, ratio


def _weights(members: Sequence[str], errors: Sequence[Single], per_day: int) -> FloatArray:
    """Of the members, by their errors over the last weeks, (meters, origins, steps) each.

    Where no ridge is among them nothing is believed beforehand: usual is what the meters have on average.
    """
    if OWN in members:
        first = begun(members, _BELIEVED, len(errors[0]))
        usual = follow(first, [by_day(one, per_day) for one in errors], per_day)
    else:
        own = weigh(errors, per_day)
        usual = np.broadcast_to(own.mean(axis=0), own.shape)
    return weigh(errors, per_day, usual)


def _padded(panel: Panel, n_days: int) -> Panel:
    """The panel with days after its last, of which nothing is known; of day types they do not need any."""
    n_meters = len(panel.values)
    after = np.full((n_meters, n_days * panel.per_day), np.nan, panel.values.dtype)
    return replace(
        panel,
        values=np.concatenate([panel.values, after], axis=1),
        day_types=np.concatenate(
            [panel.day_types, np.zeros((n_meters, n_days, panel.day_types.shape[2]))], axis=1
        ),
        covariates={name: np.concatenate([one, after], axis=1) for name, one in panel.covariates.items()},
    )


def _opted_in(
    members: tuple[str, ...], taught: Taught, panel: Panel, origins: np.ndarray, n_steps: int
) -> tuple[str, ...]:
    """Without covariates that do not make the fleet's error clearly less than without them."""
    if WEATHER not in members:
        return members
    total, count = np.zeros(2), np.zeros(2)
    for _, errors in errors_of(said_of(taught, panel, (WEATHER, OWN), origins, n_steps)):
        total += [np.nansum(np.abs(one), dtype=float) for one in errors]
        count += [np.isfinite(one).sum() for one in errors]
    with_it, without = total / np.maximum(count, 1.0)
    return members if with_it < _WEATHER_WORTH * without else tuple(n for n in members if n != WEATHER)


def _worthy(members: tuple[str, ...], weights: FloatArray) -> tuple[tuple[str, ...], FloatArray]:
    """Without members that cost something and have no weight anywhere."""
    costly, used = {WEATHER, BOOST}, effective(weights)
    kept = [i for i, name in enumerate(members) if name not in costly or used[:, :, i].any()]
    some = weights[:, :, kept]
    return tuple(members[i] for i in kept), some / some.sum(axis=2, keepdims=True)
