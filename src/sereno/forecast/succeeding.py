"""Learning the days that came since, without learning the others again."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sereno.domain.forecasts import QUANTILES
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.forecast.bands import band_table, by_day, origins_of_days
from sereno.forecast.features import LOOKBACK_DAYS, Single
from sereno.forecast.mixing import effective, follow, mixed, typical_sizes
from sereno.forecast.panel import Panel, build_panel, slots_of
from sereno.forecast.pool import Learnt, Taught, errors_of, learn, said_of
from sereno.forecast.ridge import FOLLOWING_DAYS, VARIANTS, RidgeModel, Sums, learn_sums, solve

__all__ = ["succeed"]

_MOST_DAYS = 28
"""After more days than this, members are weighed anew, with everything."""
_TYPICAL_DAYS = 7
"""Last days that say what an error typically is."""


def succeed(learnt: Learnt, history: Sequence[Window]) -> Learnt:
    """What also knows the complete days of `history` since; learnt anew where days alone cannot be added.

    A day is added by its own sums of products, and the days beyond the memory are taken away by theirs.
    Errors, and weights and bands with them, move on by what was really said wrongly.
    """
    windows = {one.asset: one for one in history if len(one)}
    until = _complete_until(list(windows.values()), learnt)
    if until <= learnt.until:
        return learnt
    is_same = set(windows) == set(learnt.keys)
    if not is_same or until - learnt.until > _MOST_DAYS or not _is_of_today(learnt.taught):
        return learn(history, learnt.plan)
    ordered = [windows[key] for key in learnt.keys]
    surplus = max(0, learnt.n_taught + until - learnt.until - learnt.plan.memory_days)
    added = _panel(ordered, learnt, learnt.until, until)
    oldest = learnt.until - learnt.n_taught
    gone = _panel(ordered, learnt, oldest, oldest + surplus) if surplus else None
    errors, weights = _moved_on(learnt, added, until)
    return replace(
        learnt,
        until=until,
        n_taught=learnt.n_taught + until - learnt.until - surplus,
        taught=_taught(learnt, added, gone, until, surplus),
        weights=weights,
        errors=errors,
        bands=band_table(errors, QUANTILES, learnt.per_day),
        n_days=learnt.n_days + _new_days(added, learnt, until),
        is_positive=learnt.is_positive & ~(added.values < 0).any(axis=1),
    )


def _is_of_today(taught: Taught) -> bool:
    """Whether there is a ridge, with the variants that it has now."""
    return "" in taught.ridges and set(taught.ridges[""].following) == set(VARIANTS)


def _complete_until(windows: Sequence[Window], learnt: Learnt) -> int:
    """First local day, from 1970-01-01, that is not over in any of the windows."""
    ends = {(one.zone, one.time[-1]) for one in windows}
    last = [int(slots_of(np.array([end]), learnt.step, zone)[0]) for zone, end in ends]
    return (max(last, default=-1) + 1) // learnt.per_day


def _panel(windows: Sequence[Window], learnt: Learnt, first: int, last: int) -> Panel:
    """The days [first, last), with those that their features and errors reach back to."""
    plan = learnt.plan
    reach = LOOKBACK_DAYS + 2 * plan.ridge.days_ahead + 2
    return build_panel(
        windows,
        plan.signal,
        days_ahead=0,
        country=plan.country,
        covariates=plan.covariates,
        span=(first - reach, max(last, first) + plan.ridge.days_ahead - 1),
    ).until((reach + max(last - first, 0)) * learnt.per_day)


def _taught(learnt: Learnt, added: Panel, gone: Panel | None, until: int, surplus: int) -> Taught:
    plan, ridges, sums = learnt.plan, {}, {}
    first, last = learnt.until - added.first_day, until - added.first_day
    for name, model in learnt.taught.ridges.items():
        some = added if name else replace(added, covariates={})
        known = learnt.taught.sums[name]
        total = learn_sums(some, plan.ridge.days_ahead, first, last, known=known)
        if gone is not None:
            total = _without(total, gone if name else replace(gone, covariates={}), learnt, surplus)
        sums[name] = total
        own, pooled = solve(total, plan.ridge)
        kept = max(0.0, 1.0 - (last - first) / FOLLOWING_DAYS)
        following = model.learn_following(some, first - model.days_ahead - 1, last, kept)
        ridges[name] = RidgeModel(own, pooled, following)
    return Taught(ridges, sums, learnt.taught.boost)


def _without(total: Sums, gone: Panel, learnt: Learnt, surplus: int) -> Sums:
    """Less the oldest days, of which the first were never taught: they had nothing to reach back to."""
    start = learnt.until - learnt.n_taught - gone.first_day
    first = start + (LOOKBACK_DAYS if learnt.n_taught < learnt.plan.memory_days else 0)
    last = start + surplus
    if last <= first:
        return total
    return learn_sums(gone, learnt.plan.ridge.days_ahead, first, last, known=total, is_taken_away=True)


def _moved_on(learnt: Learnt, panel: Panel, until: int) -> tuple[Single, FloatArray]:
    """The latest errors, with those of forecasts into the new days by what was known then; the weights."""
    n_new = until - learnt.until
    per_day, ahead = panel.per_day, learnt.plan.ridge.days_ahead
    n_steps = ahead * per_day
    first = learnt.until - panel.first_day - ahead
    origins = origins_of_days(first, first + n_new + ahead, per_day)
    old = learnt.errors
    n_old = old.shape[1]
    n_kept = min(ahead, n_old)
    last = old[:, n_old - n_kept :]
    recent = np.empty((len(old), n_kept + n_new, *old.shape[2:]), dtype=np.float32)
    weights, used = learnt.weights.copy(), effective(learnt.weights)
    for block, errors in errors_of(said_of(learnt.taught, panel, learnt.members, origins, n_steps)):
        made = by_day(mixed(errors, used[block], per_day).astype(np.float32), per_day)[:, ahead - n_kept :]
        recent[block] = made
        is_followed = np.isnan(made)
        is_followed[:, :n_kept] |= ~np.isnan(last[block])
        new = [_unfollowed(by_day(one, per_day)[:, ahead - n_kept :], is_followed) for one in errors]
        typical = typical_sizes(old[block, -_TYPICAL_DAYS:], per_day)
        weights[block] = follow(learnt.weights[block], new, per_day, typical)
    recent[:, :n_kept] = np.where(np.isnan(last), recent[:, :n_kept], last)
    joined = np.concatenate([old[:, n_new : n_old - n_kept], recent], axis=1)
    return np.ascontiguousarray(joined[:, -n_old:]), weights


def _unfollowed(errors: Single, is_followed: BoolArray) -> Single:
    """Errors, and none where they are unknown or the weights have followed them before."""
    errors[is_followed] = 0.0
    return errors


def _new_days(panel: Panel, learnt: Learnt, until: int) -> np.ndarray:
    first, last = learnt.until - panel.first_day, until - panel.first_day
    known = ~np.isnan(panel.values[:, first * panel.per_day : last * panel.per_day])
    days: np.ndarray = known.sum(axis=1) / panel.per_day
    return days
