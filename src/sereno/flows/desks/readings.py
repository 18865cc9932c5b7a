"""What brings readings into a workspace: files, tables in memory, records, sources."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from sereno.domain.errors import SerenoError
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.flows.assets import judge_again, lock_touched
from sereno.flows.build import FileHints, open_setup, read_options
from sereno.flows.desks.desk import Desk
from sereno.flows.ingest import PATIENCE, FileResult, Ingestion, check_file, expand_paths, ingest_file
from sereno.flows.intake import Intake
from sereno.flows.records import RowJudgement
from sereno.flows.records_path import RowPlace, stored_judgements
from sereno.flows.score import JudgedRows
from sereno.flows.taking import Receipt, Submission, Taker
from sereno.ingest import Batch, inspect_file, read_batches
from sereno.ingest.inspection import refuse_unknown_zone
from sereno.settings.reading import save_setting
from sereno.store import Appended, Transaction

__all__ = ["ReadingDesk"]


class ReadingDesk(Desk):
    """Takes readings in."""

    def check(
        self,
        *paths: str | Path,
        timezone: str | None = None,
        profile: str | None = None,
        decimal: str | None = None,
        date_order: str | None = None,
        stamp: str | None = None,
        mapping: str | None = None,
        with_findings: bool = True,
    ) -> list[FileResult]:
        """What sereno understands of files and what is wrong in them; stores nothing.

        Args:
            with_findings: Whether the values are checked, too, rather than only read.
        """
        options = read_options(self._setup, FileHints(timezone, profile, decimal, date_order, stamp, mapping))
        return [
            check_file(path, self._setup, options, with_findings=with_findings)
            for path in expand_paths([Path(p) for p in paths])
        ]

    def ingest(  # noqa: PLR0913 - one parameter per option
        self,
        *paths: str | Path,
        timezone: str | None = None,
        profile: str | None = None,
        decimal: str | None = None,
        date_order: str | None = None,
        stamp: str | None = None,
        mapping: str | None = None,
        judge: bool = False,
        is_simulated: bool = False,
        on_file: Callable[[FileResult], None] | None = None,
        patience: timedelta = PATIENCE,
    ) -> list[FileResult]:
        """Read and store files; reading a file again changes nothing.

        Args:
            timezone: IANA zone of times written without one; kept in `sereno.yaml` if none is there.
            profile: Profile of the files; otherwise decided by their columns.
            decimal: Decimal sign, `.` or `,`, where a file itself cannot tell.
            date_order: `dmy` or `mdy`, where a file itself cannot tell.
            stamp: `start` or `end`, what times say of their steps, where a file itself cannot tell.
            mapping: Name of the mapping, or portal, that the files must be read by.
            judge: Judge each batch in the transaction that stores it, as `watch` does.
            is_simulated: Mark the readings as simulated.
            on_file: Told about each file as it is done.
            patience: How long another engine may go on reading a file before this one gives up on it.

        Raises:
            LeaseTaken: Another engine that shares the store reads a file, and goes on.
        """
        options = read_options(self._setup, FileHints(timezone, profile, decimal, date_order, stamp, mapping))
        files = expand_paths([Path(p) for p in paths])
        if files:
            self.keep_timezone(options.timezone)
        scoring = self._scoring()
        after = scoring.judge_at_once if judge else judge_again
        before = scoring.lock_concerned if judge else lock_touched
        into = Ingestion(self._setup, self._store, options, after, is_simulated, before, patience)
        self._models.refresh()
        results = []
        for path in files:
            with self._records.changing():
                results.append(ingest_file(path, into))
            if on_file is not None:
                on_file(results[-1])
        return results

    def keep_timezone(self, zone: str) -> None:
        """Write the zone that naive times are read in into the settings, where none is there."""
        if self.settings.timezone is None:
            refuse_unknown_zone(zone)
            save_setting(self.folder, "timezone", zone)
            self._setup = open_setup(self.folder, clock=self._setup.clock, language=self._setup.language)

    def add(self, readings: Readings, *, zone: str, judge: bool = False, is_simulated: bool = False) -> int:
        """Store readings that are in memory; returns how many values were new or changed."""
        with self._records.changing(readings.assets), self._store.begin() as tx:
            ids = self._ensured(tx, readings, zone, judge=judge)
            appended = self._append(tx, readings, ids, is_simulated=is_simulated)
            judging = self._scoring().judge_at_once if judge else judge_again
            judging(tx, ids, appended, self.profiles[readings.profile])
        return appended.n_new + appended.n_changed

    def read_table(
        self, path: str | Path, *, timezone: str | None = None, profile: str | None = None
    ) -> list[Batch]:
        """The readings of a file, read as `ingest` reads it; stores nothing.

        Raises:
            DataError: It cannot be read.
        """
        options = read_options(self._setup, FileHints(timezone=timezone, profile=profile))
        plan = inspect_file(Path(path), self.profiles, options)
        return list(read_batches(plan))

    def add_records(
        self, records: Sequence[Mapping[str, object]], *, units: Mapping[str, str] | None = None
    ) -> list[RowJudgement | None]:
        """Judge records and store them, with what that opens, in one transaction; in their order.

        None stands for a record without a usable time. Records that are stored already change nothing.
        """
        batch = self._records.read(records, units)
        if not len(batch.readings):
            return [None] * len(records)
        profile, wanted = self.profiles[batch.readings.profile], set(batch.places)
        judged: dict[RowPlace, RowJudgement] = {}

        def keep(rows: JudgedRows) -> None:
            judged.update(stored_judgements(rows, profile, wanted))

        with self._records.changing(batch.readings.assets), self._store.begin() as tx:
            ids = self._ensured(tx, batch.readings, read_options(self._setup).timezone, judge=True)
            appended = self._append(tx, batch.readings, ids)
            self._scoring().judge_touched(tx, ids, appended, profile, told=keep)
        return self._records.in_order(batch, judged)

    def take(self, submissions: Sequence[Submission]) -> tuple[list[Receipt | SerenoError], int]:
        """Store and judge what several requests brought, in one transaction; see `Taker.take`.

        Raises:
            StoreError: Nothing of any of them is stored.
        """
        return Taker(self._setup, self._store, self._records, self._scoring()).take(submissions)

    def drop_answers(self, *, older_than: timedelta) -> int:
        """Forget what requests of long ago were answered; returns how many."""
        with self._store.begin() as tx:
            return tx.drop_answers(before=self.now() - older_than)

    def intake(self) -> Intake:
        """Where records of sources go."""
        return Intake(self._setup, self._store, self._scoring(), self._records.changing)

    def _ensured(
        self, tx: Transaction, readings: Readings, zone: str, *, judge: bool
    ) -> Mapping[AssetKey, int]:
        """The ids of the assets of a batch, which no other engine touches until the transaction ends."""
        ids = tx.ensure_assets(readings.assets, profile=readings.profile, zone=zone)
        lock = self._scoring().lock_concerned if judge else lock_touched
        lock(tx, ids, self.profiles[readings.profile])
        return ids

    def _append(
        self,
        tx: Transaction,
        readings: Readings,
        ids: Mapping[AssetKey, int],
        *,
        is_simulated: bool = False,
    ) -> Appended:
        """Readings into the store."""
        profile = self.profiles[readings.profile]
        return tx.append(readings, profile, ids, at=self._setup.clock(), is_simulated=is_simulated)
