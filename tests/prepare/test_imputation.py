"""Missing values filled by name."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.cleaning import Imputation
from sereno.domain.signals import SignalKind
from sereno.prepare.imputation import impute, interpolate_at
from tests.support.builders import HOUR, NAN, steps

VALUES = [NAN, 1.0, NAN, NAN, 4.0, NAN]


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        (Imputation.NONE, VALUES),
        (Imputation.INTERPOLATION, [NAN, 1.0, 2.0, 3.0, 4.0, NAN]),
        (Imputation.FFILL, [NAN, 1.0, 1.0, 1.0, 4.0, 4.0]),
        (Imputation.BFILL, [1.0, 1.0, 4.0, 4.0, 4.0, NAN]),
        (Imputation.MEAN, [2.5, 1.0, 2.5, 2.5, 4.0, 2.5]),
    ],
)
def test_gap_is_filled_by_the_named_method(method: Imputation, wanted: list[float]) -> None:
    found = impute(steps(6), np.array(VALUES), method)

    np.testing.assert_allclose(found, wanted)


def test_interpolation_goes_by_time_not_by_rows() -> None:
    time = steps(4)[[0, 1, 2]].copy()
    time[2] = steps(5)[4]

    assert impute(time, np.array([0.0, NAN, 8.0]), Imputation.INTERPOLATION).tolist() == [0.0, 2.0, 8.0]


@pytest.mark.parametrize(("hours", "is_filled"), [(2, True), (1, False)])
def test_gap_longer_than_allowed_stays(hours: int, is_filled: bool) -> None:
    values = np.array([1.0, NAN, NAN, 4.0])

    found = impute(steps(4), values, Imputation.INTERPOLATION, max_gap=hours * HOUR)

    assert not np.isnan(found).any() if is_filled else np.isnan(found).sum() == 2


def test_mean_is_that_of_the_rows_to_learn_from() -> None:
    values = np.array([1.0, 3.0, NAN, 100.0])

    assert impute(steps(4), values, Imputation.MEAN, learn_rows=2)[2] == 2.0


def test_register_has_no_mean() -> None:
    values = np.array([100.0, NAN, 102.0])

    found = impute(steps(3), values, Imputation.MEAN, kind=SignalKind.CUMULATIVE)

    assert np.isnan(found[1])


def test_series_without_values_stays_empty() -> None:
    assert np.isnan(impute(steps(3), np.full(3, NAN), Imputation.FFILL)).all()


def test_line_does_not_use_the_values_that_it_replaces() -> None:
    found = interpolate_at(steps(4), np.array([0.0, 99.0, 99.0, 3.0]), np.array([False, True, True, False]))

    assert found.tolist() == [0.0, 1.0, 2.0, 3.0]


@given(
    st.lists(st.one_of(st.just(NAN), st.floats(-1e6, 1e6)), min_size=1, max_size=40),
    st.sampled_from(list(Imputation)),
    st.integers(1, 50),
)
def test_known_values_never_change_and_the_input_is_untouched(
    values: list[float], method: Imputation, hours: int
) -> None:
    given_values = np.array(values)
    before = given_values.copy()

    found = impute(steps(len(values)), given_values, method, max_gap=timedelta(hours=hours))

    np.testing.assert_array_equal(given_values, before)
    known = ~np.isnan(before)
    np.testing.assert_array_equal(found[known], before[known])
