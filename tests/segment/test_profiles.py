"""Profiles of assets: each statistic by hand, weekends by the site's clock."""

import numpy as np
import pytest

from sereno.segment.profiles import Feature, profile_of, split_feature
from tests.support.builders import DAY, HOUR, MADRID, steps

VALUES = np.array([2.0, 4.0, np.nan, 9.0])


@pytest.mark.parametrize(
    ("statistic", "wanted"),
    [
        ("mean", 5.0),
        ("std", 2.943920288775949),  # sqrt((9 + 1 + 16) / 3)
        ("median", 4.0),
        ("sum", 15.0),
        ("min", 2.0),
        ("max", 9.0),
        ("range", 7.0),
        ("cv", 2.943920288775949 / 5),
    ],
)
def test_statistic_leaves_out_what_is_not_known(statistic: str, wanted: float) -> None:
    feature = Feature("f", "volume", statistic)

    found = profile_of([feature], {"volume": VALUES}, steps(4), "UTC")

    assert found[0] == pytest.approx(wanted, rel=1e-12)


def test_weekend_is_that_of_the_sites_clock() -> None:
    time = steps(14 * 24, step=HOUR, start="2024-01-01T00", zone=MADRID)  # a Monday
    is_weekend = np.repeat(np.arange(14) % 7 >= 5, 24)
    volume = np.where(is_weekend, 3.0, 12.0)

    found = profile_of([Feature("f", "volume", "weekend_ratio")], {"volume": volume}, time, MADRID)

    assert found[0] == pytest.approx(0.25)


@pytest.mark.parametrize(
    "values",
    [np.full(7, np.nan), np.array([0.0] * 5 + [1.0, 1.0])],
    ids=["no reading", "nothing on working days"],
)
def test_ratio_without_a_working_day_is_unknown(values: np.ndarray) -> None:
    time = steps(7, step=DAY)

    found = profile_of([Feature("f", "volume", "weekend_ratio")], {"volume": values}, time, "UTC")

    assert np.isnan(found[0])


def test_unknown_series_is_an_unknown_figure() -> None:
    found = profile_of([Feature("f", "flow", "mean")], {"volume": VALUES}, steps(4), "UTC")

    assert np.isnan(found).tolist() == [True]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Volumen_mean", ("Volumen", "mean")),
        ("cantidad_gas_calculada_mean", ("cantidad_gas_calculada", "mean")),
        ("volume_weekend_ratio", ("volume", "weekend_ratio")),
        ("volume", None),
        ("_mean", None),
        ("volume_kurtosis", None),
    ],
)
def test_name_of_a_feature_is_taken_apart(name: str, wanted: tuple[str, str] | None) -> None:
    assert split_feature(name) == wanted
