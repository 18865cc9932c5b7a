"""The scale of the first system's guide: lower scores are stranger, severities are Spanish.

The score keeps scikit-learn's sign and the limits that the guide's users wrote into their own code: below
-0.5 is CRÍTICA, below -0.3 ALTA, below -0.1 MEDIA, other anomalies BAJA. It falls strictly with how many
times the score exceeds its threshold, from 0 (as expected) over -0.05 (the threshold) towards -1.
"""

from collections.abc import Mapping
from math import isnan, log2, nan
from types import MappingProxyType

from sereno.domain.judgement import Severity

__all__ = ["SEVERITY_NAMES", "guide_score"]

SEVERITY_NAMES: Mapping[Severity, str] = MappingProxyType(
    {Severity.CRITICAL: "CRÍTICA", Severity.HIGH: "ALTA", Severity.MEDIUM: "MEDIA", Severity.LOW: "BAJA"}
)

_AT_THRESHOLD = -0.05
_BANDS = ((0.0, 0.6, _AT_THRESHOLD, -0.1), (0.6, 1.3, -0.1001, -0.3), (1.3, 2.0, -0.3001, -0.5))
"""Doublings of the threshold from, to; score there. The doublings are those at which severity rises."""
_CRITICAL_FROM = 2.0
_CRITICAL_SPAN = 0.4999
_DECIMALS = 6


def guide_score(exceedance: float) -> float:
    """The guide's score of so many times the threshold.

    Example:
        >>> [guide_score(times) for times in (0.0, 1.0, 2.0, 4.0, 100.0)]
        [0.0, -0.05, -0.214329, -0.5001, -0.849515]
    """
    if isnan(exceedance):
        return nan
    if exceedance < 1.0:
        return round(min(_AT_THRESHOLD * exceedance, 0.0), _DECIMALS) + 0.0
    doublings = log2(exceedance)
    for start, end, top, bottom in _BANDS:
        if doublings < end:
            return round(top + (bottom - top) * (doublings - start) / (end - start), _DECIMALS)
    return round(-1.0 + _CRITICAL_SPAN * _CRITICAL_FROM / doublings, _DECIMALS)
