"""Weights of members: by their errors, drawn towards what is usual as far as that is as good."""

import numpy as np

from sereno.forecast.features import Single
from sereno.forecast.mixing import mixed, section_of, weigh

HOURLY, N_PARTS = 24, 9
USUAL = np.tile([0.5, 0.3, 0.2], (N_PARTS, 1))


def errors(*sizes: float, seed: int = 0) -> list[Single]:
    """Independent errors of members with these mean sizes, two meters, 28 days of 24 hours."""
    rng = np.random.default_rng(seed)
    return [size * rng.normal(size=(2, 28, HOURLY)).astype(np.float32) for size in sizes]


def test_members_that_make_the_same_errors_have_their_usual_weights() -> None:
    one = errors(1.0)[0]

    weights = weigh([one, one, one], HOURLY, USUAL)

    np.testing.assert_allclose(weights, np.broadcast_to(USUAL, weights.shape))


def test_member_that_is_right_keeps_all_of_the_weight() -> None:
    weights = weigh(errors(1.0, 0.0, 1.0), HOURLY, USUAL)

    np.testing.assert_array_equal(weights[..., 1], 1.0)
    np.testing.assert_array_equal(weights[..., [0, 2]], 0.0)


def test_error_of_a_drawn_mixture_is_as_good_in_each_part_and_its_weights_sum_to_one() -> None:
    made = errors(1.0, 1.1, 2.0, seed=1)
    parts = section_of(np.arange(HOURLY), HOURLY)

    own, drawn = weigh(made, HOURLY), weigh(made, HOURLY, USUAL)

    np.testing.assert_allclose(drawn.sum(axis=2), 1.0)
    best, said = (np.abs(mixed(made, weights, HOURLY)) for weights in (own, drawn))
    for part in np.unique(parts):
        assert (said[:, :, parts == part].mean() / best[:, :, parts == part].mean()) <= 1.02 + 1e-6
    assert (np.abs(drawn - USUAL).sum() / np.abs(own - USUAL).sum()) < 1.0


def test_without_usual_weights_nothing_is_drawn() -> None:
    made = errors(1.0, 0.9, seed=2)

    weights = weigh(made, HOURLY)

    assert set(np.unique(weights)) <= {0.0, 0.25, 0.5, 0.75, 1.0}
