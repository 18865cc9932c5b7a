"""A ceiling that falls: what a plant makes on the best of its last days, against the weeks before.

Clouds take from a day whatever they please, so that half a plant that is out looks like weather. But in ten
days one is clear nearly everywhere, and the best day says what the plant can make. Of each plant it is asked
whether its best has fallen further than it did of itself in the same season of the year before. Nothing is
trained: the year lies in the memory and goes on.
"""

from datetime import timedelta

import numpy as np

from sereno.detect.days import DayRule, follow_days
from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import Profile, Signal, SignalKind

__all__ = ["CAPACITY", "SHORT_DAYS", "score_ceilings"]

CAPACITY = "behaviour.capacity"
SHORTEST_STEP, LONGEST_STEP = timedelta(minutes=1), timedelta(days=1)
SHORT_DAYS, LONG_DAYS = 10, 45
BEST_QUANTILE = 0.9
"""Of the days of the weeks before: their best, whatever one of them may have made by mistake."""
KNOWN_SHARE = 0.5
"""Share of these days that must be known."""
YEAR_DAYS, SEASON_DAYS, LATEST_DAYS = 365, 60, 14
"""Falls of the same season are natural, but for the latest: half a plant must not call itself natural."""
LEAST_FALLS = 90
RARE_QUANTILE, MARGIN = 0.95, 1.3
"""A fall is told beyond the 95 % quantile of natural ones, and 30 % more."""
LEAST_FALL = 0.3
"""Logarithm: a quarter of the plant ..."""
UNSEEN_FALL = 0.6
"""... and 45 % in the first year, when autumn could be half of it."""
WORST_FALL = 4.0
SPEAKS = 0.5
"""A row within a day speaks where it carries this share of the mean of the best day; nights do not."""
_MEAN, _FALL = range(2)
_WORST = 10.0


def score_ceilings(window: Window, profile: Profile, memory: Memory) -> tuple[list[Evidence], Memory]:
    """How far the best of the last days is below that of the weeks before, over what it falls of itself.

    Expected is what each row would show if the plant still made what it could.

    Returns:
        The evidence, nothing where no signal is a plant's gain or all is well; and the memory for the next
        window.
    """
    columns = _columns(window, profile)
    if not columns:
        return [], Memory()
    told = follow_days(_RULE, window, columns, memory)
    if not told.is_news:
        return [], told.memory
    values = window.values[:, columns]
    falls, best = told.seen[..., 0], told.seen[..., 1]
    if window.step is not None and window.step < LONGEST_STEP:
        told.excess[values < SPEAKS * best] = np.nan
    back = np.timedelta64(SHORT_DAYS - 1, "D").astype("timedelta64[us]").astype(np.int64)
    begun = (window.micros - back).view("datetime64[us]")
    return [told.evidence(window, values * np.exp(falls), begun)], told.memory


def _columns(window: Window, profile: Profile) -> list[int]:
    step = window.step
    if step is None or not SHORTEST_STEP <= step <= LONGEST_STEP:
        return []
    return [i for i, name in enumerate(window.signals) if _is_plant(profile.signal(name))]


def _is_plant(signal: Signal) -> bool:
    """Of which more is better, and that a plant makes as the weather lets it."""
    return signal.is_gain and signal.is_vital and signal.kind is SignalKind.INTERVAL


def _measure(read: FloatArray) -> tuple[float]:
    return (float(read.mean()),)


def _fall(days: FloatArray) -> float:
    """Logarithm of the best of the weeks before over that of the last days; NaN where unknown."""
    best, past = _best(days), _past(days)
    if np.isnan(best) or not past > 0:
        return float("nan")
    return min(float(np.log(past / max(best, 1e-9 * past))), WORST_FALL)


def _best(days: FloatArray) -> float:
    recent = days[-SHORT_DAYS:, _MEAN]
    recent = recent[~np.isnan(recent)]
    return float(recent.max()) if len(recent) >= KNOWN_SHARE * SHORT_DAYS else float("nan")


def _past(days: FloatArray) -> float:
    past = days[-SHORT_DAYS - LONG_DAYS : -SHORT_DAYS, _MEAN]
    past = past[~np.isnan(past)]
    return float(np.quantile(past, BEST_QUANTILE)) if len(past) >= KNOWN_SHARE * LONG_DAYS else float("nan")


def _judge(days: FloatArray) -> tuple[float, tuple[float, float]]:
    """The last fall over its limit, NaN where unknown; the fall itself, and the mean of the best day."""
    fall = float(days[-1, _FALL])
    natural, least = _natural(days[:, _FALL])
    if len(natural) < LEAST_FALLS or np.isnan(fall):
        return float("nan"), (0.0, 0.0)
    limit = max(least, MARGIN * float(np.quantile(natural, RARE_QUANTILE)))
    return min(max(fall / limit, 0.0), _WORST), (fall, _best(days))


def _natural(falls: FloatArray) -> tuple[FloatArray, float]:
    """Falls of this season and of that a year ago, otherwise all so far; and the least that is told."""
    ago = np.arange(len(falls) - 1, -1, -1)
    is_natural = (ago >= LATEST_DAYS) & ~np.isnan(falls)
    is_seen = is_natural & (np.abs(ago - YEAR_DAYS) <= SEASON_DAYS)
    if is_seen.sum() >= LEAST_FALLS:
        return falls[is_seen | (is_natural & (ago <= SEASON_DAYS))], LEAST_FALL
    return falls[is_natural], UNSEEN_FALL


_RULE = DayRule(CAPACITY, YEAR_DAYS + SEASON_DAYS, 2, _measure, _fall, _judge, n_seen=2, release=0.7)
