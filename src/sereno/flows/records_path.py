"""Records and files that are judged without being stored, with what is needed of the past kept at hand."""

import time
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sereno.domain.errors import InvalidRecord, SerenoError
from sereno.domain.issues import DataIssue, QuarantinedRow
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy, isoformat, to_numpy
from sereno.flows.build import FileHints, Setup, read_options
from sereno.flows.future import without_future
from sereno.flows.learning import ModelShelf
from sereno.flows.models import TrainedModel
from sereno.flows.records import (
    AssetContext,
    RowJudgement,
    asset_context,
    judge_readings,
    row_judgements,
    rows_by_asset,
)
from sereno.flows.score import JudgedRows
from sereno.ingest import Batch, inspect_file, read_batches, rows_from_records
from sereno.report.sentences import Place, describe_detection
from sereno.store import Store

__all__ = ["Heard", "Opinion", "Question", "RecordPath", "RowPlace", "stored_judgements"]

_RECORDS = "records"
"""What data issues of records name that came alone."""
_MODELS_S = 2.0
"""How old what is known of the models may be where nothing is kept of what is asked [s]."""
RowPlace = tuple[AssetKey, np.datetime64]
"""Asset and UTC instant of a row."""
Heard = tuple[int, int]
"""How often the store has changed, and the models were looked at again, as far as a workspace heard of it."""
_Place = tuple[str, AssetKey]
"""Profile and asset: one name may stand for an asset of each."""


@dataclass(frozen=True, slots=True)
class Question:
    """Records of which somebody asks what is thought of them."""

    records: Sequence[Mapping[str, object]]

    @property
    def n_records(self) -> int:
        """How many are to be judged."""
        return len(self.records)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is thought of the records of a question.

    Attributes:
        rows: The document of each, in their order; None for one that is in quarantine.
        quarantine: Those that cannot be judged.
        issues: What somebody should know of them.
    """

    rows: Sequence[Mapping[str, str | float | bool | None] | None]
    quarantine: Sequence[QuarantinedRow]
    issues: Sequence[DataIssue]


class RecordPath:
    """Judges what is not stored; remembers where each asset stands until something is stored."""

    def __init__(self, setup: Setup, store: Store, shelf: ModelShelf) -> None:
        self._setup = setup
        self._store = store
        self._shelf = shelf
        self._contexts: dict[_Place, AssetContext] = {}
        self._n_changes = 0
        self._caught_up: Heard | None = None
        self._looked_at = time.monotonic()

    @property
    def heard(self) -> Heard:
        """What it heard of so far."""
        return self._n_changes, self._shelf.n_forgotten

    def catch_up(self, heard: Heard) -> None:
        """Forget what has changed since another process had heard of that, and this was called last."""
        if self._caught_up is None or heard[1] != self._caught_up[1]:
            self._shelf.forget()
        if heard != self._caught_up:
            self.forget()
        self._caught_up = heard

    @contextmanager
    def changing(self, keys: Iterable[AssetKey] | None = None) -> Iterator[None]:
        """The store changes within, for these assets or for any.

        What is looked up meanwhile is how it was before: it is forgotten once more.
        """
        keys = None if keys is None else list(keys)
        self.forget(keys)
        try:
            yield
        finally:
            self.forget(keys)

    def forget(self, keys: Iterable[AssetKey] | None = None) -> None:
        """The store has changed, for these assets or for any."""
        self._n_changes += 1
        if keys is None:
            self._contexts.clear()
            return
        for key in keys:
            for profile in self._setup.profiles:
                self._contexts.pop((profile, key), None)

    def judge_file(self, path: Path, timezone: str | None) -> list[RowJudgement]:
        """Every good row of a file.

        Raises:
            DataError: The file cannot be read.
        """
        plan = inspect_file(
            path, self._setup.profiles, read_options(self._setup, FileHints(timezone=timezone))
        )
        return [row for batch in read_batches(plan) for row in self._judge([batch.readings])[0]]

    def judge_records(
        self, records: Sequence[Mapping[str, object]], units: Mapping[str, str] | None
    ) -> list[RowJudgement]:
        """Every record, in order.

        Raises:
            InvalidRecord: A record has no usable time or value.
        """
        batch = self._told(records, units)
        if None in batch.places:
            bad = batch.quarantine[0]
            raise InvalidRecord(detail=f"{bad.reason}: {bad.text}")
        return [row for row in self.in_order(batch) if row is not None]

    def judge_all(self, questions: Sequence[Question]) -> list[Opinion | SerenoError]:
        """What is thought of the records of several who ask at once; none of them is shown the others'."""
        self._look_after_models()
        batches = [self._understood(question) for question in questions]
        good = [one for one in batches if isinstance(one, Batch)]
        judged = iter(self._judge([one.readings for one in good]))
        return [self._opinion(one, next(judged)) if isinstance(one, Batch) else one for one in batches]

    def read(self, records: Sequence[Mapping[str, object]], units: Mapping[str, str] | None) -> Batch:
        """The readings of records; those that cannot be read, or are of the future, have no place."""
        options = read_options(self._setup)
        return without_future(
            rows_from_records(records, self._setup.profiles, options, units=units),
            records,
            now=self._setup.clock(),
            is_zone_assumed=options.is_timezone_assumed,
            where=_RECORDS,
        )

    def in_order(
        self, batch: Batch, judged: Mapping[RowPlace, RowJudgement] | None = None
    ) -> list[RowJudgement | None]:
        """The judgement of each record, as the records came; those that say the same share one.

        Args:
            judged: What judging stored rows has said already; only the others are judged here.
        """
        known = dict(judged or {})
        readings = batch.readings
        unknown = _without(readings, known)
        if len(unknown):
            readings = readings.take(unknown) if known else readings
            known |= dict(zip(_places(readings), self._judge([readings])[0], strict=True))
        return [None if place is None else known[place] for place in batch.places]

    def describe(self, row: RowJudgement) -> str:
        """An abnormal row in one sentence; empty for a normal one."""
        if row.detection is None:
            return ""
        place = Place(self._setup.profiles[row.profile], row.zone, row.step)
        return describe_detection(row.detection, place, self._setup.language)

    def _told(self, records: Sequence[Mapping[str, object]], units: Mapping[str, str] | None = None) -> Batch:
        """The readings of records.

        Raises:
            InvalidRecord: A record has a time, but no value.
        """
        batch = self.read(records, units)
        empty = np.isnan(batch.readings.values).all(axis=1)
        if empty.any():
            instant = from_numpy(batch.readings.time[empty][0])
            raise InvalidRecord(detail=f"it holds no number at {isoformat(instant)}")
        return batch

    def _understood(self, question: Question) -> Batch | SerenoError:
        try:
            return self._told(question.records)
        except SerenoError as error:
            return error

    def _opinion(self, batch: Batch, judged: Sequence[RowJudgement]) -> Opinion:
        known = dict(zip(_places(batch.readings), judged, strict=True))
        rows = [None if place is None else known[place] for place in batch.places]
        documents = [None if row is None else row.to_json(self.describe(row)) for row in rows]
        return Opinion(documents, batch.quarantine, batch.issues)

    def _judge(self, batches: Sequence[Readings]) -> list[list[RowJudgement]]:
        """Every row of batches, as if those of each came next."""
        judged: dict[int, list[RowJudgement]] = {}
        at_hand = dict(self._contexts)
        for name in {readings.profile for readings in batches}:
            profile, model = self._setup.profiles[name], self._shelf.get(name)
            own = {number: readings for number, readings in enumerate(batches) if readings.profile == name}
            asked = [(one, self._contexts_of(one, profile, model, at_hand)) for one in own.values()]
            judged |= zip(own, judge_readings(asked, profile, model), strict=True)
        return [judged[number] for number in range(len(batches))]

    def _contexts_of(
        self,
        readings: Readings,
        profile: Profile,
        model: TrainedModel | None,
        at_hand: dict["_Place", AssetContext],
    ) -> dict[AssetKey, AssetContext]:
        """Where each asset of a batch stands just before it.

        Args:
            at_hand: Of assets that were asked about before; others are added.
        """
        found = {}
        for key, rows in zip(readings.assets, rows_by_asset(readings), strict=True):
            place = profile.name, key
            first, known = readings.time[rows[0]], at_hand.get(place)
            if known is None or (known.last_at is not None and first <= to_numpy(known.last_at)):
                known = self._context(key, profile, model, first)
                if known.is_latest:
                    at_hand[place] = known
            found[key] = known
        return found

    def _context(
        self, key: AssetKey, profile: Profile, model: TrainedModel | None, first: np.datetime64
    ) -> AssetContext:
        zone, n_changes = read_options(self._setup).timezone, self._n_changes
        context = asset_context(self._store, key, profile, model, zone, first)
        # Others may write meanwhile: threads of this process, and on a server other processes.
        if context.is_latest and n_changes == self._n_changes and not self._store.is_shared:
            self._contexts[profile.name, key] = context
        return context

    def _look_after_models(self) -> None:
        """Let go of models that another process has replaced, every few seconds."""
        now = time.monotonic()
        if now - self._looked_at >= _MODELS_S:
            if self._shelf.refresh():
                self.forget()
            self._looked_at = now


def stored_judgements(
    judged: JudgedRows, profile: Profile, wanted: Collection[RowPlace | None]
) -> dict[RowPlace, RowJudgement]:
    """What judging stored rows said of those that are asked about."""
    found: dict[RowPlace, RowJudgement] = {}
    for window, evidence in judged:
        places = [(window.asset, time) for time in window.time]
        rows = [row for row, place in enumerate(places) if place in wanted]
        own = row_judgements(window, evidence, profile, rows)
        found |= {places[row]: one for row, one in zip(rows, own, strict=True)}
    return found


def _without(readings: Readings, known: Container[RowPlace]) -> np.ndarray:
    """The rows of a batch whose place is not known."""
    return np.flatnonzero([place not in known for place in _places(readings)])


def _places(readings: Readings) -> list[RowPlace]:
    return [
        (readings.assets[i], at) for i, at in zip(readings.asset_index.tolist(), readings.time, strict=True)
    ]
