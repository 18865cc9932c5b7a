"""What the registry says of trained models: what became of each, and how two of them compare."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import StrEnum

from sereno.domain.signals import AssetKey
from sereno.domain.time import isoformat

__all__ = [
    "Comparison",
    "ForecasterCard",
    "ModelState",
    "Opinion",
    "RegistryEntry",
    "RegistryEvent",
    "Shadow",
]


class ModelState(StrEnum):
    """Where a version stands."""

    CANDIDATE = "candidate"
    """It was learnt, and does nothing."""
    SHADOW = "shadow"
    """It judges or forecasts beside the champion, and nobody is told."""
    CHAMPION = "champion"
    """It judges or forecasts."""
    RETIRED = "retired"
    """It was champion once."""
    REJECTED = "rejected"
    """It was compared, and was not better."""


class RegistryEvent(StrEnum):
    """What can happen to a version, besides becoming champion (which the successions tell)."""

    LEARNT = "learnt"
    SHADOW = "shadow"
    COMPARED = "compared"
    REJECTED = "rejected"
    POSTPONED = "postponed"
    """It was time to learn anew, and something spoke against it."""
    DRIFT = "drift"
    """What it learnt no longer holds for some of its assets."""


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """One line of the log, which is only ever added to.

    Attributes:
        profile: Whose models it is about: a profile's, or those of a group that is forecast together.
        model_id: Empty where it is about none in particular.
        actor: Who did it; empty where sereno works by itself.
    """

    profile: str
    model_id: str
    event: RegistryEvent
    at: datetime
    actor: str
    reason: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """As every door shows it."""
        return {
            "at": isoformat(self.at),
            "who": self.actor or "sereno",
            "event": self.event.value,
            "model": self.model_id,
            "reason": self.reason,
            "facts": dict(self.facts),
        }


class Opinion(StrEnum):
    """What a comparison says of the challenger."""

    BETTER = "better"
    ALIKE = "alike"
    WORSE = "worse"
    TOO_FEW_DAYS = "too_few_days"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger beside a champion on days that neither has seen.

    Attributes:
        measure: What a day's loss is: `faults` of detectors, `drifts` of those that follow levels of
            weeks, `pinball` of forecasters.
        opinion: By whether the interval lies below or above zero.
        champion_loss, challenger_loss: Means over the days; NaN without any.
        difference: Challenger minus champion, mean over the days; below zero is better.
        low, high: Ends of the interval of the difference, by block bootstrap with days as blocks.
        confidence: Of the interval.
        first, last: Days that were compared, on the clock of each site; None without any.
    """

    champion: str
    challenger: str
    measure: str
    opinion: Opinion
    champion_loss: float
    challenger_loss: float
    difference: float
    low: float
    high: float
    confidence: float
    n_days: int
    n_assets: int
    first: date | None
    last: date | None

    def to_json(self) -> dict[str, object]:
        """For `--json`, for the card and for the log; what is NaN is null."""
        document = {name: None if value != value else value for name, value in asdict(self).items()}  # noqa: PLR0124
        days = {"first": self.first, "last": self.last}
        return document | {
            "opinion": self.opinion.value,
            **{name: None if day is None else day.isoformat() for name, day in days.items()},
        }


@dataclass(frozen=True, slots=True)
class ForecasterCard:
    """Who a trained forecaster is.

    Attributes:
        profile: The group that it forecasts, as `forecast-load-power-3600s-ridge-2d`.
        detector: Kind of forecaster.
        step_s: Length of a step [s].
        until: Start of the last row that it learnt from.
        fingerprint: SHA-256 of the readings it learnt from.
        digest: SHA-256 of the artefact.
        metrics: Figures of the training, by name.
    """

    id: str
    profile: str
    detector: str
    signal: str
    step_s: float
    trained_at: datetime
    settings: Mapping[str, object]
    fingerprint: str
    digest: str
    assets: tuple[AssetKey, ...]
    until: datetime
    metrics: Mapping[str, float]
    code_version: str

    def to_json(self) -> dict[str, object]:
        """The card as every door shows it."""
        return asdict(self) | {
            "trained_at": isoformat(self.trained_at),
            "until": isoformat(self.until),
            "assets": [str(key) for key in self.assets],
        }


@dataclass(frozen=True, slots=True)
class Shadow:
    """What a version said beside the champion so far.

    Attributes:
        since, until: Stretch that it has judged; None before the first row.
        n_rows: Rows judged, or steps forecast whose values are known.
        n_told: Episodes of behaviour that it would have told; 0 of a forecaster.
        n_champion: Those that the champion told of the same assets in the same stretch.
        error, champion_error: Mean absolute errors of the forecasts of the same steps; NaN of a detector.
        coverage: Share of values within the 90 % band; NaN of a detector.
    """

    since: datetime | None
    until: datetime | None
    n_assets: int
    n_rows: int
    n_told: int = 0
    n_champion: int = 0
    error: float = float("nan")
    champion_error: float = float("nan")
    coverage: float = float("nan")

    def to_json(self) -> dict[str, object]:
        """As the card shows it; what is NaN is null."""
        document = {name: None if value != value else value for name, value in asdict(self).items()}  # noqa: PLR0124
        return document | {
            name: None if at is None else isoformat(at)
            for name, at in (("since", self.since), ("until", self.until))
        }
