"""Alarms and labels of several runs: point figures, events, episodes, and detectors that look at no data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from benchmarks.volume import labelled_stretches, vus_pr
from sereno.domain.readings import BoolArray, FloatArray

__all__ = ["TRIVIAL", "Counts", "Judged", "alarms_of", "point_figures"]

PERCENT = 100.0
CLOCK_ROW = 170
"""Row of the judged part from which the clock alarms: what somebody does who has seen a few runs."""
FIXED_TAIL = 150
"""Rows before the end at which the fixed window stops alarming."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One run: what was labelled, and what a detector made of it; each shape (rows,)."""

    labels: BoolArray
    alarms: BoolArray
    scores: FloatArray


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of the confusion matrix, over all runs."""

    hits: int = 0
    false: int = 0
    missed: int = 0
    quiet: int = 0

    @classmethod
    def of(cls, runs: Sequence[Judged]) -> "Counts":
        """The rows of some runs together."""
        labels = np.concatenate([run.labels for run in runs]) if runs else np.zeros(0, dtype=bool)
        alarms = np.concatenate([run.alarms for run in runs]) if runs else np.zeros(0, dtype=bool)
        parts = (labels & alarms, ~labels & alarms, labels & ~alarms, ~labels & ~alarms)
        return cls(*(int(part.sum()) for part in parts))

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.hits + other.hits,
            self.false + other.false,
            self.missed + other.missed,
            self.quiet + other.quiet,
        )

    @property
    def f1(self) -> float | None:
        """F1 of rows, never adjusted by events; None where nothing is labelled."""
        if not self.hits + self.missed:
            return None
        return 2 * self.hits / (2 * self.hits + self.false + self.missed)

    def to_json(self) -> dict[str, float | None]:
        """F1, and the shares of quiet rows that alarm and of labelled rows that do not [%]."""
        return {
            "f1": _short(self.f1),
            "far": _percent(self.false, self.false + self.quiet),
            "mar": _percent(self.missed, self.missed + self.hits),
        }


def alarms_of(
    scores: FloatArray, threshold: float, release: float, *, on_delay: int = 1, off_delay: int = 1
) -> BoolArray:
    """Rows in alarm, causally: NaN holds the state.

    Args:
        release: Share of the threshold below which a row is normal again.
        on_delay: Rows at the threshold, in a run, with the last of which an alarm begins.
        off_delay: Normal rows, in a run, with the last of which it ends.
    """
    alarms = np.zeros(len(scores), dtype=bool)
    above = below = 0
    is_on = False
    for row, score in enumerate(scores.tolist()):
        if not isnan(score):
            above = above + 1 if score >= threshold else 0
            below = below + 1 if score < release * threshold else 0
            is_on = below < off_delay if is_on else above >= on_delay
        alarms[row] = is_on
    return alarms


def point_figures(runs: Sequence[Judged], *, max_buffer: int) -> dict[str, object]:
    """Figures of labelled runs: rows, events, episodes before the first event, volume under the surface."""
    stretches = [labelled_stretches(run.labels) for run in runs]
    found = [
        [bool(run.alarms[first:stop].any()) for first, stop in events]
        for run, events in zip(runs, stretches, strict=True)
    ]
    before = [_before_first(run, events) for run, events in zip(runs, stretches, strict=True)]
    delays = [
        int(run.alarms[first:stop].argmax())
        for run, events in zip(runs, stretches, strict=True)
        for first, stop in events
        if run.alarms[first:stop].any()
    ]
    volumes = [vus_pr(run.scores, run.labels, max_buffer) for run in runs]
    known = [volume for volume in volumes if not np.isnan(volume)]
    n_before = sum(len(alarms) for alarms in before)
    return {
        **Counts.of(runs).to_json(),
        "events_found": sum(map(sum, found)),
        "events": sum(map(len, found)),
        "median_delay_rows": float(np.median(delays)) if delays else None,
        "false_episodes_before_fault": sum(len(labelled_stretches(alarms)) for alarms in before),
        "far_before_fault": _percent(sum(int(alarms.sum()) for alarms in before), n_before),
        "vus_pr": _short(float(np.mean(known))) if known else None,
    }


def _before_first(run: Judged, events: Sequence[tuple[int, int]]) -> BoolArray:
    """Alarms of the rows before the first event."""
    return run.alarms[: events[0][0]] if events else run.alarms


def _always(n_rows: int, _: np.random.Generator) -> tuple[BoolArray, FloatArray]:
    return np.ones(n_rows, dtype=bool), np.ones(n_rows)


def _clock(n_rows: int, _: np.random.Generator) -> tuple[BoolArray, FloatArray]:
    rows = np.arange(n_rows)
    return rows >= CLOCK_ROW, rows.astype(float)


def _fixed_window(n_rows: int, _: np.random.Generator) -> tuple[BoolArray, FloatArray]:
    rows = np.arange(n_rows)
    alarms = (rows >= CLOCK_ROW) & (rows < n_rows - FIXED_TAIL)
    return alarms, alarms.astype(float)


def _random(n_rows: int, rng: np.random.Generator) -> tuple[BoolArray, FloatArray]:
    scores = rng.random(n_rows)
    return scores >= 1 / 2, scores


TRIVIAL: Mapping[str, Callable[[int, np.random.Generator], tuple[BoolArray, FloatArray]]] = {
    "always_on": _always,
    "clock": _clock,
    "fixed_window": _fixed_window,
    "random": _random,
}
"""Alarms and scores for so many rows, by detectors that look at no data."""


def _percent(part: int, whole: int) -> float | None:
    return _short(PERCENT * part / whole) if whole else None


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
