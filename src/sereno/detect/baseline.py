"""What an asset normally does: a calendar shape times a level that moves slowly.

Ratio-scaled signals (energy, volume) are judged as ratios: they pass through asinh(x / knee), linear below
the knee and logarithmic above it, so that 3 kW and 300 kW roofs read alike and zero stays a finite distance
away. The level follows seasons, enlargements and new habits; a standstill of a vital signal is never learnt.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from math import isnan, sinh

import numpy as np

from sereno.domain.judgement import Memory
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import Profile

__all__ = ["Baseline", "Residuals", "fit_baseline", "fit_shape", "starting_level"]

_DAY = timedelta(days=1)
_DAY_US = 86_400_000_000
_MAX_SLOTS_A_DAY = 96
_SATURDAY = 5
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""

KNEE_OF_OWN = 0.05
"""Knee of asinh as a share of the signal's own typical value."""
KNEE_OF_LARGEST = 0.01
"""... and at least this share of the asset's largest signal of the same quantity: crumbs are not news."""
SCALE_FLOOR_RATIO = 0.12
"""Smallest standard deviation of a ratio-scaled signal: about 12 %."""
SCALE_FLOOR_SHARE = 0.002
"""Smallest standard deviation of other signals, as a share of their typical magnitude."""
SCALE_PRIOR_ROWS = 20.0
"""Rows of the whole signal that a slot's own spread is mixed with."""
CENTRE_PRIOR_ROWS = 5.0
"""Rows of the all-days shape that a weekend slot's own centre is mixed with."""
CALENDAR_GAIN = 0.85
"""A calendar shape is kept only if it brings the spread below this share of the plain one."""
ACTIVE_WEIGHT = 0.3
"""Slots that normally carry less than this share of the level (night, for solar) say nothing about it."""
STANDSTILL = 0.05
"""Share of the expected value below which a vital signal stands still."""

_LEVEL_DAYS = 14.0
_MIN_LEVEL_ROWS = 10.0
_MAX_LEVEL_ROWS = 2_000.0
_CLIP = 2.0
"""A single row moves the level as if it were at most this many deviations away."""
_LEAN_SHARE = 0.5
"""Time constant of the one-sidedness, as a share of the level's."""
_LEAN_LIMIT = 0.7
_MIDDLE = 0.5
_TAIL = 0.95
_TAIL_DEVIATIONS = 1.645
"""A normal variable exceeds this many deviations in 5 % of cases."""
_FAR_TAIL, _FAR_TAIL_DEVIATIONS = 0.99, 2.326
_PASSES = 2
_MIN_WEEKEND_DAYS = 21.0
_FIRST_LEVEL_SHARE = 0.5
"""Rows that give the first level, as a share of the level's time constant."""
_SMALLEST_KNEE = 1e-6
_SMALLEST_SCALE = 1e-9
_MAX_HASTE = 9.0
"""How much faster the level moves when the rows have long been on one side: an enlargement, not weather."""


@dataclass(frozen=True, slots=True)
class Residuals:
    """What the baseline says of a window; all of shape (rows, signals).

    Attributes:
        deviations: Distance from the expected value in standard deviations of that side; NaN where unknown.
        expected: Expected value, in the unit of the signal.
        is_still: Vital signals that stand still where they should not.
        is_telling: Signals that normally carry enough of the level to say something about it.
        is_running: Rows in which a vital signal is seen to work, shape (rows,).
    """

    deviations: FloatArray
    expected: FloatArray
    is_still: BoolArray
    is_telling: BoolArray
    is_running: BoolArray


@dataclass(frozen=True)
class Baseline:
    """The learnt normal behaviour of one asset.

    Attributes:
        knee: asinh knee of each signal in its unit; 0 for signals judged as differences, shape (signals,).
        is_vital: Whether a standstill is a fault (only ratio-scaled signals), shape (signals,).
        slots_a_day: Time-of-day slots; 1 for daily data.
        has_weekend: Whether Saturdays and Sundays have shapes of their own.
        centre, weight, low, high: Expected transformed value, share of the level, and the standard deviation
            below and above, shape (slots, signals).
        level: Level at the start of the history, shape (signals,).
        pace: Weight of one row in the level.
    """

    knee: FloatArray
    is_vital: BoolArray
    slots_a_day: int
    has_weekend: bool
    centre: FloatArray
    weight: FloatArray
    low: FloatArray
    high: FloatArray
    level: FloatArray
    pace: float

    def residuals(self, values: FloatArray, local: TimeArray, memory: Memory) -> tuple[Residuals, Memory]:
        """Deviations of each row from what was expected just before it, and the memory after the last one.

        Args:
            values: Cells not to be judged are NaN, shape (rows, signals).
            local: Wall-clock starts, shape (rows,).
            memory: `level` and `lean` as the row before left them; empty at the start of the history.
        """
        slot = _slots(local, self.slots_a_day, has_weekend=self.has_weekend)
        level = np.array(memory.arrays.get("level", self.level))
        lean = np.array(memory.arrays.get("lean", np.zeros(len(self.knee))))
        centre, weight = self.centre[slot], self.weight[slot]
        low, high = self.low[slot], self.high[slot]
        transformed = self._transform(values)
        deviations = np.empty_like(values)
        expected = np.empty_like(values)
        still = np.zeros(values.shape, dtype=bool)
        held = [False] * len(values)
        columns = [part.T.tolist() for part in (transformed, centre, weight, low, high)]
        for s in self._order:
            column = [part[s] for part in columns]
            deviations[:, s], expected[:, s], stands, level[s], lean[s] = self._follow(
                s, [*column, held], float(level[s]), float(lean[s])
            )
            if any(stands):
                still[:, s] = stands
                held = [one or other for one, other in zip(held, stands, strict=True)]
        active = weight > ACTIVE_WEIGHT
        telling = active | self._is_never_active
        running = (active & ~still & ~np.isnan(values) & self.is_vital).any(axis=1)
        residuals = Residuals(deviations, self._restore(expected), still, telling, running)
        return residuals, Memory({"level": level, "lean": lean})

    def gaps(self, values: FloatArray, local: TimeArray) -> FloatArray:
        """Transformed values over the calendar shape alone, whatever the level, shape (rows, signals).

        NaN where the signal carries too little to say anything: the night of a roof.
        """
        slot = _slots(local, self.slots_a_day, has_weekend=self.has_weekend)
        weight = self.weight[slot]
        says = (weight > ACTIVE_WEIGHT) | self._is_never_active
        return np.where(says, self._transform(values) - self.centre[slot], np.nan)

    def from_gaps(self, gaps: FloatArray, local: TimeArray) -> FloatArray:
        """The values that stand so far over the calendar shape: what `gaps` undoes, shape (rows, signals)."""
        return self._restore(
            self.centre[_slots(local, self.slots_a_day, has_weekend=self.has_weekend)] + gaps
        )

    def _goals(self, values: FloatArray, local: TimeArray) -> FloatArray:
        """Expected transformed values over the whole history, from its start."""
        expected = self.residuals(values, local, Memory())[0].expected
        return self._transform(expected)

    def _follow(
        self, signal: int, column: Sequence[Sequence[float]], level: float, lean: float
    ) -> tuple[list[float], list[float], list[bool], float, float]:
        """One signal, row by row: the level after a row depends on the level before it.

        Where a vital signal stands still (`held`), the asset is out of service and no signal learns from it.

        Plain floats: a recursion with a clip has no vector form, and a NumPy call per row costs ten times
        more.
        """
        pace, lean_pace = self.pace, min(1.0, self.pace / _LEAN_SHARE)
        is_vital = bool(self.is_vital[signal])
        deviations, expected, still = [], [], []
        for x, centre, weight, low, high, held in zip(*column, strict=True):
            goal = centre + weight * level
            gap = x - goal
            is_active = weight > ACTIVE_WEIGHT
            stands = is_vital and is_active and sinh(x) < STANDSTILL * sinh(goal)
            deviations.append(gap / low if gap < 0.0 else gap / high)
            expected.append(goal)
            still.append(stands)
            if stands or held or not is_active or isnan(x):
                continue
            lean += lean_pace * ((1.0 if gap > 0.0 else -1.0) - lean)
            haste = 1.0 + _MAX_HASTE * max(0.0, abs(lean) - _LEAN_LIMIT) / (1.0 - _LEAN_LIMIT)
            level += min(0.5, pace * haste) * max(-_CLIP * low, min(_CLIP * high, gap))
        return deviations, expected, still, level, lean

    @cached_property
    def _order(self) -> Sequence[int]:
        """The signals, vital ones first: whether they stand still says what the others may teach."""
        return sorted(range(len(self.is_vital)), key=self.is_vital.tolist().__getitem__, reverse=True)

    @cached_property
    def _is_never_active(self) -> BoolArray:
        """Signals that carry next to nothing in any slot, shape (signals,)."""
        return np.asarray((self.weight <= ACTIVE_WEIGHT).all(axis=0))

    @cached_property
    def _ratio(self) -> tuple[BoolArray, FloatArray] | None:
        """Which signals are judged as ratios, and their knees, 1 for others; None where none is."""
        ratio = self.knee > 0
        return (ratio, np.where(ratio, self.knee, 1.0)) if ratio.any() else None

    def _transform(self, values: FloatArray) -> FloatArray:
        if self._ratio is None:
            return values
        ratio, knee = self._ratio
        return np.where(ratio, np.arcsinh(values / knee), values)

    def _restore(self, transformed: FloatArray) -> FloatArray:
        if self._ratio is None:
            return transformed
        ratio, _ = self._ratio
        back = np.sinh(np.where(ratio, np.minimum(np.maximum(transformed, -50.0), 50.0), 0.0)) * self.knee
        return np.where(ratio, back, transformed)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All that `from_arrays` needs."""
        return {
            "knee": self.knee,
            "is_vital": self.is_vital,
            "centre": self.centre,
            "weight": self.weight,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "shape": np.array([self.slots_a_day, float(self.has_weekend), self.pace]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Baseline":
        """The baseline that `to_arrays` described."""
        slots_a_day, has_weekend, pace = arrays["shape"].tolist()
        return cls(
            knee=arrays["knee"],
            is_vital=arrays["is_vital"],
            slots_a_day=int(slots_a_day),
            has_weekend=bool(has_weekend),
            centre=arrays["centre"],
            weight=arrays["weight"],
            low=arrays["low"],
            high=arrays["high"],
            level=arrays["level"],
            pace=pace,
        )


def fit_baseline(window: Window, profile: Profile, local: TimeArray, use: BoolArray) -> Baseline:
    """The normal behaviour of one asset.

    Two passes: a first shape with a constant level, then the shape of what the moving level leaves over.

    Args:
        local: Wall-clock starts of the window's rows, shape (rows,).
        use: Cells to learn from, shape (rows, signals).
    """
    values = np.where(use, window.values, np.nan)
    baseline = _plain(window, profile, values)
    slot = _slots(local, baseline.slots_a_day, has_weekend=baseline.has_weekend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a slot or signal without any reading stays NaN
        baseline = _shaped(baseline, baseline._transform(values), slot)
        for _ in range(_PASSES):
            baseline = _reshaped(baseline, values, local, slot)
    if not baseline.is_vital.any():
        baseline = _at_any_hour(baseline, baseline._transform(values))
    return _widened(baseline, _least(window.signals, profile, values))


def fit_shape(window: Window, profile: Profile, local: TimeArray, use: BoolArray) -> Baseline:
    """The calendar shape alone, in one pass; spreads and level mean nothing. Arguments as `fit_baseline`."""
    values = np.where(use, window.values, np.nan)
    baseline = _plain(window, profile, values)
    slot = _slots(local, baseline.slots_a_day, has_weekend=baseline.has_weekend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a slot or signal without any reading stays NaN
        return _shaped(baseline, baseline._transform(values), slot)


def _plain(window: Window, profile: Profile, values: FloatArray) -> Baseline:
    """Everything that does not depend on the rows' values but on what the asset is."""
    n_signals = len(window.signals)
    step = window.step or _DAY
    days = float((window.time[-1] - window.time[0]) / np.timedelta64(1, "D")) if len(window) else 0.0
    slots_a_day = max(1, min(_MAX_SLOTS_A_DAY, int(_DAY / step)))
    level_rows = min(max(_LEVEL_DAYS * _DAY / step, _MIN_LEVEL_ROWS), _MAX_LEVEL_ROWS)
    has_weekend = days >= _MIN_WEEKEND_DAYS
    shape = (slots_a_day * (3 if has_weekend else 1), n_signals)
    return Baseline(
        knee=_knees(window.signals, profile, values),
        is_vital=np.array([profile.signal(name).is_vital for name in window.signals]),
        slots_a_day=slots_a_day,
        has_weekend=has_weekend,
        centre=np.zeros(shape),
        weight=np.ones(shape),
        low=np.ones(shape),
        high=np.ones(shape),
        level=np.zeros(n_signals),
        pace=1.0 / level_rows,
    )


def _knees(signals: tuple[str, ...], profile: Profile, values: FloatArray) -> FloatArray:
    known = [profile.signal(name) for name in signals]
    typical = np.array([_typical(values[:, s]) for s in range(len(known))])
    knees = np.zeros(len(known))
    for s, signal in enumerate(known):
        if signal.is_ratio_scaled:
            alike = [typical[i] for i, other in enumerate(known) if other.quantity == signal.quantity]
            knees[s] = max(KNEE_OF_OWN * typical[s], KNEE_OF_LARGEST * max(alike), _SMALLEST_KNEE)
    return knees


def _typical(values: FloatArray) -> float:
    magnitude = np.abs(values[~np.isnan(values)])
    magnitude = magnitude[magnitude > 0]
    return float(np.median(magnitude)) if len(magnitude) else 0.0


def _slots(local: TimeArray, slots_a_day: int, *, has_weekend: bool) -> np.ndarray:
    """Calendar slot of each wall-clock start: time of day, workdays before Saturdays before Sundays."""
    micros = local.astype(np.int64)
    day = micros // _DAY_US
    slot = (micros - day * _DAY_US) * slots_a_day // _DAY_US
    if has_weekend:
        slot = slot + slots_a_day * np.maximum((day + _EPOCH_WEEKDAY) % 7 - _SATURDAY + 1, 0)
    return slot


def _shaped(baseline: Baseline, transformed: FloatArray, slot: np.ndarray) -> Baseline:
    """Centres of each slot, a plain constant where the calendar explains too little."""
    whole = np.nanmedian(transformed, axis=0)
    time_of_day = slot % baseline.slots_a_day
    daily = _by_slot(transformed, time_of_day, baseline.slots_a_day, _MIDDLE)
    daily = np.where(np.isnan(daily), whole, daily)
    centre = np.tile(daily, (len(baseline.centre) // baseline.slots_a_day, 1))
    centre = _mixed(
        _by_slot(transformed, slot, len(centre), _MIDDLE),
        centre,
        _counts(transformed, slot, len(centre)),
    )
    plain_spread = np.nanmean(np.abs(transformed - whole), axis=0)
    slot_spread = np.nanmean(np.abs(transformed - centre[slot]), axis=0)
    centre = np.where(slot_spread < CALENDAR_GAIN * plain_spread, centre, whole)
    ratio = baseline.knee > 0
    weight = np.where(ratio, np.tanh(np.maximum(centre, 0.0)), 1.0)
    return replace(
        baseline,
        centre=centre,
        weight=weight,
        level=_first_level(baseline, transformed - centre[slot], weight[slot]),
    )


def starting_level(baseline: Baseline, values: FloatArray, local: TimeArray) -> FloatArray:
    """Where each signal stands by its first values, seen with another asset's shape, shape (signals,)."""
    slot = _slots(local, baseline.slots_a_day, has_weekend=baseline.has_weekend)
    gaps = baseline._transform(values) - baseline.centre[slot]
    return _first_level(baseline, gaps, baseline.weight[slot])


def _first_level(baseline: Baseline, gaps: FloatArray, weight: FloatArray) -> FloatArray:
    """Where each signal stood at the start of the history, shape (signals,)."""
    active = np.where(weight > ACTIVE_WEIGHT, gaps / np.maximum(weight, ACTIVE_WEIGHT), np.nan)
    n_rows = max(int(_FIRST_LEVEL_SHARE / baseline.pace), 5)
    levels = [column[~np.isnan(column)][:n_rows] for column in active.T]
    return np.array([float(np.median(column)) if len(column) else 0.0 for column in levels])


def _reshaped(baseline: Baseline, values: FloatArray, local: TimeArray, slot: np.ndarray) -> Baseline:
    """The baseline with centres and spreads of what the moving level leaves over."""
    transformed = baseline._transform(values)
    goals = baseline._goals(values, local)
    gaps = transformed - goals
    if baseline.slots_a_day > 1 or baseline.has_weekend:
        shaped = (baseline.centre != baseline.centre[:1]).any(axis=0)
        shift = _by_slot(gaps, slot, len(baseline.centre), _MIDDLE)
        shift = _mixed(shift, np.zeros_like(shift), _counts(gaps, slot, len(shift)))
        baseline = replace(baseline, centre=baseline.centre + np.where(shaped, shift, 0.0))
        gaps = transformed - baseline._goals(values, local)
    active = baseline.weight[slot] > ACTIVE_WEIGHT
    low, high = (_spread(baseline, gaps, slot, active, transformed, side=side) for side in (-1.0, 1.0))
    return replace(baseline, low=low, high=high)


def _least(signals: Sequence[str], profile: Profile, values: FloatArray) -> FloatArray:
    """Standard deviation below which the profile calls a signal calm, 0 where it says nothing, (signals,)."""
    least = np.zeros(len(signals))
    for s, signal in enumerate(map(profile.signal, signals)):
        if not signal.is_ratio_scaled:
            least[s] = max(signal.least_deviation, signal.least_share * _typical(values[:, s]))
    return least


def _at_any_hour(baseline: Baseline, transformed: FloatArray) -> Baseline:
    """A meter that mostly stands may run at any hour as it does at some, not only when it ran most."""
    stands = (baseline.centre == 0) & (baseline.knee > 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a signal without any reading stays NaN
        usual = np.nan_to_num(np.nanquantile(transformed, _FAR_TAIL, axis=0)) / _FAR_TAIL_DEVIATIONS
    return replace(baseline, high=np.where(stands, np.maximum(baseline.high, usual), baseline.high))


def _widened(baseline: Baseline, least: FloatArray) -> Baseline:
    return replace(baseline, low=np.maximum(baseline.low, least), high=np.maximum(baseline.high, least))


def _spread(
    baseline: Baseline,
    gaps: FloatArray,
    slot: np.ndarray,
    active: BoolArray,
    transformed: FloatArray,
    *,
    side: float,
) -> FloatArray:
    """Standard deviation of one side of the gaps, from their 5 % or 95 % quantile, shape (slots, signals)."""
    n_slots = len(baseline.centre)
    outward = side * gaps
    whole = np.nanquantile(np.where(active, outward, np.nan), _TAIL, axis=0) / _TAIL_DEVIATIONS
    own = _by_slot(outward, slot, n_slots, _TAIL) / _TAIL_DEVIATIONS
    counts = _counts(gaps, slot, n_slots)
    whole = np.nan_to_num(np.maximum(whole, 0.0))
    own = np.nan_to_num(np.maximum(own, 0.0))
    mixed = np.sqrt((counts * own**2 + SCALE_PRIOR_ROWS * whole**2) / (counts + SCALE_PRIOR_ROWS))
    magnitude = np.nan_to_num(np.nanmedian(np.abs(transformed), axis=0))
    floor = np.where(baseline.knee > 0, SCALE_FLOOR_RATIO, SCALE_FLOOR_SHARE * magnitude + _SMALLEST_SCALE)
    return np.maximum(mixed, floor)


def _mixed(own: FloatArray, prior: FloatArray, counts: FloatArray) -> FloatArray:
    share = counts / (counts + CENTRE_PRIOR_ROWS)
    return np.where(np.isnan(own), prior, share * own + (1.0 - share) * prior)


def _counts(rows: FloatArray, slot: np.ndarray, n_slots: int) -> FloatArray:
    return np.stack([np.bincount(slot, ~np.isnan(column), minlength=n_slots) for column in rows.T], axis=1)


def _by_slot(rows: FloatArray, slot: np.ndarray, n_slots: int, level: float) -> FloatArray:
    """A quantile over the rows of each slot, NaN for slots without values, shape (slots, signals).

    As `np.nanquantile` of each slot would give it, the median as `np.nanmedian`, to the last bit; one sort of
    all rows takes a twentieth of the time that a call for each slot does.
    """
    result = np.full((n_slots, rows.shape[1]), np.nan)
    for column, target in zip(rows.T, result.T, strict=True):
        known = ~np.isnan(column)
        values, places = column[known], slot[known]
        values = values[np.lexsort((values, places))]
        counts = np.bincount(places, minlength=n_slots)
        has = counts > 0
        last = counts[has] - 1
        first = (np.cumsum(counts) - counts)[has]
        rank: FloatArray = np.multiply(level, last, dtype=float)
        below = np.floor(rank).astype(np.intp)
        low, high = values[first + below], values[first + np.minimum(below + 1, last)]
        target[has] = _between(low, high, rank - below, is_median=level == _MIDDLE)
    return result


def _between(low: FloatArray, high: FloatArray, share: FloatArray, *, is_median: bool) -> FloatArray:
    """A share of the way from low to high, rounded as NumPy rounds it."""
    if is_median:
        return np.where(share > 0, (low + high) / 2.0, low)
    way = high - low
    return np.where(share < _MIDDLE, low + way * share, high - way * (1.0 - share))
