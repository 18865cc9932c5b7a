import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.arrays import median, quantile

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60).map(np.array)


@given(values=VALUES, share=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 0.95, 0.98, 1.0]))
def test_quantile_is_that_of_numpy_to_the_last_bit(values: np.ndarray, share: float) -> None:
    assert quantile(values, share) == float(np.quantile(values, share))


@given(values=VALUES)
def test_median_is_that_of_numpy_to_the_last_bit(values: np.ndarray) -> None:
    assert median(values) == float(np.median(values))
