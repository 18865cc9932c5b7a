"""Means of the last hours before origins, and products over days, against what they are by definition."""

import numpy as np
import pytest

from sereno.forecast.features import Single
from sereno.forecast.following import Recent, add_following, blank_sums, part_of, spans
from sereno.forecast.products import products_over_days, squares_over_days
from sereno.forecast.rolling import sums_of


def left_over(per_day: int, *, missing: float, n_days: int = 3) -> Single:
    rng = np.random.default_rng(per_day)
    made = rng.uniform(-1, 1, (4, n_days * per_day)).astype(np.float32)
    made[rng.random(made.shape) < missing] = np.nan
    return made


def mean_before(left: Single, origin: int, span: int) -> Single:
    """Of each meter; 0 where nothing is known."""
    last = left[:, max(origin - span, 0) : origin]
    known = ~np.isnan(last)
    found: Single = np.where(known, last, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return found


@pytest.mark.parametrize("missing", [0.0, 0.4], ids=["complete", "gaps"])
@pytest.mark.parametrize("per_day", [1, 12, 24, 32, 96])
def test_means_before_origins_are_those_of_the_steps_before(per_day: int, missing: float) -> None:
    left = left_over(per_day, missing=missing)
    for origins in (np.arange(left.shape[1] + 1), np.array([0, 1, per_day, 2 * per_day + 5 % per_day])):
        wanted = np.array(
            [[mean_before(left, int(origin), span) for span in spans(per_day)] for origin in origins]
        )

        means = Recent.of(left, per_day, origins).means

        np.testing.assert_allclose(means, wanted.transpose(2, 0, 1), atol=2e-6)


@pytest.mark.parametrize("n_days", [1, 2, 30])
def test_products_over_days_are_sums_of_outer_products(n_days: int) -> None:
    rng = np.random.default_rng(n_days)
    one, other = (rng.normal(size=(3, 5, n, n_days)).astype(np.float32) for n in (4, 6))
    out = np.empty((3, 5, 4, 6), dtype=np.float32)

    made = products_over_days(one, other, out=out)

    by_day = sum(one[..., day, None] * other[..., None, :, day] for day in range(n_days))
    np.testing.assert_allclose(made, by_day, rtol=1e-4, atol=1e-4)
    assert made is out


@pytest.mark.parametrize("n_days", [1, 2, 30])
def test_squares_over_days_are_products_of_rows_with_themselves(n_days: int) -> None:
    one = np.random.default_rng(n_days).normal(size=(3, 5, 4, n_days)).astype(np.float32)
    out = np.empty((3, 5, 4, 4), dtype=np.float32)

    made = squares_over_days(one, out=out)

    np.testing.assert_allclose(made, products_over_days(one, one), rtol=1e-4, atol=1e-4)
    assert made is out


@pytest.mark.parametrize("times", [1, 2, 3, 7, 24])
def test_sums_of_steps_are_sums_from_each_step_on(times: int) -> None:
    values = np.arange(60.0).reshape(1, 30, 2) ** 2

    made = sums_of(values, times)

    wanted = [values[:, step : step + times].sum(axis=1) for step in range(30 - times + 1)]
    np.testing.assert_array_equal(made, np.stack(wanted, axis=1))


@pytest.mark.parametrize("missing", [0.0, 0.3], ids=["complete", "gaps"])
@pytest.mark.parametrize("per_day", [1, 24, 32])
def test_hours_that_follow_are_summed_by_part_of_the_day(per_day: int, missing: float) -> None:
    n_days = 7
    series = [left_over(per_day, missing=missing, n_days=n_days) for _ in range(2)]
    gram, cross = blank_sums(4, per_day, 2)
    wanted_gram, wanted_cross = np.zeros_like(gram), np.zeros_like(cross)
    for origin in range(per_day, (n_days - 2) * per_day):
        part = part_of(np.array(origin % per_day), per_day)
        means = np.stack([mean_before(series[0], origin, span) for span in spans(per_day)], axis=1)
        wanted_gram[:, part] += means[:, :, None] * means[:, None]
        later = [
            left[:, origin + ahead * per_day : origin + (ahead + 1) * per_day]
            for ahead, left in enumerate(series)
        ]
        wanted_cross[:, part] += means[:, :, None] * np.nan_to_num(np.concatenate(later, axis=1))[:, None]

    add_following([_by_time_of_day(one, per_day) for one in series], gram, cross)

    np.testing.assert_allclose(gram, wanted_gram, atol=1e-4)
    np.testing.assert_allclose(cross, wanted_cross, atol=1e-4)


def _by_time_of_day(left: Single, per_day: int) -> Single:
    return left.reshape(len(left), -1, per_day).swapaxes(1, 2)
