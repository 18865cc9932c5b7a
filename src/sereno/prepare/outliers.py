"""Outliers of a series, for profiles and exports: what is judged is never treated."""

import numpy as np

from sereno.domain.cleaning import OutlierRule
from sereno.domain.readings import FloatArray

__all__ = ["outlier_limits"]

IQR_FACTOR = 1.5
"""Tukey, Exploratory Data Analysis, 1977: the inner fences."""
ROBUST_Z_FACTOR = 3.5
"""Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993."""
_MAD_TO_SIGMA = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""
_MEAN_DEVIATION_TO_SIGMA = 1.2533
"""Standard deviation over mean absolute deviation of a normal distribution."""


def outlier_limits(values: FloatArray, rule: OutlierRule, factor: float | None = None) -> tuple[float, float]:
    """Lowest and highest value that is no outlier [unit of the values]; infinite where nothing can be said.

    A series whose middle half is one value (an idle meter) has no quartile distance: it has no outliers by
    the quartiles. The robust z-score then takes the mean absolute deviation.

    Args:
        values: Shape (rows,); NaN is left out.
        factor: Multiple of the spread; None for the usual one of the rule.

    Source:
        Tukey 1977 for the quartiles; Iglewicz and Hoaglin 1993, M = 0.6745 (x - median) / MAD.
    """
    known = values[np.isfinite(values)]
    if rule is OutlierRule.NONE or not len(known):
        return -np.inf, np.inf
    if rule is OutlierRule.IQR:
        low, high = (float(q) for q in np.quantile(known, (0.25, 0.75)))
        margin = (IQR_FACTOR if factor is None else factor) * (high - low)
    else:
        low = high = float(np.median(known))
        margin = (ROBUST_Z_FACTOR if factor is None else factor) * _robust_sigma(known - low)
    return (low - margin, high + margin) if margin > 0 else (-np.inf, np.inf)


def _robust_sigma(deviations: FloatArray) -> float:
    sizes = np.abs(deviations)
    middle = float(np.median(sizes))
    return _MAD_TO_SIGMA * middle if middle > 0 else _MEAN_DEVIATION_TO_SIGMA * float(sizes.mean())
