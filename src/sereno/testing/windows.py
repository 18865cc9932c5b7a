"""Calm, seeded windows of any profile, to learn from and to disturb."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from sereno.domain.readings import FloatArray, Quality, TimeArray, Window
from sereno.domain.signals import AssetKey, Profile, Signal

__all__ = ["STRANGER", "a_calm_history", "a_disturbed_window"]

STRANGER = AssetKey("Nowhere", "Unseen")
"""An asset that no history holds."""
_HOUR = timedelta(hours=1)
_START = np.datetime64("2024-01-01T00", "us")
_OPEN_SIGNALS = ("flow", "pressure", "temperature")
"""What an open profile is given."""
_TYPICAL = 50.0
_NOISE = 0.04


def a_calm_history(
    profile: Profile, *, n_assets: int = 3, n_rows: int = 504, step: timedelta = _HOUR, seed: int = 0
) -> list[Window]:
    """Rows of assets of different size, with a daily shape, related signals and noise; none is missing."""
    names = profile.signal_names or _OPEN_SIGNALS
    time = _START + np.arange(n_rows) * np.timedelta64(step)
    windows = []
    for number in range(n_assets):
        values = _values(profile, names, time, np.random.default_rng([seed, number]), size=2.0**number)
        quality = np.zeros(values.shape, dtype=np.int32)
        key = AssetKey(f"Site {number}", f"Asset {number}")
        windows.append(Window(key, profile.name, names, time, values, quality, step))
    return windows


def a_disturbed_window(calm: Window) -> Window:
    """The window with a fault in its first signal, lone missing cells, a dead column, a gap, a dead end."""
    values, n_rows = calm.values.copy(), len(calm)
    fault = slice(n_rows // 4, n_rows // 4 + 24)
    values[fault, 0] += 10.0 * values[:, 0].std() + 0.5 * np.abs(values[:, 0]).max()
    values[n_rows // 3 :: 17, -1] = np.nan
    values[n_rows // 2 : n_rows // 2 + 12, 0] = np.nan
    values[n_rows * 2 // 3 : n_rows * 2 // 3 + 30] = np.nan
    values[-3:] = np.nan
    quality = np.where(np.isnan(values), int(Quality.MISSING), 0).astype(np.int32)
    return replace(calm, values=values, quality=quality)


def _values(
    profile: Profile, names: Sequence[str], time: TimeArray, rng: np.random.Generator, *, size: float
) -> FloatArray:
    hours = (time - _START) / np.timedelta64(1, "h")
    common = np.sin(2 * np.pi * hours / 24) + 0.3 * rng.normal(size=len(time))
    columns = []
    for name in names:
        centre, spread = _scale(profile.signal(name), size)
        own = rng.normal(size=len(time))
        columns.append(centre + spread * (common + own))
    return np.stack(columns, axis=1)


def _scale(signal: Signal, size: float) -> tuple[float, float]:
    """Where a signal lies and how much it moves, well inside its plausible range."""
    if signal.is_ratio_scaled or signal.minimum is None or signal.maximum is None:
        centre = _TYPICAL * (size if signal.is_ratio_scaled else 1.0)
        return centre, _NOISE * centre
    middle = (signal.minimum + signal.maximum) / 2
    return middle, _NOISE * (signal.maximum - signal.minimum)
