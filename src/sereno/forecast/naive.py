"""The same time of yesterday, and of last week: what every other forecast must beat."""

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.forecast.features import WEEK
from sereno.forecast.panel import Panel

__all__ = ["DAY_BEFORE", "WEEK_BEFORE", "last_known", "predict_naive"]

DAY_BEFORE, WEEK_BEFORE = "day_before", "week_before"
_FURTHEST_DAYS = 28


def predict_naive(panel: Panel, origins: np.ndarray, n_steps: int) -> dict[str, np.ndarray]:
    """The last value of the same time of day, and of the same time of week.

    Args:
        origins: Slots of the panel; only values before them are used.

    Returns:
        By name, shape (meters, origins, steps); NaN where there is none.
    """
    steps = np.arange(n_steps)
    targets = origins[:, None] + steps
    days = steps // panel.per_day + 1
    weeks = -(-days // WEEK) * WEEK
    return {
        name: _taken(panel.values, targets - back * panel.per_day)
        for name, back in ((DAY_BEFORE, days), (WEEK_BEFORE, weeks))
    }


def last_known(panel: Panel, origin: int, n_steps: int) -> FloatArray:
    """The last known value of the same time of day, up to four weeks back, shape (meters, steps)."""
    steps = np.arange(n_steps)
    found = np.full((len(panel.values), n_steps), np.nan)
    for back in range(1, _FURTHEST_DAYS + 1):
        places = origin + steps % panel.per_day - back * panel.per_day
        older = _taken(panel.values, places)
        found = np.where(np.isnan(found), older, found)
    return found


def _taken(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values at places, NaN before the first."""
    taken: np.ndarray = np.where(places >= 0, values[:, np.maximum(places, 0)], np.nan)
    return taken
