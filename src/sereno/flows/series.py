"""A stretch of an asset's readings as a chart needs it: few points, and none of the peaks lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from sereno.domain.errors import InvalidQuery, NotFound, UnknownSignal
from sereno.domain.judgement import Detection
from sereno.domain.readings import FloatArray, Quality, QualityArray, TimeArray
from sereno.domain.signals import Profile
from sereno.domain.time import from_numpy, isoformat, to_numpy
from sereno.flows.long_series import Points, find_points
from sereno.store import StoredAsset, StoredDetection, Transaction

__all__ = ["MAX_POINTS", "SeriesQuery", "SeriesView", "decimate", "find_series"]

MAX_POINTS = 20_000
DEFAULT_POINTS = 2_000
_USUAL_SPAN = timedelta(days=30)
_GAP_STEPS = 1.5
"""Steps between two rows from which there is a gap between them."""

_PER_BUCKET = 3
"""The lowest, the highest, and a hole."""

_MOST_FLAGGED = 1_000
_SECOND_US = 1_000_000
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """What is to be shown.

    Attributes:
        signals: All that the asset has without any.
        start, end: [start, end); the last 30 days with readings without them.
        points: At most so many of each signal.
    """

    asset_id: int
    signals: Sequence[str] = ()
    start: datetime | None = None
    end: datetime | None = None
    points: int = DEFAULT_POINTS


@dataclass(frozen=True, slots=True)
class Line:
    """The points of one signal.

    Attributes:
        time: UTC, shape (points,).
        values: Raw, in `unit`; NaN draws a gap.
        n_rows: Instants that they stand for, those of gaps included; of figures of hours and days, readings.
    """

    signal: str
    unit: str
    labels: Mapping[str, str]
    kind: str
    time: TimeArray
    values: FloatArray
    n_rows: int

    def to_json(self) -> dict[str, object]:
        """For `series`."""
        values: list[float] = self.values.tolist()
        return {
            "signal": self.signal,
            "unit": self.unit,
            "kind": self.kind,
            "label": self.labels["en"],
            "label_es": self.labels["es"],
            "rows": self.n_rows,
            "time": _texts(self.time),
            "value": [None if value != value else value for value in values],  # noqa: PLR0124 - NaN
        }


@dataclass(frozen=True, slots=True)
class SeriesView:
    """A stretch of an asset.

    Attributes:
        flagged: First and last flagged instant of each run of equal flags of a signal.
    """

    asset: StoredAsset
    start: datetime
    end: datetime
    points: int
    lines: Sequence[Line]
    detections: Sequence[StoredDetection]
    flagged: Sequence[tuple[str, datetime, datetime, int]] = field(default=())

    def to_json(self) -> dict[str, object]:
        """The document of `series`."""
        return {
            "asset_id": self.asset.id,
            "site": self.asset.key.site,
            "asset": self.asset.key.asset,
            "profile": self.asset.profile,
            "zone": self.asset.zone,
            "step_s": None if self.asset.step is None else self.asset.step.total_seconds(),
            "from": isoformat(self.start),
            "to": isoformat(self.end),
            "points": self.points,
            "decimation": "min_max" if any(one.n_rows > len(one.time) for one in self.lines) else None,
            "series": [line.to_json() for line in self.lines],
            "flagged": [
                {"signal": name, "from": isoformat(first), "to": isoformat(last), "flags": flag_names(bits)}
                for name, first, last, bits in self.flagged
            ],
            "detections": [detection_json(one.id, one.detection) for one in self.detections],
        }


def find_series(tx: Transaction, query: SeriesQuery, profiles: Mapping[str, Profile]) -> SeriesView:
    """The readings of an asset over a stretch, decimated.

    Raises:
        NotFound: There is no such asset.
        UnknownSignal: It has no such signal.
        InvalidQuery: The stretch ends before it begins.
    """
    asset = next((one for one in tx.assets() if one.id == query.asset_id), None)
    if asset is None:
        raise NotFound(what="asset", id=query.asset_id, hint="")
    profile, names = profiles[asset.profile], signals_of(tx, asset, profiles)
    for name in query.signals:
        if name not in tx.stored_signals(asset.profile):
            raise UnknownSignal(asset=str(asset.key), signal=name, known=", ".join(names))
    chosen = list(dict.fromkeys(query.signals)) or list(names)
    start, end = _stretch(tx, asset, query)
    points = find_points(tx, asset, chosen, start=start, end=end)
    flag_time, flags = tx.flags(asset.id, asset.profile, chosen, start=start, end=end)
    detections = [one for one in tx.detections(asset.id, since=start) if one.detection.started_at < end]
    lines = [_line(profile, name, found, query.points) for name, found in zip(chosen, points, strict=True)]
    flagged = list(_flagged(chosen, flag_time, flags, asset.step))[:_MOST_FLAGGED]
    return SeriesView(asset, start, end, query.points, lines, detections, flagged)


def signals_of(tx: Transaction, asset: StoredAsset, profiles: Mapping[str, Profile]) -> tuple[str, ...]:
    """The signals that an asset sends, those of its profile first."""
    measured = tx.signals_sent(asset.id, asset.profile)
    named = profiles[asset.profile].signal_names
    return (*(name for name in named if name in measured), *(name for name in measured if name not in named))


def flag_names(bits: int) -> list[str]:
    """The names of quality flags."""
    return [str(flag.name).lower() for flag in Quality if flag and bits & flag]


def detection_json(number: int, one: Detection) -> dict[str, object]:
    """A detection as lists and series show it."""
    return {
        "id": number,
        "site": one.asset.site,
        "asset": one.asset.asset,
        "check": one.check,
        "kind": one.kind.value,
        "cause": one.cause,
        "severity": one.severity.name.lower(),
        "started_at": isoformat(one.started_at),
        "ended_at": isoformat(one.ended_at),
        "last_at": isoformat(one.last_at),
        "peak_at": isoformat(one.peak_at),
        "signals": list(one.signals),
        "score": _finite(one.score),
        "threshold": _finite(one.threshold),
        "observed": _finite(one.observed),
        "expected": _finite(one.expected),
        "unit": one.unit,
        "impact": _finite(one.impact),
        "impact_unit": one.impact_unit,
        "rows": one.n_rows,
        "contributions": {name: _finite(share) for name, share in one.contributions.items()},
        "model": one.model or None,
    }


def decimate(time: TimeArray, values: FloatArray, points: int) -> IndexArray:
    """Which rows stand for all of them: the lowest, the highest and a hole of each of equal spans of time.

    Args:
        time: Ascending, shape (rows,).
        values: Shape (rows,); NaN is a hole.
        points: At most so many are chosen.
    """
    if len(time) <= points:
        return np.arange(len(time))
    n_buckets = max((points - 2) // _PER_BUCKET, 1)
    offset = (time - time[0]).astype(np.int64)
    bucket = (offset * n_buckets) // (offset[-1] + 1)
    starts = np.flatnonzero(np.r_[True, bucket[1:] != bucket[:-1]])
    lengths = np.diff(np.r_[starts, len(time)])
    lowest = np.repeat(np.fmin.reduceat(values, starts), lengths)
    highest = np.repeat(np.fmax.reduceat(values, starts), lengths)
    chosen = [np.array([0, len(time) - 1], dtype=np.intp)]
    for is_one in (values == lowest, values == highest, np.isnan(values)):
        rows = np.flatnonzero(is_one)
        chosen.append(rows[np.unique(bucket[rows], return_index=True)[1]])
    found: IndexArray = np.unique(np.concatenate(chosen))
    return found


def _line(profile: Profile, name: str, found: Points, points: int) -> Line:
    time, values = _with_gaps(found)
    n_rows = max(len(time), int(found.n_values.sum()))
    rows = decimate(time, values, points)
    signal = profile.signal(name)
    labels = {language: signal.label(language) for language in ("en", "es")}
    return Line(name, signal.unit, labels, signal.kind.value, time[rows], values[rows], n_rows)


def _with_gaps(found: Points) -> tuple[TimeArray, FloatArray]:
    """With an empty row where rows are missing."""
    time, values = found.time, found.values
    if len(time) < 2:
        return time, values
    micros, waits = found.reach[:-1].astype(np.float64), np.diff(time).astype(np.float64)
    after = np.flatnonzero(waits > _GAP_STEPS * np.where(np.isnat(found.reach[:-1]), np.inf, micros)) + 1
    return np.insert(time, after, time[after - 1] + found.reach[after - 1]), np.insert(values, after, np.nan)


def _stretch(tx: Transaction, asset: StoredAsset, query: SeriesQuery) -> tuple[datetime, datetime]:
    span = tx.span(asset.id) if query.start is None or query.end is None else None
    last = from_numpy(to_numpy(query.start or query.end or datetime.fromisoformat("1970-01-02T00:00Z")))
    if span is not None:
        last = span[1] + (asset.step or timedelta(seconds=1))
    end = query.end or last
    start = query.start or end - _USUAL_SPAN
    if end < start:
        raise InvalidQuery(where="to", detail=f"{isoformat(end)} is before {isoformat(start)}")
    return start, end


def _flagged(
    names: Sequence[str], time: TimeArray, flags: QualityArray, step: timedelta | None
) -> "list[tuple[str, datetime, datetime, int]]":
    """Runs of equal flags, by start."""
    found: list[tuple[str, datetime, datetime, int]] = []
    longest = np.timedelta64(int(_GAP_STEPS * ((step or timedelta(0)) // timedelta(microseconds=1))), "us")
    for place, name in enumerate(names):
        rows = np.flatnonzero(flags[:, place])
        if not len(rows):
            continue
        bits, when = flags[rows, place], time[rows]
        is_new = (bits[1:] != bits[:-1]) | (np.diff(when) > longest)
        for first, last in pairwise([0, *(np.flatnonzero(is_new) + 1).tolist(), len(rows)]):
            found.append((name, from_numpy(when[first]), from_numpy(when[last - 1]), int(bits[first])))
    return sorted(found, key=lambda one: (one[1], one[0]))


def _texts(time: TimeArray) -> list[str]:
    unit: Literal["s", "us"] = "us" if (time.astype(np.int64) % _SECOND_US).any() else "s"
    return [f"{text}Z" for text in np.datetime_as_string(time, unit=unit).tolist()]


def _finite(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None
