"""Where the seed puts which fault: into rows in which it can be seen, far from real trouble."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from benchmarks.faults.injecting import FAULTS, Change, Fault, Stretch
from benchmarks.faults.isolation import isolate, residuals, smallest_sets
from benchmarks.faults.known import Known
from benchmarks.faults.series import Series, Skip
from sereno.domain.signals import Profile

__all__ = ["TRAIN_SHARE", "Event", "Planner", "n_slots", "rest_of"]

TRAIN_SHARE = 0.6
"""Share of a series' rows that are clean history."""
_DAYS_PER_SLOT = 60
_MAX_SLOTS = 3
_MARGIN_DAYS = 2
_AWAY_FROM_TROUBLE = np.timedelta64(3, "D")
_TRIES = 200
ON_BALANCES = frozenset({"broken_balance", "drift_3_percent"})
"""Faults that only a balance shows."""
MOST_GAPS = 0.9
"""Share of its rows that a fault of months needs."""
_HOURS = 24


@dataclass(frozen=True, slots=True)
class Event:
    """One injected fault.

    Attributes:
        start: First row of the series that is faulty.
        stop: Row after the last one.
        first: Instant of the first faulty row, UTC.
        last: End of the last one, UTC.
        values: What is written, shape (stop - start, signals).
        altered: Signals that are faulty.
        allowed: Signals that an incident may name, by the identities.
    """

    fault: str
    series: str
    start: int
    stop: int
    first: np.datetime64
    last: np.datetime64
    values: np.ndarray
    altered: tuple[str, ...]
    allowed: frozenset[str]
    magnitude: str

    def to_json(self) -> dict[str, object]:
        """JSON-able, without the values."""
        return {
            "fault": self.fault,
            "series": self.series,
            "signals": list(self.altered),
            "from": str(self.first),
            "to": str(self.last),
            "rows": self.stop - self.start,
            "magnitude": self.magnitude,
            "signals_accepted": sorted(self.allowed),
        }


def rest_of(series: Series) -> int:
    """The first row after the clean history."""
    return int(TRAIN_SHARE * len(series.time))


def n_slots(series: Series) -> int:
    """How many faults fit well apart into one copy: one in a daily series, more in long finer ones."""
    if series.is_daily:
        return 1
    days = (len(series.time) - rest_of(series)) // series.rows_per_day
    return int(np.clip(days // _DAYS_PER_SLOT, 1, _MAX_SLOTS))


class Planner:
    """Draws the events of one series."""

    def __init__(
        self,
        series: Series,
        profile: Profile,
        known: Sequence[Known],
        seed: int,
        *,
        faults: Mapping[str, Fault] = FAULTS,
    ) -> None:
        self._series = series
        self._faults = faults
        self._known = [one for one in known if one.series == series.name]
        self._rng = np.random.default_rng([seed, crc32(series.name.encode())])
        self._balances = residuals(profile.identities, series.signals)
        self._sets = smallest_sets(self._balances, series.signals)
        positive = np.where(series.values > 0, series.values, np.nan)
        self._typical = np.nan_to_num([np.nanmedian(c) if np.isfinite(c).any() else 0 for c in positive.T])
        self._largest = np.nanmax(series.values, axis=0)

    def plan(self, repeats: int) -> tuple[list[list[Event]], list[Skip]]:
        """The events of each copy, and the faults that the series cannot carry."""
        skips = []
        queue: list[str] = []
        for name, fault in self._faults.items():
            why = self._why_not(name, fault)
            if why:
                skips.append(Skip(self._series.name, name, why))
            else:
                queue += [name] * repeats
        self._rng.shuffle(queue)
        slots = n_slots(self._series)
        placed = dict.fromkeys(queue, 0)
        copies: list[list[Event]] = []
        for first in range(0, len(queue), slots):
            names = queue[first : first + slots]
            drawn = [self._place(name, slot, slots) for slot, name in enumerate(names)]
            copies.append([event for event in drawn if event is not None])
            for event in copies[-1]:
                placed[event.fault] += 1
        why = "no place was found where it would be visible"
        return copies, skips + [Skip(self._series.name, name, why) for name, n in placed.items() if not n]

    def _why_not(self, name: str, fault: Fault) -> str:
        if self._series.is_daily and fault.days is None:
            return "steps of a day hide it"
        targets = self._targets(name, fault)
        if isinstance(targets, str):
            return targets
        return "" if targets else "no balance holds its signals"

    def _targets(self, name: str, fault: Fault) -> Sequence[tuple[str, ...]] | str:
        """What it can strike; a broken balance only what a balance holds."""
        targets = fault.targets(self._series)
        if isinstance(targets, str) or name not in ON_BALANCES:
            return targets
        return [(signal,) for (signal,) in targets if self._breaks(signal)]

    def _breaks(self, signal: str) -> bool:
        return bool(self._balances[:, self._series.signals.index(signal)].any())

    def _place(self, name: str, slot: int, slots: int) -> Event | None:
        """An event somewhere in its part of the rest; None when no draw shows it."""
        series, fault = self._series, self._faults[name]
        targets = self._targets(name, fault)
        assert not isinstance(targets, str)
        margin = _MARGIN_DAYS * series.rows_per_day
        rest, end = rest_of(series) + margin, len(series.time) - margin
        low = rest + (end - rest) * slot // slots
        high = rest + (end - rest) * (slot + 1) // slots - (margin if slots > 1 else 0)
        for _ in range(_TRIES):
            length = self._length(fault)
            if high - length <= low:
                continue
            start = int(self._rng.integers(low, high - length))
            stop = start + length
            if not self._is_sound(start, stop, fault):
                continue
            signals = targets[int(self._rng.integers(len(targets)))]
            stretch = Stretch(series, start, stop, self._typical, self._largest, self._rng)
            change = fault.disturb(stretch, signals)
            if change is not None:
                return self._event(name, stretch, change)
        return None

    def _length(self, fault: Fault) -> int:
        if self._series.is_daily and fault.days is not None:
            return int(self._rng.integers(fault.days[0], fault.days[1] + 1))
        hours = int(self._rng.integers(fault.hours[0], fault.hours[1] + 1))
        return max(1, hours * self._series.rows_per_day // _HOURS)

    def _is_sound(self, start: int, stop: int, fault: Fault) -> bool:
        """Whether the rows are complete, or nearly so where a fault may have gaps, and no trouble is near."""
        series = self._series
        first, last = series.time[start - 1], series.time[stop - 1]
        steps = round(float((last - first) / series.step))
        if fault.may_have_gaps:
            is_whole = steps * MOST_GAPS < stop - start
            known = [one for one in self._known if any(c.startswith("behaviour") for c in one.causes)]
        else:
            is_whole = steps == stop - start and not np.isnan(series.values[start - 1 : stop]).any()
            known = self._known
        away = _AWAY_FROM_TROUBLE
        return is_whole and not any(one.first - away < last and first < one.last + away for one in known)

    def _event(self, name: str, stretch: Stretch, change: Change) -> Event:
        series = self._series
        error = np.nan_to_num(change.values - stretch.values)
        breaks = bool((np.abs(error @ self._balances.T) > 1e-6 * np.abs(error).max()).any())
        return Event(
            fault=name,
            series=series.name,
            start=stretch.start,
            stop=stretch.stop,
            first=series.time[stretch.start],
            last=series.time[stretch.stop - 1] + series.step,
            values=change.values,
            altered=change.altered,
            allowed=isolate(change.altered, self._sets, breaks_balance=breaks and name != "missing_stretch"),
            magnitude=change.magnitude,
        )
