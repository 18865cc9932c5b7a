"""A floor that rises: what flows in the quietest hours of every day, against its own last months.

A leak adds the same in every hour, so it lifts the quiet hours, which differ less than the busy ones. Many
meters never come to rest, and minimum night flow says nothing of them; of these it is asked whether the
floors of `SHORT_DAYS` days stand further above those of the `LONG_DAYS` before than they did of themselves in
the year before. Nothing is trained: the year lies in the memory and goes on.
"""

from datetime import timedelta
from math import isnan

import numpy as np

from sereno.detect.days import DayRule, follow_days
from sereno.domain.arrays import median, quantile
from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import Profile, Signal, SignalKind

__all__ = ["LEAK", "score_floors"]

LEAK = "behaviour.leak"
SHORTEST_STEP, LONGEST_STEP = timedelta(minutes=5), timedelta(hours=3)
QUIET_QUANTILE = 0.1
"""Of the day's flows: its third lowest hour, for one low hour alone is chance."""
SHORT_DAYS, LONG_DAYS = 10, 56
KNOWN_SHARE = 0.5
"""Share of these days that must be known."""
YEAR_DAYS, LATEST_DAYS = 365, 14
"""Days whose rises are natural, but for the latest: a leak must not call itself natural."""
LEAST_RISES = 120
RARE_QUANTILE, MARGIN = 0.98, 1.2
"""A rise is told beyond the 98 % quantile of natural ones, and 20 % more."""
LEAST_RISE = 0.02
"""Of the mean flow: what a meter's class allows, doubled (EN 12261)."""
_WORST = 10.0
_QUIET, _MEAN, _RISE = range(3)


def score_floors(window: Window, profile: Profile, memory: Memory) -> tuple[list[Evidence], Memory]:
    """How far the floors of the last days have risen, over what they do of themselves.

    A day counts for the rows of the days after it. Expected is what each row would show without the rise.

    Returns:
        The evidence, nothing where no signal is a flow or all is well; and the memory for the next window.
    """
    columns = _columns(window, profile)
    if not columns:
        return [], Memory()
    told = follow_days(_RULE, window, columns, memory)
    if not told.is_news:
        return [], told.memory
    expected = np.maximum(window.values[:, columns] - told.seen[..., 0], 0.0)
    half = np.timedelta64(SHORT_DAYS // 2, "D").astype("timedelta64[us]").astype(np.int64)
    begun = (window.micros - half).view("datetime64[us]")
    return [told.evidence(window, expected, begun)], told.memory


def _columns(window: Window, profile: Profile) -> list[int]:
    step = window.step
    if step is None or not SHORTEST_STEP <= step <= LONGEST_STEP:
        return []
    return [i for i, name in enumerate(window.signals) if _is_flow(profile.signal(name))]


def _is_flow(signal: Signal) -> bool:
    """Of a fluid: of a current, a load that stays on is excess and no leak."""
    return signal.quantity == "volume" and signal.kind is SignalKind.INTERVAL and not signal.is_optional


def _measure(read: FloatArray) -> tuple[float, float]:
    return quantile(read, QUIET_QUANTILE), float(read.mean())


def _rise(days: FloatArray) -> float:
    """How much higher the last floors are than those before them, over the mean flow; NaN where unknown."""
    short, long = days[-SHORT_DAYS:], days[-SHORT_DAYS - LONG_DAYS : -SHORT_DAYS]
    recent, past = (part[~np.isnan(part[:, _QUIET])] for part in (short, long))
    if len(recent) < KNOWN_SHARE * SHORT_DAYS or len(past) < KNOWN_SHARE * LONG_DAYS:
        return float("nan")
    mean = float(past[:, _MEAN].mean())
    if mean <= 0:
        return float("nan")
    return (median(recent[:, _QUIET]) - median(past[:, _QUIET])) / mean


def _judge(days: FloatArray) -> float:
    """The last rise over its limit, NaN where unknown."""
    rises = days[:, _RISE]
    natural = rises[:-LATEST_DAYS]
    natural = natural[~np.isnan(natural)]
    if len(natural) < LEAST_RISES or isnan(rises[-1]):
        return float("nan")
    limit = max(LEAST_RISE, MARGIN * quantile(natural, RARE_QUANTILE))
    return min(max(float(rises[-1]) / limit, 0.0), _WORST)


def _see(days: FloatArray) -> tuple[float]:
    """The rise itself in the signal's unit; 0 where it is unknown."""
    rise = float(days[-1, _RISE])
    past = days[-SHORT_DAYS - LONG_DAYS : -SHORT_DAYS, _MEAN]
    return (0.0 if isnan(rise) else rise * float(past[~np.isnan(past)].mean()),)


_RULE = DayRule(LEAK, YEAR_DAYS + LATEST_DAYS, 3, _measure, _rise, _judge, _see, n_seen=1, release=0.7)
