"""Half-day faults at common values in real meters: what a usual value by time of day and week is worth.

Each meter's first half is history, its second half is judged. Faults of twelve hours are put into the second
half with a seed: the values of the half day before (`shifted`), the history's middle value (`held`), 40 %
less (`low`) and 40 % more (`high`); the first two are values that the meter shows every day. `calibrated`
takes the threshold from the history alone, as training does; `equal_false` gives each detector the threshold
at which it would raise the default budget in the untouched second half: nobody can know it, but there powers
compare at equal noise. Each fault is seen alone, from the state that the untouched rows before it left.
The meters have no labels: what really happened in them counts as false.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import isnan
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks.common import DATA_VARIABLE, Goal, Options, publish, tell
from benchmarks.meters.placing import FAULTS, Place, find_places
from benchmarks.meters.reading import FOLDERS, read_meters
from sereno.detect.calibration import DEFAULT_BUDGET, Hysteresis, calibrate, count_episodes
from sereno.detect.robust import RobustDetector
from sereno.detect.seasonal import SeasonalDetector
from sereno.domain.errors import BudgetTooSmall
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.settings.profiles import load_profiles

LOAD = load_profiles()["load"]
FOLDS = 3
LEVEL_DAYS = 3.0
THRESHOLDS = ("calibrated", "equal_false")
_WEEK = timedelta(weeks=1)
_CALM_SCORE = 3.0
"""As in training: rows so strange are faults in the history."""


class Trained(Protocol):
    """What is learnt of one meter."""

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """Strangeness of each row."""
        ...


class Learner(Protocol):
    """What learns from a part of a history."""

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray], /) -> Trained:
        """Learn from the rows marked in `use`."""
        ...


@dataclass(frozen=True, slots=True)
class PlainLevel:
    """The trivial detector: distance to a moving level in mean distances, blind to the calendar."""

    def fit_parts(self, _history: Sequence[Window], _use: Sequence[BoolArray], /) -> "PlainLevel":
        """Nothing to learn."""
        return self

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """As a detector's."""
        pace = 1.0 / (LEVEL_DAYS * timedelta(days=1) / (window.step or timedelta(days=1)))
        figures = [np.nan, 0.0, 0.0] if memory is None else memory.arrays["plain"].tolist()
        level, spread, n_rows = figures
        values = np.full(len(window), np.nan)
        for row, value in enumerate(window.values[:, 0].tolist()):
            if isnan(value):
                continue
            level = value if n_rows == 0 else level
            away, n_rows = value - level, n_rows + 1
            values[row] = abs(away) / spread if spread else np.nan
            spread += max(pace, 1.0 / n_rows) * (abs(away) - spread)
            level += max(pace, 1.0 / n_rows) * away
        shape = window.values.shape
        scores = Scores(
            window.time, values, np.ones(shape), np.full(shape, np.nan), np.ones(shape, dtype=bool)
        )
        return scores, Memory({"plain": np.array([level, spread, n_rows])})


DETECTORS: Mapping[str, Learner] = {
    "seasonal": SeasonalDetector(LOAD),
    "robust": RobustDetector(LOAD),
    "level": PlainLevel(),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one detector made of one meter at one threshold.

    Attributes:
        n_false: Episodes in the untouched judged rows.
        found, placed: Faults by kind.
    """

    threshold: float
    weeks: float
    n_false: int
    found: Mapping[str, int]
    placed: Mapping[str, int]

    def to_json(self) -> dict[str, object]:
        """As the document shows it."""
        return {
            "threshold": round(self.threshold, 3),
            "weeks": round(self.weeks, 1),
            "false": self.n_false,
            "found": dict(self.found),
            "placed": dict(self.placed),
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Judge every meter with every detector, untouched and with each kind of fault."""
    options, seed = _options(arguments)
    meters = read_meters(options)
    tell(f"{len(meters)} meters")
    results = {
        name: [_judge(meter, learner, seed) for meter in meters] for name, learner in DETECTORS.items()
    }
    pooled = {
        name: {kind: _pooled([one[kind] for one in own]) for kind in THRESHOLDS}
        for name, own in results.items()
    }
    by_meter = {
        meter.asset.site: {
            name: {kind: own[i][kind].to_json() for kind in THRESHOLDS} for name, own in results.items()
        }
        for i, meter in enumerate(meters)
    }
    gain = pooled["seasonal"]["equal_false"]["recall"] - pooled["level"]["equal_false"]["recall"]
    publish(
        options,
        {"by_detector": pooled, "by_meter": by_meter, "budget_per_week": DEFAULT_BUDGET, "seed": seed},
        {"recall_over_level": Goal(round(gain, 4), 0.0, is_floor=True)},
    )


def _judge(meter: Window, learner: Learner, seed: int) -> dict[str, Outcome]:
    """What one detector finds in one meter: at the calibrated threshold, and at that of equal noise."""
    half = len(meter) // 2
    history, rest = meter.rows(0, half), meter.rows(half, len(meter))
    hysteresis = Hysteresis.for_step(meter.step)
    trained = learner.fit_parts([history], [np.ones(half, dtype=bool)])
    _, memory = trained.score(history)
    places = find_places(history, rest, seed)
    calm, wrong = _scores(trained, rest, memory, places)
    weeks = len(rest) * ((meter.step or timedelta(hours=1)) / _WEEK)
    thresholds = {
        "calibrated": _calibrated(history, learner, hysteresis),
        "equal_false": _equalised(calm, weeks, hysteresis),
    }
    return {
        kind: Outcome(
            threshold=threshold,
            weeks=weeks,
            n_false=count_episodes(calm, threshold, hysteresis),
            found={fault: _n_found(calm, own, threshold, hysteresis) for fault, own in wrong.items()},
            placed={fault: len(own) for fault, own in wrong.items()},
        )
        for kind, threshold in thresholds.items()
    }


def _scores(
    trained: Trained, rest: Window, memory: Memory, places: Sequence[Place]
) -> tuple[FloatArray, dict[str, list[tuple[int, FloatArray]]]]:
    """Scores of the untouched rows, and by fault the row that each starts at and the scores of its rows."""
    wrong: dict[str, list[tuple[int, FloatArray]]] = {fault: [] for fault in FAULTS}
    calm, done = [], 0
    for place in places:
        scores, memory = trained.score(rest.rows(done, place.start), memory)
        calm.append(scores.values)
        done = place.start
        for fault, values in place.wrong.items():
            faulty = replace(rest.rows(place.start, place.stop), values=values[:, None])
            wrong[fault].append((place.start, trained.score(faulty, memory)[0].values))
    calm.append(trained.score(rest.rows(done, len(rest)), memory)[0].values)
    return np.concatenate(calm), wrong


def _calibrated(history: Window, learner: Learner, hysteresis: Hysteresis) -> float:
    """The threshold that training would take: held-out scores of the history, the default budget."""
    block = np.arange(len(history)) * FOLDS // len(history)
    held_out = np.full(len(history), np.nan)
    for fold in range(FOLDS):
        scores = learner.fit_parts([history], [block != fold]).score(history)[0].values
        calm = (block == fold) & (np.isnan(scores) | (scores < _CALM_SCORE))
        held_out[calm] = scores[calm]
    try:
        return calibrate([held_out], history.step, budget=DEFAULT_BUDGET, hysteresis=hysteresis).threshold
    except BudgetTooSmall as error:
        supported = float(str(error.facts["supported"]))
        return calibrate([held_out], history.step, budget=supported, hysteresis=hysteresis).threshold


def _equalised(calm: FloatArray, weeks: float, hysteresis: Hysteresis) -> float:
    """The lowest threshold that stays within the budget on the judged rows themselves."""
    candidates = np.unique(calm[~np.isnan(calm)])
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        threshold = float(np.nextafter(candidates[middle], np.inf))
        if count_episodes(calm, threshold, hysteresis) <= DEFAULT_BUDGET * weeks:
            high = middle
        else:
            low = middle + 1
    return float(np.nextafter(candidates[low], np.inf))


def _n_found(
    calm: FloatArray,
    faults: Sequence[tuple[int, FloatArray]],
    threshold: float,
    hysteresis: Hysteresis,
) -> int:
    """Faults in whose rows an episode begins; none where the untouched rows raise one as well."""
    untouched = set(_beginnings(calm, threshold, hysteresis))
    n_found = 0
    for start, scores in faults:
        rows = range(start, start + len(scores))
        begun = _beginnings(np.concatenate([calm[:start], scores]), threshold, hysteresis)
        n_found += bool(begun) and begun[-1] in rows and untouched.isdisjoint(rows)
    return n_found


def _beginnings(scores: FloatArray, threshold: float, hysteresis: Hysteresis) -> list[int]:
    """Row at which each episode opens, by the state machine that `count_episodes` counts with."""
    rows, above, below, is_open = [], 0, 0, False
    ends = hysteresis.release * threshold
    for row, score in enumerate(scores.tolist()):
        if isnan(score):
            continue
        above = above + 1 if score >= threshold else 0
        below = below + 1 if score < ends else 0
        if is_open:
            is_open = below < hysteresis.off_delay
        elif above >= hysteresis.on_delay:
            is_open = True
            rows.append(row)
    return rows


def _pooled(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Recall by fault and false episodes per week over all meters."""
    found = {fault: sum(one.found[fault] for one in outcomes) for fault in FAULTS}
    placed = {fault: sum(one.placed[fault] for one in outcomes) for fault in FAULTS}
    recall = {fault: round(found[fault] / max(placed[fault], 1), 4) for fault in FAULTS}
    return {
        "recall": round(sum(found.values()) / max(sum(placed.values()), 1), 4),
        **recall,
        "false_per_week": round(sum(one.n_false for one in outcomes) / sum(one.weeks for one in outcomes), 4),
    }


def _options(arguments: Sequence[str] | None) -> tuple[Options, int]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.meters", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quick", action="store_true", help="a few meters, fewer rows")
    parser.add_argument("--seed", type=int, default=1, help="places of the faults")
    parser.add_argument("--data", type=Path, help=f"folder that holds {', '.join(FOLDERS)}")
    given = parser.parse_args(arguments)
    folder = given.data or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    return Options(given.json, given.quick, folder, None), given.seed


if __name__ == "__main__":
    main()
