"""Bands from errors that were really made: rolling conformal, by meter, time of the origin, step ahead."""

import numpy as np
import numpy.typing as npt

from sereno.domain.readings import FloatArray
from sereno.forecast.features import Single

__all__ = ["CALIBRATION_DAYS", "ORIGINS_PER_DAY", "band_table", "origins_of_days", "sizes"]

CALIBRATION_DAYS = 28
ORIGINS_PER_DAY = 6
"""Times of day at which errors are kept; a forecast has the band of the last of them."""
_BESIDE_HOURS = 1.0
_WEEK_DAYS = 7
_MIDDLE = 0.5
_LATEST_DAYS = 7
"""Last days that count twice."""
_TINY = 1e-12


def origins_of_days(first_day: int, last_day: int, per_day: int) -> npt.NDArray[np.int64]:
    """Slots of the origins of the days [first_day, last_day), in order, `ORIGINS_PER_DAY` each."""
    n_origins = min(ORIGINS_PER_DAY, per_day)
    slots = np.arange(n_origins) * per_day // n_origins
    origins: npt.NDArray[np.int64] = (np.arange(first_day, last_day)[:, None] * per_day + slots).ravel()
    return origins


def sizes(values: FloatArray, origins: np.ndarray, per_day: int) -> FloatArray:
    """Mean absolute value over the week before each origin, shape (meters, origins); NaN without any."""
    known = ~np.isnan(values)
    sums = np.zeros((len(values), values.shape[1] + 1))
    counts = np.zeros_like(sums)
    np.cumsum(np.where(known, np.abs(values), 0.0), axis=1, out=sums[:, 1:])
    np.cumsum(known, axis=1, out=counts[:, 1:])
    high = np.minimum(origins, values.shape[1])
    low = np.maximum(high - _WEEK_DAYS * per_day, 0)
    count = counts[:, high] - counts[:, low]
    with np.errstate(invalid="ignore", divide="ignore"):
        size: FloatArray = np.where(count > 0, (sums[:, high] - sums[:, low]) / count, np.nan)
    return np.maximum(size, _TINY)


def band_table(errors: Single, levels: tuple[float, ...], per_day: int) -> Single:
    """Quantiles of errors with those of the steps up to an hour beside; the last week counts twice.

    Not so for the middle, which is no matter of width and would follow chance.

    Args:
        errors: What was less what was said, in sizes of the meter, shape (meters, days, origins, steps).

    Returns:
        Shape (meters, origins, steps, levels); NaN where nothing is known.
    """
    found = _table(errors, levels, per_day, _draws(errors.shape[1]), n_twice=_LATEST_DAYS)
    if _MIDDLE in levels:
        found[..., levels.index(_MIDDLE)] = _table(errors, (_MIDDLE,), per_day, errors.shape[1])[..., 0]
    return found


def _table(
    errors: Single, levels: tuple[float, ...], per_day: int, n_draws: float, *, n_twice: int = 0
) -> Single:
    """As `band_table`, with so many last days twice in the pool."""
    radius = round(_BESIDE_HOURS * per_day / 24.0)
    errors = np.concatenate([errors, errors[:, errors.shape[1] - min(n_twice, errors.shape[1]) :]], axis=1)
    n_meters, n_days, n_origins, n_steps = errors.shape
    padded = np.full((n_meters, n_days, n_origins, n_steps + 2 * radius), np.nan, dtype=np.float32)
    padded[..., radius : radius + n_steps] = errors
    found = np.full((n_meters, n_origins, n_steps, len(levels)), np.nan, dtype=np.float32)
    for meter in range(n_meters):
        around = np.lib.stride_tricks.sliding_window_view(padded[meter], 2 * radius + 1, axis=-1)
        pool = np.sort(
            np.ascontiguousarray(around.transpose(1, 2, 0, 3)).reshape(n_origins, n_steps, -1), axis=-1
        )
        ranks = [_outward(level, n_draws) for level in levels]
        if not np.isnan(pool[..., -1]).any():
            last = pool.shape[-1] - 1
            found[meter] = pool[..., [round(rank * last) for rank in ranks]]
            continue
        count = np.count_nonzero(~np.isnan(pool), axis=-1)
        for column, rank in enumerate(ranks):
            place = np.clip(np.round(rank * (count - 1)).astype(np.int64), 0, np.maximum(count - 1, 0))
            found[meter, ..., column] = np.take_along_axis(pool, place[..., None], axis=-1)[..., 0]
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
