"""Every abnormal row of an asset: judged from its beginning, as a stream would have judged it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from sereno.domain.calendar import step_end
from sereno.domain.judgement import Detection, Evidence, IncidentKind, Memory
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import Profile
from sereno.domain.time import to_numpy
from sereno.flows.assets import beginning_of, next_window
from sereno.flows.judge import judge_window
from sereno.flows.models import TrainedModel
from sereno.flows.twins import twin_volumes
from sereno.store import StoredAsset, Transaction

__all__ = ["AbnormalRows", "abnormal_in", "abnormal_rows"]

_NO_CHECK = -1


@dataclass(frozen=True, slots=True)
class AbnormalRows:
    """What was said of the rows of an asset.

    Attributes:
        window: All rows, on the asset's grid.
        is_read: Rows with a reading, shape (rows,).
        is_abnormal: Rows from the first to the last abnormal one of a detection, as incidents are dated.
        is_told: Those of which an alarm spoke when they were judged: none before it had its delay.
        told_at: UTC; when the alarm that speaks of an abnormal row had been raised, NaT elsewhere.
        exceedance: Score over threshold of the check that speaks loudest; NaN where none has a score.
        checks: Names of the checks, `behaviour` by its detector.
        check: Position in `checks` of the one that speaks loudest, shape (rows,); -1 where none does.
        named: Signals that the detections of a row name, shape (rows, signals).
    """

    window: Window
    is_read: BoolArray
    is_abnormal: BoolArray
    is_told: BoolArray
    told_at: TimeArray
    exceedance: FloatArray
    checks: tuple[str, ...]
    check: np.ndarray
    named: BoolArray

    def __len__(self) -> int:
        return len(self.window)

    @property
    def graded(self) -> FloatArray:
        """Exceedance of the rows that can be graded, shape (rows,).

        NaN where a row only belongs to an anomaly because of rows after it: its own hour said nothing.
        """
        graded: FloatArray = np.where(self.is_told | (self.exceedance >= 1.0), self.exceedance, np.nan)
        return graded


def abnormal_rows(
    tx: Transaction, asset: StoredAsset, profile: Profile, model: TrainedModel | None
) -> AbnormalRows:
    """Judge all rows of an asset; nothing is stored."""
    standing = beginning_of(tx, asset, model)
    window = next_window(standing)
    return abnormal_in(window, profile, model, twin_volumes(tx, standing.asset, profile, window.time))


def abnormal_in(
    window: Window, profile: Profile, model: TrainedModel | None, twin: FloatArray | None = None
) -> AbnormalRows:
    """As `abnormal_rows`, of a window in memory.

    Args:
        twin: What the asset's twin read, shape (rows,).
    """
    judged = judge_window(window, profile, model, Memory(), twin)
    found = _Collected.blank(judged.window, [_name(one, model) for one in judged.evidence])
    places = {one.check: place for place, one in enumerate(judged.evidence)}
    for detection in judged.detections:
        place = places[detection.check]
        found.add(detection, judged.evidence[place], place)
    return found.rows()


def _name(evidence: Evidence, model: TrainedModel | None) -> str:
    is_learnt = evidence.kind is IncidentKind.BEHAVIOUR and model is not None
    return model.card.detector if is_learnt and model is not None else evidence.check


@dataclass(slots=True)
class _Collected:
    """The rows while detections are laid on them."""

    window: Window
    checks: Sequence[str]
    is_told: BoolArray
    told_at: TimeArray
    loudest: FloatArray
    check: np.ndarray
    named: BoolArray

    @classmethod
    def blank(cls, window: Window, checks: Sequence[str]) -> "_Collected":
        n_rows = len(window)
        return cls(
            window=window,
            checks=checks,
            is_told=np.zeros(n_rows, dtype=bool),
            told_at=np.full(n_rows, np.datetime64("NaT", "us")),
            loudest=np.full(n_rows, np.nan),
            check=np.full(n_rows, _NO_CHECK),
            named=np.zeros((n_rows, len(window.signals)), dtype=bool),
        )

    def add(self, detection: Detection, evidence: Evidence, place: int) -> None:
        """Lay one detection on its rows."""
        time = self.window.time
        first = int(np.searchsorted(time, to_numpy(detection.started_at)))
        stop = int(np.searchsorted(time, to_numpy(detection.last_at), side="right"))
        alarm = _alarm_row(evidence, first, stop)
        rows = slice(first, stop)
        self.is_told[alarm:stop] = True
        known = _ends(self.window, first, stop)
        raised = np.maximum(known, known[alarm - first])
        self.told_at[rows] = np.fmin(self.told_at[rows], raised)
        said = evidence.exceedance[rows]
        is_louder = np.isnan(self.loudest[rows]) | (said > self.loudest[rows])
        self.check[rows] = np.where(is_louder, place, self.check[rows])
        self.loudest[rows] = np.fmax(self.loudest[rows], said)
        for name in detection.signals:
            if name in self.window.signals:
                self.named[rows, self.window.signals.index(name)] = True

    def rows(self) -> AbnormalRows:
        """The finished rows."""
        return AbnormalRows(
            window=self.window,
            is_read=np.asarray(~np.isnan(self.window.values).all(axis=1)),
            is_abnormal=self.check != _NO_CHECK,
            is_told=self.is_told,
            told_at=self.told_at,
            exceedance=self.loudest,
            checks=tuple(self.checks),
            check=self.check,
            named=self.named,
        )


def _alarm_row(evidence: Evidence, first: int, stop: int) -> int:
    """The row with which an episode had its run of abnormal rows; rows that say nothing hold the run."""
    run = 0
    for row, exceedance in enumerate(evidence.exceedance[first:stop].tolist(), start=first):
        if isnan(exceedance):
            continue
        run = run + 1 if exceedance >= 1.0 else 0
        if run >= evidence.on_delay:
            return row
    return max(stop - 1, first)


def _ends(window: Window, first: int, stop: int) -> TimeArray:
    """When the steps of some rows end; the start of the next row, where there is one, is that."""
    ends = np.empty(stop - first, dtype="datetime64[us]")
    ends[:-1] = window.time[first + 1 : stop]
    ends[-1:] = step_end(window.time[stop - 1], window.step, window.zone)
    return ends
