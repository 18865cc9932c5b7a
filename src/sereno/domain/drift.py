"""What a watch for drift says: four verdicts, each with the replays that its threshold comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from itertools import pairwise
from math import isfinite
from typing import Any

from sereno.domain.signals import AssetKey

__all__ = ["AssetDrift", "DriftKind", "DriftLevel", "DriftStanding", "DriftVerdict", "WeekStatistic"]


class DriftKind(StrEnum):
    """What may drift; in the order in which a person should look."""

    QUALITY = "quality"
    """Values are missing, stand still or are filled in more often than they used to."""
    INPUT = "input"
    """What the signal depends on, as the weather, is not as it was in this season."""
    CONCEPT = "concept"
    """The same inputs no longer give the same value."""
    PERFORMANCE = "performance"
    """Forecasts err more than they did."""


class DriftLevel(IntEnum):
    """How far beyond what the replays did without drift."""

    UNKNOWN = -1
    """Too little history to judge."""
    NONE = 0
    LOW = 1
    """Beyond nine of ten replays."""
    MEDIUM = 2
    """Beyond the threshold, which no more than the budget of replays reaches."""
    HIGH = 3
    """Beyond the threshold for two weeks running."""

    @property
    def alarms(self) -> bool:
        """Whether somebody is to be told."""
        return self >= DriftLevel.MEDIUM


@dataclass(frozen=True, slots=True)
class WeekStatistic:
    """One week in units of its threshold.

    Attributes:
        monday: First local day of the week, ISO 8601.
        value: Statistic over threshold: beyond 1 it alarms; NaN where the week cannot be judged.
        level: What it amounts to.
        signal: The one that is furthest off.
    """

    monday: str
    value: float
    level: DriftLevel
    signal: str


@dataclass(frozen=True, slots=True)
class DriftVerdict:
    """One kind of drift of one asset.

    Attributes:
        level: Of the last week that can be judged.
        since: Monday of the first week of the alarm that goes on; empty without one.
        signal: The one that is furthest off, empty where none is.
        replays: The statistics of the reference weeks, each judged as if it were new, in units of the
            threshold: the evidence for it.
        n_reference: Weeks that the threshold comes from.
        change: Of the signal over the judged weeks against the same season [unit of the signal, share for
            ratio-scaled ones]; NaN where it is not known.
        is_season_known: Whether there are weeks of this season, or later in it, to compare with.
        is_shared: Whether most of the fleet shifts together, which in a season that nobody has seen is
            the season.
        reason: Why it cannot be judged, a code; empty where it can.
    """

    kind: DriftKind
    level: DriftLevel
    weeks: Sequence[WeekStatistic]
    replays: Sequence[float]
    n_reference: int
    since: str = ""
    signal: str = ""
    change: float = float("nan")
    is_season_known: bool = True
    is_shared: bool = False
    reason: str = ""

    @property
    def remark(self) -> str:
        """What a person should know beside the level, a code; empty where there is nothing."""
        if self.reason or not self.level:
            return self.reason
        if self.is_shared:
            return "shared"
        return "" if self.is_season_known else "season_unseen"

    @property
    def n_alarms(self) -> int:
        """Stretches of weeks that alarm."""
        alarms = [False, *(one.level.alarms for one in self.weeks)]
        return sum(now and not before for before, now in pairwise(alarms))

    @property
    def value(self) -> float:
        """Statistic over threshold of the last week that can be judged; NaN without any."""
        known = [one.value for one in self.weeks if isfinite(one.value)]
        return known[-1] if known else float("nan")

    def to_json(self) -> dict[str, object]:
        """For `drift --json`."""
        return {
            "kind": self.kind.value,
            "level": self.level.name,
            "since": self.since or None,
            "signal": self.signal or None,
            "value": _known(self.value),
            "change": _known(self.change),
            "n_reference": self.n_reference,
            "is_season_known": self.is_season_known,
            "is_shared": self.is_shared,
            "reason": self.reason or None,
            "weeks": [
                {
                    "monday": one.monday,
                    "value": _known(one.value),
                    "level": one.level.name,
                    "signal": one.signal or None,
                }
                for one in self.weeks
            ],
            "replays": [_known(one) for one in self.replays],
        }

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> "DriftVerdict":
        """The verdict that `to_json` wrote."""
        return cls(
            kind=DriftKind(said["kind"]),
            level=DriftLevel[said["level"]],
            weeks=tuple(
                WeekStatistic(
                    one["monday"], _figure(one["value"]), DriftLevel[one["level"]], one["signal"] or ""
                )
                for one in said["weeks"]
            ),
            replays=tuple(_figure(one) for one in said["replays"]),
            n_reference=said["n_reference"],
            since=said["since"] or "",
            signal=said["signal"] or "",
            change=_figure(said["change"]),
            is_season_known=said["is_season_known"],
            is_shared=said["is_shared"],
            reason=said["reason"] or "",
        )


@dataclass(frozen=True, slots=True)
class AssetDrift:
    """The verdicts of one asset.

    Attributes:
        target: The signal that is forecast.
    """

    asset: AssetKey
    target: str
    verdicts: Mapping[DriftKind, DriftVerdict]

    @property
    def level(self) -> DriftLevel:
        """The worst of its verdicts."""
        return max(one.level for one in self.verdicts.values())

    @property
    def action(self) -> str:
        """What to do, a code: look at the first kind that alarms, for it explains those after it."""
        for kind in DriftKind:
            if self.verdicts[kind].level.alarms:
                return kind.value
        if any(one.is_shared for one in self.verdicts.values()):
            return "shared"
        return "wait" if self.level is DriftLevel.UNKNOWN else "none"

    @property
    def staleness(self) -> DriftVerdict | None:
        """The verdict that speaks for learning anew: behaviour or forecasts have drifted, and data are sound.

        None where nothing alarms, where the data are to be mended first, and where the fleet shifts together.
        """
        if self.verdicts[DriftKind.QUALITY].level.alarms:
            return None
        stale = (self.verdicts[kind] for kind in (DriftKind.CONCEPT, DriftKind.PERFORMANCE))
        return next((one for one in stale if one.level.alarms and not one.is_shared), None)

    def to_json(self) -> dict[str, object]:
        """For `drift --json`."""
        return {
            "site": self.asset.site,
            "asset": self.asset.asset,
            "signal": self.target,
            "level": self.level.name,
            "action": self.action,
            "verdicts": [self.verdicts[kind].to_json() for kind in DriftKind],
        }


@dataclass(frozen=True, slots=True)
class DriftStanding:
    """The last verdicts of one signal of an asset, and when they were given.

    Attributes:
        asset_id: Number of the asset.
    """

    asset_id: int
    profile: str
    drift: AssetDrift
    judged_at: datetime


def _known(value: float) -> float | None:
    return value if isfinite(value) else None


def _figure(value: float | None) -> float:
    return float("nan") if value is None else value
