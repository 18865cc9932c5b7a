"""What the store gives back: frozen rows that belong to no other stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from sereno.contracts.notification import Answer
from sereno.domain.incidents import Incident, IncidentEvent
from sereno.domain.issues import DataIssue
from sereno.domain.judgement import Detection, ModelCard, Severity
from sereno.domain.readings import FloatArray, QualityArray, TimeArray
from sereno.domain.registry import ForecasterCard
from sereno.domain.signals import AssetKey
from sereno.domain.time import isoformat

__all__ = [
    "Appended",
    "FileEntry",
    "FileIssue",
    "FileStatus",
    "FoundFlags",
    "NewNotification",
    "ReceiverState",
    "Recorded",
    "Spell",
    "StoredAsset",
    "StoredAttempt",
    "StoredDetection",
    "StoredMetric",
    "StoredModel",
    "StoredNotification",
    "StoredRows",
    "WatchState",
]

FileStatus = Literal["reading", "done", "refused"]


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """An asset that the store knows.

    Attributes:
        zone: Time zone of its site, IANA name.
        step: Its rhythm, None when it is irregular or not known yet.
        is_simulated: All its readings come from a simulator.
    """

    id: int
    key: AssetKey
    profile: str
    zone: str
    step: timedelta | None
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class Appended:
    """What a batch changed.

    Attributes:
        n_new: Values that were not there.
        n_changed: Values that replaced different ones; the old ones are kept.
        first_touched: Earliest new or changed instant of each asset that was touched, UTC.
        new_times: Instants of which an asset had no row, of each asset that got any, UTC, ascending.
        changed_times: Instants of rows that were there and got other content, of each asset that has any.
    """

    n_new: int
    n_changed: int
    first_touched: Mapping[AssetKey, np.datetime64]
    new_times: Mapping[AssetKey, TimeArray]
    changed_times: Mapping[AssetKey, TimeArray]


@dataclass(frozen=True, slots=True)
class FoundFlags:
    """What judging found of rows of an asset.

    Attributes:
        time: UTC, shape (rows,), each instant once, ascending.
        flags: `Quality` bits, shape (rows, signals).
    """

    asset_id: int
    time: TimeArray
    signals: Sequence[str]
    flags: QualityArray


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Raw rows of one asset as they were read.

    Attributes:
        time: UTC, datetime64[us], ascending, shape (rows,).
        signals: Every signal of the profile's table, in the order of the columns.
        values: Shape (rows, signals); NaN where nothing was read.
        quality: `Quality` bits, int32, shape (rows, signals).
    """

    time: TimeArray
    signals: tuple[str, ...]
    values: FloatArray
    quality: QualityArray

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Spell:
    """When an asset was in trouble; `ended_at` is None while it goes on."""

    asset_id: int
    severity: Severity
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file by its content: what became of it.

    Attributes:
        sha256: Digest of the content, the identity.
        size: Bytes.
        report: What reading it said, JSON.
        n_new: Values that it added.
        at: When this was last written.
    """

    sha256: str
    name: str
    size: int
    status: FileStatus
    report: Mapping[str, object]
    n_new: int
    at: datetime


@dataclass(frozen=True, slots=True)
class FileIssue:
    """Something wrong in a file.

    Attributes:
        sha256, file: Digest and name of the file.
        at: When it was read.
    """

    sha256: str
    file: str
    at: datetime
    issue: DataIssue


@dataclass(frozen=True, slots=True)
class WatchState:
    """What a detector remembers of an asset up to `last_ts`.

    Attributes:
        again_from: Rows from this instant on are to be judged again: what stands beside them has changed.
    """

    last_ts: datetime | None
    memory: bytes
    model: str
    again_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredDetection:
    """A detection with its id."""

    id: int
    detection: Detection


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A trained model and where its artefact lies."""

    card: ModelCard
    path: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class StoredForecaster:
    """A trained forecaster, where its artefact lies, and whether it forecasts its group."""

    card: ForecasterCard
    path: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class StoredMetric:
    """One line of the table `metricas`: how many of how many records were abnormal."""

    total: int
    abnormal: int
    percent: float
    status: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event that a transaction has recorded, and what it made of the incident.

    Attributes:
        before: None where the event opened it.
    """

    before: Incident | None
    after: Incident
    event: IncidentEvent

    def to_facts(self) -> dict[str, object]:
        """What somebody who listens is told of it."""
        return {
            "incident": self.after.id,
            "event": self.event.kind.value,
            "at": isoformat(self.event.at),
            "site": self.after.asset.site,
            "asset": self.after.asset.asset,
            "severity": self.after.severity.name.lower(),
            "condition": self.after.condition.value,
            "state": self.after.state.value,
        }


@dataclass(frozen=True, slots=True)
class NewNotification:
    """Something that a receiver is to hear.

    Attributes:
        dedup_key: Known to the receiver, too; what has one that is known is not added again.
        severity: Of the incident, 1 to 4; 0 for what is about none.
        body: What is needed to write the message later, JSON.
    """

    dedup_key: str
    receiver: str
    event: str
    created_at: datetime
    incident_id: str | None = None
    severity: int = 0
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """A notification and how far it has come.

    Attributes:
        next_at: When it may leave, or be gathered in a digest where it is held.
        expires_at: When it is given up if it still has not arrived.
        attempts: How often somebody has begun to send it.
        is_uncertain: An attempt ended without an answer, so the receiver may have it.
        carried_by: Id of the notification that tells it, too.
    """

    id: int
    dedup_key: str
    incident_id: str | None
    receiver: str
    event: str
    severity: int
    body: Mapping[str, object]
    status: str
    created_at: datetime
    next_at: datetime
    expires_at: datetime
    lease_until: datetime | None
    lease_owner: str | None
    attempts: int
    is_uncertain: bool
    last_error: str
    sent_at: datetime | None
    carried_by: int | None


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """One try to deliver a notification, and what was answered."""

    notification_id: int
    number: int
    at: datetime
    latency_ms: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class ReceiverState:
    """How a receiver is doing.

    Attributes:
        since: When it was first seen.
        failures: Attempts in a row that it did not take.
        blocked_until: Nothing is sent to it before.
        broken_since: When it first refused what it was sent; None once it has accepted anything since.
        disabled_at: When it said that it wants nothing more.
        accepted_at, tested_at: When it last took anything, and was last tested by us.
        looked_at: Until when the absence of readings has been told to it.
    """

    receiver: str
    since: datetime
    failures: int = 0
    blocked_until: datetime | None = None
    broken_since: datetime | None = None
    broken_reason: str = ""
    disabled_at: datetime | None = None
    accepted_at: datetime | None = None
    tested_at: datetime | None = None
    looked_at: datetime | None = None
