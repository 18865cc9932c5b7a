"""Registers become differences; what happened to them has a name, a start and an end."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from sereno.detect.episodes import find_detections
from sereno.domain.judgement import Detection, Memory
from sereno.domain.readings import FloatArray, Quality, Window
from sereno.domain.time import from_numpy
from sereno.prepare.checks import check_window
from tests.support.builders import DAY, HOUR, NAN, PROFILES, a_window

ROWS = 400
QUARTER = timedelta(minutes=15)


def used(rows: int = ROWS, *, seed: int = 0) -> FloatArray:
    """What a household draws: something by day, nothing by night, shape (rows,)."""
    hour = np.arange(rows) % 24
    amount = np.random.default_rng(seed).gamma(2.0, 0.4, rows)
    return np.round(np.where(hour > 6, amount, 0.0), 3)


def a_register(amounts: FloatArray, *, first: float = 500.0, digits: int = 5) -> FloatArray:
    """The register after each amount, with so many digits before the comma."""
    return np.round((first + np.cumsum(amounts)) % 10.0**digits, 3)


def registers(readings: FloatArray, *, step: timedelta = HOUR) -> Window:
    return a_window(readings, signals=("energy_register",), profile="load", step=step)


def found_in(window: Window, cuts: Sequence[int] = ()) -> tuple[list[Detection], FloatArray]:
    """Detections, the last form of each, and the judged amounts, with the window cut into batches."""
    memory, found, amounts = Memory(), {}, []
    edges = [0, *cuts, len(window)]
    for start, stop in pairwise(edges):
        checked = check_window(window.rows(start, stop), PROFILES["load"], memory)
        arrays = dict(checked.memory.arrays)
        for one in checked.evidence:
            told, state = find_detections(one, checked.window, PROFILES["load"], memory)
            found |= {(d.check, d.started_at): d for d in told}
            arrays |= state.arrays
        memory = Memory(arrays)
        amounts.append(checked.clean.values[:, 0])
    return sorted(found.values(), key=lambda d: (d.started_at, d.check)), np.concatenate(amounts)


def causes(found: Sequence[Detection]) -> list[str]:
    return [one.cause for one in found]


@pytest.mark.parametrize("step", [QUARTER, HOUR, DAY], ids=["15min", "hour", "day"])
def test_differences_are_the_amounts_when_register_is_sound(step: timedelta) -> None:
    amounts = used()

    found, judged = found_in(registers(a_register(amounts), step=step))

    assert found == []
    assert np.isnan(judged[0])
    np.testing.assert_allclose(judged[1:], amounts[1:], atol=1e-6)


@pytest.mark.parametrize("digits", [4, 5, 6])
def test_rollover_is_named_and_its_difference_is_right(digits: int) -> None:
    amounts = used()
    readings = a_register(amounts, first=10.0**digits - amounts[:200].sum(), digits=digits)

    found, judged = found_in(registers(readings))

    assert causes(found) == ["quality.register_rollover"]
    np.testing.assert_allclose(judged[1:], amounts[1:], atol=1e-6)


def test_every_reset_is_named_and_only_its_step_is_unknown() -> None:
    amounts = used()
    readings = a_register(amounts)
    readings[150:] -= readings[150]
    readings[310:] += 70_000.0 - readings[310]

    window = registers(readings)
    found, judged = found_in(window)

    assert causes(found) == ["quality.register_reset"] * 2
    assert [one.started_at for one in found] == [from_numpy(window.time[row]) for row in (150, 310)]
    assert np.flatnonzero(np.isnan(judged)).tolist() == [0, 150, 310]


def test_step_back_gives_no_negative_and_no_lost_amount() -> None:
    amounts = used()
    readings = a_register(amounts)
    readings[[100, 204]] = readings[[99, 203]] - 0.01

    found, judged = found_in(registers(readings))

    assert causes(found) == ["quality.step"] * 2
    assert np.nanmin(judged) >= 0
    assert np.nansum(judged) == pytest.approx(amounts[1:].sum(), abs=1e-6)


def test_stuck_register_and_its_catch_up_are_two_causes_of_one_stretch() -> None:
    readings = a_register(used())
    readings[200:240] = readings[199]

    window = registers(readings)
    found, judged = found_in(window)

    assert set(causes(found)) == {"quality.frozen", "quality.catch_up"}
    assert {one.started_at for one in found} == {from_numpy(window.time[199])}
    assert np.isnan(judged[240])


def test_dead_register_is_told_while_it_stands_still() -> None:
    readings = a_register(used())
    readings[250:] = readings[249]

    found, _ = found_in(registers(readings))

    assert causes(found) == ["quality.frozen"]
    assert found[0].ended_at is None


def test_holidays_of_a_client_are_no_fault_when_nothing_is_caught_up() -> None:
    amounts = used()
    amounts[200:250] = 0.0

    found, _ = found_in(registers(a_register(amounts)))

    assert found == []


def test_difference_across_a_gap_is_no_amount_of_one_step() -> None:
    amounts = used()
    readings = a_register(amounts)
    readings[130:132] = NAN

    window = registers(readings)
    found, judged = found_in(window)
    flags = check_window(window, PROFILES["load"], Memory()).flags

    assert found == []
    assert np.isnan(judged[130:133]).all()
    assert flags[132, 0] & Quality.CATCH_UP
    np.testing.assert_allclose(judged[133:], amounts[133:], atol=1e-6)


def test_value_of_the_signal_itself_stays_and_its_register_fills_the_gaps() -> None:
    amounts = used()
    own = amounts + 1.0
    own[50] = NAN
    both = np.stack([own, a_register(amounts)], axis=1)

    window = a_window(both, signals=("energy", "energy_register"), profile="load")
    checked = check_window(window, PROFILES["load"], Memory())

    assert checked.window.signals == ("energy",)
    np.testing.assert_allclose(checked.window.values[51:, 0], own[51:])
    assert checked.window.values[50, 0] == pytest.approx(amounts[50])


def test_streamed_equals_batch_however_it_is_cut() -> None:
    amounts = used(700)
    readings = a_register(amounts, first=99_950.0)
    readings[150:] = np.round((readings[150:] - readings[150]) % 1e5, 3)
    readings[244] -= 0.02
    readings[400:440] = readings[399]
    readings[500:510] = NAN
    window = registers(readings)

    whole, judged = found_in(window)
    rng = np.random.default_rng(3)
    by_row, of_rows = found_in(window, range(1, len(window)))
    at_random, of_cuts = found_in(window, sorted(rng.choice(np.arange(1, 700), 9, replace=False).tolist()))

    assert {"quality.register_rollover", "quality.register_reset", "quality.step", "quality.frozen"} <= set(
        causes(whole)
    )
    assert str(by_row) == str(whole) == str(at_random)
    np.testing.assert_array_equal(of_rows, judged)
    np.testing.assert_array_equal(of_cuts, judged)
