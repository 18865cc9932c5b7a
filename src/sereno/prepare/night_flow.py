"""Flow that never comes back to rest: a leak, a valve left open, a load that stays on.

The minimum night flow method: what still flows when nobody takes anything is lost (Lambert 1994, Accounting
for losses: the bursts and background concept, J. IWEM 8(2); Farley and Trow 2003, Losses in Water
Distribution Networks, IWA Publishing). It holds for gas, water and any load that usually rests. A leak
through an opening at a regulated pressure is as large in every hour and in every night; heating and
production are not, and that tells them apart.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import Profile, SignalKind
from sereno.prepare.witness import nothing, unknown

__all__ = ["NIGHT_FLOW", "check_night_flow"]

NIGHT_FLOW = "physics.night_flow"

SIGNALS = frozenset({"volume", "base_volume", "consumption", "energy", "power"})
"""What an asset takes; of a twin or an import the same would be told twice."""
UNITS = frozenset({"m³", "kWh", "kW"})
SHORTEST_STEP, LONGEST_STEP = timedelta(minutes=5), timedelta(hours=3)
QUIET = timedelta(hours=3)
"""So much of a night must rest, or flow evenly: one low hour alone is chance."""
WHOLE_SHARE = 0.75
"""Share of a night's hours that must be known."""
KNOWN_NIGHTS, LEAST_NIGHTS = 28, 14
RESTING_SHARE = 0.9
"""Share of the known nights in which the asset must have come to rest."""
REST_PERCENT = 10.0
"""Flow that still counts as rest, of the mean flow: pilot flames, a drip, what a meter cannot tell from 0."""
LIFT_PERCENT = 5.0
"""Rise of the floor that is told, of the mean flow."""
MARGIN = 2.0
"""The rise must be so many times what the floors of resting nights differ by."""
RAISED_NIGHTS = 7
"""Nights in a run: every day of the week had its chance to rest."""
EVEN = 0.3
"""Difference between quiet hours, and between nights, over the rise: an opening lets through the same."""
BUSY_SHARE = 0.5
"""Of the usual busiest hour: a floor beyond it is a shift more or a campaign."""
BUSY_QUANTILE = 0.9
NOISE = 1e-3
"""Differences between hours, over the highest, that are no pulse but rounding."""
ACCEPTED_NIGHTS = 180
"""Nights after which the asset is taken to run so now: its floor is learnt anew."""
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000
_INSTANT, _LOCAL, _FLOWS = range(3)
_ROWS, _NIGHTS, _RAISED, _LIFT = (f"night_flow/{name}" for name in ("rows", "nights", "raised", "lift"))


class _Night(NamedTuple):
    """The flow of one night, noon to noon, per hour.

    Attributes:
        start: Instant [µs].
        floor, quiet, busy: In its lowest, its third and its highest hour.
        pulse: Smallest difference between hours; infinite where all are alike.
    """

    start: float
    floor: float
    quiet: float
    busy: float
    mean: float
    pulse: float


_NO_NIGHTS = np.empty((0, len(_Night._fields)))
_START, _FLOOR = _Night._fields.index("start"), _Night._fields.index("floor")


class _Rest(NamedTuple):
    """How an asset usually rests, per hour.

    Attributes:
        floor: Of a usual night.
        limit: What it may rise by.
        most: What a floor may be at most.
        usual: Mean flow.
        pulse: Smallest difference that the meter shows.
    """

    floor: float
    limit: float
    most: float
    usual: float
    pulse: float

    def difference(self, floor: float) -> float:
        """What the hours of a leak may differ by where this is its floor."""
        return max(EVEN * (floor - self.floor), self.pulse)


class _Lift(NamedTuple):
    """A floor that has not come back, since an instant [µs]; `n_nights` so far."""

    since: float
    floor: float
    rest: float
    usual: float
    n_nights: float


def check_night_flow(window: Window, profile: Profile, memory: Memory) -> tuple[list[Evidence], Memory]:
    """Nights in which a meter that usually rests flows evenly and never less, `RAISED_NIGHTS` in a run.

    A night goes from noon to noon, local time; its floor is its lowest hour (its lowest step where steps are
    longer). Nothing is said of an asset that does not rest in nearly all of the last `KNOWN_NIGHTS` (heating
    in winter, process heat), of floors that differ from night to night (heating that begins) and of flow that
    is nearly all there is (a shift more, a campaign). Expected is what each step would have shown without it.

    Returns:
        The evidence, nothing where no signal applies or all is well; and the memory for the next window.

    Source:
        Minimum night flow, see the module; that pressure and with it the leak is constant holds behind a
        regulator, which gas and most buildings have.
    """
    columns = _columns(window, profile)
    if not columns:
        return [], Memory()
    meters = [_Meter(memory, place) for place in range(len(columns))]
    nights = _Nights(window, profile, columns, memory)
    lifts = _follow(nights, meters)
    kept = Memory({_ROWS: nights.open_rows, **_dumped(meters)})
    is_told = f"episode/{NIGHT_FLOW}" in memory.arrays
    if not is_told and not any(lift for one in lifts for lift in one):
        return [], kept
    return [_evidence(window, columns, nights, lifts)], kept


def _columns(window: Window, profile: Profile) -> list[int]:
    step = window.step
    if step is None or not SHORTEST_STEP <= step <= LONGEST_STEP or (_HOUR % step and step % _HOUR):
        return []
    signals = [profile.signal(name) for name in window.signals]
    return [place for place, one in enumerate(signals) if one.name in SIGNALS and one.unit in UNITS]


class _Nights:
    """The rows of a window, and those of the night that was under way before it, by night.

    Attributes:
        cuts: Where nights begin among these rows, and their end.
        first: The window's first row.
        open_rows: Instants, local times and flows of the night under way after the last row, shape
            (rows, 2 + columns).
    """

    def __init__(self, window: Window, profile: Profile, columns: Sequence[int], memory: Memory) -> None:
        step = window.step or _HOUR
        self.per_hour = np.array(
            [_HOUR / step if profile.signal(window.signals[i]).kind is SignalKind.INTERVAL else 1.0
             for i in columns]
        )  # fmt: skip
        before = memory.arrays.get(_ROWS, np.empty((0, _FLOWS + len(columns))))
        instants = (window.time.astype("datetime64[us]"), local_time(window.time, window.zone))
        micros = [one.astype(np.int64).astype(float)[:, None] for one in instants]
        rows = np.concatenate((*micros, window.values[:, columns] * self.per_hour), axis=1)
        self._rows = np.concatenate((before, rows))
        self._per_hour = max(round(_HOUR / step), 1)
        self._n_hours, self._n_quiet = _DAY / max(step, _HOUR), max(round(QUIET / max(step, _HOUR)), 1)
        numbers = (self._rows[:, _LOCAL] - _DAY_US / 2) // _DAY_US
        self.cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
        self.first = len(before)
        self.open_rows = self._rows[self.cuts[-2] :]

    def flows(self, start: int, stop: int) -> FloatArray:
        """Flow of each whole hour (of each step where steps are longer), shape (hours, columns)."""
        flows = self._rows[start:stop, _FLOWS:]
        if self._per_hour == 1:
            return flows
        hours = self._rows[start:stop, _LOCAL] // _HOUR_US
        begins = np.concatenate(([0], np.flatnonzero(np.diff(hours)) + 1))
        counts = np.diff([*begins, stop - start])
        sums = np.add.reduceat(flows, begins, axis=0)
        return np.asarray(sums[counts == self._per_hour] / self._per_hour)

    def night(self, start: int, flows: FloatArray) -> _Night | None:
        """One signal's night; None where too little of it is known."""
        known = np.sort(flows[~np.isnan(flows)])
        if len(known) < max(WHOLE_SHARE * self._n_hours, self._n_quiet):
            return None
        floor, quiet, busy = known[[0, self._n_quiet - 1, -1]].tolist()
        steps = np.diff(known)
        pulse = float(steps[steps > NOISE * busy].min(initial=np.inf))
        start_at = float(self._rows[start, _INSTANT])
        return _Night(start_at, floor, quiet, busy, float(known.mean()), pulse)


def _follow(nights: _Nights, meters: Sequence["_Meter"]) -> list[list[_Lift | None]]:
    """The lift that stands while each night's rows come in, by night and meter."""
    lifts = []
    for start, stop in pairwise(nights.cuts):
        lifts.append([meter.lift for meter in meters])
        if stop == nights.cuts[-1]:
            break
        flows = nights.flows(start, stop)
        for place, meter in enumerate(meters):
            night = nights.night(start, flows[:, place])
            if night is not None:
                meter.close(night)
    return lifts


class _Meter:
    """Follows the nights of one signal."""

    def __init__(self, memory: Memory, place: int) -> None:
        self._nights = memory.arrays.get(f"{_NIGHTS}/{place}", _NO_NIGHTS)
        self._raised = memory.arrays.get(f"{_RAISED}/{place}", _NO_NIGHTS)
        lift = memory.arrays.get(f"{_LIFT}/{place}")
        self.lift = None if lift is None else _Lift(*lift.tolist())

    def dump(self, place: int) -> dict[str, FloatArray]:
        """What the next window needs."""
        kept = {_NIGHTS: self._nights, _RAISED: self._raised, _LIFT: np.array(self.lift or ())}
        return {f"{name}/{place}": rows for name, rows in kept.items() if len(rows)}

    def close(self, night: _Night) -> None:
        """A night has ended."""
        if self.lift is not None:
            self._go_on(night, self.lift)
            return
        rest = self._rest()
        if rest is None or not _is_raised(night, rest):
            self._learn(self._raised, night)
            self._raised = _NO_NIGHTS
            return
        self._raised = np.vstack((self._raised, night))
        if len(self._raised) < RAISED_NIGHTS:
            return
        floors = self._raised[:, _FLOOR]
        floor = float(np.median(floors))
        if np.ptp(floors) <= rest.difference(floor):
            since = float(self._raised[0, _START])
            self.lift = _Lift(since, floor, rest.floor, rest.usual, RAISED_NIGHTS)
            self._raised = _NO_NIGHTS
        else:
            self._learn(self._raised[:1])
            self._raised = self._raised[1:]

    def _go_on(self, night: _Night, lift: _Lift) -> None:
        """A lift lasts until a night rests, or for so long that the asset is taken to run so."""
        if night.floor < (lift.floor + lift.rest) / 2:
            self.lift = None
            self._learn(night)
        elif lift.n_nights >= ACCEPTED_NIGHTS:
            self.lift, self._nights = None, _NO_NIGHTS
        else:
            self.lift = lift._replace(n_nights=lift.n_nights + 1)

    def _learn(self, *nights: FloatArray | _Night) -> None:
        self._nights = np.vstack((self._nights, *nights))[-KNOWN_NIGHTS:]

    def _rest(self) -> _Rest | None:
        """How the asset rests; None where that is not known or it does not."""
        if len(self._nights) < LEAST_NIGHTS:
            return None
        _, floors, quiets, busy, means, pulses = self._nights.T
        usual = float(means.mean())
        is_resting = quiets <= REST_PERCENT / 100 * usual
        if usual <= 0 or is_resting.mean() < RESTING_SHARE:
            return None
        floor = float(np.median(floors))
        spread = float(floors[is_resting].max()) - floor
        limit = max(LIFT_PERCENT / 100 * usual, MARGIN * spread)
        most = BUSY_SHARE * float(np.quantile(busy, BUSY_QUANTILE))
        return _Rest(floor, limit, most, usual, float(pulses.min()))


def _is_raised(night: _Night, rest: _Rest) -> bool:
    """Whether a night's floor stands above rest, evenly, and is not what the asset takes when it runs."""
    is_even = night.quiet - night.floor <= rest.difference(night.floor)
    return rest.floor + rest.limit < night.floor <= rest.most and is_even


def _dumped(meters: Sequence[_Meter]) -> dict[str, FloatArray]:
    return {name: rows for place, meter in enumerate(meters) for name, rows in meter.dump(place).items()}


def _evidence(
    window: Window, columns: Sequence[int], nights: _Nights, lifts: Sequence[Sequence[_Lift | None]]
) -> Evidence:
    """Rows of the nights in which a lift stands; the purest of them, where least else flows, weigh most."""
    shape = window.values.shape
    excess = np.where(np.isnan(window.values), np.nan, 0.0)[:, columns]
    expected, shares = unknown(shape).copy(), nothing(shape).copy()
    since = window.time.astype("datetime64[us]").copy()
    for (start, stop), standing in zip(pairwise(nights.cuts), lifts, strict=True):
        rows = slice(max(start - nights.first, 0), max(stop - nights.first, 0))
        for place, lift in enumerate(standing):
            if lift is not None:
                values, per_hour = window.values[rows, columns[place]], nights.per_hour[place]
                excess[rows, place] = _excess(values * per_hour, lift)
                is_told = excess[rows, place] >= 1
                more = (lift.floor - lift.rest) / per_hour
                expected[rows, columns[place]] = np.where(is_told, values - more, np.nan)
                shares[rows, columns[place]] = is_told
                since[rows] = np.datetime64(int(lift.since), "us")
    return Evidence(
        check=NIGHT_FLOW,
        kind=IncidentKind.PHYSICS,
        exceedance=np.fmax.reduce(excess, axis=1),
        threshold=LIFT_PERCENT,
        contributions=shares / np.maximum(shares.sum(axis=1, keepdims=True), 1.0),
        expected=expected,
        since=since,
    )


def _excess(flows: FloatArray, lift: _Lift) -> FloatArray:
    """The rise over its limit, less where more than the floor flows; below the floor nothing is said."""
    size = (lift.floor - lift.rest) / (LIFT_PERCENT / 100 * lift.usual)
    share = np.divide(lift.floor, flows, out=np.full(len(flows), np.nan), where=flows > 0)
    is_in_it = flows >= (lift.floor + lift.rest) / 2
    return np.where(is_in_it, np.maximum(size * np.minimum(share, 1.0), 1.0), np.nan)
