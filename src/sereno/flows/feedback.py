"""What a verdict would change: the last 90 days judged again with the threshold that it asks for.

A false alarm, and what was expected, ask for a higher threshold of that check of that asset: the smallest
that would have kept the incident quiet. It never rises so far that an incident that somebody confirmed would
be lost. Nothing changes before somebody applies it, and it can be taken back.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil, inf

import numpy as np

from sereno.detect.calibration import Hysteresis, episode_peaks
from sereno.detect.episodes import find_detections
from sereno.domain.adjustments import Adjustment
from sereno.domain.errors import UsageError
from sereno.domain.incidents import Incident, Verdict
from sereno.domain.judgement import Detection, Evidence, Memory
from sereno.domain.readings import Window
from sereno.domain.signals import Profile
from sereno.domain.time import isoformat, to_numpy
from sereno.flows.assets import standing_of
from sereno.flows.judge import raised
from sereno.flows.models import TrainedModel
from sereno.flows.score import evidence_since
from sereno.store import StoredAsset, Transaction

__all__ = ["REPLAYED", "WouldChange", "apply_verdict", "would_change"]

REPLAYED = timedelta(days=90)
_QUIETING = frozenset({Verdict.FALSE_ALARM, Verdict.EXPECTED})
_DIGITS = 1_000
"""A factor is told to the thousandth, rounded up."""
_BELOW = 1.0 - 1e-9
_ID_LENGTH = 12


@dataclass(frozen=True, slots=True)
class WouldChange:
    """What a verdict would change.

    Attributes:
        factor: What would multiply the threshold; None where nothing would move.
        threshold, becomes: Before and after, in units of the score.
        is_quiet: Whether the incident itself would have been kept quiet.
        gone, shorter: Ids of the other incidents of the last 90 days that would go, or would be shorter.
        kept: How many others would stay as they are.
        lost_real: Confirmed incidents that a threshold high enough for this one would lose; because of them
            it does not rise so far.
    """

    incident: str
    asset: str
    check: str
    verdict: Verdict
    since: datetime
    factor: float | None = None
    threshold: float | None = None
    becomes: float | None = None
    is_quiet: bool = False
    gone: tuple[str, ...] = ()
    shorter: tuple[str, ...] = ()
    kept: int = 0
    lost_real: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """For `incidents close --preview --json`."""
        return {
            "incident": self.incident,
            "asset": self.asset,
            "check": self.check,
            "verdict": self.verdict.value,
            "since": isoformat(self.since),
            "factor": self.factor,
            "threshold": self.threshold,
            "becomes": self.becomes,
            "kept_quiet": self.is_quiet,
            "gone": list(self.gone),
            "shorter": list(self.shorter),
            "kept": self.kept,
            "real_that_would_be_lost": list(self.lost_real),
        }


def would_change(
    tx: Transaction,
    incident: Incident,
    verdict: Verdict,
    asset: StoredAsset,
    profile: Profile,
    model: TrainedModel | None,
) -> WouldChange:
    """Judge the asset's last 90 days again, and all that was confirmed, with the threshold that is asked for.

    Stores nothing.
    """
    check, last_at = incident.leading[0].check, _last_at(tx, asset, incident)
    since = last_at - REPLAYED
    same = WouldChange(incident.id, str(asset.key), check, verdict, since)
    others = [one for one in tx.incidents(asset_id=asset.id) if one.leading[0].check == check]
    if verdict not in _QUIETING:
        return replace(same, kept=sum(one.id != incident.id for one in others))
    confirmed = [one for one in others if one.verdict is Verdict.REAL and one.id != incident.id]
    first = min([since, *(one.started_at for one in (incident, *confirmed))])
    replay = _replay(tx, asset, profile, model, check, first)
    needed = replay.quieting(incident)
    if needed is None:
        return same
    peaks = {one.id: replay.peak_of(one) for one in confirmed}
    lost = tuple(sorted(name for name, peak in peaks.items() if peak < needed))
    factor = min([needed, *(_BELOW * peak for peak in peaks.values())])
    if factor <= 1.0:
        return replace(same, lost_real=lost)
    recent = [one for one in others if one.id != incident.id and _ends(one, last_at) >= since]
    before, after = replay.detections(1.0), replay.detections(factor)
    lengths = {one.id: (_rows_in(before, one, last_at), _rows_in(after, one, last_at)) for one in recent}
    threshold = replay.threshold
    return replace(
        same,
        factor=factor,
        threshold=threshold,
        becomes=threshold * factor,
        is_quiet=not _rows_in(after, incident, last_at),
        gone=tuple(sorted(name for name, (was, is_now) in lengths.items() if was and not is_now)),
        shorter=tuple(sorted(name for name, (was, is_now) in lengths.items() if 0 < is_now < was)),
        kept=sum(is_now >= was for was, is_now in lengths.values()),
        lost_real=lost,
    )


def apply_verdict(tx: Transaction, found: WouldChange, asset: StoredAsset, *, at: datetime, by: str) -> str:
    """Move the threshold as it was shown; gives the id of the adjustment.

    Raises:
        UsageError: Nothing would move.
    """
    if found.factor is None:
        detail = f"the verdict on {found.incident} moves no threshold"
        raise UsageError(detail=detail, command="incidents close")
    name = f"{found.incident}|{found.check}|{at.isoformat()}"
    adjustment = Adjustment(
        id=hashlib.sha256(name.encode()).hexdigest()[:_ID_LENGTH],
        asset_id=asset.id,
        check=found.check,
        factor=found.factor,
        incident_id=found.incident,
        author=by,
        at=at,
    )
    tx.add_adjustment(adjustment)
    return adjustment.id


@dataclass(frozen=True, slots=True)
class _Replay:
    """What one check says of an asset's rows, in stretches, as its threshold stands now."""

    parts: Sequence[tuple[Window, Evidence]]
    memory: Memory
    profile: Profile

    @property
    def threshold(self) -> float:
        return self.parts[-1][1].threshold

    def peak_of(self, incident: Incident) -> float:
        """The largest factor at which the incident would still have opened; 0 where it would not now."""
        if not self.parts:
            return 0.0
        one = self.parts[-1][1]
        hysteresis = Hysteresis(one.release, one.on_delay, one.off_delay)
        parts = [evidence.exceedance[self._rows_of(window, incident)] for window, evidence in self.parts]
        return max(episode_peaks(np.concatenate(parts), 1.0, hysteresis), default=0.0)

    def quieting(self, incident: Incident) -> float | None:
        """The smallest factor that keeps the incident quiet; None where there is none, or it is quiet now."""
        last = max(d.last_at for d in incident.leading)
        for peak in (self.peak_of(incident), self._highest(incident)):
            needed = (ceil(peak * _DIGITS) + 1) / _DIGITS if 1.0 <= peak < inf else None
            # Hours that say nothing may join runs of rows that the peaks take apart.
            if needed is not None and not _rows_in(self.detections(needed), incident, last):
                return needed
        return None

    def _highest(self, incident: Incident) -> float:
        rows = [self._rows_of(window, incident) for window, _ in self.parts]
        found = [e.exceedance[part] for (_, e), part in zip(self.parts, rows, strict=True)]
        return max((float(np.nanmax(one)) for one in found if not np.isnan(one).all()), default=0.0)

    @staticmethod
    def _rows_of(window: Window, incident: Incident) -> slice:
        first = int(np.searchsorted(window.time, to_numpy(incident.started_at)))
        last = to_numpy(max(d.last_at for d in incident.leading))
        return slice(first, int(np.searchsorted(window.time, last, side="right")))

    def detections(self, factor: float) -> list[Detection]:
        """What the check would have opened with its threshold multiplied."""
        memory, found = self.memory, dict[datetime, Detection]()
        for window, evidence in self.parts:
            told, memory = find_detections(raised(evidence, factor), window, self.profile, memory)
            found |= {one.started_at: one for one in told}
        return list(found.values())


def _replay(
    tx: Transaction,
    asset: StoredAsset,
    profile: Profile,
    model: TrainedModel | None,
    check: str,
    first: datetime,
) -> _Replay:
    standing = standing_of(tx, asset, model, to_numpy(first))
    parts = [
        (window, one)
        for window, evidence in evidence_since(tx, standing, profile, model)
        for one in evidence
        if one.check == check
    ]
    return _Replay(parts, standing.memory, profile)


def _last_at(tx: Transaction, asset: StoredAsset, incident: Incident) -> datetime:
    span = tx.span(asset.id)
    return incident.worst.last_at if span is None else span[1]


def _ends(incident: Incident, last_at: datetime) -> datetime:
    return incident.ended_at or max(last_at, incident.started_at)


def _rows_in(detections: Sequence[Detection], incident: Incident, last_at: datetime) -> int:
    """Abnormal rows of the detections that overlap an incident."""
    end = _ends(incident, last_at)
    return sum(
        one.n_rows for one in detections if one.started_at <= end and one.last_at >= incident.started_at
    )
