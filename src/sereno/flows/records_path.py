"""Records and files that are judged without being stored, with what is needed of the past kept at hand."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from sereno.domain.errors import InvalidRecord
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
from sereno.flows.score import AssetOutcome
from sereno.ingest import Batch, inspect_file, read_batches, rows_from_records
from sereno.report.sentences import Place, describe_detection
from sereno.store import Store

__all__ = ["RecordPath", "RowPlace", "stored_judgements"]

_RECORDS = "records"
"""What data issues of records name that came alone."""
RowPlace = tuple[AssetKey, np.datetime64]
"""Asset and UTC instant of a row."""


class RecordPath:
    """Judges what is not stored; remembers where each asset stands until something is stored."""

    def __init__(self, setup: Setup, store: Store, shelf: ModelShelf) -> None:
        self._setup = setup
        self._store = store
        self._shelf = shelf
        self._contexts: dict[AssetKey, AssetContext] = {}
        self._n_changes = 0

    def forget(self, keys: Iterable[AssetKey] | None = None) -> None:
        """The store has changed, for these assets or for any."""
        self._n_changes += 1
        if keys is None:
            self._contexts.clear()
            return
        for key in keys:
            self._contexts.pop(key, None)

    def judge_file(self, path: Path, timezone: str | None) -> list[RowJudgement]:
        """Every good row of a file.

        Raises:
            DataError: The file cannot be read.
        """
        plan = inspect_file(
            path, self._setup.profiles, read_options(self._setup, FileHints(timezone=timezone))
        )
        return [row for batch in read_batches(plan) for row in self._judge(batch.readings)]

    def judge_records(
        self, records: Sequence[Mapping[str, object]], units: Mapping[str, str] | None
    ) -> list[RowJudgement]:
        """Every record, in order.

        Raises:
            InvalidRecord: A record has no usable time or value.
        """
        judged, batch = self.judge_each(records, units)
        if None in batch.places:
            bad = batch.quarantine[0]
            raise InvalidRecord(detail=f"{bad.reason}: {bad.text}")
        return [row for row in judged if row is not None]

    def judge_each(
        self, records: Sequence[Mapping[str, object]], units: Mapping[str, str] | None = None
    ) -> tuple[list[RowJudgement | None], Batch]:
        """Every record, in order, None for one that is in quarantine; and what was understood of them.

        Raises:
            InvalidRecord: A record has a time, but no value.
        """
        batch = self.read(records, units)
        empty = np.isnan(batch.readings.values).all(axis=1)
        if empty.any():
            instant = from_numpy(batch.readings.time[empty][0])
            raise InvalidRecord(detail=f"it holds no number at {isoformat(instant)}")
        return self.in_order(batch), batch

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
            known |= dict(zip(_places(readings), self._judge(readings), strict=True))
        return [None if place is None else known[place] for place in batch.places]

    def describe(self, row: RowJudgement) -> str:
        """An abnormal row in one sentence; empty for a normal one."""
        if row.detection is None:
            return ""
        place = Place(self._setup.profiles[row.profile], row.zone, row.step)
        return describe_detection(row.detection, place, self._setup.language)

    def _judge(self, readings: Readings) -> list[RowJudgement]:
        profile = self._setup.profiles[readings.profile]
        model = self._shelf.get(profile.name)
        contexts = {
            key: self._context(key, profile, model, readings.time[rows[0]])
            for key, rows in zip(readings.assets, rows_by_asset(readings), strict=True)
        }
        return judge_readings(readings, profile, model, contexts)

    def _context(
        self, key: AssetKey, profile: Profile, model: TrainedModel | None, first: np.datetime64
    ) -> AssetContext:
        kept = self._contexts.get(key)
        if kept is not None and (kept.last_at is None or first > to_numpy(kept.last_at)):
            return kept
        zone, n_changes = read_options(self._setup).timezone, self._n_changes
        context = asset_context(self._store, key, profile, model, zone, first)
        # Others may write meanwhile: threads of this process, and on a server other processes.
        if context.is_latest and n_changes == self._n_changes and not self._store.is_shared:
            self._contexts[key] = context
        return context


def stored_judgements(
    outcome: AssetOutcome, profile: Profile, wanted: Collection[RowPlace | None]
) -> dict[RowPlace, RowJudgement]:
    """What judging stored rows said of those that are asked about."""
    found: dict[RowPlace, RowJudgement] = {}
    for window, evidence in outcome.judged:
        places = [(window.asset, time) for time in window.time]
        rows = [row for row, place in enumerate(places) if place in wanted]
        judged = row_judgements(window, evidence, profile, rows)
        found |= {places[row]: one for row, one in zip(rows, judged, strict=True)}
    return found


def _without(readings: Readings, known: Container[RowPlace]) -> np.ndarray:
    """The rows of a batch whose place is not known."""
    return np.flatnonzero([place not in known for place in _places(readings)])


def _places(readings: Readings) -> list[RowPlace]:
    return [
        (readings.assets[i], at) for i, at in zip(readings.asset_index.tolist(), readings.time, strict=True)
    ]
