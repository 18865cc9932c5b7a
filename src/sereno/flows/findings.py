"""What the values of a file say before anything is stored: the checks of `check_window` over its batches."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from sereno.detect.episodes import find_detections
from sereno.domain.judgement import Detection, Memory
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey, Profile
from sereno.flows.records import rows_by_asset
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import moment
from sereno.ingest import HARMLESS_CODES, Batch, FilePlan
from sereno.prepare.checks import check_window
from sereno.prepare.grid import build_window, infer_step
from sereno.report.sentences import Place, describe_detection

__all__ = ["Findings"]

MAX_WAITING_ROWS = 500_000
"""Rows that wait to be checked together: a batch of many assets holds few rows of each."""
MAX_FOUND = 1_000
"""Kinds of finding that are listed; a file with more is not read by people one by one."""
_CHUNK_ROWS = 20_000
_HARMLESS = HARMLESS_CODES | {"quality.register_rollover", "quality.catch_up"}


@dataclass(slots=True)
class _Course:
    """How far an asset has been followed."""

    place: Place
    signals: tuple[str, ...]
    memory: Memory = field(default_factory=Memory)
    last: np.datetime64 | None = None


@dataclass(slots=True)
class _Finding:
    """The episodes of one cause on one asset."""

    place: Place
    worst: Detection
    first: Detection
    last: Detection
    n_episodes: int = 0

    def add(self, detection: Detection) -> None:
        """One more episode, or the next form of the last one."""
        if self.n_episodes == 0 or detection.started_at != self.last.started_at:
            self.n_episodes += 1
        self.last = detection
        if detection.started_at == self.worst.started_at or detection.n_rows > self.worst.n_rows:
            self.worst = detection


class Findings:
    """Gathers what the checks find in the readings of one file, in bounded memory.

    Each asset is followed from batch to batch; readings that lie before what was followed already, as in a
    file that runs backwards, begin a course of their own.
    """

    def __init__(self, plan: FilePlan, language: str) -> None:
        self._plan = plan
        self._language = language
        self._courses: dict[tuple[str, AssetKey], _Course] = {}
        self._found: dict[tuple[str, AssetKey], _Finding] = {}
        self._waiting: list[Readings] = []

    def add(self, batch: Batch) -> None:
        """Checks a batch, now or together with the next ones."""
        if len(batch.readings):
            if self._waiting and not _is_alike(self._waiting[0], batch.readings):
                self._check()
            self._waiting.append(batch.readings)
        if batch.is_last or sum(map(len, self._waiting)) >= MAX_WAITING_ROWS:
            self._check()

    @property
    def needs_attention(self) -> bool:
        """Whether somebody should look at what was found."""
        return any(code not in _HARMLESS for code, _ in self._found)

    def issues(self) -> Iterator[dict[str, object]]:
        """One issue of DESIGN's entry per cause and asset; `count` is its episodes."""
        for (code, asset), one in self._found.items():
            yield {
                "code": code,
                "where": f"{asset}: {self._period(one)}",
                "count": one.n_episodes,
                "message": self._message(one),
            }

    def _period(self, one: _Finding) -> str:
        end = one.last.ended_at or one.last.last_at
        return f"{self._moment(one, one.first.started_at)} - {self._moment(one, end)}"

    def _moment(self, one: _Finding, at: datetime) -> str:
        return moment(at, one.place.zone, self._language, step=one.place.step)

    def _message(self, one: _Finding) -> str:
        told = describe_detection(one.worst, one.place, self._language)
        if one.n_episodes == 1:
            return told
        return f"{told} {sentence('finding.episodes', self._language, count=one.n_episodes)}"

    def _check(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        readings = _joined(waiting)
        profile = next(p.profile for p in self._plan.each if p.profile.name == readings.profile)
        for key, rows in zip(readings.assets, rows_by_asset(readings), strict=True):
            self._follow(key, profile, readings, rows)

    def _follow(self, key: AssetKey, profile: Profile, readings: Readings, rows: np.ndarray) -> None:
        name = (profile.name, key)
        course = self._courses.get(name)
        is_next = (
            course is not None
            and course.signals == readings.signals
            and (course.last is None or bool(readings.time[rows[0]] > course.last))
        )
        if course is None or not is_next:
            step = infer_step(readings.time[rows])
            course = self._courses[name] = _Course(
                Place(profile, self._plan.options.timezone, step), readings.signals
            )
        window = build_window(
            key,
            profile.name,
            readings.signals,
            (readings.time[rows], readings.values[rows], readings.quality[rows]),
            course.place.step,
            zone=course.place.zone,
            after=course.last,
        )
        for start in range(0, len(window), _CHUNK_ROWS):
            part = window.rows(start, min(start + _CHUNK_ROWS, len(window)))
            checked = check_window(part, profile, course.memory)
            arrays = dict(checked.memory.arrays)
            for evidence in checked.evidence:
                found, state = find_detections(evidence, checked.window, profile, course.memory)
                arrays.update(state.arrays)
                self._keep(course.place, found)
            course.memory = Memory(arrays)
        course.last = readings.time[rows[-1]]

    def _keep(self, place: Place, detections: list[Detection]) -> None:
        for detection in detections:
            key = (detection.cause, detection.asset)
            if key not in self._found:
                if len(self._found) >= MAX_FOUND:
                    continue
                self._found[key] = _Finding(place, detection, detection, detection)
            self._found[key].add(detection)


def _is_alike(one: Readings, other: Readings) -> bool:
    return one.profile == other.profile and one.signals == other.signals


def _joined(parts: list[Readings]) -> Readings:
    """Several batches as one."""
    if len(parts) == 1:
        return parts[0]
    numbers: dict[AssetKey, int] = {}
    for part in parts:
        for key in part.assets:
            numbers.setdefault(key, len(numbers))
    index = [np.array([numbers[key] for key in p.assets], dtype=np.int32)[p.asset_index] for p in parts]
    return Readings(
        profile=parts[0].profile,
        assets=tuple(numbers),
        asset_index=np.concatenate(index),
        time=np.concatenate([p.time for p in parts]),
        signals=parts[0].signals,
        values=np.concatenate([p.values for p in parts]),
        quality=np.concatenate([p.quality for p in parts]),
    )
