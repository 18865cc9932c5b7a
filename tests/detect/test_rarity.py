import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.rarity import N_BINS, Rarity

SIZES = st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=60)


def _after(sizes: list[float]) -> Rarity:
    rarity = Rarity(Rarity.blank())
    for size in sizes:
        rarity.learn(size)
    return rarity


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.001])
def test_size_is_as_rare_as_its_share_of_the_rows(share: float) -> None:
    sizes = np.random.default_rng(1).pareto(2.0, size=10_000) + 1.0

    rarity = _after(sizes.tolist())

    assert rarity.decades(float(np.quantile(sizes, 1 - share))) == pytest.approx(-np.log10(share), abs=0.15)


def test_size_beyond_all_gains_a_decade_per_octave() -> None:
    rarity = _after([1.0] * 99)

    assert rarity.decades(64.0) - rarity.decades(32.0) == pytest.approx(1.0)
    assert rarity.decades(32.0) > np.log10(99)


@given(sizes=SIZES, pair=st.tuples(st.floats(1e-9, 1e12), st.floats(1e-9, 1e12)))
def test_larger_size_is_never_less_rare(sizes: list[float], pair: tuple[float, float]) -> None:
    rarity = _after(sizes)
    small, large = sorted(pair)

    assert 0 <= rarity.decades(small) <= rarity.decades(large) + 1e-12


@settings(max_examples=50)
@given(sizes=SIZES, cuts=st.lists(st.integers(0, 60), max_size=4))
def test_cut_stream_counts_the_same(sizes: list[float], cuts: list[int]) -> None:
    state = Rarity.blank()
    for start, stop in itertools.pairwise([0, *sorted(cuts), 60]):
        part = Rarity(state)
        for size in sizes[start:stop]:
            part.learn(size)
        state = part.to_array()

    assert state.tobytes() == _after(sizes).to_array().tobytes()


def test_counts_fade_and_stay_bounded() -> None:
    rarity = _after([1000.0] + [1.0] * 40_000)

    assert rarity.n_rows < 20_000
    assert rarity.decades(1000.0) > np.log10(rarity.n_rows + 1)
    assert len(rarity.to_array()) == 1 + N_BINS
    assert rarity.to_array()[-1] > 0
