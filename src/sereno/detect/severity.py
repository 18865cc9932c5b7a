"""How bad: the calibrated exceedance and how long it has lasted, on one scale."""

from collections.abc import Sequence
from datetime import timedelta
from math import log2

from sereno.domain.judgement import Severity

__all__ = ["grade", "reference_rows"]

_LIMITS = ((2.0, Severity.CRITICAL), (1.3, Severity.HIGH), (0.6, Severity.MEDIUM))
"""In doublings: a single row is medium at 1.5 times the threshold, high at 2.5, critical at 4."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def reference_rows(step: timedelta | None) -> float:
    """Rows after which duration weighs as twice the exceedance: a week of days, a day of hours, an hour."""
    if step is None or step >= _DAY:
        return 7.0
    if step >= _HOUR:
        return _DAY / step
    return max(_HOUR / step, 12.0)


def grade(
    exceedance: float,
    n_rows: int,
    step: timedelta | None,
    *,
    is_data: bool = False,
    bands: Sequence[float] = (),
) -> Severity:
    """The severity of an episode; rises with exceedance and with duration, never falls with either.

    A doubling of the exceedance weighs as much as a doubling of the duration past its reference. A data
    problem
    is never critical: nobody is woken because a meter is silent.

    Args:
        exceedance: Peak score over threshold; at least 1.
        n_rows: Abnormal steps so far.
        step: Length of a step.
        is_data: Whether it is a data problem.
        bands: Exceedances from which an episode is medium, high and critical, ascending; with them duration
            does not count.
    """
    if bands:
        return Severity(Severity.LOW + sum(exceedance >= band for band in bands))
    index = log2(max(exceedance, 1.0)) + log2(1.0 + (n_rows - 1) / reference_rows(step))
    for limit, severity in _LIMITS:
        if index >= limit:
            return min(severity, Severity.HIGH) if is_data else severity
    return Severity.LOW
