"""How a plant does against its peers: the same days, each plant measured by its own level."""

import warnings

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["LEAST_PEERS", "performance_to_peers"]

LEAST_PEERS = 3
"""Plants that a day needs: the median of fewer is one of them."""
_ROUNDS = 5
_LEAST_SHARE = 0.01
"""Of its median day; below it a plant did not run, and says nothing of the weather."""


def performance_to_peers(daily: FloatArray) -> FloatArray:
    """Energy of each day over what that day's weather gave to plants of the same level, shape (days, plants).

    1 is as the peers, 0 is nothing. Levels of plants and weather of days are the effects of a median polish
    of the logarithms (Tukey, Exploratory Data Analysis, 1977), so that a minority of plants that do badly
    moves neither, and days or plants that are missing do not count. A plant that always did badly has a low
    level and shows 1: what changed is seen, what never was is not.

    Args:
        daily: Energy of each day and plant [kWh], shape (days, plants); NaN where not known.

    Returns:
        NaN where a reading is missing or fewer than `LEAST_PEERS` plants have one that day.
    """
    known = ~np.isnan(daily)
    enough = known.sum(axis=1) >= LEAST_PEERS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # days and plants without any reading
        runs = daily > _LEAST_SHARE * np.nanmedian(np.where(daily > 0, daily, np.nan), axis=0)
        left = np.log(np.where(runs & enough[:, None], daily, np.nan))
        levels, weather = np.zeros(daily.shape[1]), np.zeros(daily.shape[0])
        for _ in range(_ROUNDS):
            plant = np.nan_to_num(np.nanmedian(left, axis=0))
            left, levels = left - plant, levels + plant
            day = np.nanmedian(left, axis=1)
            left, weather = left - np.nan_to_num(day)[:, None], weather + day
    expected = np.exp(levels + weather[:, None])
    performance: FloatArray = np.where(enough[:, None], daily / expected, np.nan)
    return performance
