"""A meter's clock that is wrong, seen by the sun: a solar plant's day begins and ends too early or late."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.places import place_of_zone, zone_radius
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.sun import solar_days
from sereno.prepare.witness import unknown

__all__ = ["CLOCK_SHIFT", "check_clock"]

CLOCK_SHIFT = "quality.clock_shift"
GENERATION = "generation"
_DAY, _HOURS, _MADE, _USUAL, _RECENT = _NAMES = (
    "clock/day",
    "clock/hours",
    "clock/made",
    "clock/usual",
    "clock/recent",
)

LONGEST_STEP = timedelta(hours=1)
"""Longer steps show the edges of a day too coarsely."""
LEAST_SHIFT_H = 0.6
"""Both edges of a day must have moved by this much, the same way [h]: an hour, less what clouds take."""
_EDGES = (0.01, 0.99)
"""Shares of a day's energy that mark its edges: even thick clouds let the first light through."""
_N_RECENT = 3
"""Days whose mean is judged."""
_LEAST_DAYS = 10
_PACE = 0.1
"""Weight of a day in what is usual: the edges drift with the seasons by minutes a week."""
_LEAST_ENERGY = 0.3
"""Energy of a day, over the usual one, below which clouds draw its edges."""
_LEAST_ROWS = 0.9
"""Share of a day's rows that must be there: a gap looks like an edge."""
_OFF_DELAY = 2
ORIENTATION_H = 1.5
"""How far the middle of a day may lie from noon because a roof looks east or west [h]."""
_DEGREES_PER_HOUR = 15.0
_HOUR_ANGLE = np.pi / 12.0


_EARLY, _LATE, _ENERGY, _EAST, _NORTH, _DAYS, _FIRST, _OFF = range(8)


class _Usual:
    """What days look like: edges against solar noon [h], energy, direction of the middle, days, begun, off.

    Attributes:
        recent: Start [µs] and shift [h] of the last days that said anything, shape (days, 2).
    """

    def __init__(self, memory: Memory, limit: float) -> None:
        self.state: FloatArray = memory.arrays.get(_USUAL, np.zeros(8)).copy()
        self.recent: FloatArray = memory.arrays.get(_RECENT, np.empty((0, 2)))
        self._limit = limit

    def judge(self, begun: float, hours: FloatArray, made: FloatArray, step_h: float) -> tuple[float, float]:
        """How many hours the clock is off, over the least, NaN where the day says nothing; and since when.

        What is usual learns from it, unless it has moved.

        Args:
            begun: Start of the day [µs].
            hours, made: Hours from solar noon, and energy, of its rows, shape (rows,).
        """
        energy = float(made.sum())
        is_known = self.state[_DAYS] >= _LEAST_DAYS
        if not energy or (is_known and energy < _LEAST_ENERGY * self.state[_ENERGY]):
            return float("nan"), begun
        ends = np.concatenate((hours[:1], hours + step_h))
        edges = np.interp(_EDGES, np.concatenate(([0.0], np.cumsum(made) / energy)), ends)
        shift = self._shift(edges) if is_known else 0.0
        self.recent = np.concatenate((self.recent, [[begun, shift]]))[-_N_RECENT:]
        mean = float(self.recent[:, 1].mean()) if len(self.recent) == _N_RECENT else 0.0
        if max(abs(shift), abs(mean)) < LEAST_SHIFT_H:
            self._learn(begun, np.array([*edges, energy, *_middle(hours, made)]))
        off = np.arctan2(self.state[_EAST], self.state[_NORTH]) / _HOUR_ANGLE
        if is_known and abs(off) > self._limit:
            return float(abs(off)) / LEAST_SHIFT_H, float(self.state[_FIRST])
        moved = self.recent[self.recent[:, 1] * np.sign(mean) >= 0.5 * LEAST_SHIFT_H, 0]
        return abs(mean) / LEAST_SHIFT_H, float(moved[0]) if len(moved) else begun

    def _shift(self, edges: FloatArray) -> float:
        """Hours by which both edges have moved the same way, later is positive; 0 where they disagree."""
        moved = edges - self.state[: _LATE + 1]
        return float(np.sign(moved[0]) * np.abs(moved).min()) if moved[0] * moved[1] > 0 else 0.0

    def _learn(self, begun: float, day: FloatArray) -> None:
        """The mean of the first days, then slowly moving."""
        self.state[_FIRST] = self.state[_FIRST] or begun
        self.state[_DAYS] += 1
        pace = max(_PACE, 1.0 / self.state[_DAYS])
        self.state[:_DAYS] += pace * (day - self.state[:_DAYS])


def _middle(hours: FloatArray, made: FloatArray) -> FloatArray:
    """Mean direction of a day's energy on the clock's circle, shape (2,); it has no break at midnight."""
    angles = hours * _HOUR_ANGLE
    direction: FloatArray = np.array([made @ np.sin(angles), made @ np.cos(angles)]) / made.sum()
    return direction


@dataclass(frozen=True, slots=True)
class _Day:
    """The rows so far of one solar day: instants [µs] and hours from noon, energy; all of shape (rows,)."""

    number: int
    micros: FloatArray
    hours: FloatArray
    made: FloatArray

    def with_rows(self, micros: npt.NDArray[np.int64], hours: FloatArray, made: FloatArray) -> "_Day":
        """The day with more rows."""
        return _Day(
            self.number,
            np.concatenate((self.micros, micros)),
            np.concatenate((self.hours, hours)),
            np.concatenate((self.made, made)),
        )

    def judged(self, usual: _Usual, step: timedelta) -> tuple[float, float]:
        """What the whole day says, and since when: see `_Usual.judge`."""
        known = ~np.isnan(self.made)
        if known.sum() < _LEAST_ROWS * (timedelta(days=1) / step):
            return float("nan"), 0.0
        made = np.maximum(self.made[known], 0.0)
        return usual.judge(self.micros[0], self.hours[known], made, step / timedelta(hours=1))


def check_clock(
    window: Window, profile: Profile, memory: Memory
) -> tuple[Evidence | None, BoolArray, Memory]:
    """Days whose generation begins and ends too early, or too late, against the asset's own days by the sun.

    The edges are the instants at which 1 % and 99 % of a day's energy are made, against solar noon, so that
    seasons and the equation of time do not matter, nor clouds, which move one edge. A day is judged at the
    first row after it, as the mean of three days. A clock that has been wrong from the start, a zone that was
    declared wrongly, shows in the middle of the days, once it lies farther from noon than any roof's.

    Returns:
        The evidence, None where the check does not apply; rows that were read while the clock was known to be
        off, shape (rows,); and the memory for the next window.
    """
    is_off = np.zeros(len(window), dtype=bool)
    place, step = _longitude(window, profile), window.step
    if place is None or step is None or step > LONGEST_STEP or GENERATION not in window.signals:
        return None, is_off, Memory({name: memory.arrays[name] for name in _NAMES if name in memory.arrays})
    longitude, limit = place
    micros = window.micros
    days, hours = solar_days(window.time, longitude)
    made = window.values[:, window.signals.index(GENERATION)]
    usual = _Usual(memory, limit)
    day = _carried(memory)
    exceedance, since = np.full(len(window), np.nan), micros.copy()
    for start, stop in pairwise([0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]):
        if start == stop:
            continue
        if days[start] != day.number:
            exceedance[start], begun = day.judged(usual, step)
            if not np.isnan(exceedance[start]):
                usual.state[_OFF] = exceedance[start] >= 1.0
            since[start] = begun or micros[start]
            day = _Day(int(days[start]), np.empty(0), np.empty(0), np.empty(0))
        is_off[start:stop] = usual.state[_OFF]
        day = day.with_rows(micros[start:stop], hours[start:stop], made[start:stop])
    kept = {_DAY: np.concatenate(([day.number], day.micros)), _HOURS: day.hours, _MADE: day.made}
    evidence = _evidence(window, exceedance, since.view("datetime64[us]"))
    return evidence, is_off, Memory({**kept, _USUAL: usual.state, _RECENT: usual.recent})


def _longitude(window: Window, profile: Profile) -> tuple[float, float] | None:
    """Degrees east, and how far from noon the middle of a day may lie there [h]; None where unknown."""
    declared = profile.facts_of(window.asset).longitude
    if declared is not None:
        return declared, ORIENTATION_H
    place, radius = place_of_zone(window.zone), zone_radius(window.zone)
    if place is None or radius == float("inf"):
        return None
    return place[1], ORIENTATION_H + radius / _DEGREES_PER_HOUR


def _carried(memory: Memory) -> _Day:
    if _DAY not in memory.arrays:
        return _Day(-1, np.empty(0), np.empty(0), np.empty(0))
    number, *micros = memory.arrays[_DAY].tolist()
    return _Day(int(number), np.array(micros), memory.arrays[_HOURS], memory.arrays[_MADE])


def _evidence(window: Window, exceedance: FloatArray, since: TimeArray) -> Evidence:
    shares = np.zeros(len(window.signals))
    shares[window.signals.index(GENERATION)] = 1.0
    return Evidence(
        check=CLOCK_SHIFT,
        kind=IncidentKind.DATA,
        exceedance=exceedance,
        threshold=LEAST_SHIFT_H,
        contributions=np.broadcast_to(shares, window.values.shape),
        expected=unknown(window.values.shape),
        since=since,
        off_delay=_OFF_DELAY,
    )
