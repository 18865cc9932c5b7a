import numpy as np
import pytest

from sereno.detect.pca import Components, fit_components

RNG = np.random.default_rng(2)


def _correlated(rows: int = 500) -> np.ndarray:
    common = RNG.normal(size=(rows, 1))
    return np.hstack([common, common, RNG.normal(size=(rows, 1))]) + 0.05 * RNG.normal(size=(rows, 3))


def test_row_that_breaks_the_relation_lies_far_off() -> None:
    components = fit_components(_correlated())

    _, off, residual = components.measure(np.array([[2.0, 2.0, 0.0], [2.0, -2.0, 0.0]]))

    assert off[1] > 10 * off[0]
    assert np.abs(residual[1]).argmax() in {0, 1}


def test_row_that_keeps_the_relation_lies_far_along() -> None:
    along, off, _ = fit_components(_correlated()).measure(np.array([[8.0, 8.0, 0.0]]))

    assert along[0] > 5
    assert off[0] < 1


def test_components_are_orthonormal_and_leave_one_direction() -> None:
    components = fit_components(RNG.normal(size=(300, 5)))

    assert len(components.axes) < 5
    assert np.allclose(components.axes @ components.axes.T, np.eye(len(components.axes)), atol=1e-9)


def test_components_agree_when_rows_are_shuffled() -> None:
    rows = _correlated()

    first, second = fit_components(rows), fit_components(rows[::-1].copy())

    assert np.allclose(first.axes, second.axes, atol=1e-6)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((30, 3)),
        np.zeros((1, 3)),
        RNG.normal(size=(30, 1)),
        np.repeat(RNG.normal(size=(30, 1)), 3, axis=1),
    ],
    ids=["constant", "one row", "one signal", "all alike"],
)
def test_components_stay_finite_when_rows_say_little(rows: np.ndarray) -> None:
    with np.errstate(all="raise", under="ignore"):
        measured = fit_components(rows).measure(rows)

    assert all(np.isfinite(part).all() for part in measured)


def test_components_return_from_their_arrays() -> None:
    components = fit_components(_correlated())
    row = RNG.normal(size=(4, 3))

    again = Components.from_arrays(components.to_arrays())

    assert all(np.array_equal(a, b) for a, b in zip(again.measure(row), components.measure(row), strict=True))


@pytest.mark.parametrize("n_signals", [1, 2, 8])
def test_many_rows_are_measured_as_few_are(n_signals: int) -> None:
    rows = np.random.default_rng(3).normal(size=(10_000, n_signals)) @ np.diag(np.arange(1.0, n_signals + 1))
    components = fit_components(rows)

    many = components.measure(rows)

    few = [components.measure(rows[i : i + 100]) for i in range(0, len(rows), 100)]
    assert all(
        np.concatenate(one).tobytes() == whole.tobytes()
        for one, whole in zip(zip(*few, strict=True), many, strict=True)
    )
