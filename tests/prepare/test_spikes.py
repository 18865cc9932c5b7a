import numpy as np
import pytest

from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.prepare.spikes import LONGEST, find_spikes
from tests.support.builders import DAY, LINE, a_window, with_cells


def spiked(window: Window, memory: Memory | None = None, *, vouched: bool = False) -> np.ndarray:
    cells = np.full(window.values.shape, vouched)
    nothing = np.zeros(window.values.shape, dtype=bool)
    return np.argwhere(find_spikes(window, LINE, cells, nothing, memory or Memory()).beyond > 0)


def test_single_value_far_beyond_all_before_is_a_spike() -> None:
    window = with_cells(a_window(rows=24 * 40), 900, "made", 160.0)

    assert spiked(window).tolist() == [[900, 0]]


def test_early_values_of_a_signal_are_not_judged() -> None:
    window = with_cells(a_window(rows=24 * 13), 300, "made", 1_000.0)

    assert not len(spiked(window))


def test_new_level_is_no_spike_after_two_rows() -> None:
    window = a_window(rows=24 * 40)
    for row in range(900, 930):
        window = with_cells(window, row, "made", 160.0 + row / 100)

    assert spiked(window)[:, 0].tolist() == [900, 900 + LONGEST - 1]


def test_value_that_other_meters_confirm_is_no_spike() -> None:
    window = with_cells(a_window(rows=24 * 40), 900, "made", 160.0)

    assert not len(spiked(window, vouched=True))


def test_temperature_is_judged_by_its_jump() -> None:
    window = with_cells(a_window(rows=24 * 40), 900, "heat", 150.0)

    assert spiked(window).tolist() == [[900, 1]]


@pytest.mark.parametrize("cut", [1, 7, 450, 899, 900, 901, 902])
def test_stream_finds_what_a_batch_finds(cut: int) -> None:
    window = a_window(rows=24 * 40)
    for row, value in ((500, 300.0), (900, 160.0), (901, 170.0), (902, 165.0)):
        window = with_cells(window, row, "made", value)
    nothing = np.zeros(window.values.shape, dtype=bool)
    whole = find_spikes(window, LINE, nothing, nothing, Memory())

    first = find_spikes(window.rows(0, cut), LINE, nothing[:cut], nothing[:cut], Memory())
    rest = window.rows(cut, len(window))
    second = find_spikes(rest, LINE, nothing[cut:], nothing[cut:], first.memory)

    assert np.array_equal(np.vstack((first.beyond, second.beyond)), whole.beyond)
    assert np.array_equal(np.vstack((first.usual, second.usual)), whole.usual)
    assert np.array_equal(np.vstack((first.steps, second.steps)), whole.steps)
    assert np.array_equal(np.vstack((first.begun, second.begun)), whole.begun)
    assert np.array_equal(second.memory.arrays["spikes"], whole.memory.arrays["spikes"], equal_nan=True)


def test_infinite_value_teaches_nothing() -> None:
    window = with_cells(with_cells(a_window(rows=24 * 40), 400, "made", np.inf), 900, "made", 160.0)

    assert spiked(window).tolist() == [[900, 0]]


def test_daily_values_are_judged_after_a_month() -> None:
    window = with_cells(a_window(rows=60, step=DAY), 50, "made", 400.0)

    assert spiked(window).tolist() == [[50, 0]]


def test_new_level_is_told_once_and_dated_from_its_first_value() -> None:
    window = a_window(rows=24 * 40)
    for row in range(900, 930):
        window = with_cells(window, row, "heat", 160.0 + row / 100)
    nothing = np.zeros(window.values.shape, dtype=bool)

    spikes = find_spikes(window, LINE, nothing, nothing, Memory())

    assert np.argwhere(spikes.steps).tolist() == [[900 + LONGEST, 1]]
    told = 900 + LONGEST, 1
    assert spikes.begun[told] == window.time[900].astype(np.int64)
    assert spikes.expected[told] == window.values[899, 1]
