"""What one signal usually does: a level that moves slowly, and a shape of the day where there is one.

Everything is learnt as the rows come, so a signal without history is judged from what it has shown so far.
The shape holds each time of day's distance from the level, for all days and for workdays, Saturdays and
Sundays; it counts only while it explains something.

Source:
    Additive Holt-Winters without trend: Winters, "Forecasting sales by exponentially weighted moving
    averages", Management Science 6(3), 1960. Departures: errors are clipped before they teach, and the shapes
    of kinds of day are shrunk to that of all days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import inf, isfinite

import numpy as np

from sereno.detect.rarity import Rarity
from sereno.domain.readings import TimeArray

__all__ = ["Habit", "Paces", "blank_habit", "kinds_of_day", "slots_a_day", "slots_of_day"]

_DAY = timedelta(days=1)
_DAY_US = 86_400_000_000
_SATURDAY = 5
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""
_MAX_SLOTS_A_DAY = 96
_N_SHAPES = 4
"""All days, workdays, Saturdays, Sundays."""

_MIN_LEVEL_ROWS = 50.0
_MAX_LEVEL_ROWS = 2_000.0
_NO_STEP_ROWS = 500.0
"""Time constant of the level where the source has no rhythm."""
_SHAPE_PACE = 0.2
"""Weight of a day in the shape of its kind."""
_MIN_VISITS = 3
"""Days before a time of day has a usual value."""
_MAX_VISITS = 255
_KIND_PRIOR = 3.0
"""Days of all kinds that the shape of one kind is mixed with."""
_CALENDAR_GAIN = 0.85
"""The shape counts while it brings the mean error below this share of the plain level's."""
_LEVEL_HANDICAP = 1.0
"""Decades that the error to the level is behind where the calendar explains it: a high noon is no news."""
_CLIP = 8.0
"""A row teaches as if it were at most this many mean errors away."""
_SUSTAIN_CLIP = 20.0
"""A row enters the sustained error as at most this many mean errors: a spike ends when it ends."""
_WARM_ROWS = 30
"""Rows before anything is called rare."""
_FLOOR_SHARE = 0.002
"""Errors below this share of the signal's typical magnitude are all alike."""
_SMALLEST = 1e-9
_TELLING_SHARE = 0.1
"""A usual value below this share of the typical magnitude says nothing when it is low: night, for the sun."""

_RARE = 2.0
"""Decades from which rows are a disturbance."""
_COUNTED_EVERY = 4
"""Rows of a disturbance of which one is counted: a day of faults is less usual than its rows are many."""

_N_ROWS, _LEVEL, _SUSTAINED, _MAGNITUDE, _SPREAD, _PLAIN, _SHAPED, _N_SHAPED, _RUNS = range(9)
_VIEWS = 3
"""Error to the level, to what the calendar says (learnt once it says anything), the latter sustained."""


@dataclass(frozen=True, slots=True)
class Paces:
    """How fast a signal is followed.

    Attributes:
        level_days: Time constant of the level [days], within 50 and 2,000 rows.
        sustain_rows: Time constant of the sustained error [rows].
    """

    level_days: float = 3.0
    sustain_rows: float = 5.0

    def level_pace(self, step: timedelta | None) -> float:
        """Weight of one row in the level."""
        rows = _NO_STEP_ROWS if step is None else self.level_days * (_DAY / step)
        return 1.0 / min(max(rows, _MIN_LEVEL_ROWS), _MAX_LEVEL_ROWS)


def slots_a_day(step: timedelta | None) -> int:
    """Times of day that are told apart."""
    return max(1, min(_MAX_SLOTS_A_DAY, int(_DAY / step))) if step is not None else 24


def slots_of_day(local: TimeArray, n_slots: int) -> np.ndarray:
    """Time-of-day slot of each wall-clock start, shape (rows,)."""
    return (local.astype(np.int64) % _DAY_US) * n_slots // _DAY_US


def kinds_of_day(local: TimeArray) -> np.ndarray:
    """Shape of each wall-clock start: 1 on workdays, 2 on Saturdays, 3 on Sundays, shape (rows,)."""
    weekday = (local.astype(np.int64) // _DAY_US + _EPOCH_WEEKDAY) % 7
    return np.maximum(weekday - _SATURDAY + 2, 1)


def blank_habit(n_slots: int) -> dict[str, np.ndarray]:
    """The state of a signal that has shown nothing."""
    return {
        "figures": np.zeros(_RUNS + _VIEWS),
        "shape": np.zeros(_N_SHAPES * n_slots),
        "visits": np.zeros(_N_SHAPES * n_slots, dtype=np.uint8),
        "rarity": np.stack([Rarity.blank()] * _VIEWS),
    }


class Habit:
    """One signal, row by row, in plain floats: each row's level depends on the row before.

    Args:
        state: As `blank_habit` or `to_arrays` gave it; left untouched.
        step: Length of a row; None where the source has no rhythm.
        is_guarded: Whether disturbances teach less than calm rows, as where a history says what calm is. A
            stream without one has to learn from all that it shows.
    """

    def __init__(
        self,
        state: Mapping[str, np.ndarray],
        step: timedelta | None,
        paces: Paces,
        *,
        is_guarded: bool = False,
    ) -> None:
        self._figures: list[float] = state["figures"].tolist()
        self._shape: list[float] = state["shape"].tolist()
        self._visits: list[int] = state["visits"].tolist()
        self._views = [Rarity(counts) for counts in state["rarity"]]
        self._n_slots = len(self._shape) // _N_SHAPES
        self._pace = paces.level_pace(step)
        self._sustain_pace = 1.0 / paces.sustain_rows
        self._stride = float(_COUNTED_EVERY if is_guarded else 1)

    @property
    def n_slots(self) -> int:
        """Times of day that are told apart."""
        return self._n_slots

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The state after the last row."""
        return {
            "figures": np.array(self._figures),
            "shape": np.array(self._shape),
            "visits": np.array(self._visits, dtype=np.uint8),
            "rarity": np.stack([view.to_array() for view in self._views]),
        }

    def follow(
        self, value: float, slot: int, kind: int, *, teaches: bool = True
    ) -> tuple[float, float, bool]:
        """What a row is worth, before it teaches.

        Args:
            slot, kind: Its place in the calendar.
            teaches: Whether shapes and counts learn from it; the level always follows.

        Returns:
            Rarity [decades], usual value, and whether a low value would be news; NaN where there is no value
            or too little was seen.
        """
        figures = self._figures
        if not isfinite(value):
            figures[_SUSTAINED] *= 1.0 - self._sustain_pace
            return float("nan"), float("nan"), False
        has_shape, is_usual, season = self._expect(value, slot, kind)
        usual = figures[_LEVEL] + (season if is_usual else 0.0)
        is_telling = abs(usual) > _TELLING_SHARE * figures[_MAGNITUDE]
        floor, reach = self._floor_and_reach()
        away = value - figures[_LEVEL]
        held = _within(_SUSTAIN_CLIP * reach, away - season)
        figures[_SUSTAINED] += self._sustain_pace * (held - figures[_SUSTAINED])
        sizes = [max(abs(size), floor) for size in (away, away - season, figures[_SUSTAINED])]
        level, *calendar = self._weigh(sizes, n_taught=(_VIEWS if has_shape else 1) if teaches else 0)
        rarity = max(level - _LEVEL_HANDICAP if is_usual else level, *calendar)
        if teaches:
            self._learn_shape(slot, kind, away, season, reach=_CLIP * reach if has_shape else inf)
        self._move_level(value, _within(_CLIP * reach, value - usual))
        return rarity if rarity > -inf else float("nan"), usual, is_telling

    def retrace(self, value: float, slot: int, kind: int, *, teaches: bool = True) -> None:
        """Follow a row without judging it: level and shape move, nothing is counted or sustained."""
        self._figures[_SUSTAINED] = 0.0
        self._figures[_RUNS:] = [0.0] * _VIEWS
        if not isfinite(value):
            return
        has_shape, is_usual, season = self._expect(value, slot, kind)
        _, reach = self._floor_and_reach()
        away = value - self._figures[_LEVEL]
        if teaches:
            self._learn_shape(slot, kind, away, season, reach=_CLIP * reach if has_shape else inf)
        self._move_level(value, _within(_CLIP * reach, away - season if is_usual else away))

    def _expect(self, value: float, slot: int, kind: int) -> tuple[bool, bool, float]:
        """Whether the time of day is known, whether the calendar explains the signal, and by how much."""
        figures = self._figures
        if not figures[_N_ROWS]:
            figures[_LEVEL], figures[_MAGNITUDE] = value, abs(value)
        has_shape, season = self._season(slot, kind)
        return has_shape, has_shape and figures[_SHAPED] < _CALENDAR_GAIN * figures[_PLAIN], season

    def _floor_and_reach(self) -> tuple[float, float]:
        """Size below which errors are none, and the mean error; endless while nothing has varied."""
        figures = self._figures
        floor = max(_FLOOR_SHARE * figures[_MAGNITUDE], _SMALLEST)
        is_settled = figures[_N_ROWS] >= _WARM_ROWS and figures[_SPREAD] >= floor
        return floor, figures[_SPREAD] if is_settled else inf

    def _weigh(self, sizes: Sequence[float], *, n_taught: int) -> list[float]:
        """Rarity of each error [decades], -inf while too little was seen; the first so many are counted."""
        decades = []
        for number, (view, size) in enumerate(zip(self._views, sizes, strict=True)):
            rarity = view.decades(size) if view.n_rows >= _WARM_ROWS else -inf
            decades.append(rarity)
            run = self._figures[_RUNS + number] + 1.0 if rarity >= _RARE else 0.0
            self._figures[_RUNS + number] = run
            if number < n_taught and (not run or (run - 1.0) % self._stride == 0.0):
                view.learn(size)
        return decades

    def _season(self, slot: int, kind: int) -> tuple[bool, float]:
        """Whether the time of day has been seen often enough, and its usual distance from the level."""
        if self._visits[slot] < _MIN_VISITS:
            return False, 0.0
        own = kind * self._n_slots + slot
        share = self._visits[own] / (self._visits[own] + _KIND_PRIOR)
        return True, share * self._shape[own] + (1.0 - share) * self._shape[slot]

    def _learn_shape(self, slot: int, kind: int, away: float, season: float, *, reach: float) -> None:
        figures = self._figures
        if self._visits[slot] >= _MIN_VISITS:
            figures[_N_SHAPED] += 1.0
            pace = max(self._pace, 1.0 / figures[_N_SHAPED])
            figures[_PLAIN] += pace * (abs(away) - figures[_PLAIN])
            figures[_SHAPED] += pace * (abs(away - season) - figures[_SHAPED])
        for place in (slot, kind * self._n_slots + slot):
            self._visits[place] = min(self._visits[place] + 1, _MAX_VISITS)
            pace = max(_SHAPE_PACE, 1.0 / self._visits[place])
            self._shape[place] += pace * _within(reach, away - self._shape[place])

    def _move_level(self, value: float, held: float) -> None:
        figures = self._figures
        figures[_N_ROWS] += 1.0
        pace = max(self._pace, 1.0 / figures[_N_ROWS])
        figures[_SPREAD] += pace * (abs(held) - figures[_SPREAD])
        figures[_LEVEL] += pace * held
        figures[_MAGNITUDE] += pace * (abs(value) - figures[_MAGNITUDE])


def _within(reach: float, error: float) -> float:
    return max(-reach, min(reach, error))
