"""Stored readings of a meter as energy by local day, with the temperature outside and the kind of day."""

from collections.abc import Sequence

import numpy as np

from sereno.calendars.days import DAY_COLUMNS, country_of, day_types
from sereno.domain.calendar import DAY, local_time, to_utc
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import Profile, Signal, SignalKind
from sereno.evaluate.baseline import DailyEnergy
from sereno.flows.assets import whole_window
from sereno.flows.train import sound_window
from sereno.store import StoredAsset, Transaction

__all__ = ["daily_energy", "energy_unit", "metered_signal", "outside_temperature"]

_METERED = ("consumption", "import")
"""What is saved at sites that also generate."""
_QUANTITIES = frozenset({"energy", "power", "volume"})
_LEAST_SHARE = 0.9
"""Of a day's steps that must be sound."""
_LEAST_OF_WEATHER = 0.5
_TEMPERATURE = "temperature"


def metered_signal(profile: Profile, names: Sequence[str]) -> str | None:
    """The signal whose savings are asked for without naming one; None where there is nothing to save."""
    for name in (*_METERED, *profile.signal_names):
        signal = profile.signal(name)
        is_metered = signal.quantity in _QUANTITIES and signal.is_ratio_scaled and not signal.is_gain
        if name in names and is_metered:
            return name
    return None


def energy_unit(signal: Signal) -> str:
    """Unit of what is added up: kWh of a power in kW."""
    return f"{signal.unit}h" if signal.kind is SignalKind.INSTANT else signal.unit


def daily_energy(
    window: Window, signal: Signal, weather: tuple[np.ndarray, FloatArray], country: str
) -> DailyEnergy:
    """Totals of the local days of a window; NaN where fewer than nine tenths of the steps are sound.

    What is missing of a sound day counts as the mean of its other steps. Days of 23 and 25 hours are as long
    as they are.

    Args:
        weather: Local days and their mean temperature [°C]; see `outside_temperature`.
        country: Of the holidays; that of the time zone when empty.
    """
    assert window.step is not None
    days, mean, share = _by_day(window, signal.name)
    hours = _hours(days, window.zone)
    steps = hours / (window.step.total_seconds() / 3600.0)
    scale = hours if signal.kind is SignalKind.INSTANT else steps
    is_sound = share >= _LEAST_SHARE * steps
    energy = np.where(is_sound, mean * scale, np.nan)
    types = day_types(int(days[0]), len(days), country or country_of(window.zone))
    saturday, sunday = (types[:, DAY_COLUMNS.index(name)] > 0 for name in ("saturday", "sunday"))
    temperature = np.full(len(days), np.nan)
    _, own, theirs = np.intersect1d(days, weather[0], return_indices=True)
    temperature[own] = weather[1][theirs]
    return DailyEnergy(days, energy, temperature, np.where(sunday, 2, np.where(saturday, 1, 0)))


def outside_temperature(
    tx: Transaction, asset: StoredAsset, profiles: dict[str, Profile]
) -> tuple[np.ndarray, FloatArray]:
    """Local days and mean temperature outside: of the asset, else of another of its site; else none."""
    neighbours = tx.assets(sites=[asset.key.site])
    for one in sorted(neighbours, key=lambda other: (other.id != asset.id, other.id)):
        profile = profiles[one.profile]
        named = [s.name for s in profile.signals if s.is_weather and s.quantity == _TEMPERATURE]
        if not named:
            continue
        window = whole_window(tx, one)
        chosen = next((name for name in named if name in window.signals), None)
        if chosen is None or window.step is None or not len(window):
            continue
        days, mean, share = _by_day(sound_window(window, profile), chosen)
        steps = DAY / window.step
        return days, np.where(share >= _LEAST_OF_WEATHER * steps, mean, np.nan)
    return np.empty(0, dtype=np.int64), np.empty(0)


def _by_day(window: Window, signal: str) -> tuple[np.ndarray, FloatArray, FloatArray]:
    """All local days from the first to the last, the mean of their values, and how many there are."""
    local = local_time(window.time, window.zone).astype("datetime64[D]").astype(np.int64)
    values = window.values[:, window.signals.index(signal)]
    days = np.arange(local[0], local[-1] + 1)
    known = np.isfinite(values)
    count = np.bincount(local[known] - local[0], minlength=len(days)).astype(float)
    total = np.bincount(local[known] - local[0], values[known], len(days))
    return days, np.where(count > 0, total / np.maximum(count, 1.0), np.nan), count


def _hours(days: np.ndarray, zone: str) -> FloatArray:
    """Length of local days [h]."""
    starts = np.arange(days[0], days[-1] + 2).astype("datetime64[D]").astype("datetime64[us]")
    utc = to_utc(starts, zone)
    hours: FloatArray = np.diff(utc) / np.timedelta64(1, "h")
    return hours
