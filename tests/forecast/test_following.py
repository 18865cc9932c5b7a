"""Means of the last hours before origins, and products over days, against what they are by definition."""

import numpy as np
import pytest

from sereno.forecast.features import Single
from sereno.forecast.following import Recent, spans
from sereno.forecast.products import products_over_days


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
