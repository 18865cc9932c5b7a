"""Volume under the precision-recall surface: how well scores rank, forgiving of labels that are a bit off."""

import numpy as np

from sereno.domain.readings import BoolArray, FloatArray

__all__ = ["labelled_stretches", "range_pr_area", "soft_labels", "vus_pr"]


def vus_pr(scores: FloatArray, labels: BoolArray, max_buffer: int) -> float:
    """Mean area under the range precision-recall curve over buffers of 0 to `max_buffer` rows.

    Args:
        scores: Higher is stranger, shape (rows,); NaN ranks below all.
        labels: Whether a row is abnormal, shape (rows,).
        max_buffer: Longest buffer about an event [rows]; about a period of the series.

    Returns:
        Between 0 and 1; NaN where no row is labelled.
    Source:
        Paparrizos et al., "Volume under the surface: a new accuracy evaluation measure for time-series
        anomaly detection", PVLDB 15(11), 2022, section 4. Every distinct score is a threshold here.
    """
    if not labels.any():
        return float("nan")
    return float(np.mean([range_pr_area(scores, labels, buffer) for buffer in range(max_buffer + 1)]))


def range_pr_area(scores: FloatArray, labels: BoolArray, buffer: int) -> float:
    """Area under the range precision-recall curve with one buffer.

    Range recall is the labelled mass that alarms cover, over the mean of the labelled mass with and without
    buffers, at most 1, times the share of the events that they touch at all.
    """
    soft = soft_labels(labels, buffer)
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    order = np.argsort(-ranked, kind="stable")
    ends = np.flatnonzero(np.append(ranked[order][1:] != ranked[order][:-1], True))
    covered = np.cumsum(soft[order])[ends]
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    found_at = np.sort([rank[first:stop].min() for first, stop in labelled_stretches(soft > 0)])
    existence = np.searchsorted(found_at, ends, side="right") / len(found_at)
    mass = (labels.sum() + soft.sum()) / 2
    recall = np.minimum(covered / mass, 1.0) * existence
    precision = covered / (ends + 1)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def soft_labels(labels: BoolArray, buffer: int) -> FloatArray:
    """1 in an event; within half a buffer of it sqrt(1 - distance / buffer); the larger where two meet."""
    soft = labels.astype(float)
    if not buffer:
        return soft
    rows = np.arange(len(labels))
    for first, stop in labelled_stretches(labels):
        distance = np.maximum(np.maximum(first - rows, rows - (stop - 1)), 0)
        near = np.where(distance <= buffer // 2, np.sqrt(np.maximum(1 - distance / buffer, 0.0)), 0.0)
        soft = np.maximum(soft, near)
    return soft


def labelled_stretches(labels: BoolArray) -> list[tuple[int, int]]:
    """First row and the row after the last of each run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], labels, [False]]).astype(np.int8)))
    return [(int(first), int(stop)) for first, stop in edges.reshape(-1, 2)]
