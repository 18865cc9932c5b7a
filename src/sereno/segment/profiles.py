"""An asset's profile: one figure per feature, from the rows that it may be learnt from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.readings import FloatArray, TimeArray

__all__ = ["STATISTICS", "Feature", "profile_of", "split_feature"]

_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; weeks begin on Monday, 0."""
_FIRST_WEEKEND_DAY, _WEEK = 5, 7


def _cv(values: FloatArray) -> float:
    """Coefficient of variation: spread over mean; NaN without a mean."""
    mean = float(values.mean())
    return float(values.std()) / abs(mean) if mean else float("nan")


STATISTICS: Mapping[str, Callable[[FloatArray], float]] = MappingProxyType(
    {
        "mean": lambda values: float(values.mean()),
        "std": lambda values: float(values.std()),
        "median": lambda values: float(np.median(values)),
        "sum": lambda values: float(values.sum()),
        "min": lambda values: float(values.min()),
        "max": lambda values: float(values.max()),
        "range": lambda values: float(np.ptp(values)),
        "cv": _cv,
    }
)
WEEKEND_RATIO = "weekend_ratio"


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of a profile: a statistic of a series.

    Attributes:
        name: As it was asked for.
        series: Name of a signal, or of a quantity derived from them.
        statistic: A key of `STATISTICS`, or `weekend_ratio`.
    """

    name: str
    series: str
    statistic: str


def split_feature(name: str) -> tuple[str, str] | None:
    """Series and statistic of a name such as `Volumen_mean`; None when it ends in no statistic."""
    folded = name.strip()
    for statistic in (*STATISTICS, WEEKEND_RATIO):
        series = folded[: -len(statistic) - 1]
        if series and folded.casefold().endswith(f"_{statistic}"):
            return series, statistic
    return None


def profile_of(
    features: Sequence[Feature], series: Mapping[str, FloatArray], time: TimeArray, zone: str
) -> FloatArray:
    """The profile of one asset, shape (features,); NaN for a feature of which nothing is known.

    Values that are NaN teach nothing. `weekend_ratio` is the mean of Saturdays and Sundays over that of the
    other days, by the clock of the site.

    Args:
        series: By name, shape (rows,) each.
        time: UTC starts, shape (rows,).
    """
    return np.array([_figure(feature, series, time, zone) for feature in features])


def _figure(feature: Feature, series: Mapping[str, FloatArray], time: TimeArray, zone: str) -> float:
    values = series.get(feature.series)
    if values is None:
        return float("nan")
    is_known = np.isfinite(values)
    if not is_known.any():
        return float("nan")
    if feature.statistic == WEEKEND_RATIO:
        return _weekend_ratio(values[is_known], time[is_known], zone)
    return STATISTICS[feature.statistic](values[is_known])


def _weekend_ratio(values: FloatArray, time: TimeArray, zone: str) -> float:
    day = local_time(time, zone).astype("datetime64[D]").astype(np.int64)
    is_weekend = (day + _EPOCH_WEEKDAY) % _WEEK >= _FIRST_WEEKEND_DAY
    if is_weekend.all() or not is_weekend.any():
        return float("nan")
    weekday = float(values[~is_weekend].mean())
    return float(values[is_weekend].mean()) / weekday if weekday else float("nan")
