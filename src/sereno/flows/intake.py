"""What sources send, into the store: readings, judgement and what became of each item in one transaction.

Whatever cannot be used is set aside with its reason and stops nobody else. What fails for no reason that is
known is cut in halves until it stands alone; it is tried five times and then set aside, too.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sereno.contracts.source import Record
from sereno.domain.audit import Bringer, Door
from sereno.domain.errors import DataError, SerenoError, StoreError, UsageError
from sereno.domain.issues import DataIssue
from sereno.flows.build import FileHints, Setup, read_options
from sereno.flows.feeds import Feed
from sereno.flows.future import without_future
from sereno.flows.lateness import NewestBefore
from sereno.flows.scoring import Scoring
from sereno.ingest import Batch, ReadOptions, RecordPlan, plan_record, rows_from_records
from sereno.store import Store, Transaction

__all__ = ["MAX_TRIES", "Intake", "Outcome", "Piece", "ledger_key"]

log = logging.getLogger(__name__)

MAX_TRIES = 5
IGNORED = "ignore"
_EPOCHS = {None: datetime(1970, 1, 1), UTC: datetime(1970, 1, 1, tzinfo=UTC)}  # noqa: DTZ001 - wall clocks


@dataclass(frozen=True, slots=True)
class Piece:
    """The smallest thing that is used or set aside as a whole.

    Attributes:
        records: What it says; empty where `refused` says why nothing.
        attempts: How often it has failed for no reason that is known.
    """

    id: int
    records: Sequence[Record] = ()
    refused: str = ""
    attempts: int = 0


@dataclass(slots=True)
class Outcome:
    """What became of pieces.

    Attributes:
        done: Ids of those that are stored.
        refused: Why others are set aside, by id.
        n_values: Values that are new or changed.
    """

    done: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    n_values: int = 0

    def add(self, other: "Outcome") -> None:
        """Count another one in."""
        self.done += other.done
        self.refused |= other.refused
        self.n_values += other.n_values


@dataclass(slots=True)
class _Group:
    """Records of one profile, each with the pieces that it was put together from."""

    records: list[dict[str, object]] = field(default_factory=list)
    members: list[list[int]] = field(default_factory=list)
    places: dict[tuple[str, ...], int] = field(default_factory=dict)


Finish = Callable[[Transaction, Outcome], None]
"""Does what belongs into the transaction that stores pieces."""
Failed = Callable[[Transaction, Piece], int]
"""Notes that a piece has failed; gives how often it has now."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Where records of sources go.

    Attributes:
        changing: Within it something is stored.
    """

    setup: Setup
    store: Store
    scoring: Scoring
    changing: Callable[[], AbstractContextManager[None]]

    def read(self, feed: Feed, records: Sequence[Record]) -> tuple[list[Batch], list[str]]:
        """The readings of records, by profile, and why others cannot be used; stores nothing."""
        groups, refused = self._grouped(feed, [Piece(n, [one]) for n, one in enumerate(records)])
        return [self._batch(feed, *one) for one in groups.items()], list(refused.values())

    def take(self, feed: Feed, pieces: Sequence[Piece], finish: Finish, failed: Failed) -> Outcome:
        """Store and judge pieces; those that fail are set aside alone.

        Raises:
            StoreError: The store does not take anything now; nothing of the pieces in hand is stored.
            ModelError, SettingsError: Nothing can be judged at all.
        """
        outcome, unforeseen = Outcome(), list[tuple[Piece, Exception]]()
        self._take(feed, pieces, finish, outcome, unforeseen)
        if unforeseen and not outcome.done and len(pieces) > 1 and len(unforeseen) == len(pieces):
            raise unforeseen[0][1]  # it is no fault of theirs
        for piece, error in unforeseen:
            log.warning("item failed", extra={"source": feed.name, "error": str(error)}, exc_info=error)
            with self.store.begin() as tx:
                if failed(tx, piece) >= MAX_TRIES:
                    alone = Outcome(refused={piece.id: f"{type(error).__name__}: {error}"})
                    finish(tx, alone)
                    outcome.add(alone)
        return outcome

    def _take(
        self,
        feed: Feed,
        pieces: Sequence[Piece],
        finish: Finish,
        outcome: Outcome,
        unforeseen: list[tuple[Piece, Exception]],
    ) -> None:
        try:
            with self.changing(), self.store.begin() as tx:
                found = self._store(tx, feed, pieces)
                finish(tx, found)
        except SerenoError as error:
            if not _may_be_of_the_data(error):
                raise
            cause: Exception = error
        except Exception as error:  # noqa: BLE001 - the supervisor: one item stops no other
            cause = error
        else:
            outcome.add(found)
            return
        if len(pieces) == 1:
            unforeseen.append((pieces[0], cause))
            return
        middle = len(pieces) // 2
        for part in (pieces[:middle], pieces[middle:]):
            self._take(feed, part, finish, outcome, unforeseen)

    def _store(self, tx: Transaction, feed: Feed, pieces: Sequence[Piece]) -> Outcome:
        groups, refused = self._grouped(feed, pieces)
        outcome = Outcome(refused=refused)
        for name, group in groups.items():
            batch = without_future(
                self._batch(feed, name, group),
                group.records,
                now=self.setup.clock(),
                is_zone_assumed=self._options(feed).is_timezone_assumed,
                where=feed.name,
            )
            for row in batch.quarantine:
                outcome.refused |= dict.fromkeys(group.members[row.line - 1], row.reason)
            n_stored = self._append(tx, feed, batch)
            bringer = Bringer("sereno", Door.SOURCE, feed.name)
            now = self.setup.clock()
            tx.note_brought(bringer, n_records=len(group.records), n_stored=n_stored, at=now)
            outcome.n_values += n_stored
        outcome.done = [one.id for one in pieces if one.id not in outcome.refused]
        return outcome

    def _append(self, tx: Transaction, feed: Feed, batch: Batch) -> int:
        readings, profile = batch.readings, self.setup.profiles[batch.readings.profile]
        if not len(readings):
            self._note_issues(tx, feed, batch.issues)
            return 0
        ids = tx.ensure_assets(readings.assets, profile=profile.name, zone=self._options(feed).timezone)
        self.scoring.lock_concerned(tx, ids, profile)
        newest = NewestBefore()
        newest.look(tx, ids.values())
        appended = tx.append(readings, profile, ids, at=self.setup.clock())
        late = newest.late_rows(ids, appended, file=feed.name)
        self._note_issues(tx, feed, (*batch.issues, *late))
        self.scoring.judge_touched(tx, ids, appended, profile)
        return appended.n_new + appended.n_changed

    @staticmethod
    def _note_issues(tx: Transaction, feed: Feed, issues: Sequence[DataIssue]) -> None:
        """Add to what is known of the source; what comes again counts on."""
        if not issues:
            return
        key = ledger_key(feed.name)
        known = {(one.code, one.where): one.count for one in tx.issues(key)}
        tx.add_issues(
            key, [replace(one, count=one.count + known.get((one.code, one.where), 0)) for one in issues]
        )

    def note_issues(self, feed: Feed, issues: Sequence[DataIssue]) -> None:
        """Keep what a source said that is no reading."""
        if issues:
            with self.store.begin() as tx:
                self._note_issues(tx, feed, issues)

    def _grouped(self, feed: Feed, pieces: Iterable[Piece]) -> tuple[dict[str, _Group], dict[int, str]]:
        """Records by profile, those of one asset and instant together; and why pieces cannot be used."""
        groups: dict[str, _Group] = {}
        refused: dict[int, str] = {}
        for piece in pieces:
            try:
                planned = [self._planned(feed, record) for record in piece.records]
            except (DataError, UsageError) as error:
                refused[piece.id] = str(error)
                continue
            if piece.refused or not planned:
                refused[piece.id] = piece.refused or "it holds no readings"
            for record, plan in [] if piece.refused else planned:
                _add(groups.setdefault(plan.profile.name, _Group()), record, plan, piece.id)
        return groups, refused

    def _planned(self, feed: Feed, record: Record) -> tuple[dict[str, object], RecordPlan]:
        columns = feed.columns
        named = {
            columns.get(name, name): value for name, value in record.items() if columns.get(name) != IGNORED
        }
        plan = plan_record(named, self.setup.profiles, profile=feed.profile)
        if feed.step is not None and len(plan.time_keys) == 1:
            key = plan.time_keys[0]
            named[key] = _floored(named[key], feed.step)
        return named, plan

    def _batch(self, feed: Feed, profile: str, group: _Group) -> Batch:
        records = [dict(sorted(record.items())) for record in group.records]
        return rows_from_records(records, self.setup.profiles, self._options(feed), profile=profile)

    def _options(self, feed: Feed) -> ReadOptions:
        hints = FileHints(timezone=feed.timezone, profile=feed.profile)
        return replace(read_options(self.setup, hints), site=feed.site)


def ledger_key(source: str) -> str:
    """Under which a source's data issues are kept, where a file's stand under its digest."""
    return f"source:{source}"


def _may_be_of_the_data(error: SerenoError) -> bool:
    """Whether other items may fare better: the data, or a value that the database refuses."""
    return isinstance(error, DataError | UsageError) or (type(error) is StoreError and not error.is_retriable)


def _add(group: _Group, record: dict[str, object], plan: RecordPlan, piece: int) -> None:
    """Put a record to others of its asset and instant; of two values the later counts."""
    keys = [key for key in (*plan.time_keys, plan.site_key, plan.asset_key) if key is not None]
    place = tuple(f"{key}={record[key]}" for key in keys)
    known = group.places.get(place)
    if known is None:
        group.places[place] = len(group.records)
        group.records.append(record)
        group.members.append([piece])
    else:
        group.records[known] |= record
        group.members[known].append(piece)


def _floored(value: object, step: timedelta) -> object:
    """An instant rounded down to a step, counted from 1970; what is no instant stays."""
    instant = value
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            return value
    if not isinstance(instant, datetime):
        return value
    if instant.tzinfo is not None:
        instant = instant.astimezone(UTC)
    epoch = _EPOCHS[UTC if instant.tzinfo is not None else None]
    return epoch + (instant - epoch) // step * step
