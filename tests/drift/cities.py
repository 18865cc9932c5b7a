"""A city made up for drift: two years of hours with season, weather that comes in spells, and load."""

from datetime import timedelta

import numpy as np

from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey

__all__ = ["HOURS_PER_WEEK", "a_city"]

HOURS_PER_WEEK = 168
_START = np.datetime64("2022-01-03T00", "us")


def a_city(*, n_weeks: int = 104, seed: int = 0, name: str = "Norte", signals: int = 3) -> Window:
    """Power that follows the day, the week and the temperature; humidity that follows nothing."""
    rng = np.random.default_rng(seed)
    hours = np.arange(n_weeks * HOURS_PER_WEEK)
    day, year = 2 * np.pi * hours / 24, 2 * np.pi * hours / (24 * 365.2425)
    temperature = 17 - 8 * np.cos(year) + 4 * np.sin(day - 2) + _spells(rng, len(hours), 1.6)
    humidity = 60 + 10 * np.cos(year) + _spells(rng, len(hours), 6.0)
    week = np.where(hours // 24 % 7 < 5, 1.0, 0.85)
    shape = 1 + 0.25 * np.sin(day - 1.5) + 0.1 * np.sin(2 * day)
    cooling = 0.015 * np.maximum(temperature - 18, 0)
    power = 5_000 * shape * week * (1 + cooling) * np.exp(_spells(rng, len(hours), 0.01))
    values = np.column_stack([power, temperature, humidity])[:, :signals]
    names = ("power", "temperature", "humidity")[:signals]
    time = _START + hours * np.timedelta64(1, "h")
    quality = np.zeros(values.shape, dtype=np.int32)
    return Window(AssetKey("Ciudad", name), "load", names, time, values, quality, timedelta(hours=1))


def _spells(rng: np.random.Generator, n: int, size: float, hours: float = 72.0) -> np.ndarray:
    """Noise that lasts for days."""
    keep = np.exp(-1 / hours)
    steps = rng.normal(size=n) * size * np.sqrt(1 - keep**2)
    out = np.empty(n)
    level = rng.normal() * size
    for place, step in enumerate(steps):
        level = keep * level + step
        out[place] = level
    return out
