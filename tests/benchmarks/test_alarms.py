import numpy as np
import pytest

from benchmarks.alarms import TRIVIAL, Counts, Judged, alarms_of, point_figures


def _bools(text: str) -> np.ndarray:
    return np.array([mark == "x" for mark in text])


def _judged(labels: str, alarms: str) -> Judged:
    return Judged(_bools(labels), _bools(alarms), _bools(alarms).astype(float))


def test_alarm_lasts_until_the_score_is_well_below_the_threshold():
    scores = np.array([0.9, 1.0, 0.8, np.nan, 0.7, 0.69, 0.9, 1.2])

    assert alarms_of(scores, 1.0, 0.7).tolist() == [False, True, True, True, True, False, False, True]


def test_alarm_begins_and_ends_after_its_delays():
    scores = np.array([2.0, 0.1, 2.0, 2.0, 2.0, 0.1, 0.1, np.nan, 0.1, 0.1])

    alarms = alarms_of(scores, 1.0, 0.7, on_delay=2, off_delay=3)

    assert np.flatnonzero(alarms).tolist() == [3, 4, 5, 6, 7]


def test_rows_are_counted_over_all_runs_and_never_adjusted():
    runs = [_judged("..xx..", ".xx..."), _judged("....", "...x")]

    counts = Counts.of(runs)

    assert (counts.hits, counts.false, counts.missed, counts.quiet) == (1, 2, 1, 6)
    assert counts.f1 == pytest.approx(2 / (2 + 2 + 1))
    assert counts.to_json() == {"f1": 0.4, "far": 25.0, "mar": 50.0}


def test_counts_without_labels_have_no_f1():
    assert Counts.of([_judged("...", "x..")]).to_json() == {"f1": None, "far": 33.33, "mar": None}


def test_events_delays_and_episodes_before_the_first_fault():
    runs = [_judged(".....xxx..xx", "xx.x...x...."), _judged("..xx", "..xx")]

    figures = point_figures(runs, max_buffer=0)

    assert (figures["events_found"], figures["events"]) == (2, 3)
    assert figures["median_delay_rows"] == 1.0
    assert figures["false_episodes_before_fault"] == 2
    assert figures["far_before_fault"] == pytest.approx(100 * 3 / 7, abs=0.01)


def test_trivial_detectors_look_at_no_data():
    made = {name: detector(400, np.random.default_rng(0))[0] for name, detector in TRIVIAL.items()}

    assert made["always_on"].all()
    assert np.flatnonzero(made["clock"])[0] == 170
    assert np.flatnonzero(made["fixed_window"])[[0, -1]].tolist() == [170, 249]
    assert 0.4 < made["random"].mean() < 0.6
