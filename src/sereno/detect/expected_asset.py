"""What the detector of the expected value learns of one asset."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from sereno.calendars.days import are_holidays, country_of
from sereno.detect.expected_value import SUNDAY, Calendar, ExpectedValue, learn_value
from sereno.detect.habit import kinds_of_day, slots_a_day, slots_of_day
from sereno.detect.trailing import Followed, Limits, Trailing, blank_trailing
from sereno.domain.calendar import local_time
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import Profile, Signal

__all__ = ["AssetModel", "Paces", "SignalModel", "calendar_of", "learn_asset", "smooth_weather"]

_HOUR = timedelta(hours=1)
_DAY_US = 86_400_000_000
_THERMAL_HOURS = 12.0
"""Time constant with which buildings follow the temperature outside [h]."""
_LEAST_SUSTAIN_ROWS = 4.0
_FIRST_ROW, _FIRST_SUSTAINED = 6.0, 3.0
"""Limits in spreads until the asset's own are known."""
_CALM, _BODY = 0.99, 0.9
_TAIL = 2.5
"""The calm limit is at most so many times the 90 % quantile: more is faults."""
_NORMAL_BODY = 1.645
_LEAST_LIMIT = 1e-6
_SMOOTH_HOURS = 1.5
_FLOOR_OF_MEDIAN, _FLOOR_OF_MAGNITUDE, _SMALLEST = 0.3, 0.005, 1e-9
_WEATHER_WORTH = 0.95
"""The weather explains where the error with it is below this share of that without."""
_TEST_SHARE = 3
_LEAST_HOLIDAYS = 2
"""Holidays on other days than Sundays below which nothing is known of them."""
_HOLIDAY_WORTH = 0.8
"""Holidays are Sundays where their error as such is below this share of that as the days they are."""


@dataclass(frozen=True, slots=True)
class Paces:
    """See `ExpectedDetector`."""

    hold_days: int
    sustain_hours: float

    def limits(self, step: timedelta | None, row: float, sustained: float, *, is_scaled: bool) -> Limits:
        """Limits in spreads as `Trailing` takes them."""
        rows = self.sustain_hours * _HOUR / (step or _HOUR)
        return Limits(row, sustained, self.hold_days, 1.0 / max(rows, _LEAST_SUSTAIN_ROWS), is_scaled)


@dataclass(frozen=True, slots=True)
class SignalModel:
    """One judged signal.

    Attributes:
        spread: Usual size of an error by time of day, shape (slots,).
        limits: Calm limits of its errors, in spreads.
        magnitude: Usual size of the value.
    """

    value: ExpectedValue
    spread: FloatArray
    limits: Limits
    magnitude: float


@dataclass(frozen=True, slots=True)
class AssetModel:
    """One asset.

    Attributes:
        weather: Signals that explain, and the weight of a row in their running mean; 1 for the value itself.
        limit: Calm 99 % quantile of the strangest signal.
    """

    signals: Mapping[str, SignalModel]
    weather: Mapping[str, float]
    n_slots: int
    limit: float


def calendar_of(window: Window, n_slots: int, country: str) -> tuple[Calendar, np.ndarray]:
    """Where the rows lie on the clock on the wall, and their local days from 1970-01-01, shape (rows,).

    Args:
        country: Whose public holidays count; that of the zone when empty.
    """
    local = local_time(window.time, window.zone)
    days = local.astype(np.int64) // _DAY_US
    is_holiday = are_holidays(days, country or country_of(window.zone))
    return Calendar(slots_of_day(local, n_slots), kinds_of_day(local) - 1, is_holiday, n_slots), days


def smooth_weather(
    window: Window, paces: Mapping[str, float], kept: Mapping[str, np.ndarray]
) -> tuple[dict[str, FloatArray], dict[str, np.ndarray]]:
    """Signals of the weather as they explain, shape (rows,) each, and what the next rows need of them."""
    smoothed, arrays = {}, {}
    for name in sorted(paces):
        state = kept.get(f"{name}/smoothed", np.array([np.nan]))
        if name not in window.signals:
            arrays[f"{name}/smoothed"] = state
            continue
        column, last = [], float(state[0])
        for value in window.values[:, window.signals.index(name)].tolist():
            if value == value:  # noqa: PLR0124 - NaN
                last = value if last != last else last + paces[name] * (value - last)  # noqa: PLR0124
            column.append(last)
        smoothed[name] = np.array(column)
        arrays[f"{name}/smoothed"] = np.array([last])
    return smoothed, arrays


def learn_asset(
    window: Window, use: BoolArray, profile: Profile, paces: Paces, *, uses_weather: bool, country: str
) -> AssetModel | None:
    """The model of the rows of `use`; None where no signal has values on three days."""
    n_slots = slots_a_day(window.step)
    calendar, days = calendar_of(window, n_slots, country)
    outside = _weather(window, profile) if uses_weather else {}
    weather, _ = smooth_weather(window, outside, {})
    learning = _Learning(window, use, calendar, days, paces)
    judged = [name for name in window.signals if not profile.signal(name).is_weather]
    signals, sizes = {}, []
    for name in judged or window.signals:
        learnt = learning.learn(name, profile.signal(name), weather)
        if learnt is not None:
            signals[name], followed = learnt
            sizes.append(followed.strangeness[use])
    if not signals:
        return None
    strangest = np.fmax.reduce(np.stack(sizes), axis=0)
    used = {name for one in signals.values() for name in one.value.responses}
    weights = {name: pace for name, pace in outside.items() if name in used}
    return AssetModel(signals, weights, n_slots, _calm_limit(strangest))


@dataclass(frozen=True, slots=True)
class _Learning:
    window: Window
    use: BoolArray
    calendar: Calendar
    days: np.ndarray
    paces: Paces

    def learn(
        self, name: str, signal: Signal, weather: Mapping[str, FloatArray]
    ) -> tuple[SignalModel, Followed] | None:
        """The model of a signal, and how it followed the history; None where too few days hold values."""
        values = self.window.values[:, self.window.signals.index(name)]
        taught = self.use & np.isfinite(values)
        if len(np.unique(self.days[taught])) <= 2:
            return None
        chosen = weather if weather and self._is_worth(values, weather, signal) else {}
        rests = self._rests(values, chosen)
        value = learn_value(values, self.calendar, chosen, self.use, rests=rests)
        magnitude = float(np.mean(np.abs(values[taught])))
        floor = max(
            _FLOOR_OF_MAGNITUDE * magnitude,
            signal.least_share * magnitude,
            signal.least_deviation,
            _SMALLEST,
        )
        is_scaled = signal.is_ratio_scaled
        first = self.paces.limits(self.window.step, _FIRST_ROW, _FIRST_SUSTAINED, is_scaled=is_scaled)
        plain = np.full(self.calendar.n_slots, max(float(np.nanstd(values[taught])), floor))
        model = SignalModel(value, plain, first, magnitude)
        followed = self.follow(model, values, chosen)
        model = replace(model, spread=self._spread(followed, floor, plain))
        followed = self.follow(model, values, chosen)
        limits = replace(
            first,
            row=_calm_limit(np.abs(followed.error[self.use])),
            sustained=_calm_limit(np.abs(followed.sustained[self.use])),
        )
        model = replace(model, limits=limits)
        return model, self.follow(model, values, chosen)

    def follow(self, model: SignalModel, values: FloatArray, weather: Mapping[str, FloatArray]) -> Followed:
        """The history as the stream will be followed."""
        static = model.value.of(self.calendar, weather)
        trailing = Trailing(blank_trailing(self.calendar.n_slots), model.limits)
        slots = self.calendar.slots
        return trailing.follow(values, static, model.spread[slots], slots, self.days)

    def _rests(self, values: FloatArray, weather: Mapping[str, FloatArray]) -> bool:
        """Whether public holidays that are no Sundays are more like Sundays than like the days they are."""
        free = self.use & np.isfinite(values) & self.calendar.is_holiday & (self.calendar.kinds != SUNDAY)
        if len(np.unique(self.days[free])) < _LEAST_HOLIDAYS:
            return False
        errors = []
        for rests in (True, False):
            value = learn_value(values, self.calendar, weather, self.use, rests=rests)
            errors.append(float(np.mean(np.abs(values - value.of(self.calendar, weather))[free])))
        return errors[0] < _HOLIDAY_WORTH * errors[1]

    def _is_worth(self, values: FloatArray, weather: Mapping[str, FloatArray], signal: Signal) -> bool:
        """Whether the weather makes the error less in the last third, learnt from the rows before."""
        places = np.flatnonzero(self.use & np.isfinite(values))
        split = places[len(places) * (_TEST_SHARE - 1) // _TEST_SHARE]
        before = self.use & (np.arange(len(values)) < split)
        spread = np.full(self.calendar.n_slots, max(float(np.nanstd(values[places])), _SMALLEST))
        limits = self.paces.limits(
            self.window.step, _FIRST_ROW, _FIRST_SUSTAINED, is_scaled=signal.is_ratio_scaled
        )
        errors = []
        for some in (weather, {}):
            value = learn_value(values, self.calendar, some, before)
            followed = self.follow(SignalModel(value, spread, limits, 0.0), values, some)
            errors.append(float(np.nanmean(np.abs(followed.error[places[places >= split]]))))
        return errors[0] < _WEATHER_WORTH * errors[1]

    def _spread(self, followed: Followed, floor: float, before: FloatArray) -> FloatArray:
        """Usual error by time of day with the times around, from its 90 % quantile."""
        n_slots = self.calendar.n_slots
        errors = np.where(self.use, np.abs(followed.error), np.nan) * before[0]
        known = np.isfinite(errors)
        every = float(np.quantile(errors[known], _BODY)) / _NORMAL_BODY if known.any() else floor
        radius = round(_SMOOTH_HOURS * n_slots / 24)
        found = np.full(n_slots, every)
        by_slot = [errors[known & (self.calendar.slots == slot)] for slot in range(n_slots)]
        for slot in range(n_slots):
            around = np.concatenate([by_slot[(slot + d) % n_slots] for d in range(-radius, radius + 1)])
            if len(around):
                found[slot] = float(np.quantile(around, _BODY)) / _NORMAL_BODY
        least = max(_FLOOR_OF_MEDIAN * float(np.median(found)), floor)
        spread: FloatArray = np.maximum(found, least)
        return spread


def _weather(window: Window, profile: Profile) -> dict[str, float]:
    """Signals of the weather and their paces."""
    rows = _THERMAL_HOURS * _HOUR / (window.step or _HOUR)
    found = {}
    for name in window.signals:
        signal = profile.signal(name)
        if signal.is_weather:
            found[name] = 1.0 / max(rows, 1.0) if signal.quantity == "temperature" else 1.0
    return found


def _calm_limit(sizes: FloatArray) -> float:
    """99 % quantile, held down where faults sit in the history."""
    known = sizes[np.isfinite(sizes)]
    if not len(known):
        return 1.0
    body, tail = np.quantile(known, [_BODY, _CALM]).tolist()
    return float(max(min(tail, _TAIL * body), _LEAST_LIMIT))
