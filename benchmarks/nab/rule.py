"""The published rule: early alarms in a window count for more, false ones for less the nearer they are.

Source:
    Lavin, Ahmad, "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark", ICMLA
    2015, section II (equations 1 to 4), and what its scorer fixes beyond them: the position of a row in a
    window of w rows is minus the share of the window that is left, a row after a window is placed in units
    of w - 1 rows and costs the full weight from 3 on, a window found in its first row is worth exactly 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.nab.corpus import Costs, Stream

__all__ = ["Marks", "Verdict", "best_threshold", "judge", "mark", "normalised", "probation_rows"]

_PROBATION_SHARE = 0.15
_PROBATION_ROWS = 5_000
"""Of a longer file, only so many rows count towards the probation."""
_STEEPNESS = 5.0
_FAR = 3.0
_NO_WINDOW = -1


@dataclass(frozen=True, slots=True)
class Marks:
    """What an alarm at each row is worth.

    Attributes:
        is_judged: Rows after the probation, shape (rows,).
        window: Window that each row is in, -1 outside, shape (rows,).
        worth: Gain inside a window, or loss outside, before the costs' weights, shape (rows,).
        n_windows: Of the stream.
    """

    is_judged: np.ndarray
    window: np.ndarray
    worth: np.ndarray
    n_windows: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """One stream at one threshold."""

    score: float
    n_found: int
    n_windows: int
    n_false: int

    def to_json(self) -> dict[str, object]:
        """As the document shows it."""
        return {
            "score": round(self.score, 4),
            "found": self.n_found,
            "windows": self.n_windows,
            "false_alarms": self.n_false,
        }


def probation_rows(n_rows: int) -> int:
    """Rows at the start of a stream in which no alarm counts."""
    return int(_PROBATION_SHARE * min(n_rows, _PROBATION_ROWS))


def mark(stream: Stream) -> Marks:
    """The worth of an alarm at each row of a stream."""
    rows = np.arange(len(stream.values))
    window = np.full(len(rows), _NO_WINDOW)
    worth = np.full(len(rows), -1.0)
    for number, (first, last) in enumerate(stream.windows):
        n_rows = last - first + 1
        inside, after = (rows >= first) & (rows <= last), rows > last
        window[inside] = number
        worth[inside] = _sigmoid((rows[inside] - last - 1) / n_rows) / _sigmoid(np.array(-1.0))
        worth[after] = _sigmoid((rows[after] - last) / max(n_rows - 1, 1))
    return Marks(rows >= probation_rows(len(rows)), window, worth, len(stream.windows))


def judge(scores: np.ndarray, marks: Marks, costs: Costs, threshold: float) -> Verdict:
    """The raw score of one stream: rows at or above the threshold are alarms."""
    is_alarm = marks.is_judged & (np.nan_to_num(scores, nan=-np.inf) >= threshold)
    false = marks.worth[is_alarm & (marks.window == _NO_WINDOW)]
    total, n_found = costs.false * float(false.sum()), 0
    for number in range(marks.n_windows):
        worth = marks.worth[is_alarm & (marks.window == number)]
        n_found += bool(len(worth))
        total += costs.found * float(worth.max()) if len(worth) else -costs.missed
    return Verdict(total, n_found, marks.n_windows, len(false))


def best_threshold(
    scores: Mapping[str, np.ndarray], marks: Mapping[str, Marks], costs: Costs, names: Sequence[str]
) -> tuple[float, float]:
    """The threshold with the highest raw score over some streams, and that score; infinite for silence."""
    level, window, worth = _pooled(scores, marks, names)
    n_windows = sum(marks[name].n_windows for name in names)
    gain = np.where(window == _NO_WINDOW, costs.false * worth, 0.0)
    best = np.full(n_windows, -costs.missed)
    for row in np.flatnonzero(window != _NO_WINDOW).tolist():
        found = costs.found * worth[row]
        gain[row] = max(found - best[window[row]], 0.0)
        best[window[row]] = max(found, best[window[row]])
    totals = np.cumsum(gain) - costs.missed * n_windows
    whole = np.flatnonzero(np.diff(level, append=-np.inf))  # equal scores become alarms together
    row = max(whole.tolist(), key=lambda end: totals[end], default=None)
    if row is None or totals[row] < -costs.missed * n_windows:
        return float("inf"), -costs.missed * n_windows
    return float(level[row]), float(totals[row])


def normalised(total: float, n_windows: int, costs: Costs) -> float:
    """0 for a detector that never speaks, 100 for one that finds each window in its first row alone."""
    null, perfect = -costs.missed * n_windows, costs.found * n_windows
    return 100.0 * (total - null) / (perfect - null)


def _pooled(
    scores: Mapping[str, np.ndarray], marks: Mapping[str, Marks], names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Judged rows of some streams from the highest score down: score, window (numbered on), worth."""
    parts, n_before = [], 0
    for name in names:
        one = marks[name]
        rows = one.is_judged & ~np.isnan(scores[name])
        window = np.where(one.window == _NO_WINDOW, _NO_WINDOW, one.window + n_before)
        parts.append((scores[name][rows], window[rows], one.worth[rows]))
        n_before += one.n_windows
    level, window, worth = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(-level, kind="stable")
    return level[order], window[order], worth[order]


def _sigmoid(place: np.ndarray) -> np.ndarray:
    value = 2.0 / (1.0 + np.exp(_STEEPNESS * np.minimum(place, _FAR))) - 1.0
    return np.where(place > _FAR, -1.0, value)
