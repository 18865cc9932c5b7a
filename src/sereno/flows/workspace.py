"""A workspace: a folder with settings, a store and models, and the whole journey as methods."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from sereno.domain.errors import EngineRunning, UsageError
from sereno.domain.incidents import EventKind, HumanState, Incident, IncidentEvent, Verdict
from sereno.domain.judgement import ModelCard
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import Clock, system_clock
from sereno.flows.assets import judge_again
from sereno.flows.build import (
    FileHints,
    Setup,
    export_plan,
    open_setup,
    open_workspace_store,
    read_options,
)
from sereno.flows.corrections import (
    CorrectionRequest,
    CorrectionView,
    add_correction,
    find_corrections,
    undo_correction,
)
from sereno.flows.exports import ExportPlan, ExportReport, export_preprocessed
from sereno.flows.incidents import IncidentView, find_incidents, human_event, summarise, view_of
from sereno.flows.ingest import FileResult, Ingestion, check_file, expand_paths, ingest_file
from sereno.flows.learning import ModelShelf, train_workspace
from sereno.flows.models import TrainedModel
from sereno.flows.physics import AssetPhysics, gas_rows, physics_of
from sereno.flows.recalibration import (
    Recalibration,
    is_recalibration_due,
    past_recalibrations,
    recalibrate_workspace,
)
from sereno.flows.records import RowJudgement
from sereno.flows.records_path import RecordPath, RowPlace, stored_judgements
from sereno.flows.score import AssetOutcome
from sereno.flows.scoring import ScoreReport, Scoring
from sereno.flows.succession import find_model, promote_model, roll_back_model
from sereno.ingest.identity import site_from_file_name
from sereno.settings.reading import save_setting
from sereno.settings.tree import Settings
from sereno.store import Appended, Store, Transaction

__all__ = ["Workspace"]

_LOCK_FILE = ".engine.lock"


class Workspace:
    """An opened workspace; close it, or use it as a context.

    Example:
        >>> import tempfile
        >>> with Workspace.open(tempfile.mkdtemp()) as workspace:
        ...     workspace.summary(days=7)["total"]
        0
    """

    def __init__(self, setup: Setup, store: Store) -> None:
        self._setup = setup
        self._store = store
        self._models = ModelShelf(setup, store)
        self._records = RecordPath(setup, store, self._models)

    @classmethod
    def open(
        cls, folder: str | Path = ".", *, clock: Clock = system_clock, language: str | None = None
    ) -> "Workspace":
        """The workspace of a folder, created on first use.

        Args:
            clock: Gives the current instant; another one for tests and replays.
            language: `es` or `en`; otherwise as the settings or the machine say.

        Raises:
            SettingsError: `sereno.yaml` is wrong.
            StoreError: The store cannot be opened.
        """
        setup = open_setup(Path(folder), clock=clock, language=language)
        return cls(setup, open_workspace_store(setup))

    def close(self) -> None:
        """Give back the store."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Where the workspace lies."""
        return self._setup.folder

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._setup.settings

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """The profiles in force, by name."""
        return self._setup.profiles

    @property
    def language(self) -> str:
        """The language of sentences."""
        return self._setup.language

    @property
    def store(self) -> Store:
        """The store, for what has no method here."""
        return self._store

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
        """
        options = read_options(self._setup, FileHints(timezone, profile, decimal, date_order, stamp, mapping))
        files = expand_paths([Path(p) for p in paths])
        if self.settings.timezone is None and files:
            save_setting(self.folder, "timezone", options.timezone)
            self._setup = open_setup(self.folder, clock=self._setup.clock, language=self._setup.language)
        after = self._scoring().judge_touched if judge else judge_again
        into = Ingestion(self._setup, self._store, options, after, is_simulated)
        self._records.forget()
        self._models.refresh()
        results = []
        for path in files:
            results.append(ingest_file(path, into))
            if on_file is not None:
                on_file(results[-1])
        return results

    def add(self, readings: Readings, *, zone: str, judge: bool = False, is_simulated: bool = False) -> int:
        """Store readings that are in memory; returns how many values were new or changed."""
        with self._store.begin() as tx:
            ids, appended = self._append(tx, readings, zone, is_simulated=is_simulated)
            judging = self._scoring().judge_touched if judge else judge_again
            judging(tx, ids, appended, self.profiles[readings.profile])
        return appended.n_new + appended.n_changed

    def train(
        self,
        *,
        profile: str | None = None,
        detector: str | None = None,
        budget: float | None = None,
        before: datetime | None = None,
    ) -> list[ModelCard]:
        """Learn every asset with enough history; one model per profile, which then judges.

        Args:
            profile: Only this one.
            detector: Name of what learns, instead of the one in settings.
            budget: False episodes per week and asset; one that the history cannot support is then an error.
            before: Learn only from readings before this instant.

        Raises:
            HistoryTooShort: No asset has enough readings.
            BudgetTooSmall: See `budget`.
            DetectorUnknown, ExtraMissing: See `detector`.
        """
        cards = train_workspace(
            self._setup, self._store, profile=profile, detector=detector, budget=budget, before=before
        )
        self._models.forget()
        self._records.forget()
        return cards

    def score(self) -> ScoreReport:
        """Judge every stored row that the current model has not judged yet."""
        self._records.forget()
        return self._scoring().score_all()

    def score_file(self, path: str | Path, *, timezone: str | None = None) -> list[RowJudgement]:
        """Judge the rows of a file without storing them."""
        return self._records.judge_file(Path(path), timezone)

    def score_records(
        self, records: Sequence[Mapping[str, object]], *, units: Mapping[str, str] | None = None
    ) -> list[RowJudgement]:
        """Judge records (column name → value) without storing them, in their order.

        Args:
            units: Unit of a column by its name, where the name does not say it.
        """
        return self._records.judge_records(records, units)

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

        def keep(outcome: AssetOutcome) -> None:
            judged.update(stored_judgements(outcome, profile, wanted))

        with self._store.begin() as tx:
            ids, appended = self._append(tx, batch.readings, read_options(self._setup).timezone)
            self._scoring().judge_touched(tx, ids, appended, profile, told=keep)
        return self._records.in_order(batch, judged)

    def use_model(self, model: TrainedModel) -> None:
        """Let a model judge its profile as long as this workspace is open, whatever the store says."""
        self._models.use(model)
        self._records.forget()

    def site_of(self, path: str | Path) -> str:
        """The site that a file's name speaks of, for rows that name none."""
        return site_from_file_name(Path(path).name)

    def incidents(self, *, since: datetime | None = None, newest_first: bool = False) -> list[IncidentView]:
        """All incidents, worst first."""
        with self._store.read() as tx:
            return find_incidents(
                tx, self.profiles, self.settings.tariff, since=since, newest_first=newest_first
            )

    def incident(self, incident_id: str) -> IncidentView:
        """One incident, by its id or the beginning of it.

        Raises:
            NotFound: No incident, or several, begin like that.
        """
        with self._store.read() as tx:
            return view_of(tx, tx.incident(incident_id), self.profiles, self.settings.tariff)

    def acknowledge(self, incident_id: str, *, actor: str) -> Incident:
        """Say that somebody has seen it."""
        return self._tell(incident_id, EventKind.ACKNOWLEDGED, actor)

    def comment(self, incident_id: str, text: str, *, actor: str) -> Incident:
        """Add a remark."""
        return self._tell(incident_id, EventKind.COMMENTED, actor, text=text)

    def assign(self, incident_id: str, owner: str, *, actor: str) -> Incident:
        """Give it to somebody."""
        return self._tell(incident_id, EventKind.ASSIGNED, actor, owner=owner)

    def shelve(self, incident_id: str, length: timedelta, reason: str, *, actor: str) -> Incident:
        """Put it aside for a while; it returns by itself."""
        until = self.now() + length
        return self._tell(incident_id, EventKind.SHELVED, actor, until=until.isoformat(), reason=reason)

    def close_incident(self, incident_id: str, verdict: Verdict, *, actor: str) -> Incident:
        """Close it, saying what it was."""
        return self._tell(incident_id, EventKind.CLOSED, actor, verdict=verdict.value)

    def summary(self, *, days: int = 7) -> dict[str, object]:
        """Counts of incidents over the last days of the data."""
        views = self.incidents()
        return summarise(views, days=days, until=self.last_reading_at() or self._setup.clock())

    def physics(self, *, days: int = 30) -> list[AssetPhysics]:
        """What physics gives of each asset over the last days of the data.

        Self-consumption, self-sufficiency and performance against peers of plants; base volume, amount and
        error bound of gas; ratio of declared twins; unbalance and derating of motors.
        """
        with self._store.read() as tx:
            return physics_of(tx, self._setup, self._since(days))

    def each_gas_row(self, use: Callable[[Iterator[Mapping[str, object]]], None], *, days: int = 30) -> None:
        """Give the derived rows of gas clients over the last days of the data to `use`, one by one."""
        with self._store.read() as tx:
            use(gas_rows(tx, self._setup, self._since(days)))

    def _since(self, days: int) -> datetime:
        return (self.last_reading_at() or self.now()) - timedelta(days=days)

    def last_reading_at(self) -> datetime | None:
        """The latest instant that any asset has a reading of."""
        with self._store.read() as tx:
            spans = [tx.span(asset.id) for asset in tx.assets()]
        ends = [span[1] for span in spans if span is not None]
        return max(ends, default=None)

    @property
    def export_plan(self) -> ExportPlan:
        """What the settings ask of exports."""
        return export_plan(self.settings.exports)

    def export_preprocessed(self, output: str | Path, plan: ExportPlan | None = None) -> ExportReport:
        """Write stored values with features as CSV or XLSX; what is stored and judged stays as it is.

        Args:
            plan: What is exported and how; otherwise as the settings say.
        """
        with self._store.read() as tx:
            return export_preprocessed(tx, Path(output), plan or self.export_plan, self.profiles)

    def correct(self, request: CorrectionRequest) -> CorrectionView:
        """Keep a correction beside the raw values; judging stays on the raw ones.

        Raises:
            InvalidCorrection: It makes no sense.
        """
        with self._store.begin() as tx:
            return add_correction(tx, request, self.profiles, at=self._setup.clock())

    def corrections(self, *, asset: str | None = None, with_undone: bool = False) -> list[CorrectionView]:
        """The corrections in force, in the order in which they were made."""
        with self._store.read() as tx:
            return find_corrections(tx, self.profiles, asset=asset, with_undone=with_undone)

    def undo_correction(self, correction_id: str, *, author: str, reason: str = "") -> CorrectionView:
        """Take a correction back, by its id or the beginning of it; it stays in the list of all."""
        with self._store.begin() as tx:
            return undo_correction(
                tx, correction_id, self.profiles, at=self._setup.clock(), author=author, reason=reason
            )

    def models(self) -> list[ModelCard]:
        """Cards of all trained models, newest first."""
        with self._store.read() as tx:
            return [stored.card for stored in tx.models()]

    def active_models(self) -> dict[str, str]:
        """Id of the model that judges, by profile."""
        with self._store.read() as tx:
            return {stored.card.profile: stored.card.id for stored in tx.models() if stored.is_active}

    def past_recalibrations(self) -> list[dict[str, object]]:
        """What recalibrating decided so far, oldest first."""
        return past_recalibrations(self._setup)

    def model_of(self, profile: str) -> TrainedModel | None:
        """The model that judges a profile; None before the first training."""
        return self._models.get(profile)

    def model_card(self, model_id: str) -> ModelCard:
        """The card of a model, by its id or the beginning of it.

        Raises:
            NotFound: There is no such model, or several begin so.
        """
        with self._store.read() as tx:
            return find_model(tx, model_id)

    def promote_model(self, model_id: str) -> ModelCard:
        """Let a model judge its profile, by its id or the beginning of it.

        Raises:
            NotFound: There is no such model, or several begin so.
        """
        card = promote_model(self._store, model_id)
        self._models.forget()
        self._records.forget()
        return card

    def roll_back_model(self, profile: str | None = None) -> ModelCard:
        """Let the model judge again that judged before: before its recalibration, or the training before.

        Args:
            profile: Whose model; need not be said where only one profile has any.

        Raises:
            NotFound: There is no model before.
        """
        card = roll_back_model(self._store, profile)
        self._models.forget()
        self._records.forget()
        return card

    def recalibrate(self, *, profile: str | None = None) -> list[Recalibration]:
        """Find thresholds anew on the rows since training, and replace those that pass the comparison.

        Raises:
            ModelMissing: Nothing has been trained.
        """
        self._models.refresh()
        results = recalibrate_workspace(self._setup, self._store, self._models, profile=profile)
        self._models.forget()
        self._records.forget()
        return results

    def recalibrate_when_due(self) -> list[Recalibration]:
        """As `recalibrate`, if `recalibration.every` is said and that time has passed since the last one."""
        every = self.settings.recalibration.every
        if every is None or not is_recalibration_due(self._setup, self._store, every):
            return []
        return self.recalibrate()

    @contextmanager
    def engine_lease(self, holder: str) -> Iterator[None]:
        """Be the only engine of the workspace; the lease ends with the process, however it ends.

        Raises:
            EngineRunning: Another process holds it.
        """
        path = self.folder / _LOCK_FILE
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            found = path.with_suffix(".holder")
            who = found.read_text("utf-8") if found.is_file() else "another process"
            raise EngineRunning(workspace=str(self.folder), holder=who) from error
        try:
            path.with_suffix(".holder").write_text(holder, "utf-8")
            yield
        finally:
            path.with_suffix(".holder").unlink(missing_ok=True)
            lock.release()

    def _scoring(self) -> Scoring:
        return Scoring(self._setup, self._store, self._models)

    def _append(
        self, tx: Transaction, readings: Readings, zone: str, *, is_simulated: bool = False
    ) -> tuple[Mapping[AssetKey, int], Appended]:
        """Readings into the store, and the ids of their assets."""
        self._records.forget(readings.assets)
        ids = tx.ensure_assets(readings.assets, profile=readings.profile, zone=zone)
        profile = self.profiles[readings.profile]
        return ids, tx.append(readings, profile, ids, at=self._setup.clock(), is_simulated=is_simulated)

    def _tell(self, incident_id: str, kind: EventKind, actor: str, **facts: str) -> Incident:
        event = human_event(kind, at=self._setup.clock(), actor=actor, **facts)
        with self._store.begin() as tx:
            incident = tx.incident(incident_id)
            if incident.state is HumanState.CLOSED and kind is not EventKind.COMMENTED:
                raise UsageError(detail=f"the incident {incident.id} is closed", command="incidents")
            return tx.append_event(incident.id, event)

    def events(self, incident_id: str) -> list[IncidentEvent]:
        """The log of an incident, oldest first."""
        with self._store.read() as tx:
            return tx.events(incident_id)

    def describe(self, row: RowJudgement) -> str:
        """An abnormal row in one sentence; empty for a normal one."""
        return self._records.describe(row)

    def now(self) -> datetime:
        """The current instant, by the workspace's clock."""
        return self._setup.clock()

    def asset_keys(self) -> list[AssetKey]:
        """All assets that have ever sent a reading."""
        with self._store.read() as tx:
            return [asset.key for asset in tx.assets()]
