"""The rules by which scores get a threshold, by name."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from math import exp, lgamma, log
from types import MappingProxyType

import numpy as np

from sereno.detect.calibration import (
    MIN_THRESHOLD,
    Hysteresis,
    calibrate,
    count_episodes,
    episode_peaks,
    rounded_up,
    weeks_of,
)
from sereno.detect.tail import ParetoTail, fit_tail
from sereno.domain.errors import BudgetTooSmall, HistoryTooShort
from sereno.domain.judgement import Calibration, Claim
from sereno.domain.readings import FloatArray

__all__ = ["AUTO", "METHODS", "CalibrationRule", "calibrate_by"]

AUTO = "auto"
_TAIL_EPISODES = 60
"""Episodes that the tail is fitted to, where the history has so many."""
_LEAST_TAIL_EPISODES = 30
_TAIL_REACH = 1.0
"""Episodes in the whole history that a budget must be worth: the tail is not believed beyond."""
_SURE_TAIL_REACH = 3.0
_IMPLAUSIBLE = 0.025
_LEVEL_ROWS = 0.2
"""Share of the rows above the level that the tail begins at, at most: a body is no tail."""


@dataclass(frozen=True, slots=True)
class CalibrationRule:
    """How a threshold is found.

    Attributes:
        method: `auto`, or one of `METHODS`.
        sigmas: Of `mean_3sigma` the first alone: standard deviations above the mean at which a row is
            abnormal. Of `sigma_bands`: at which an episode begins and is low, medium, high and critical.
    """

    method: str = AUTO
    sigmas: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class _History:
    """Out-of-fold scores of each asset, and how they are counted."""

    scores: Sequence[FloatArray]
    step: timedelta | None
    hysteresis: Hysteresis

    @property
    def weeks(self) -> float:
        return weeks_of(self.scores, self.step)

    @property
    def pooled(self) -> FloatArray:
        scores: FloatArray = np.concatenate([s[~np.isnan(s)] for s in self.scores] or [np.zeros(0)])
        return scores

    def count(self, threshold: float) -> int:
        return sum(count_episodes(s, threshold, self.hysteresis) for s in self.scores)

    def peaks(self, threshold: float) -> FloatArray:
        return np.array([p for s in self.scores for p in episode_peaks(s, threshold, self.hysteresis)])

    def calibration(self, threshold: float, budget: float, **more: object) -> Calibration:
        weeks = self.weeks
        found = Calibration(
            threshold=threshold,
            release=self.hysteresis.release,
            on_delay=self.hysteresis.on_delay,
            off_delay=self.hysteresis.off_delay,
            budget=budget,
            realised=self.count(threshold) / weeks if weeks else 0.0,
            supported=0.0,
            asset_weeks=weeks,
        )
        return replace(found, **more)  # type: ignore[arg-type]


def calibrate_by(
    rule: CalibrationRule,
    scores: Sequence[FloatArray],
    step: timedelta | None,
    *,
    budget: float,
    hysteresis: Hysteresis,
) -> Calibration:
    """The threshold that a rule gives, and what it promises of the budget.

    Args:
        scores: Out-of-fold scores of each asset, in time order, NaN where nothing was judged.
        step: Length of a row; a day where the source has no rhythm.
        budget: False episodes per week and asset.

    Raises:
        BudgetTooSmall: The history cannot support that budget by that rule; names the smallest it can.
        HistoryTooShort: It cannot support any by the rule `pot`.
    """
    history = _History(scores, step, hysteresis)
    if rule.method == AUTO:
        return _best(history, budget, rule)
    return _RULES[rule.method](history, budget, rule)


def _best(history: _History, budget: float, rule: CalibrationRule) -> Calibration:
    """Counting where that is sure; else the tail where that is; else whichever can do it at all."""
    found: list[Calibration] = []
    refused: list[BudgetTooSmall] = []
    for one in (_conformal, _tail):
        with suppress(HistoryTooShort):
            try:
                found.append(one(history, budget, rule))
            except BudgetTooSmall as error:
                refused.append(error)
        if found and found[0].claim == Claim.CALIBRATED:
            return found[0]
    if not found:
        raise min(refused, key=lambda error: float(str(error.facts["supported"])))
    supported = min(calibration.supported for calibration in found)
    best = min(found, key=_distrust)
    if best.claim == Claim.INDICATIVE:  # of two that are not sure the tail is the better one
        best = min(reversed(found), key=_distrust)
    return replace(best, supported=supported)


def _distrust(calibration: Calibration) -> int:
    return [Claim.CALIBRATED, Claim.AT_MOST, Claim.INDICATIVE, Claim.DOUBTFUL].index(Claim(calibration.claim))


def _conformal(history: _History, budget: float, _rule: CalibrationRule) -> Calibration:
    return calibrate(history.scores, history.step, budget=budget, hysteresis=history.hysteresis)


def _tail(history: _History, budget: float, _rule: CalibrationRule) -> Calibration:
    """Peaks over threshold, where a peak is an episode: dependent rows count once.

    Valid for a stationary calm history with 30 episodes above its level, and no further out than
    the history is long: a budget must be worth one episode in it. Where what was counted belies the tail
    (long episodes that a higher threshold cuts into several), the calibration says that it is doubtful.
    """
    weeks = history.weeks
    level = _level(history)
    if level is None or not weeks:
        raise HistoryTooShort(
            found=f"{weeks:.1f} asset-weeks", needed=f"{_LEAST_TAIL_EPISODES} episodes for the rule 'pot'"
        )
    peaks = history.peaks(level)
    supported = rounded_up(_TAIL_REACH / weeks)
    if budget < supported:
        raise BudgetTooSmall(asked=budget, weeks=round(weeks, 1), supported=supported)
    rate = len(peaks) / weeks
    fitted: ParetoTail = fit_tail(peaks - level)
    threshold = level + fitted.excess(min(budget / rate, 1.0))
    claim = Claim.CALIBRATED if budget * weeks >= _SURE_TAIL_REACH else Claim.INDICATIVE
    if threshold <= MIN_THRESHOLD or budget >= rate:
        threshold, claim = max(MIN_THRESHOLD, level), Claim.AT_MOST
    elif not _is_plausible(history.count(threshold), budget * weeks):
        claim = Claim.DOUBTFUL
    return history.calibration(threshold, budget, supported=supported, method="pot", claim=claim)


def _is_plausible(n_seen: int, expected: float) -> bool:
    """Whether so many episodes may well be seen where so many are expected (Poisson, 95 %, both sides)."""
    below = sum(exp(n * log(expected) - expected - lgamma(n + 1.0)) for n in range(n_seen))
    at_most = below + exp(n_seen * log(expected) - expected - lgamma(n_seen + 1.0))
    return 1.0 - below >= _IMPLAUSIBLE and at_most >= _IMPLAUSIBLE


def _level(history: _History) -> float | None:
    """The highest level with `_TAIL_EPISODES` episodes above it, or the lowest that is a tail; else None."""
    pooled = np.unique(history.pooled)
    if not len(pooled):
        return None
    low = int(np.searchsorted(pooled, np.quantile(history.pooled, 1.0 - _LEVEL_ROWS)))
    first, high = low, len(pooled) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if history.count(float(pooled[middle])) >= _TAIL_EPISODES:
            low = middle
        else:
            high = middle - 1
    n_episodes = history.count(float(pooled[low]))
    if low == first and n_episodes < _LEAST_TAIL_EPISODES:
        return None
    return float(pooled[low])


def _mean_plus_sigmas(history: _History, budget: float, rule: CalibrationRule) -> Calibration:
    """Mean and so many standard deviations of all scores: a threshold that knows no budget."""
    sigmas = rule.sigmas[0] if rule.sigmas else 3.0
    threshold = _above_mean(history, sigmas)
    return history.calibration(threshold, budget, method="mean_3sigma", claim=Claim.NONE)


def _sigma_bands(history: _History, budget: float, rule: CalibrationRule) -> Calibration:
    """As mean and standard deviations, and the severity is the band that the peak lies in."""
    begins, *others = rule.sigmas or (2.0, 2.5, 3.0, 4.0)
    threshold = _above_mean(history, begins)
    bands = tuple(_above_mean(history, sigmas) / threshold for sigmas in others)
    return history.calibration(threshold, budget, method="sigma_bands", claim=Claim.NONE, bands=bands)


def _above_mean(history: _History, sigmas: float) -> float:
    pooled = history.pooled
    if not len(pooled):
        return MIN_THRESHOLD
    return max(float(pooled.mean() + sigmas * pooled.std()), float(np.finfo(float).tiny))


_RULES: Mapping[str, Callable[[_History, float, CalibrationRule], Calibration]] = MappingProxyType(
    {
        "conformal": _conformal,
        "pot": _tail,
        "mean_3sigma": _mean_plus_sigmas,
        "sigma_bands": _sigma_bands,
    }
)
METHODS = (AUTO, *_RULES)
