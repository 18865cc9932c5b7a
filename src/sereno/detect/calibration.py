"""From a budget of false alarms to a threshold, counted in episodes and not in rows.

The score of every calm row is known out of fold. A threshold is worth the number of episodes it gives on
them, after hysteresis and delays, per asset and week; the smallest threshold inside the budget is taken. One
episode is
held back as the conformal correction: with m allowed, the threshold is such that m - 1 were seen.

Source:
    Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005, chapter 2 (the rank of a new calm
    episode among the old ones is uniform, hence the correction by one).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil, floor, log10

import numpy as np

from sereno.domain.errors import BudgetTooSmall
from sereno.domain.judgement import Calibration, Claim
from sereno.domain.readings import FloatArray

__all__ = [
    "DEFAULT_BUDGET",
    "MIN_THRESHOLD",
    "Hysteresis",
    "calibrate",
    "count_episodes",
    "episode_peaks",
    "rounded_up",
    "weeks_of",
]

DEFAULT_BUDGET = 0.25
"""False episodes per week and asset."""
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_WEEK = timedelta(weeks=1)
_MIN_EPISODES = 2.0
"""One episode may be seen and one is held back: a budget worth less than two cannot be told from none."""
_SURE_EPISODES = 6
"""The true number of episodes where so many are allowed is Gamma(6): within 0.52 and 1.55 times with 80 %."""
MIN_THRESHOLD = 1.0
"""Scores are in units of their own calm 99 % quantile: nothing below that is worth a person's time."""


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """When an episode begins and ends.

    Attributes:
        release: Share of the threshold below which a row is normal again.
        on_delay, off_delay: Rows in a run.
    """

    release: float = 0.7
    on_delay: int = 1
    off_delay: int = 2

    @classmethod
    def for_step(cls, step: timedelta | None) -> "Hysteresis":
        """A day counts at once; of hours two; of minutes three."""
        if step is None or step >= _DAY:
            return cls(on_delay=1, off_delay=2)
        if step >= _HOUR:
            return cls(on_delay=2, off_delay=6)
        return cls(on_delay=3, off_delay=max(6, round(_HOUR / step / 2)))

    @classmethod
    def of_weeks(cls, step: timedelta | None) -> "Hysteresis":
        """Of what takes weeks to show: a week beyond its limit, a week back."""
        week = round(_WEEK / (step or _DAY))
        return cls(on_delay=week, off_delay=week)


def count_episodes(scores: FloatArray, threshold: float, hysteresis: Hysteresis) -> int:
    """Episodes that a threshold gives on a series of scores, NaN rows holding the state."""
    return len(episode_peaks(scores, threshold, hysteresis))


def episode_peaks(scores: FloatArray, threshold: float, hysteresis: Hysteresis) -> list[float]:
    """How high each episode of a threshold rises: the largest threshold that would still have opened it."""
    known = scores[~np.isnan(scores)]
    if not (known >= threshold).any():
        return []
    marked = np.flatnonzero(known >= min(hysteresis.release, 1.0) * threshold)
    n_calm = np.diff(marked, prepend=marked[:1]) - 1
    peaks: list[float] = []
    run: list[float] = []
    is_open = False
    for score, n_before in zip(known[marked].tolist(), n_calm.tolist(), strict=True):
        is_open = is_open and n_before < hysteresis.off_delay
        run = run[1 - hysteresis.on_delay :] if n_before <= 0 and hysteresis.on_delay > 1 else []
        run = [*run, score] if score >= threshold else []
        if len(run) < hysteresis.on_delay:
            continue
        if not is_open:
            is_open = True
            peaks.append(0.0)
        peaks[-1] = max(peaks[-1], min(run))
    return peaks


def calibrate(
    scores: Sequence[FloatArray], step: timedelta | None, *, budget: float, hysteresis: Hysteresis
) -> Calibration:
    """The smallest threshold whose false episodes stay within the budget.

    Args:
        scores: Out-of-fold scores of each asset, in time order, NaN where nothing was judged.
        step: Length of a row; a day where the source has no rhythm.
        budget: False episodes per week and asset.

    Raises:
        BudgetTooSmall: The history cannot support that budget; names the smallest it can.
    """
    asset_weeks = weeks_of(scores, step)
    supported = rounded_up(_MIN_EPISODES / asset_weeks) if asset_weeks else float("inf")
    if budget < supported:
        raise BudgetTooSmall(asked=budget, weeks=round(asset_weeks, 1), supported=supported)
    allowed = int(budget * asset_weeks) - 1

    def count(threshold: float) -> int:
        return sum(count_episodes(s, threshold, hysteresis) for s in scores)

    candidates = np.unique(np.concatenate([s[~np.isnan(s)] for s in scores]))
    candidates = candidates[candidates >= MIN_THRESHOLD]
    threshold = _smallest(candidates, allowed, count)
    calibration = Calibration(
        threshold=threshold,
        release=hysteresis.release,
        on_delay=hysteresis.on_delay,
        off_delay=hysteresis.off_delay,
        budget=budget,
        realised=0.0,
        supported=supported,
        asset_weeks=asset_weeks,
    )
    return replace(calibration, realised=count(threshold) / asset_weeks, claim=_claim(threshold, allowed + 1))


def weeks_of(scores: Sequence[FloatArray], step: timedelta | None) -> float:
    """Judged rows of all assets in weeks."""
    return sum(int((~np.isnan(s)).sum()) for s in scores) * ((step or _DAY) / _WEEK)


def _claim(threshold: float, allowed: int) -> Claim:
    if threshold <= MIN_THRESHOLD:
        return Claim.AT_MOST
    return Claim.CALIBRATED if allowed >= _SURE_EPISODES else Claim.INDICATIVE


def rounded_up(value: float) -> float:
    """Two significant digits, never below the value: what is promised must be kept."""
    unit = 10.0 ** (floor(log10(value)) - 1)
    return round(ceil(value / unit - 1e-9) * unit, 12)


def _smallest(candidates: FloatArray, allowed: int, count: Callable[[float], int]) -> float:
    """Bisection; a row equal to the threshold counts, so the answer lies just above a candidate."""
    low, high = 0, len(candidates)
    while low < high:
        middle = (low + high) // 2
        if count(float(np.nextafter(candidates[middle], np.inf))) <= allowed:
            high = middle
        else:
            low = middle + 1
    if low == 0 and (not len(candidates) or count(MIN_THRESHOLD) <= allowed):
        return MIN_THRESHOLD
    return float(np.nextafter(candidates[min(low, len(candidates) - 1)], np.inf))
