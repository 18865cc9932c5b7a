"""What a signal usually is at a time of day: for instants that no forecast reaches."""

from datetime import datetime, timedelta

import numpy as np

from sereno.domain.calendar import local_time, step_end
from sereno.domain.errors import NothingToForecast
from sereno.domain.forecasts import QUANTILES, Forecast, Tier
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.time import from_numpy, isoformat, to_numpy
from sereno.forecast.panel import UNTAUGHT

__all__ = ["USUAL", "usual_values"]

USUAL = "usual_values"
_WEEKEND = 5
_SEASON_DAYS, _YEAR_DAYS = 30, 365
_LEAST_DAYS = 14
"""Days that a distribution is drawn from, where there are so many: fewer say little of its tails."""


def usual_values(window: Window, signal: str, instant: datetime, step: timedelta) -> Forecast:
    """The distribution of the values that the window has at the same time of day.

    Days of the same kind (working day or weekend) within thirty days of the date in any year; where they
    are fewer than two weeks of days, of the whole year; then of any day; then of any time.

    Args:
        instant: Start of the step that is asked for; before, in or after the window.

    Raises:
        NothingToForecast: The window has no sound value of the signal.
    """
    time, values = _sound(window, signal)
    if not len(values):
        raise NothingToForecast(signal=signal, asset=str(window.asset), origin=isoformat(instant))
    chosen = _alike(local_time(time, window.zone), _local(instant, window.zone), step)
    return Forecast(
        asset=window.asset,
        signal=signal,
        origin=instant,
        cut_off=from_numpy(step_end(time[-1], step, window.zone)),
        step=step,
        time=np.array([to_numpy(instant)]),
        levels=QUANTILES,
        quantiles=np.quantile(values[chosen], QUANTILES, method="weibull")[None],
        tier=Tier.CONSTANT,
        model=USUAL,
    )


def _sound(window: Window, signal: str) -> tuple[TimeArray, FloatArray]:
    """Instants and values that may be drawn from."""
    if signal not in window.signals:
        return window.time[:0], np.empty(0)
    column = window.signals.index(signal)
    values = window.values[:, column]
    is_sound = np.isfinite(values) & ((window.quality[:, column] & UNTAUGHT) == 0)
    return window.time[is_sound], values[is_sound]


def _local(instant: datetime, zone: str) -> TimeArray:
    return local_time(np.array([to_numpy(instant)]), zone)


def _alike(time: TimeArray, instant: TimeArray, step: timedelta) -> BoolArray:
    """Rows, of local times, that are most like an instant and enough to be drawn from, shape (rows,)."""
    days, day = time.astype("datetime64[D]"), instant.astype("datetime64[D]")
    width = np.timedelta64(step)
    is_same_time: BoolArray = (time - days) // width == (instant - day) // width
    is_same_kind = is_same_time & (_is_weekend(days) == _is_weekend(day))
    apart = np.abs(_day_of_year(days) - _day_of_year(day))
    in_season = is_same_kind & (np.minimum(apart, _YEAR_DAYS - apart) <= _SEASON_DAYS)
    for rows in (in_season, is_same_kind, is_same_time):
        if int(rows.sum()) >= _LEAST_DAYS:
            return rows
    return np.ones(len(time), dtype=np.bool_) if not is_same_time.any() else is_same_time


def _is_weekend(days: TimeArray) -> BoolArray:
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    found: BoolArray = weekday >= _WEEKEND
    return found


def _day_of_year(days: TimeArray) -> np.ndarray:
    found: np.ndarray = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    return found
