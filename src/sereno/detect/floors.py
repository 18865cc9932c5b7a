"""A floor that rises: what flows in the quietest hours of every day, against its own last months.

A leak adds the same in every hour, so it lifts the quiet hours, which differ less than the busy ones. Many
meters never come to rest, and minimum night flow says nothing of them; of these it is asked whether the
floors of `SHORT_DAYS` days stand further above those of the `LONG_DAYS` before than they did of themselves in
the year before. Nothing is trained: the year lies in the memory and goes on.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import Profile, Signal, SignalKind

__all__ = ["LEAK", "score_floors"]

LEAK = "behaviour.leak"
SHORTEST_STEP, LONGEST_STEP = timedelta(minutes=5), timedelta(hours=3)
QUIET_QUANTILE = 0.1
"""Of the day's flows: its third lowest hour, for one low hour alone is chance."""
WHOLE_SHARE = 0.75
"""Share of a day's steps that must be known."""
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
_RELEASE = 0.7
_WORST = 10.0
_DAY = timedelta(days=1)
_DAY_US = 86_400_000_000
_QUIET, _MEAN, _RISE = range(3)
_KEPT_DAYS = YEAR_DAYS + LATEST_DAYS
_ROWS, _DAYS, _LAST = "floors/rows", "floors/days", "floors/last"


def score_floors(window: Window, profile: Profile, memory: Memory) -> tuple[list[Evidence], Memory]:
    """How far the floors of the last days have risen, over what they do of themselves.

    A day counts for the rows of the days after it. Expected is what each row would show without the rise.

    Returns:
        The evidence, nothing where no signal is a flow or all is well; and the memory for the next window.
    """
    columns = _columns(window, profile)
    if not columns:
        return [], Memory()
    if not len(window):
        return [], Memory(
            {name: memory.arrays[name] for name in (_ROWS, _DAYS, _LAST) if name in memory.arrays}
        )
    local = local_time(window.time, window.zone).astype(np.int64) // _DAY_US
    values = window.values[:, columns]
    before = memory.arrays.get(_ROWS, np.empty((0, 1 + len(columns))))
    rows = np.concatenate((before, np.column_stack((local.astype(float), values))))
    known = memory.arrays.get(_DAYS, np.empty((0, len(columns), 3)))
    last = float(memory.arrays.get(_LAST, np.full(1, rows[0, 0] - 1))[0])
    cuts = [0, *(np.flatnonzero(np.diff(rows[:, 0])) + 1).tolist(), len(rows)]
    excess, lifts = np.full(values.shape, np.nan), np.zeros(values.shape)
    least = WHOLE_SHARE * (_DAY / (window.step or _DAY))
    for start, stop in pairwise(cuts):
        here = slice(max(start - len(before), 0), max(stop - len(before), 0))
        excess[here], lifts[here] = _judged(known)
        if stop < len(rows):
            day = float(rows[start, 0])
            known = _with_day(known, rows[start:stop, 1:], int(day - last) - 1, least)
            last = day
    kept = Memory({_ROWS: rows[cuts[-2] :], _DAYS: known, _LAST: np.array([last])})
    excess[np.isnan(values)] = np.nan
    is_told = f"episode/{LEAK}" in memory.arrays
    if not is_told and not (excess >= 1.0).any():
        return [], kept
    return [_evidence(window, columns, excess, lifts)], kept


def _columns(window: Window, profile: Profile) -> list[int]:
    step = window.step
    if step is None or not SHORTEST_STEP <= step <= LONGEST_STEP:
        return []
    return [i for i, name in enumerate(window.signals) if _is_flow(profile.signal(name))]


def _is_flow(signal: Signal) -> bool:
    """Of a fluid: of a current, a load that stays on is excess and no leak."""
    return signal.quantity == "volume" and signal.kind is SignalKind.INTERVAL and not signal.is_optional


def _with_day(known: FloatArray, flows: FloatArray, n_missing: int, least: float) -> FloatArray:
    """The known days, shape (days, signals, 3), and one more behind those that are missing between."""
    blank = np.full((min(max(n_missing, 0), _KEPT_DAYS), flows.shape[1], 3), np.nan)
    day = np.full((1, flows.shape[1], 3), np.nan)
    for column, one in enumerate(flows.T):
        read = one[~np.isnan(one)]
        if len(read) >= least:
            day[0, column, _QUIET], day[0, column, _MEAN] = np.quantile(read, QUIET_QUANTILE), read.mean()
    days = np.concatenate((known, blank, day))[-_KEPT_DAYS:]
    for column in range(flows.shape[1]):
        days[-1, column, _RISE] = _rise(days[:, column])
    return days


def _rise(days: FloatArray) -> float:
    """How much higher the last floors are than those before them, over the mean flow; NaN where unknown."""
    short, long = days[-SHORT_DAYS:], days[-SHORT_DAYS - LONG_DAYS : -SHORT_DAYS]
    recent, past = (part[~np.isnan(part[:, _QUIET])] for part in (short, long))
    if len(recent) < KNOWN_SHARE * SHORT_DAYS or len(past) < KNOWN_SHARE * LONG_DAYS:
        return float("nan")
    mean = float(past[:, _MEAN].mean())
    if mean <= 0:
        return float("nan")
    return float(np.median(recent[:, _QUIET]) - np.median(past[:, _QUIET])) / mean


def _judged(days: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The last rise over its limit, NaN where unknown, and the rise itself; shape (signals,) each."""
    n_signals = days.shape[1]
    excess, lifts = np.full(n_signals, np.nan), np.zeros(n_signals)
    for column in range(n_signals):
        rises = days[:, column, _RISE]
        natural = rises[:-LATEST_DAYS]
        natural = natural[~np.isnan(natural)]
        if len(natural) < LEAST_RISES or np.isnan(rises[-1]):
            continue
        limit = max(LEAST_RISE, MARGIN * float(np.quantile(natural, RARE_QUANTILE)))
        past = days[-SHORT_DAYS - LONG_DAYS : -SHORT_DAYS, column, _MEAN]
        excess[column] = min(max(rises[-1] / limit, 0.0), _WORST)
        lifts[column] = rises[-1] * float(past[~np.isnan(past)].mean())
    return excess, lifts


def _evidence(window: Window, columns: Sequence[int], excess: FloatArray, lifts: FloatArray) -> Evidence:
    shares, expected = np.zeros(window.values.shape), np.full(window.values.shape, np.nan)
    shares[:, columns] = excess >= 1.0
    expected[:, columns] = np.maximum(window.values[:, columns] - lifts, 0.0)
    half = np.timedelta64(SHORT_DAYS // 2, "D").astype("timedelta64[us]").astype(np.int64)
    begun = (window.micros - half).view("datetime64[us]")
    return Evidence(
        check=LEAK,
        kind=IncidentKind.BEHAVIOUR,
        exceedance=np.fmax.reduce(excess, axis=1),
        threshold=1.0,
        contributions=shares / np.maximum(shares.sum(axis=1, keepdims=True), 1.0),
        expected=expected,
        since=begun,
        release=_RELEASE,
    )
