"""A signal that stops while the others go on."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.episodes import find_detections
from sereno.domain.judgement import Detection, Memory
from sereno.domain.readings import FloatArray, Quality, Window
from sereno.prepare.checks import check_window
from tests.support.builders import DAY, HOUR, LINE, NAN, a_window, with_cells


def judged(window: Window, cuts: list[int] | None = None) -> tuple[list[Detection], Memory]:
    """What is said to be missing in the end, in time order."""
    memory, found = Memory(), {}
    for start, stop in itertools.pairwise([0, *(cuts or []), len(window)]):
        checked = check_window(window.rows(start, stop), LINE, memory)
        arrays = dict(checked.memory.arrays)
        for one in checked.evidence:
            if one.check == "quality.missing":
                told, state = find_detections(one, checked.window, LINE, memory)
                found |= {each.started_at: each for each in told}
                arrays |= state.arrays
        memory = Memory(arrays)
    return list(found.values()), memory


def with_gaps(*gaps: slice, rows: int = 300) -> Window:
    window = a_window(rows=rows)
    for gap in gaps:
        window = with_cells(window, gap, "heat", NAN)
    return window


def rows_of(detection: Detection) -> tuple[int, int | None]:
    first = (detection.started_at - START) // HOUR
    return first, None if detection.ended_at is None else (detection.ended_at - START) // HOUR


START = judged(a_window(rows=40, gap_at=slice(0, 9)))[0][0].started_at


def test_signal_that_stops_alone_is_told_from_its_first_missing_row_on() -> None:
    (found,), _ = judged(with_gaps(slice(60, None)))

    assert rows_of(found) == (60, None)
    assert found.signals == ("heat",)
    assert found.expected == a_window(rows=300).values[59, 1]


def test_it_is_over_when_the_signal_is_back() -> None:
    (found,), _ = judged(with_gaps(slice(60, 80)))

    assert rows_of(found) == (60, 80)


@pytest.mark.parametrize(
    ("step", "rows", "is_told"),
    [(HOUR, 2, False), (HOUR, 3, True), (DAY, 2, False), (DAY, 3, True)],
    ids=["2 hours", "3 hours", "2 days", "3 days"],
)
def test_it_is_told_after_three_rows(step: object, rows: int, is_told: bool) -> None:
    window = a_window(rows=100, step=step)  # type: ignore[arg-type]

    found, _ = judged(with_cells(window, slice(60, 60 + rows), "heat", NAN))

    assert bool(found) is is_told


def test_absence_that_is_no_longer_than_an_earlier_one_is_natural() -> None:
    gaps = (slice(200, 206), slice(400, 406), slice(600, 606), slice(800, 809))

    found, _ = judged(with_gaps(*gaps, rows=1000))

    assert [rows_of(one) for one in found] == [(200, 206), (800, 809)]


def test_long_fault_does_not_make_the_next_one_natural() -> None:
    found, _ = judged(with_gaps(slice(60, 120), slice(200, 220)))

    assert [rows_of(one) for one in found] == [(60, 120), (200, 220)]


@pytest.mark.parametrize("every", [2, 4, 12], ids=lambda every: f"every {every}th row")
def test_signal_that_never_came_with_nearly_every_row_is_not_missed(every: int) -> None:
    window = a_window(rows=300)
    values = window.values.copy()
    values[np.arange(300) % every != 0, 1] = NAN
    values[200:, 1] = NAN

    assert judged(with_cells(window, slice(None), "heat", values[:, 1]))[0] == []


def test_signal_that_begins_later_is_missed_once_it_is_known() -> None:
    found, _ = judged(with_gaps(slice(0, 150), slice(220, None)))

    assert [rows_of(one) for one in found] == [(220, None)]


def test_rows_that_never_came_neither_lengthen_nor_end_an_absence() -> None:
    window = with_cells(with_gaps(slice(60, 80)), slice(61, 70), slice(None), NAN)

    (found,), _ = judged(window)

    assert rows_of(found) == (60, 80)
    assert set(found.signals) == {"heat", "made", "draw"}


def test_what_its_source_marks_as_bad_has_not_stopped() -> None:
    window = with_gaps(slice(60, 90))
    window.quality[60:90, 1] |= int(Quality.BAD)

    assert judged(window)[0] == []


def _columns() -> Iterator[FloatArray]:
    rng = np.random.default_rng(4)
    for share in (0.0, 0.01, 0.04, 0.3):
        yield np.where(rng.random(240) < share, NAN, rng.normal(10, 1, 240))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 239), max_size=12, unique=True).map(sorted),
    st.lists(st.tuples(st.integers(0, 239), st.integers(1, 40), st.integers(0, 3)), max_size=5),
)
def test_any_cutting_of_the_rows_tells_and_remembers_the_same(
    cuts: list[int], gaps: list[tuple[int, int, int]]
) -> None:
    values = np.stack(list(_columns()), axis=1)[:, :3]
    for first, length, signal in gaps:
        values[first : first + length, slice(None) if signal == 3 else signal] = NAN
    window = a_window(values)

    whole, streamed = judged(window), judged(window, cuts)

    assert repr(streamed[0]) == repr(whole[0])
    assert streamed[1].dump() == whole[1].dump()
