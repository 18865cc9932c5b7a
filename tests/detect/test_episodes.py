import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.detect.episodes import describe_row, find_detections
from sereno.domain.judgement import Detection, Evidence, IncidentKind, Memory, Severity
from sereno.domain.readings import Window
from tests.support.builders import DAY, HOUR, LINE, MADRID, NAN, a_window, an_evidence

START = datetime(2024, 1, 1, tzinfo=UTC)


def _find(
    exceedance: list[float], *, step: timedelta = HOUR, **changes: object
) -> tuple[list[Detection], Memory]:
    window = a_window(rows=len(exceedance), signals=("made",), step=step)
    return find_detections(an_evidence(exceedance, **changes), window, LINE, Memory())  # type: ignore[arg-type]


def _spans(detections: list[Detection]) -> list[tuple[float, float | None]]:
    def hours(instant: datetime | None) -> float | None:
        return None if instant is None else (instant - START) / HOUR

    return [(hours(d.started_at) or 0.0, hours(d.ended_at)) for d in detections]


def test_detection_ends_half_open_after_its_last_abnormal_row() -> None:
    found, memory = _find([0, 2, 3, 0])

    assert _spans(found) == [(1, 3)]
    assert (found[0].last_at - START) / HOUR == 2
    assert not memory.arrays


def test_detection_waits_for_on_delay_and_is_dated_from_the_first_row() -> None:
    found, _ = _find([0, 2, 0, 2, 2, 2, 0, 0], on_delay=3)

    assert _spans(found) == [(3, 6)]


def test_detection_outlives_normal_rows_shorter_than_off_delay() -> None:
    found, _ = _find([2, 0, 0, 2, 0, 0, 0], off_delay=3)

    assert _spans(found) == [(0, 4)]
    assert found[0].n_rows == 2


def test_hysteresis_keeps_a_detection_above_the_release_level() -> None:
    found, _ = _find([2, 0.8, 0.8, 0.8, 1.5, 0.5], release=0.7)

    assert _spans(found) == [(0, 5)]


def test_gap_holds_an_open_detection() -> None:
    found, _ = _find([2, NAN, NAN, NAN, 2, 0])

    assert _spans(found) == [(0, 5)]
    assert found[0].n_rows == 2


def test_gap_does_not_open_anything() -> None:
    found, _ = _find([0, 2, NAN, 0, 2, NAN, 2, 0], on_delay=2)

    assert _spans(found) == [(4, 7)]


def test_open_detection_survives_the_batch_border() -> None:
    window = a_window(rows=6, signals=("made",))
    evidence = an_evidence([0, 2, 2, 2, 0, 0])

    first, memory = find_detections(_part(evidence, 0, 3), window.rows(0, 3), LINE, Memory())
    second, after = find_detections(_part(evidence, 3, 6), window.rows(3, 6), LINE, memory)

    assert _spans(first) == [(1, None)]
    assert _spans(second) == [(1, 4)]
    assert not after.arrays


def test_open_detection_is_told_again_when_a_quiet_batch_neither_adds_nor_ends() -> None:
    window = a_window(rows=3, signals=("made",))
    _, memory = find_detections(an_evidence([2]), window.rows(0, 1), LINE, Memory())

    found, after = find_detections(an_evidence([NAN, NAN]), window.rows(1, 3), LINE, memory)

    assert _spans(found) == [(0, None)]
    assert after.dump() == memory.dump()


@pytest.mark.parametrize(
    ("step", "hold", "changes"),
    [
        (timedelta(minutes=10), timedelta(days=1), {}),
        (HOUR, timedelta(days=1), {}),
        (HOUR, timedelta(days=7), {"check": "behaviour.drift"}),
        (DAY, timedelta(days=7), {}),
    ],
    ids=["minutes", "hours", "drift", "days"],
)
def test_gap_longer_than_the_hold_parts_what_is_abnormal_before_it_from_what_is_after(
    step: timedelta, hold: timedelta, changes: dict[str, object]
) -> None:
    silent = hold // step - 1

    held, _ = _find([2, 2, *[NAN] * silent, 2, 0], step=step, **changes)
    parted, memory = _find([2, 2, *[NAN] * (silent + 1), 2], step=step, **changes)

    assert len(held) == 1
    assert [(one.started_at, one.ended_at) for one in parted] == [
        (START, START + 2 * step),
        (START + hold + 2 * step, None),
    ]
    assert [one.n_rows for one in parted] == [2, 1]
    assert memory.arrays


def test_gap_longer_than_the_hold_forgets_a_run_that_has_not_opened_anything() -> None:
    found, _ = _find([2, *[NAN] * 24, 2, 0, 2, 2, 0], on_delay=2)

    assert _spans(found) == [(27, 29)]


def test_nights_in_which_a_low_signal_says_nothing_are_no_gap() -> None:
    rows = 72
    window = replace(a_window(rows=rows, signals=("made",)), values=np.zeros((rows, 1)))
    evidence = an_evidence([2, *[0.0] * (rows - 2), 2], expected=12.0)
    dark = np.zeros((rows, 1), dtype=bool)

    found, _ = find_detections(replace(evidence, is_telling=dark), window, LINE, Memory())

    assert _spans(found) == [(0, None)]


def test_state_without_the_last_said_row_is_read() -> None:
    window = a_window(rows=4, signals=("made",))
    evidence = an_evidence([2, 2, 2, 0])
    _, memory = find_detections(_part(evidence, 0, 2), window.rows(0, 2), LINE, Memory())
    ((name, state),) = memory.arrays.items()
    older = Memory({name: np.delete(state, 8)})

    found, _ = find_detections(_part(evidence, 2, 4), window.rows(2, 4), LINE, older)

    assert _spans(found) == [(0, 3)]


@pytest.mark.parametrize(("check", "shown"), [("behaviour.leak", 9.0), ("behaviour", 0.0)])
def test_row_that_shows_most_stands_for_a_day_that_is_judged_as_one(check: str, shown: float) -> None:
    window = a_window([[0.0], [4.0], [9.0], [6.0]], signals=("made",))
    expected = np.maximum(window.values - 5.0, 0.0)
    evidence = replace(an_evidence([2, 2, 2, 2], check=check), expected=expected)

    (found,), _ = find_detections(evidence, window, LINE, Memory())

    assert found.observed == shown
    assert found.expected == max(shown - 5.0, 0.0)


EXCEEDANCE = st.lists(st.sampled_from([0.0, 0.5, 0.8, 1.0, 1.7, 4.0, NAN]), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(
    EXCEEDANCE,
    st.lists(st.integers(0, 40), max_size=5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([HOUR, 9 * HOUR]),
)
def test_streamed_detections_equal_those_of_the_batch(
    exceedance: list[float], cuts: list[int], on_delay: int, off_delay: int, step: timedelta
) -> None:
    window = a_window(rows=len(exceedance), signals=("made", "draw"), step=step)
    evidence = an_evidence(exceedance, 2, on_delay=on_delay, off_delay=off_delay, release=0.7, expected=12.0)
    whole, end = find_detections(evidence, window, LINE, Memory())

    edges = [0, *sorted(min(cut, len(exceedance)) for cut in cuts), len(exceedance)]
    memory, last_form = Memory(), {}
    for start, stop in itertools.pairwise(edges):
        found, memory = find_detections(_part(evidence, start, stop), window.rows(start, stop), LINE, memory)
        last_form |= {d.started_at: d for d in found}

    assert list(last_form.values()) == whole
    assert memory.dump() == end.dump()


@settings(max_examples=100, deadline=None)
@given(EXCEEDANCE)
def test_detections_are_ordered_apart_and_never_nan_in_severity(exceedance: list[float]) -> None:
    found, _ = _find(exceedance, off_delay=2)

    for one, after in itertools.pairwise(found):
        assert one.ended_at is not None
        assert one.ended_at <= after.started_at
    for one in found:
        assert one.severity in set(Severity)
        assert one.score >= one.threshold
        assert one.started_at <= one.peak_at <= one.last_at
        assert one.n_rows >= 1


def test_frozen_run_is_dated_from_its_start() -> None:
    window = a_window(rows=5, signals=("heat",))
    since = np.full(5, window.time[1])
    evidence = an_evidence([0, 0, 0, 1.5, 0], since=since, kind=IncidentKind.DATA)

    found, _ = find_detections(evidence, window, LINE, Memory())

    assert _spans(found) == [(1, 4)]


def test_impact_sums_what_was_missing_over_the_abnormal_rows() -> None:
    window = a_window([10, 4, 5, 10], signals=("made",))

    found, _ = find_detections(an_evidence([0, 2, 2, 0], expected=10.0), window, LINE, Memory())

    assert (found[0].impact, found[0].impact_unit) == (pytest.approx(-11.0), "kWh")
    assert (found[0].observed, found[0].expected, found[0].cause) == (4.0, 10.0, "behaviour.low")


def test_impact_of_power_is_energy() -> None:
    window = a_window([12, 14, 10], signals=("draw",), step=timedelta(minutes=30))

    found, _ = find_detections(an_evidence([2, 2, 0], expected=10.0), window, LINE, Memory())

    assert (found[0].impact, found[0].impact_unit) == (pytest.approx(3.0), "kWh")
    assert found[0].cause == "behaviour.high"


def test_impact_of_a_temperature_has_no_meaning() -> None:
    window = a_window([12, 14, 10], signals=("heat",))

    found, _ = find_detections(an_evidence([2, 2, 0], expected=10.0), window, LINE, Memory())

    assert np.isnan(found[0].impact)
    assert found[0].impact_unit == ""


def test_most_guilty_signal_leads_and_crumbs_are_not_named() -> None:
    window = a_window(rows=1)
    evidence = replace(an_evidence([3], 3), contributions=np.array([[0.28, 0.70, 0.02]]))

    found, _ = find_detections(evidence, window, LINE, Memory())

    assert found[0].signals == ("heat", "made")
    assert sum(found[0].contributions.values()) == pytest.approx(0.98)


def test_detection_of_a_day_ends_with_the_calendar_day() -> None:
    window = a_window(rows=3, signals=("made",), step=DAY, start="2024-03-30T00", zone=MADRID)

    found, _ = find_detections(an_evidence([0, 2, 0]), window, LINE, Memory())

    assert found[0].ended_at is not None
    assert found[0].ended_at - found[0].started_at == timedelta(hours=23)


def test_data_problem_is_never_critical_however_long() -> None:
    found, _ = _find([50.0] * 200, kind=IncidentKind.DATA)

    assert found[0].severity is Severity.HIGH


def test_one_abnormal_row_is_described_alone() -> None:
    window = a_window([10, 4], signals=("made",))

    alone = describe_row(an_evidence([2, 3], expected=10.0), window, LINE, 1)

    assert (alone.observed, alone.n_rows, alone.score) == (4.0, 1, 6.0)
    assert _spans([alone]) == [(1, 2)]


def _part(evidence: Evidence, start: int, stop: int) -> Evidence:
    return replace(
        evidence,
        exceedance=evidence.exceedance[start:stop],
        contributions=evidence.contributions[start:stop],
        expected=evidence.expected[start:stop],
    )


def test_window_without_signals_finds_nothing() -> None:
    window = Window(
        a_window().asset,
        "line",
        (),
        a_window(rows=3).time,
        np.empty((3, 0)),
        np.empty((3, 0), dtype=np.int32),
        HOUR,
    )

    assert find_detections(an_evidence([0, 0, 0], 1), window, LINE, Memory())[0] == []
