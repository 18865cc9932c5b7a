"""Records that several requests brought, stored and judged in one transaction, each answered by itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

import numpy as np

from sereno.domain.audit import Bringer
from sereno.domain.errors import DataError, KeyReused, NotFound, SerenoError, UsageError
from sereno.domain.issues import MAX_QUARANTINE_TEXT, DataIssue, QuarantinedRow
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey, Profile
from sereno.flows.build import Setup, read_options
from sereno.flows.future import without_future
from sereno.flows.records import RowJudgement
from sereno.flows.records_path import RecordPath, RowPlace, stored_judgements
from sereno.flows.score import JudgedRows
from sereno.flows.scoring import Scoring
from sereno.ingest import Batch, ReadOptions, plan_record, rows_from_records
from sereno.store import FileEntry, Store, Transaction
from sereno.store.requests import AnsweredRequest

__all__ = ["Receipt", "Submission", "Taker"]

_KWH = "kWh"
"""The canonical unit of energies."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one request brought.

    Attributes:
        records: Column name → value, as they came.
        tables: Batches of a table that was read as files are; then there are no records.
        lines: 1-based place of each record in what was sent; their order where it is empty.
        broken: Lines that are no records at all.
        units: Unit of a column by its name, where the name does not say it.
        energy_unit: Unit of energies that say none.
        key: Of the request: the same again changes nothing and gets the same answer.
        digest: Of what was sent.
        name: What the quarantine calls it.
        wants_verdicts: Whether the answer says what was thought of each record.
        is_hurried: What follows from its verdicts, detections and incidents, may come after the answer.
        sites: The only sites that who sends it may write; None for all.
        bringer: Who sends it; noted where it is said.
    """

    records: Sequence[Mapping[str, object]] = ()
    tables: Sequence[Batch] = ()
    lines: Sequence[int] = ()
    broken: tuple[QuarantinedRow, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    energy_unit: str | None = None
    key: str | None = None
    digest: str = ""
    name: str = "records"
    wants_verdicts: bool = False
    is_hurried: bool = False
    sites: frozenset[str] | None = None
    bringer: Bringer | None = None

    @property
    def n_records(self) -> int:
        """How many came."""
        return len(self.records) + len(self.broken) + sum(len(one.readings) for one in self.tables)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submission.

    Attributes:
        n_new: Records of an instant that the asset had no row of.
        n_changed: Records that gave a stored row other content; the old one is kept.
        n_known: Records that were stored already.
        quarantined: Records that could not be used, with the line where they stood.
        rows: What was thought of each record, in order, where that was asked for; None for an unusable one.
        is_repeat: The request was answered before, and this is that answer.
    """

    n_new: int = 0
    n_changed: int = 0
    n_known: int = 0
    quarantined: tuple[QuarantinedRow, ...] = ()
    issues: tuple[DataIssue, ...] = ()
    rows: tuple[RowJudgement | None, ...] = ()
    is_repeat: bool = False

    @property
    def n_records(self) -> int:
        """How many were sent."""
        return self.n_new + self.n_changed + self.n_known + len(self.quarantined)

    def to_json(self) -> dict[str, object]:
        """Without the rows, which can be asked for again."""
        return {
            "new": self.n_new,
            "changed": self.n_changed,
            "known": self.n_known,
            "quarantined": [asdict(row) for row in self.quarantined],
            "issues": [asdict(one) | {"facts": dict(one.facts)} for one in self.issues],
        }

    @classmethod
    def from_json(cls, said: Mapping[str, object]) -> "Receipt":
        """The answer that was given before."""
        rows: Sequence[Mapping[str, object]] = said["quarantined"]  # type: ignore[assignment]
        issues: Sequence[Mapping[str, object]] = said["issues"]  # type: ignore[assignment]
        return cls(
            n_new=int(str(said["new"])),
            n_changed=int(str(said["changed"])),
            n_known=int(str(said["known"])),
            quarantined=tuple(QuarantinedRow(**row) for row in rows),  # type: ignore[arg-type]
            issues=tuple(DataIssue(**one) for one in issues),  # type: ignore[arg-type]
            is_repeat=True,
        )


@dataclass(slots=True)
class _Read:
    """A submission as it was understood, and what is known of it so far."""

    submission: Submission
    batches: list[Batch] = field(default_factory=list)
    positions: list[Sequence[int]] = field(default_factory=list)
    """Which records each batch is of."""
    placed: list[RowPlace] = field(default_factory=list)
    """Where each usable record belongs."""
    quarantined: list[QuarantinedRow] = field(default_factory=list)
    n_repeated: int = 0
    """Records that a table says twice."""
    new: set[RowPlace] = field(default_factory=set)
    changed: set[RowPlace] = field(default_factory=set)
    answer: Receipt | SerenoError | None = None

    @property
    def line_of(self) -> Sequence[int]:
        """The line of each record."""
        return self.submission.lines or range(1, len(self.submission.records) + 1)

    @property
    def is_open(self) -> bool:
        """Whether there is something to store."""
        return self.answer is None


class Taker:
    """Takes submissions in groups.

    Args:
        records: Of the workspace: what it keeps at hand is forgotten where the store changes.
    """

    def __init__(self, setup: Setup, store: Store, records: RecordPath, scoring: Scoring) -> None:
        self._setup = setup
        self._store = store
        self._records = records
        self._scoring = scoring

    def take(self, submissions: Sequence[Submission]) -> tuple[list[Receipt | SerenoError], int]:
        """Store all of it in one transaction and judge it; a record that cannot be used concerns no other.

        What follows from the verdicts of those that are hurried is put off.

        Returns:
            The answer of each submission; and of how many assets judging was put off (`PutOff`).

        Raises:
            StoreError: Nothing of any of them is stored.
        """
        options = read_options(self._setup)
        reads = [self._read(one, options) for one in submissions]
        judged: dict[RowPlace, RowJudgement] = {}
        with self._store.begin() as tx:
            if any(one.is_hurried for one in submissions):
                self._scoring.resume(tx)
            self._look_up(tx, reads)
            n_put_off = 0
            for layer in _layers([one for one in reads if one.is_open]):
                n_put_off += self._store_layer(tx, layer, options, judged)
            for one in reads:
                if one.is_open:
                    self._answer(tx, one)
        self._records.forget({key for one in reads for batch in one.batches for key in batch.readings.assets})
        answers = [self._with_rows(one, judged) for one in reads]
        return answers, n_put_off

    def _read(self, submission: Submission, options: ReadOptions) -> _Read:
        """What the records say, those of each profile together."""
        read = _Read(submission, quarantined=list(submission.broken))
        for batch in submission.tables:
            readings = batch.readings
            keys = [readings.assets[i] for i in readings.asset_index.tolist()]
            places = tuple(zip(keys, readings.time, strict=True))
            read.batches.append(replace(batch, places=places))
            read.placed += places
            read.quarantined += batch.quarantine
            read.n_repeated += batch.totals.duplicates_identical
        of_profile: dict[str, list[int]] = {}
        units = dict(submission.units)
        for position, record in enumerate(submission.records):
            try:
                plan = plan_record(record, self._setup.profiles, profile=options.profile, units=units or None)
            except (DataError, UsageError) as error:
                text = repr(dict(record))[:MAX_QUARANTINE_TEXT]
                read.quarantined.append(QuarantinedRow(read.line_of[position], error.code, text))
                continue
            if submission.energy_unit:
                for key, _, column in plan.values:
                    if column.is_unit_assumed and plan.profile.signal(column.signal).unit == _KWH:
                        units.setdefault(key, submission.energy_unit)
            of_profile.setdefault(plan.profile.name, []).append(position)
        for profile, positions in of_profile.items():
            self._convert(read, profile, positions, units, options)
        foreign = _first_foreign(read)
        if foreign is not None:
            read.answer = NotFound(what="site", id=foreign, hint="")
        return read

    def _convert(
        self,
        read: _Read,
        profile: str,
        positions: Sequence[int],
        units: Mapping[str, str],
        options: ReadOptions,
    ) -> None:
        records = [read.submission.records[i] for i in positions]
        batch = without_future(
            rows_from_records(records, self._setup.profiles, options, profile=profile, units=units or None),
            records,
            now=self._setup.clock(),
            is_zone_assumed=options.is_timezone_assumed,
            where=read.submission.name,
        )
        lines = [read.line_of[i] for i in positions]
        lost = {row.line for row in batch.quarantine}
        read.placed += [
            place
            for line, place in enumerate(batch.places, start=1)
            if place is not None and line not in lost
        ]
        read.quarantined += [replace(row, line=lines[row.line - 1]) for row in batch.quarantine]
        read.batches.append(batch)
        read.positions.append(positions)

    @staticmethod
    def _look_up(tx: Transaction, reads: Sequence[_Read]) -> None:
        """Answer what was answered before; of two with one key in a group the second waits for the first."""
        first: dict[str, str] = {}
        for read in reads:
            key, digest = read.submission.key, read.submission.digest
            if key is None:
                continue
            known = tx.answered(key)
            if known is not None and known.digest == digest:
                read.answer = Receipt.from_json(known.answer)
            elif known is not None or first.setdefault(key, digest) != digest:
                read.answer = KeyReused(key=key.rpartition(":")[2])

    def _store_layer(
        self,
        tx: Transaction,
        layer: "_Layer",
        options: ReadOptions,
        judged: dict[RowPlace, RowJudgement],
    ) -> int:
        """Readings of one profile, no two of the same asset and instant; returns what was put off."""
        profile = self._setup.profiles[layer.profile]
        readings = _joined([batch.readings for _, batch in layer.parts], profile)
        if not len(readings):
            return 0
        ids = tx.ensure_assets(readings.assets, profile=profile.name, zone=options.timezone)
        self._scoring.lock_concerned(tx, ids, profile)
        self._records.forget(readings.assets)
        appended = tx.append(readings, profile, ids, at=self._setup.clock())
        new = {(key, at) for key, times in appended.new_times.items() for at in times}
        changed = {(key, at) for key, times in appended.changed_times.items() for at in times}
        for read, batch in layer.parts:
            places = {place for place in batch.places if place is not None}
            read.new |= places & new
            read.changed |= places & changed
        wanted = {
            place
            for read, batch in layer.parts
            if read.submission.wants_verdicts
            for place in batch.places
            if place is not None
        }

        def keep(rows: JudgedRows) -> None:
            judged.update(stored_judgements(rows, profile, wanted))

        told, hurried = (keep if wanted else None), set(readings.assets)
        for read, batch in layer.parts:
            if not read.submission.is_hurried:
                hurried -= set(batch.readings.assets)
        return self._scoring.judge_touched(
            tx, ids, appended, profile, told=told, puts_off=True, hurried=hurried
        )

    def _answer(self, tx: Transaction, read: _Read) -> None:
        """What is said of a submission, kept with its key and beside what could not be used."""
        submission, now = read.submission, self._setup.clock()
        known = None if submission.key is None else tx.answered(submission.key)
        if known is not None:
            read.answer = Receipt.from_json(known.answer)
            return
        # Of records that say the same instant twice one is new and the others are known.
        told = set[RowPlace]()
        counts = {"new": 0, "changed": 0, "known": read.n_repeated}
        for place in read.placed:
            is_new, is_changed = place in read.new, place in read.changed
            state = "known" if place in told else "new" if is_new else "changed" if is_changed else "known"
            counts[state] += 1
            told.add(place)
        receipt = Receipt(
            n_new=counts["new"],
            n_changed=counts["changed"],
            n_known=counts["known"],
            quarantined=tuple(sorted(read.quarantined, key=lambda row: row.line)),
            issues=tuple(issue for batch in read.batches for issue in batch.issues),
        )
        if submission.key is not None:
            kept = AnsweredRequest(submission.key, submission.digest, receipt.to_json())
            tx.keep_answer(kept, at=now)
        if receipt.quarantined:
            _keep_quarantined(tx, submission, receipt, now)
        if submission.bringer is not None:
            n_stored = receipt.n_new + receipt.n_changed
            tx.note_brought(submission.bringer, n_records=receipt.n_records, n_stored=n_stored, at=now)
        read.answer = receipt

    def _with_rows(self, read: _Read, judged: Mapping[RowPlace, RowJudgement]) -> Receipt | SerenoError:
        answer = read.answer
        assert answer is not None
        if isinstance(answer, SerenoError) or not read.submission.wants_verdicts:
            return answer
        rows: list[RowJudgement | None] = [None] * len(read.submission.records)
        for batch, positions in zip(read.batches, read.positions, strict=True):
            own = {place: judged[place] for place in batch.places if place is not None and place in judged}
            for position, row in zip(positions, self._records.in_order(batch, own), strict=True):
                rows[position] = row
        return replace(answer, rows=tuple(rows))


@dataclass(slots=True)
class _Layer:
    """Batches of one profile that can be stored at once."""

    profile: str
    parts: list[tuple[_Read, Batch]] = field(default_factory=list)
    places: set[RowPlace | None] = field(default_factory=set)


def _layers(reads: Iterable[_Read]) -> list[_Layer]:
    """The batches in their order; one that says again what one before it said comes in a later layer."""
    layers: list[_Layer] = []
    open_layers: dict[str, _Layer] = {}
    for read in reads:
        for batch in read.batches:
            profile, places = batch.readings.profile, set(batch.places) - {None}
            layer = open_layers.get(profile)
            if layer is None or not layer.places.isdisjoint(places):
                layer = open_layers[profile] = _Layer(profile)
                layers.append(layer)
            layer.parts.append((read, batch))
            layer.places |= places
    return layers


def _joined(parts: Sequence[Readings], profile: Profile) -> Readings:
    """Several batches of a profile as one."""
    if len(parts) == 1:
        return parts[0]
    order = {name: i for i, name in enumerate(profile.signal_names)}
    found = {name for part in parts for name in part.signals}
    signals = tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))
    assets: dict[AssetKey, int] = {}
    index, values, quality = [], [], []
    for part in parts:
        own = np.array([assets.setdefault(key, len(assets)) for key in part.assets], dtype=np.int32)
        index.append(own[part.asset_index])
        block = np.full((len(part), len(signals)), np.nan)
        flags = np.zeros((len(part), len(signals)), dtype=np.int32)
        columns = [signals.index(name) for name in part.signals]
        block[:, columns], flags[:, columns] = part.values, part.quality
        values.append(block)
        quality.append(flags)
    return Readings(
        profile=profile.name,
        assets=tuple(assets),
        asset_index=np.concatenate(index),
        time=np.concatenate([part.time for part in parts]),
        signals=signals,
        values=np.concatenate(values),
        quality=np.concatenate(quality),
    )


def _first_foreign(read: _Read) -> str | None:
    """A site that who sends it may not write; they do not learn whether there is one."""
    allowed = read.submission.sites
    if allowed is None:
        return None
    sites = (key.site for batch in read.batches for key in batch.readings.assets)
    return next((site for site in sites if site not in allowed), None)


def _keep_quarantined(tx: Transaction, submission: Submission, receipt: Receipt, now: datetime) -> None:
    """What could not be used, as that of files is kept."""
    identity = f"request:{submission.digest}"
    report = {"file": submission.name, "verdict": "warnings", **receipt.to_json()}
    tx.save_file(FileEntry(identity, submission.name, 0, "done", report, receipt.n_new, now))
    tx.add_quarantine(identity, receipt.quarantined)
    if receipt.issues:
        tx.add_issues(identity, receipt.issues)
