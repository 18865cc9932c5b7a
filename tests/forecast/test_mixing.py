"""Weights of members follow the errors that they make, day by day, per meter and part of the horizon."""

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.forecast.features import Single
from sereno.forecast.mixing import begun, effective, follow, mixed, section_of, typical_sizes, weigh

HOURLY, N_PARTS, N_DAYS, N_ORIGINS = 24, 9, 28, 6
MEMBERS = ("first", "second", "third")
BELIEVED = {"first": 0.6, "second": 0.3, "third": 0.1}


def errors(*sizes: float, seed: int = 0, n_days: int = N_DAYS) -> list[Single]:
    """Independent errors of members with these mean sizes: two meters, days, origins, 24 hours."""
    rng = np.random.default_rng(seed)
    shape = 2, n_days, N_ORIGINS, HOURLY
    return [size * rng.normal(size=shape).astype(np.float32) for size in sizes]


def first_weights(n_meters: int = 2) -> FloatArray:
    return begun(MEMBERS, BELIEVED, n_meters)


def flat(made: list[Single]) -> list[Single]:
    """The same by origin."""
    return [one.reshape(len(one), -1, HOURLY) for one in made]


def in_error(weights: FloatArray, made: list[Single]) -> float:
    """Mean absolute error of the mixture."""
    return float(np.abs(mixed(flat(made), effective(weights), HOURLY)).mean())


def test_weights_begin_with_what_is_believed_and_a_member_nobody_knows_hardly_counts() -> None:
    weights = begun(("first", "stranger"), BELIEVED, n_meters=3)

    assert weights.shape == (3, N_PARTS, 2)
    np.testing.assert_allclose(weights.sum(axis=2), 1.0)
    np.testing.assert_allclose(weights[0, 0], np.array([0.6, 0.01]) / 0.61)


def test_members_that_make_the_same_errors_keep_their_weights() -> None:
    one = errors(1.0)[0]

    weights = follow(first_weights(), [one, one, one], HOURLY)

    np.testing.assert_allclose(weights, first_weights(), rtol=1e-6)


def test_member_that_is_right_gets_nearly_all_of_the_weight() -> None:
    weights = effective(follow(first_weights(), errors(1.0, 1.0, 0.0), HOURLY))

    assert (weights[..., 2] > 0.9).all()


def test_member_that_is_right_has_all_of_it_where_the_last_weeks_are_asked() -> None:
    made = errors(1.0, 0.0, 1.0)

    weights = weigh(flat(made), HOURLY, follow(first_weights(), made, HOURLY))

    np.testing.assert_array_equal(weights[..., 1], 1.0)
    np.testing.assert_array_equal(weights[..., [0, 2]], 0.0)


def test_members_that_make_the_same_errors_have_their_usual_weights() -> None:
    one = errors(1.0)[0]

    weights = weigh(flat([one, one, one]), HOURLY, first_weights())

    np.testing.assert_allclose(weights, first_weights())


def test_error_of_a_drawn_mixture_is_as_good_in_each_part_and_its_weights_sum_to_one() -> None:
    made, usual = flat(errors(1.0, 1.1, 2.0, seed=1)), first_weights()
    parts = section_of(np.arange(HOURLY), HOURLY)

    own, drawn = weigh(made, HOURLY), weigh(made, HOURLY, usual)

    np.testing.assert_allclose(drawn.sum(axis=2), 1.0)
    best, said = (np.abs(mixed(made, weights, HOURLY)) for weights in (own, drawn))
    for part in np.unique(parts):
        assert (said[:, :, parts == part].mean() / best[:, :, parts == part].mean()) <= 1.02 + 1e-6
    assert (np.abs(drawn - usual).sum() / np.abs(own - usual).sum()) < 1.0


def test_without_usual_weights_nothing_is_drawn() -> None:
    weights = weigh(flat(errors(1.0, 0.9, seed=2)), HOURLY)

    assert set(np.unique(weights)) <= {0.0, 0.25, 0.5, 0.75, 1.0}


def test_weights_that_followed_make_less_error_on_days_they_did_not_see() -> None:
    made, later = errors(2.0, 1.0, 1.0, seed=1), errors(2.0, 1.0, 1.0, seed=2)

    weights = follow(first_weights(), made, HOURLY)

    np.testing.assert_allclose(weights.sum(axis=2), 1.0)
    assert in_error(weights, later) < 0.8 * in_error(first_weights(), later)


def test_member_that_lost_its_weight_comes_back() -> None:
    lost = first_weights()
    for seed in range(3):
        lost = follow(lost, errors(20.0, 1.0, 1.0, seed=seed), HOURLY)
    assert (effective(lost)[..., 0] < 0.05).all()

    back = lost
    for seed in range(3):
        back = follow(back, errors(0.0, 1.0, 1.0, seed=seed), HOURLY)

    assert (effective(back)[..., 0] > 0.5).all()


def test_days_one_by_one_are_as_days_together_but_for_what_an_error_typically_is() -> None:
    made = errors(1.5, 1.0, 2.0, seed=5)
    sizes = np.full((2, N_PARTS), 1.0)

    together = follow(first_weights(), made, HOURLY)
    weights = first_weights()
    for day in range(N_DAYS):
        weights = follow(weights, [one[:, day : day + 1] for one in made], HOURLY, sizes)

    np.testing.assert_allclose(weights, together, atol=0.15)


def test_nothing_is_learnt_from_errors_that_are_not_known() -> None:
    unknown = [np.full_like(one, np.nan) for one in errors(1.0, 1.0, 1.0)]

    weights = follow(first_weights(), unknown, HOURLY, np.full((2, N_PARTS), 1.0))

    np.testing.assert_allclose(weights, first_weights(), rtol=1e-12)


def test_member_that_says_nothing_neither_gains_nor_loses_by_it() -> None:
    made = errors(1.0, 1.0, 1.0, seed=6)
    made[2][:] = np.nan

    weights = follow(first_weights(), made, HOURLY)

    np.testing.assert_allclose(weights[:, :, 2], 0.1, atol=0.025)


def test_days_without_any_error_known_at_first_do_not_matter() -> None:
    made = errors(2.0, 1.0, 1.0, seed=8)
    late = [np.concatenate([np.full_like(one[:, :4], np.nan), one], axis=1) for one in made]

    np.testing.assert_allclose(
        follow(first_weights(), late, HOURLY), follow(first_weights(), made, HOURLY), rtol=1e-6
    )


def test_one_wild_day_does_not_decide() -> None:
    made = errors(1.0, 1.1, 1.1, seed=7)
    wild = [one.copy() for one in made]
    wild[0][:, 10] *= 1e6

    weights = effective(follow(first_weights(), wild, HOURLY))

    assert (weights[:, 1:, 0] > 0.05).all()


def test_typical_sizes_are_mean_errors_of_the_parts_and_unknown_where_nothing_is_known() -> None:
    (one,) = errors(1.0)
    one[1] = np.nan
    part = section_of(np.arange(HOURLY), HOURLY)

    sizes = typical_sizes(one, HOURLY)

    assert sizes[0, part[-1]] == np.abs(one[0][..., part == part[-1]]).mean(dtype=float)
    assert np.isnan(sizes[1]).all()
    assert np.isnan(sizes[0, np.setdiff1d(np.arange(N_PARTS), part)]).all()
