"""Bands from errors that were really made: rolling conformal, by meter, time of the origin, step ahead."""

import numpy as np
import numpy.typing as npt

from sereno.domain.readings import FloatArray
from sereno.forecast.features import Single
from sereno.forecast.panel import blocks

__all__ = ["CALIBRATION_DAYS", "ORIGINS_PER_DAY", "band_table", "by_day", "origins_of_days", "sizes"]

CALIBRATION_DAYS = 28
ORIGINS_PER_DAY = 6
"""Times of day at which errors are kept; a forecast has the band of the last of them."""
_BESIDE_HOURS = 1.0
_WEEK_DAYS = 7
_MIDDLE = 0.5
_LEAST_SHARE = 0.6
"""Of the middle of the errors, what a forecast is moved by at least."""
_LATEST_DAYS = 7
"""Last days that count twice."""
_TINY = 1e-12


def origins_of_days(first_day: int, last_day: int, per_day: int) -> npt.NDArray[np.int64]:
    """Slots of the origins of the days [first_day, last_day), in order, `ORIGINS_PER_DAY` each."""
    n_origins = min(ORIGINS_PER_DAY, per_day)
    slots = np.arange(n_origins) * per_day // n_origins
    origins: npt.NDArray[np.int64] = (np.arange(first_day, last_day)[:, None] * per_day + slots).ravel()
    return origins


def by_day(errors: Single, per_day: int) -> Single:
    """What is by origin, (meters, origins, steps), by day: (meters, days, origins of a day, steps)."""
    return errors.reshape(len(errors), -1, min(ORIGINS_PER_DAY, per_day), errors.shape[2])


def sizes(values: np.ndarray, origins: np.ndarray, per_day: int) -> FloatArray:
    """Mean absolute value over the week before each origin, shape (meters, origins); NaN without any."""
    high = np.minimum(origins, values.shape[1])
    low = np.maximum(high - _WEEK_DAYS * per_day, 0)
    first = int(low.min())
    values, low, high = values[:, first : int(high.max())], low - first, high - first
    known = ~np.isnan(values)
    is_complete = bool(known.all())
    total = _between(np.abs(values) if is_complete else np.where(known, np.abs(values), 0.0), low, high)
    count = high - low if is_complete else _between(known, low, high)
    with np.errstate(invalid="ignore", divide="ignore"):
        size: FloatArray = np.where(count > 0, total / count, np.nan)
    return np.maximum(size, _TINY)


def _between(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> FloatArray:
    """Sums of the slots [low, high), shape (meters, ...)."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    between: FloatArray = sums[:, high] - sums[:, low]
    return between


def band_table(errors: Single, levels: tuple[float, ...], per_day: int) -> Single:
    """Quantiles of errors with those of the steps up to an hour beside; the last week counts twice.

    Not so for the middle, which is no matter of width and would follow chance: see `_middle`.

    Args:
        errors: What was less what was said, in sizes of the meter, shape (meters, days, origins, steps).

    Returns:
        Shape (meters, origins, steps, levels); NaN where nothing is known.
    """
    n_meters, n_days, n_origins, n_steps = errors.shape
    found = np.empty((n_meters, n_origins, n_steps, len(levels)), dtype=np.float32)
    radius = round(_BESIDE_HOURS * per_day / 24.0)
    draws = _draws(n_days)
    ranks = np.array([_outward(level, draws) for level in levels])
    once = _n_known(errors, radius)
    twice = once + _n_known(errors[:, -_LATEST_DAYS:], radius)
    for block in blocks(n_meters, n_days * n_origins * n_steps * (2 * radius + 1)):
        some = errors[block]
        pool = _beside(np.concatenate([some, some[:, -_LATEST_DAYS:]], axis=1), radius)
        found[block] = _quantiles(pool, twice[block], ranks)
        if _MIDDLE in levels:
            found[block, ..., levels.index(_MIDDLE)] = _middle(pool[..., :n_days], once[block], n_days)
    return found


def _middle(pool: Single, n_known: npt.NDArray[np.int64], n_days: int) -> Single:
    """What a forecast is moved by: of the middle of the errors, the part that is more than chance.

    Source:
        James, Stein, "Estimation with quadratic loss", 1961: of a meter's middles, all steps together.
    """
    apart = 0.5 / np.sqrt(n_days)
    low, middle, high = np.moveaxis(_quantiles(pool, n_known, _MIDDLE + apart * np.array([-1, 0, 1])), -1, 0)
    by_chance = np.nansum(((high - low) / 2.0) ** 2, axis=(1, 2))
    in_all = np.nansum(middle**2, axis=(1, 2))
    share = np.clip(1.0 - by_chance / np.maximum(in_all, _TINY), _LEAST_SHARE, 1.0)
    moved: Single = share[:, None, None].astype(np.float32) * middle
    return moved


def _beside(errors: Single, radius: int) -> Single:
    """Errors of the steps around each, NaN beyond the ends, (meters, origins, steps, steps beside, days)."""
    n_meters, n_days, n_origins, n_steps = errors.shape
    padded = np.full((n_meters, n_origins, n_steps + 2 * radius, n_days), np.nan, dtype=np.float32)
    padded[:, :, radius : radius + n_steps] = errors.transpose(0, 2, 3, 1)
    beside: Single = np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis=2)
    return beside.swapaxes(3, 4)


def _n_known(errors: Single, radius: int) -> npt.NDArray[np.int64]:
    """How many errors `_beside` has of each step, shape (meters, origins, steps)."""
    known = (~np.isnan(errors)).sum(axis=1, dtype=np.int16)
    counts: npt.NDArray[np.int64] = known.astype(np.int64)
    for apart in range(1, radius + 1):
        counts[:, :, apart:] += known[:, :, :-apart]
        counts[:, :, :-apart] += known[:, :, apart:]
    return counts


def _quantiles(pool: Single, n_known: npt.NDArray[np.int64], ranks: FloatArray) -> Single:
    """Errors of ranks from 0 to 1 among those beside, (meters, origins, steps, ranks); NaN without any."""
    ordered = np.sort(pool.reshape(*n_known.shape, -1), axis=3)  # NaN last
    last = np.arange(ordered.shape[3] + 1)[:, None] - 1
    places = np.maximum(np.round(ranks * last).astype(np.int64), 0)[n_known]
    found: Single = np.take_along_axis(ordered, places, axis=3)
    return found


def _draws(n_days: int) -> float:
    """Days of equal weight that say as much as so many of which the last ones count twice.

    Source:
        Kish, Survey Sampling, 1965, effective sample size; weights as in Barber, Candès, Ramdas, Tibshirani,
        "Conformal prediction beyond exchangeability", Annals of Statistics 51(2), 2023.
    """
    latest = min(n_days, _LATEST_DAYS)
    return (n_days + latest) ** 2 / (n_days + 3 * latest)


def _outward(level: float, n_days: float) -> float:
    """The rank, 0 to 1, that a level has in so many days: conformal, with the errors of a day as one draw.

    Source:
        Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005: of n draws the k-th has the
            level
        k / (n + 1); between two draws we interpolate.
    """
    if level > 0.5:
        return 1.0 - _outward(1.0 - level, n_days)
    return max(0.0, (level * (n_days + 1) - 0.5) / n_days) if level < 0.5 else level
