import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from sereno.detect.forest import Forest, fit_forest, flatten

RNG = np.random.default_rng(5)
ROWS = RNG.normal(size=(2_000, 4))
STRANGE = np.vstack([ROWS[:50], RNG.uniform(-20, 20, size=(50, 4)), np.zeros((1, 4)), np.full((1, 4), 8.0)])


@pytest.mark.parametrize(
    ("n_rows", "n_features", "n_trees"),
    [(2_000, 4, 100), (40, 1, 10), (257, 7, 30)],
    ids=["usual", "few rows", "wide"],
)
def test_flat_forest_scores_as_scikit_learn_does(n_rows: int, n_features: int, n_trees: int) -> None:
    rows = np.random.default_rng(1).normal(size=(n_rows, n_features)).astype(np.float32)
    fitted = IsolationForest(n_estimators=n_trees, random_state=3).fit(rows)
    asked = np.vstack([rows[:200], rows[:20] * 10]).astype(np.float32)

    scores = flatten(fitted).score(asked)

    assert np.allclose(scores, -fitted.score_samples(asked), rtol=0, atol=1e-6)


def test_one_row_scores_as_in_a_batch() -> None:
    forest = fit_forest(ROWS, seed=0)

    batch = forest.score(STRANGE)
    alone = np.concatenate([forest.score(row[None, :]) for row in STRANGE])

    assert np.array_equal(alone, batch)


def test_batch_longer_than_a_block_scores_as_its_rows() -> None:
    forest = fit_forest(ROWS, seed=0, n_trees=5)
    many = np.tile(STRANGE, (100, 1))

    assert np.array_equal(forest.score(many), np.tile(forest.score(STRANGE), 100))


def test_forest_scores_nothing_when_there_are_no_rows() -> None:
    assert fit_forest(ROWS, seed=0, n_trees=5).score(np.empty((0, 4))).shape == (0,)


def test_forest_finds_the_outlier_strangest() -> None:
    scores = fit_forest(ROWS, seed=0).score(np.vstack([ROWS[:200], np.full((1, 4), 9.0)]))

    assert scores.argmax() == 200


def test_forest_returns_from_its_arrays() -> None:
    forest = fit_forest(ROWS, seed=0, n_trees=20)

    again = Forest.from_arrays(forest.to_arrays())

    assert np.array_equal(again.score(STRANGE), forest.score(STRANGE))


def test_forest_is_the_same_when_the_seed_is() -> None:
    first, second, other = (fit_forest(ROWS, seed=seed, n_trees=10) for seed in (4, 4, 5))

    assert all(np.array_equal(first.to_arrays()[name], part) for name, part in second.to_arrays().items())
    assert not np.array_equal(first.score(STRANGE), other.score(STRANGE))


@pytest.mark.parametrize("n_samples", [4, 256], ids=["shallow", "usual"])
def test_compiled_walk_gives_the_same_bits(n_samples: int) -> None:
    heap = pytest.importorskip("sereno.detect.heap", reason="the extra 'speed' is not installed")
    rng = np.random.default_rng(8)
    forest = fit_forest(ROWS, seed=0, n_trees=20, n_samples=n_samples)
    borders = forest.threshold[np.isfinite(forest.threshold)][:400].reshape(-1, 4)
    asked = np.vstack([rng.normal(size=(3_000, 4)), borders]).astype(np.float32)

    compiled = np.exp2(-heap.walk(asked, *forest._heaps) / forest.normaliser)

    assert compiled.tobytes() == forest._score_block(asked).tobytes()


def test_trees_too_deep_for_heaps_are_walked_all_the_same() -> None:
    rows = np.random.default_rng(2).normal(size=(20_000, 3)).astype(np.float32)
    fitted = IsolationForest(n_estimators=3, max_samples=20_000, random_state=0).fit(rows)

    assert np.allclose(flatten(fitted).score(rows), -fitted.score_samples(rows), rtol=0, atol=1e-6)
