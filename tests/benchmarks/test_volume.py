import numpy as np
import pytest

from benchmarks.volume import labelled_stretches, range_pr_area, soft_labels, vus_pr


def _bools(text: str) -> np.ndarray:
    return np.array([mark == "x" for mark in text])


def test_stretches_are_runs_of_true():
    assert labelled_stretches(_bools("..xx.x")) == [(2, 4), (5, 6)]
    assert labelled_stretches(_bools("....")) == []


def test_soft_labels_fall_with_the_root_of_the_distance():
    soft = soft_labels(_bools("....x...."), 4)

    assert soft.tolist() == pytest.approx([0, 0, 0.5**0.5, 0.75**0.5, 1, 0.75**0.5, 0.5**0.5, 0, 0])


def test_soft_labels_of_neighbours_take_the_larger():
    assert soft_labels(_bools("x..x"), 4).tolist() == pytest.approx([1, 0.75**0.5, 0.75**0.5, 1])


def test_area_without_buffer_is_average_precision_when_there_is_one_event():
    # In order of score: hit, miss, hit. Recall 1/2, 1/2, 1; precision 1, 1/2, 2/3: 1/2 + 1/2 x 2/3.
    area = range_pr_area(np.array([0.9, 0.7, 0.8, 0.1]), _bools("xx.."), 0)

    assert area == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)


def test_recall_counts_the_share_of_events_that_were_touched():
    # Two events of one row: the first hit covers half of the mass and half of the events, 1/2 x 1/2; then
    # a miss; then all: precision 2/3.
    area = range_pr_area(np.array([0.9, 0.0, 0.8, 0.7]), _bools("x..x"), 0)

    assert area == pytest.approx(1 / 4 * 1 + 3 / 4 * 2 / 3)


def test_equal_scores_are_one_threshold():
    # Always-on: precision is the share of labelled rows at recall 1.
    assert range_pr_area(np.zeros(8), _bools("xx......"), 0) == pytest.approx(2 / 8)


def test_buffer_forgives_an_alarm_that_is_a_row_early():
    # Soft labels 0, .707, 1, .707, 0; mass (1 + 2.414) / 2. Order: row 1, row 2, then the rest in one tie.
    scores = np.array([0.0, 0.9, 0.8, 0.0, 0.0])
    near, mass = 0.5**0.5, (1 + 1 + 2 * 0.5**0.5) / 2
    first, second = near / mass, min((near + 1) / mass, 1.0)

    area = range_pr_area(scores, _bools("..x.."), 2)

    assert area == pytest.approx(first * near + (second - first) * (near + 1) / 2)
    assert area > range_pr_area(scores, _bools("..x.."), 0)


def test_volume_is_the_mean_over_buffers():
    scores, labels = np.array([0.0, 0.9, 0.8, 0.0, 0.0]), _bools("..x..")

    assert vus_pr(scores, labels, 2) == pytest.approx(
        np.mean([range_pr_area(scores, labels, buffer) for buffer in (0, 1, 2)])
    )


def test_perfect_scores_fill_the_volume_without_buffers_and_unlabelled_series_have_none():
    labels = _bools("..xxx...")

    assert vus_pr(labels.astype(float), labels, 0) == 1.0
    assert np.isnan(vus_pr(np.zeros(4), _bools("...."), 3))


def test_unknown_scores_rank_last():
    labels = _bools("x...")

    assert vus_pr(np.array([0.5, np.nan, np.nan, 0.1]), labels, 0) == 1.0
    assert vus_pr(np.array([np.nan, 0.5, 0.4, 0.1]), labels, 0) == pytest.approx(1 / 4)


def test_better_ranking_has_more_volume():
    rng = np.random.default_rng(0)
    labels = np.zeros(400, dtype=bool)
    labels[100:160] = labels[300:340] = True
    noise = rng.normal(size=400)

    volumes = [vus_pr(noise + strength * labels, labels, 20) for strength in (0.0, 1.0, 3.0)]

    assert volumes == sorted(volumes)
    assert volumes[2] > 0.9
    assert volumes[0] < 0.5
