"""Scores with scikit-learn's sign and the limits that the guide's users know."""

from itertools import pairwise
from math import isnan, nan

import numpy as np
import pytest

from sereno.compat.verdict import UNJUDGED, verdict_of
from sereno.detect.severity import grade
from sereno.domain.guide import guide_score
from sereno.domain.judgement import Severity

EXCEEDANCES = [*np.linspace(1.0, 12.0, 1101).tolist(), 1e3, 1e9, float("inf")]


def _guide_severity(score: float) -> Severity:
    limits = ((-0.5, Severity.CRITICAL), (-0.3, Severity.HIGH), (-0.1, Severity.MEDIUM))
    return next((severity for limit, severity in limits if score < limit), Severity.LOW)


def test_guide_limits_give_our_severity_for_a_single_row() -> None:
    wrong = [x for x in EXCEEDANCES if _guide_severity(guide_score(x)) is not grade(x, 1, None)]

    assert not wrong


def test_score_falls_when_exceedance_rises() -> None:
    scores = [guide_score(x) for x in [0.0, 0.2, 0.5, 0.999, *EXCEEDANCES]]

    assert all(later < earlier for earlier, later in pairwise(scores))
    assert scores[0] == 0.0
    assert scores[-1] == -1.0


def test_score_is_nan_when_nothing_was_judged() -> None:
    assert isnan(guide_score(nan))


def test_row_that_cannot_be_read_is_unjudged_not_normal() -> None:
    verdict = verdict_of(None)

    assert (verdict.is_anomaly, verdict.severity) == (False, UNJUDGED)


@pytest.mark.parametrize("exceedance", [0.0, 0.3, 0.99])
def test_normal_rows_lie_above_all_anomalies(exceedance: float) -> None:
    assert guide_score(exceedance) > guide_score(1.0)
