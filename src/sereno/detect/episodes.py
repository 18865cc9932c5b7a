"""From evidence, row by row, to detections with a start and an end; the state survives between batches.

An episode opens after `on_delay` abnormal rows, is dated from the first of them, and ends after `off_delay`
rows below the release level, dated at the end of its last abnormal row. Rows that say nothing hold the state:
gaps, and for a signal that is too low the hours in which it would be zero anyway. They hold it for a day, of
days and of what takes weeks for a week: what is abnormal after a longer gap is an episode of its own.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isnan

import numpy as np

from sereno.detect.severity import grade
from sereno.domain.arrays import some
from sereno.domain.calendar import step_end
from sereno.domain.judgement import Detection, Evidence, IncidentKind, Memory
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import Profile, SignalKind
from sereno.domain.time import EPOCH, from_numpy

__all__ = ["describe_row", "find_detections", "longest_hold"]

_MIN_SHARE = 0.1
"""A signal with less of the evidence than this is not named."""
_DRIFT = "behaviour.drift"
_OF_WEEKS = frozenset(
    {_DRIFT, "behaviour.common", "behaviour.leak", "behaviour.capacity", "behaviour.excess"}
)
"""What takes weeks to show is graded by its size alone: that it has lasted says nothing more."""
_WITHOUT_DIRECTION = frozenset({"behaviour.common", "behaviour.contract", "behaviour.leak"})
_ENERGY_UNITS = {"kW": "kWh"}
"""What an instantaneous unit becomes when it is summed over hours."""

_DAY = timedelta(days=1)
_HELD, _HELD_LONG = _DAY, 7 * _DAY
"""Over a night without a shift; over a week, where one row says little."""

_STARTED, _LAST, _PEAK_AT, _PEAK, _ROWS, _ABOVE, _BELOW, _OPEN, _SAID, _HEAD = range(10)


@dataclass(slots=True)
class _Episode:
    """A possible or open episode: a few figures, and four arrays (signals,)."""

    figures: list[float]
    observed: FloatArray
    expected: FloatArray
    shares: FloatArray
    impact: FloatArray

    def to_array(self) -> FloatArray:
        return np.concatenate([self.figures, self.observed, self.expected, self.shares, self.impact])

    @classmethod
    def from_array(cls, array: FloatArray) -> "_Episode":
        n_figures = _HEAD if len(array) % 4 == _HEAD % 4 else _SAID
        parts = array[n_figures:].reshape(4, -1)
        figures = array[:n_figures].tolist()
        if n_figures == _SAID:  # a state from before that figure was kept
            figures.append(figures[_LAST])
        return cls(figures, *(part.copy() for part in parts))

    @classmethod
    def begun(cls, at: float, n_signals: int) -> "_Episode":
        blank = np.zeros(n_signals)
        return cls([at, at, at, -1.0, 0.0, 0.0, 0.0, 0.0, at], blank, blank, blank, blank)


def find_detections(
    evidence: Evidence, window: Window, profile: Profile, memory: Memory
) -> tuple[list[Detection], Memory]:
    """Detections that a window opens, prolongs or ends.

    Args:
        evidence: What one check says of the window's rows.
        memory: The episode that was under way; empty if none.

    Returns:
        Ended detections in time order, then the open one if any, and the memory after the last row.
    """
    name = f"episode/{evidence.check}"
    state = memory.arrays.get(name)
    if state is None and not some(evidence.exceedance >= 1.0):
        return [], Memory()
    tracker = _Tracker(evidence, window, profile)
    episode = None if state is None else _Episode.from_array(state)
    ended, episode = tracker.follow(episode)
    detections = [tracker.detection(done, is_open=False) for done in ended]
    if episode is None:
        return detections, Memory()
    if episode.figures[_OPEN]:
        detections.append(tracker.detection(episode, is_open=True))
    return detections, Memory({name: episode.to_array()})


def describe_row(evidence: Evidence, window: Window, profile: Profile, row: int) -> Detection:
    """What one check says of one abnormal row, as a detection of that row alone."""
    tracker = _Tracker(evidence, window, profile)
    alone = tracker.begun_at(row)
    return tracker.detection(alone, is_open=False)


def longest_hold(check: str, step: timedelta | None) -> timedelta:
    """How long rows that say nothing hold an episode; after a longer gap nobody knows how it went on."""
    return _HELD_LONG if check in _OF_WEEKS or step is None or step >= _DAY else _HELD


class _Tracker:
    """The state machine of one check over one window."""

    def __init__(self, evidence: Evidence, window: Window, profile: Profile) -> None:
        self._evidence = evidence
        self._window = window
        self._profile = profile
        self._micros = window.micros
        self._hold_micros = longest_hold(evidence.check, window.step) / timedelta(microseconds=1)

    def begun_at(self, row: int) -> _Episode:
        """An episode of that row alone."""
        blank = _Episode.begun(float(self._micros[row]), len(self._window.signals))
        return self._abnormal(blank, row, float(self._evidence.exceedance[row]))

    def follow(self, episode: _Episode | None) -> tuple[list[_Episode], _Episode | None]:
        """Episodes ended in the window, and the one that goes on."""
        ended = []
        for row, exceedance in enumerate(self._evidence.exceedance.tolist()):
            if isnan(exceedance):
                continue
            if episode is not None and self._is_lost(episode, row):
                ended += [episode] if episode.figures[_OPEN] else []
                episode = None
            if exceedance >= 1.0:
                episode = self._abnormal(episode, row, exceedance)
            elif episode is not None:
                was_open = bool(episode.figures[_OPEN])
                episode = self._normal(episode, row, exceedance)
                if was_open and not episode.figures[_OPEN]:
                    ended.append(episode)
                if not episode.figures[_OPEN]:
                    episode = None
            if episode is not None:
                episode.figures[_SAID] = float(self._micros[row])
        return ended, episode

    def _is_lost(self, episode: _Episode, row: int) -> bool:
        """Whether nothing has been said of it for too long before a row."""
        return bool(self._micros[row] - episode.figures[_SAID] > self._hold_micros)

    def _abnormal(self, episode: _Episode | None, row: int, exceedance: float) -> _Episode:
        since = self._evidence.since
        begun = float(self._micros[row] if since is None else since[row].astype(np.int64))
        episode = episode or _Episode.begun(begun, len(self._window.signals))
        figures = episode.figures
        figures[_LAST] = float(self._micros[row])
        figures[_ROWS] += 1
        figures[_ABOVE] += 1
        figures[_BELOW] = 0.0
        figures[_OPEN] = float(figures[_OPEN] or figures[_ABOVE] >= self._evidence.on_delay)
        episode.shares = episode.shares + _known(self._evidence.contributions[row])
        observed, expected = self._window.values[row], self._evidence.expected[row]
        episode.impact = episode.impact + _known(observed - expected)
        if self._is_worse(episode, row, exceedance):
            figures[_PEAK], figures[_PEAK_AT] = exceedance, float(self._micros[row])
            episode.observed, episode.expected = observed.copy(), expected.copy()
        return episode

    def _is_worse(self, episode: _Episode, row: int, exceedance: float) -> bool:
        """Whether a row is the worst so far; what is said of days is told by the row that shows it most."""
        worst = episode.figures[_PEAK]
        if exceedance != worst or self._evidence.check not in _OF_WEEKS:
            return exceedance > worst
        lead = int(self._evidence.contributions[row].argmax())
        apart = abs(self._window.values[row, lead] - self._evidence.expected[row, lead])
        return bool(apart > abs(episode.observed[lead] - episode.expected[lead]))

    def _normal(self, episode: _Episode, row: int, exceedance: float) -> _Episode:
        figures = episode.figures
        if figures[_OPEN] and exceedance >= self._evidence.release:
            figures[_ABOVE] = figures[_BELOW] = 0.0
            return episode
        if self._says_nothing(episode, row):
            return episode
        figures[_ABOVE] = 0
        figures[_BELOW] += 1
        if not figures[_OPEN] or figures[_BELOW] >= self._evidence.off_delay:
            figures[_OPEN] = 0.0
        return episode

    def _says_nothing(self, episode: _Episode, row: int) -> bool:
        """Whether the leading signal is too low and would be as low in this row if all were well."""
        telling = self._evidence.is_telling
        if telling is None:
            return False
        lead = int(episode.shares.argmax())
        return not telling[row, lead] and bool(episode.observed[lead] < episode.expected[lead])

    def detection(self, episode: _Episode, *, is_open: bool) -> Detection:
        """What an episode says to a person."""
        evidence, window = self._evidence, self._window
        figures = episode.figures
        shares = episode.shares.tolist()
        order = np.argsort(-episode.shares, kind="stable").tolist()
        total = max(float(episode.shares.sum()), 1e-300)
        named = [s for s in order if shares[s] >= _MIN_SHARE * total] or order[:1]
        lead = named[0]
        signal = self._profile.signal(window.signals[lead])
        impact, impact_unit = self._impact(episode, lead)
        last = np.datetime64(int(figures[_LAST]), "us")
        n_rows = int(figures[_ROWS])
        is_data = evidence.kind is IncidentKind.DATA
        weighed = 1 if evidence.check in _OF_WEEKS else n_rows
        return Detection(
            asset=window.asset,
            check=evidence.check,
            kind=evidence.kind,
            cause=_cause(
                evidence.check, evidence.kind, float(episode.observed[lead]), float(episode.expected[lead])
            ),
            severity=grade(figures[_PEAK], weighed, window.step, is_data=is_data, bands=evidence.bands),
            started_at=_instant(figures[_STARTED]),
            ended_at=None if is_open else from_numpy(step_end(last, window.step, window.zone)),
            last_at=_instant(figures[_LAST]),
            peak_at=_instant(figures[_PEAK_AT]),
            signals=tuple(window.signals[s] for s in named),
            score=figures[_PEAK] * evidence.threshold,
            threshold=evidence.threshold,
            observed=float(episode.observed[lead]),
            expected=float(episode.expected[lead]),
            unit=signal.unit,
            impact=impact,
            impact_unit=impact_unit,
            n_rows=n_rows,
            contributions={window.signals[s]: shares[s] / total for s in named},
            model=evidence.model,
        )

    def _impact(self, episode: _Episode, lead: int) -> tuple[float, str]:
        """Observed minus expected over the abnormal steps: energy or volume; NaN for other quantities."""
        signal = self._profile.signal(self._window.signals[lead])
        if np.isnan(episode.expected[lead]):
            return float("nan"), ""
        if signal.kind is SignalKind.INTERVAL:
            return float(episode.impact[lead]), signal.unit
        if signal.unit in _ENERGY_UNITS and self._window.step is not None:
            hours = self._window.step / timedelta(hours=1)
            return float(episode.impact[lead]) * hours, _ENERGY_UNITS[signal.unit]
        return float("nan"), ""


def _instant(micros: float) -> datetime:
    return EPOCH + timedelta(microseconds=int(micros))


def _known(values: FloatArray) -> FloatArray:
    """Values with nothing where they are unknown; several times faster on a row than `np.nan_to_num`."""
    return np.where(np.isnan(values), 0.0, values)


def _cause(check: str, kind: IncidentKind, observed: float, expected: float) -> str:
    if kind is not IncidentKind.BEHAVIOUR or check in _WITHOUT_DIRECTION:
        return check
    direction = "low" if observed < expected else "high"
    return f"{check}_{direction}" if check == _DRIFT else f"behaviour.{direction}"
