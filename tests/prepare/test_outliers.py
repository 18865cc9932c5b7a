"""Limits beyond which a value is an outlier."""

import numpy as np
import pytest

from sereno.domain.cleaning import OutlierRule
from sereno.prepare.outliers import outlier_limits
from tests.support.builders import NAN


def test_quartile_fences_are_tukey_s() -> None:
    values = np.arange(1.0, 10.0)  # quartiles 3 and 7

    assert outlier_limits(values, OutlierRule.IQR) == (-3.0, 13.0)
    assert outlier_limits(values, OutlierRule.IQR, 3.0) == (-9.0, 19.0)


def test_robust_limits_are_a_modified_z_score_of_three_and_a_half() -> None:
    values = np.array([2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3])
    low, high = outlier_limits(values, OutlierRule.ROBUST_ZSCORE)

    median = np.median(values)
    mad = np.median(np.abs(values - median))
    scores = 0.6745 * (values - median) / mad
    np.testing.assert_array_equal((values < low) | (values > high), np.abs(scores) > 3.5)


@pytest.mark.parametrize("rule", [OutlierRule.NONE, OutlierRule.IQR])
def test_idle_meter_has_no_outliers_by_quartiles(rule: OutlierRule) -> None:
    assert outlier_limits(np.array([0.0] * 9 + [5.0]), rule) == (-np.inf, np.inf)


def test_idle_meter_has_outliers_by_the_mean_deviation() -> None:
    values = np.array([0.0] * 99 + [5.0])

    low, high = outlier_limits(values, OutlierRule.ROBUST_ZSCORE)

    assert low < 0 < high < 5.0


@pytest.mark.parametrize("values", [[], [NAN, NAN], [3.0, 3.0, 3.0]], ids=["none", "missing", "constant"])
@pytest.mark.parametrize("rule", list(OutlierRule))
def test_series_without_spread_has_no_limits(values: list[float], rule: OutlierRule) -> None:
    assert outlier_limits(np.array(values), rule) == (-np.inf, np.inf)


def test_missing_values_do_not_count() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    with_gaps = np.array([1.0, NAN, 2.0, 3.0, NAN, 4.0, 5.0])

    for rule in (OutlierRule.IQR, OutlierRule.ROBUST_ZSCORE):
        assert outlier_limits(values, rule) == outlier_limits(with_gaps, rule)
