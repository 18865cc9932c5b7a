from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.domain.calendar import local_time
from sereno.domain.readings import Quality, TimeArray, Window
from sereno.prepare.grid import build_window, infer_step
from tests.support.builders import DAY, HOUR, MADRID, PLANT, steps

CLOCK_CHANGES = [
    pytest.param("Europe/Madrid", "2024-03-25", 23, id="Madrid spring"),
    pytest.param("Europe/Madrid", "2024-10-20", 25, id="Madrid autumn"),
    pytest.param("America/Santiago", "2024-09-03", 23, id="Santiago spring"),
    pytest.param("America/Santiago", "2024-04-01", 25, id="Santiago autumn"),
]


def _build(time: TimeArray, step: timedelta | None, **options: object) -> Window:
    values = np.arange(len(time), dtype=float)[:, None] + 1
    quality = np.zeros((len(time), 1), dtype=np.int32)
    return build_window(PLANT, "line", ("made",), (time, values, quality), step, **options)  # type: ignore[arg-type]


def test_rows_on_the_grid_stay_as_they_are() -> None:
    time = steps(10)

    window = _build(time, HOUR)

    assert np.array_equal(window.time, time)
    assert window.values[:, 0].tolist() == list(range(1, 11))


def test_gap_becomes_rows_without_values() -> None:
    window = _build(np.delete(steps(10), [4, 5]), HOUR)

    assert np.array_equal(window.time, steps(10))
    assert np.flatnonzero(np.isnan(window.values[:, 0])).tolist() == [4, 5]
    assert (window.quality[4:6] == int(Quality.MISSING)).all()
    assert window.values[[3, 6], 0].tolist() == [4.0, 5.0]


@pytest.mark.parametrize(("zone", "start", "hours"), CLOCK_CHANGES)
def test_day_of_a_clock_change_is_one_row(zone: str, start: str, hours: int) -> None:
    time = steps(14, start=start, step=DAY, zone=zone)
    lengths = np.diff(time) // np.timedelta64(1, "h")

    window = _build(np.delete(time, [2, 9]), DAY, zone=zone)

    assert sorted(lengths.tolist()).count(hours) == 1
    assert np.array_equal(window.time, time)
    assert np.flatnonzero(np.isnan(window.values[:, 0])).tolist() == [2, 9]


@pytest.mark.parametrize(("zone", "start", "hours"), CLOCK_CHANGES)
def test_hours_of_a_clock_change_are_all_there(zone: str, start: str, hours: int) -> None:
    time = steps(24 * 10, start=start, zone=zone)

    window = _build(np.delete(time, [100]), HOUR, zone=zone)

    days = local_time(window.time, zone).astype("datetime64[D]")
    assert np.array_equal(window.time, time)
    assert hours in np.unique(days, return_counts=True)[1]


@pytest.mark.parametrize("zone", ["Europe/Madrid", "America/Santiago"])
@settings(max_examples=30, deadline=None)
@given(gone=st.sets(st.integers(1, 398), max_size=120))
def test_daily_grid_of_a_year_neither_loses_nor_doubles_a_day(zone: str, gone: set[int]) -> None:
    time = steps(400, start="2023-12-01", step=DAY, zone=zone)

    window = _build(np.delete(time, sorted(gone)), DAY, zone=zone)

    assert np.array_equal(window.time, time)
    assert set(np.flatnonzero(np.isnan(window.values[:, 0])).tolist()) == gone


def test_gap_between_batches_is_a_gap() -> None:
    time = steps(10)

    window = _build(time[7:], HOUR, after=time[3])

    assert np.array_equal(window.time, time[4:])
    assert np.isnan(window.values[:3, 0]).all()


@pytest.mark.parametrize("step", [HOUR, DAY], ids=["hours", "days"])
@settings(max_examples=40, deadline=None)
@given(gone=st.sets(st.integers(1, 58), max_size=40), cut=st.integers(1, 59))
def test_two_batches_make_the_grid_of_one(step: timedelta, gone: set[int], cut: int) -> None:
    time = np.delete(steps(60, start="2024-03-01", step=step, zone=MADRID), sorted(gone))
    whole = _build(time, step, zone=MADRID)
    head = time[time < steps(60, start="2024-03-01", step=step, zone=MADRID)[cut]]

    first = _build(head, step, zone=MADRID)
    second = _build(time[len(head) :], step, zone=MADRID, after=first.time[-1])

    assert np.array_equal(np.concatenate([first.time, second.time]), whole.time)


def test_jitter_stays_on_its_place_and_keeps_its_stamp() -> None:
    time = steps(48) + np.random.default_rng(0).integers(-200, 200, 48).astype("timedelta64[s]")

    window = _build(np.delete(time, 20), HOUR)

    assert len(window) == 48
    assert np.flatnonzero(np.isnan(window.values[:, 0])).tolist() == [20]
    assert np.array_equal(np.delete(window.time, 20), np.delete(time, 20))


def test_last_of_two_rows_on_one_place_stays() -> None:
    time = np.sort(np.append(steps(5), steps(5)[2] + np.timedelta64(60, "s")))

    window = _build(time, HOUR)

    assert len(window) == 5
    assert window.values[:, 0].tolist() == [1.0, 2.0, 4.0, 5.0, 6.0]


def test_source_without_rhythm_stays_as_it_came() -> None:
    time = steps(1) + np.cumsum(np.random.default_rng(1).integers(1, 10**6, 50)).astype("timedelta64[s]")

    window = _build(time, infer_step(time))

    assert window.step is None
    assert np.array_equal(window.time, time)


def test_scattered_stamps_do_not_become_an_endless_grid() -> None:
    time = np.array(["2024-01-01T00:00:00", "2024-01-01T00:00:01", "2024-06-01"], dtype="datetime64[us]")

    assert len(_build(time, timedelta(seconds=1))) == 3


def test_window_of_nothing_is_empty() -> None:
    assert len(_build(steps(0), HOUR)) == 0


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (steps(20), HOUR),
        (steps(40, start="2024-03-10", step=DAY, zone=MADRID), DAY),
        (np.delete(steps(20), [3, 4, 9]), HOUR),
        (np.repeat(steps(10), 2), HOUR),
        (steps(20, step=timedelta(seconds=1)), timedelta(seconds=1)),
        (steps(2), None),
        (steps(0), None),
        (np.repeat(steps(1), 5), None),
    ],
    ids=[
        "hours",
        "days with a clock change",
        "gaps",
        "repeated",
        "seconds",
        "two rows",
        "none",
        "one instant",
    ],
)
def test_rhythm_is_the_most_common_interval(time: TimeArray, expected: timedelta | None) -> None:
    assert infer_step(time) == expected


def test_rhythm_survives_jitter() -> None:
    time = steps(50, step=timedelta(minutes=15)) + np.arange(50).astype("timedelta64[ms]")

    assert infer_step(time) == timedelta(minutes=15)
