"""What the store gives back: frozen rows that belong to no other stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from sereno.domain.judgement import Detection, ModelCard
from sereno.domain.readings import FloatArray, QualityArray, TimeArray
from sereno.domain.signals import AssetKey

__all__ = [
    "Appended",
    "FileEntry",
    "FileStatus",
    "StoredAsset",
    "StoredDetection",
    "StoredMetric",
    "StoredModel",
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
    """

    n_new: int
    n_changed: int
    first_touched: Mapping[AssetKey, np.datetime64]
    new_times: Mapping[AssetKey, TimeArray]


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
class WatchState:
    """What a detector remembers of an asset up to `last_ts`."""

    last_ts: datetime | None
    memory: bytes
    model: str


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
class StoredMetric:
    """One line of the table `metricas`: how many of how many records were abnormal."""

    total: int
    abnormal: int
    percent: float
    status: str
    at: datetime
