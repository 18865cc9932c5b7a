import numpy as np
import pytest

from sereno.detect.tail import ParetoTail, fit_tail

N = 200_000


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.25])
def test_fit_finds_the_tail_that_excesses_come_from(shape: float) -> None:
    known = ParetoTail(shape, 1.5)
    uniform = np.random.default_rng(0).uniform(size=N)
    excesses = np.array([known.excess(p) for p in uniform.tolist()])

    found = fit_tail(excesses)

    assert found.shape == pytest.approx(shape, abs=0.02)
    assert found.scale == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 1e-9, 0.4])
def test_excess_is_exceeded_with_its_probability(shape: float) -> None:
    tail = ParetoTail(shape, 2.0)

    excess = tail.excess(0.01)

    survival = (1 + shape * excess / 2.0) ** (-1 / shape) if abs(shape) > 1e-6 else np.exp(-excess / 2.0)
    assert survival == pytest.approx(0.01)
    assert tail.excess(1.0) == 0.0


def test_heaviest_tail_is_bounded_and_keeps_the_mean() -> None:
    excesses = np.random.default_rng(0).pareto(1.1, size=1_000)

    found = fit_tail(excesses)

    assert found.shape == 0.5
    assert found.scale == pytest.approx(excesses.mean() * 0.5)


def test_equal_excesses_have_a_tail_all_the_same() -> None:
    found = fit_tail(np.full(40, 0.3))

    assert 0.3 <= found.excess(1e-3) < 3.0
