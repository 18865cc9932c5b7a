"""What judging a window gives: scores, what they are worth, and the intervals judged abnormal."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import IntEnum, StrEnum

import numpy as np

from sereno.domain.archive import pack, unpack
from sereno.domain.readings import BoolArray, FloatArray, TimeArray
from sereno.domain.signals import AssetKey
from sereno.domain.time import isoformat

__all__ = [
    "Calibration",
    "Claim",
    "Detection",
    "Evidence",
    "IncidentKind",
    "Memory",
    "ModelCard",
    "RegimeChange",
    "Scores",
    "Severity",
]


class Severity(IntEnum):
    """How bad, in four steps (ISA-18.2 alarm priority)."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class IncidentKind(StrEnum):
    """The three kinds that are never mixed."""

    DATA = "data"
    PHYSICS = "physics"
    BEHAVIOUR = "behaviour"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a trained detector carries from one batch to the next: named arrays, no objects."""

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def dump(self) -> bytes:
        """The arrays as an archive."""
        return pack({}, self.arrays)

    @classmethod
    def load(cls, state: bytes) -> "Memory":
        """The memory that `dump` wrote."""
        return cls(unpack(state)[1])


@dataclass(frozen=True, slots=True)
class RegimeChange:
    """A signal that runs at another level from an instant on; an event of its own, never an alarm.

    Attributes:
        before, after: Level [unit of the signal].
    """

    asset: AssetKey
    signal: str
    at: datetime
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Strangeness per row; higher is stranger; meaningless until calibrated.

    Attributes:
        time: UTC start of each row, shape (rows,).
        values: Shape (rows,); NaN where there is nothing to judge or the lookback is missing.
        contributions: Share of each signal in the score, shape (rows, signals), rows sum to 1.
        expected: What each signal should have been, in its unit, shape (rows, signals).
        is_telling: Where a signal normally carries enough for a low value to be seen (not at night, for the
            sun),
            shape (rows, signals).
        voices: Score of each member, by name, where several detectors speak as one, shape (rows,).
        changes: Where the asset comes to run at other levels, in time order; empty of detectors that know no
            regimes.
    """

    time: TimeArray
    values: FloatArray
    contributions: FloatArray
    expected: FloatArray
    is_telling: BoolArray
    voices: Mapping[str, FloatArray] | None = None
    changes: Sequence[RegimeChange] = ()

    def of_signals(self, count: int) -> "Scores":
        """The same of the first signals: without columns that were added for reference."""
        return replace(
            self,
            contributions=self.contributions[:, :count],
            expected=self.expected[:, :count],
            is_telling=self.is_telling[:, :count],
        )


class Claim(StrEnum):
    """What a calibration promises of its budget."""

    CALIBRATED = "calibrated"
    """With 80 % of probability the true rate lies between half and twice the budget."""
    INDICATIVE = "indicative"
    """In the middle it does, but the history is too short to be sure."""
    DOUBTFUL = "doubtful"
    """The tail that was fitted disagrees with what was counted in the history itself."""
    AT_MOST = "at_most"
    """The true rate is lower: nothing below the calm 99 % quantile is told, whatever the budget allows."""
    NONE = "none"
    """The rule knows no budget."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns a score into a threshold, and how honest that is.

    Attributes:
        threshold: Score at which a row counts as abnormal.
        release: An open detection ends only below `release` x threshold.
        on_delay: Abnormal rows in a run that open a detection.
        off_delay: Normal rows in a run that end it.
        budget: False episodes per week and asset that were asked for.
        realised: Episodes per week and asset that the threshold gave on the held-out calm history.
        supported: Smallest budget that the history can support.
        asset_weeks: History behind the figures.
        method: `conformal`, or the name of another rule.
        claim: What is promised of the budget; empty in models that did not say.
        bands: Score over threshold from which an episode is medium, high and critical; the usual scale of
            exceedance and duration when empty.
    """

    threshold: float
    release: float
    on_delay: int
    off_delay: int
    budget: float
    realised: float
    supported: float
    asset_weeks: float
    method: str = "conformal"
    claim: str = ""
    bands: tuple[float, ...] = ()

    @classmethod
    def of_document(cls, document: Mapping[str, object]) -> "Calibration":
        """The calibration that JSON holds, where a tuple has become a list."""
        bands: Sequence[float] = document.get("bands", ())  # type: ignore[assignment]
        return cls(**{**document, "bands": tuple(bands)})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Detection:
    """An interval of an asset judged abnormal, with its evidence.

    Attributes:
        check: What judged it, e.g. `quality.missing`, `physics.generation_balance`, `behaviour`.
        cause: Stable code, e.g. `behaviour.low`.
        started_at: Start of the first abnormal step.
        ended_at: End of the last abnormal step; None while it goes on.
        last_at: Start of the last abnormal step seen so far.
        signals: The most guilty first.
        score, threshold: At the peak.
        observed, expected: Of the first signal at the peak, in `unit`; NaN when there is none.
        impact: Sum of observed - expected over the abnormal steps, in `impact_unit`; NaN when it has no
            meaning.
        n_rows: Abnormal steps.
        contributions: Share of each signal in the evidence.
        model: Id of the model that judged; empty for data and physics.
    """

    asset: AssetKey
    check: str
    kind: IncidentKind
    cause: str
    severity: Severity
    started_at: datetime
    ended_at: datetime | None
    last_at: datetime
    peak_at: datetime
    signals: tuple[str, ...]
    score: float
    threshold: float
    observed: float
    expected: float
    unit: str
    impact: float
    impact_unit: str
    n_rows: int
    contributions: Mapping[str, float]
    model: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Who a trained model is.

    Attributes:
        fingerprint: SHA-256 of the readings it learnt from.
        digest: SHA-256 of the artefact's arrays and settings.
        metrics: Figures of the training, by name.
    """

    id: str
    profile: str
    detector: str
    trained_at: datetime
    settings: Mapping[str, object]
    fingerprint: str
    digest: str
    assets: tuple[AssetKey, ...]
    signals: tuple[str, ...]
    calibration: Calibration
    metrics: Mapping[str, float]
    code_version: str

    def to_json(self) -> dict[str, object]:
        """The card as every door shows it."""
        return asdict(self) | {
            "trained_at": isoformat(self.trained_at),
            "assets": [str(key) for key in self.assets],
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one check says of each row of a window, in one currency: how far beyond its limit.

    Attributes:
        check: Name of the check, e.g. `quality.missing`, `physics.consumption_balance`, `behaviour`.
        exceedance: Score over threshold, shape (rows,); 1 is the limit, NaN says nothing.
        threshold: The limit in the unit of the score.
        contributions: Share of each signal, shape (rows, signals).
        expected: What each signal should have been, in its unit, NaN where the check has no opinion,
            shape (rows, signals).
        is_telling: Where a normal row says that a low signal has recovered, shape (rows, signals); everywhere
            when None.
        since: When the abnormal run of each row began, where the check knows better than the row itself.
        release, on_delay, off_delay, bands: See `Calibration`.
        changes: See `Scores`.
    """

    check: str
    kind: IncidentKind
    exceedance: FloatArray
    threshold: float
    contributions: FloatArray
    expected: FloatArray
    is_telling: BoolArray | None = None
    since: TimeArray | None = None
    release: float = 1.0
    on_delay: int = 1
    off_delay: int = 1
    bands: tuple[float, ...] = ()
    model: str = ""
    changes: Sequence[RegimeChange] = ()
