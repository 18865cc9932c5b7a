"""A workspace: a folder with settings, a store and models, and the whole journey as methods."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from sereno.contracts.notification import Answer
from sereno.domain.access import DEFAULT_ORGANIZATION
from sereno.domain.adjustments import Adjustment
from sereno.domain.criticality import CriticalityScale
from sereno.domain.drift import DriftLevel, DriftStanding
from sereno.domain.errors import (
    FileMissing,
    ForecastMissing,
    ModelError,
    ModelMissing,
    NotFound,
    SerenoError,
    SettingsError,
    UsageError,
)
from sereno.domain.incidents import EventKind, Incident, IncidentEvent, Verdict
from sereno.domain.judgement import ModelCard
from sereno.domain.masking import Mask
from sereno.domain.privacy import Pseudonyms
from sereno.domain.readings import Readings
from sereno.domain.registry import ForecasterCard
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.silences import Silence
from sereno.domain.time import Clock, system_clock
from sereno.flows.anomalies import AnomalyPlan, AnomalyReport, write_anomalies, write_clusters
from sereno.flows.assets import judge_again, lock_touched
from sereno.flows.backup import BackupReport, RestoreReport, restore_folder, write_backup
from sereno.flows.build import (
    FileHints,
    Setup,
    export_plan,
    life_policy,
    open_setup,
    open_workspace_store,
    read_options,
    store_url,
    workspace_zone,
)
from sereno.flows.changes import ChangeFeed
from sereno.flows.corrections import (
    CorrectionRequest,
    CorrectionView,
    add_correction,
    find_corrections,
    undo_correction,
)
from sereno.flows.delivering import DeliveryReport, Notifier
from sereno.flows.detected import write_detected
from sereno.flows.diagnostics import draw_diagnostics
from sereno.flows.drift_watch import keep_drift
from sereno.flows.drifting import DriftReport, DriftRequest, drift_workspace, write_drift
from sereno.flows.engines import engine_at_work, leased, refuse_engines
from sereno.flows.evaluating import evaluate_workspace
from sereno.flows.evaluation import Evaluation, write_performance
from sereno.flows.exports import ExportPlan, ExportReport, chosen_assets, export_preprocessed
from sereno.flows.feedback import WouldChange, apply_verdict, would_change
from sereno.flows.forecasters import ForecasterShelf
from sereno.flows.forecasting import (
    LONGEST_HORIZON,
    ForecastReport,
    ForecastRequest,
    forecast_workspace,
)
from sereno.flows.health import WAITED_FOR, Health, health_of, told_since
from sereno.flows.incident_lists import IncidentBook, IncidentQuery
from sereno.flows.incidents import IncidentView, find_incidents, human_event, summarise, view_of
from sereno.flows.ingest import PATIENCE, FileResult, Ingestion, check_file, expand_paths, ingest_file
from sereno.flows.intake import Intake
from sereno.flows.jobs import JobRunner
from sereno.flows.learning import ModelShelf, train_workspace
from sereno.flows.life import LifePolicy
from sereno.flows.listing import AssetView, asset_view, quality_of
from sereno.flows.logs import logging_to
from sereno.flows.mlflow_export import export_mlflow
from sereno.flows.model_files import export_version, import_version
from sereno.flows.models import TrainedModel
from sereno.flows.naming import NameBook, known_names, pseudonyms_of, secrets_of
from sereno.flows.people import act, shelve
from sereno.flows.physics import AssetPhysics, gas_rows, physics_of
from sereno.flows.pinning import pin_versions
from sereno.flows.predicting import Prediction, Predictor
from sereno.flows.privacy import Erasure, SiteExport, erase_site, export_site, retain, retain_in_batches
from sereno.flows.promotion import Registrar
from sereno.flows.recalibration import (
    Recalibration,
    is_recalibration_due,
    past_recalibrations,
    recalibrate_workspace,
)
from sereno.flows.receivers import (
    ReceiverView,
    build_notifier,
    find_receivers,
    notifications_json,
    release,
    resend,
    send_test,
    told_of,
    with_attempts,
)
from sereno.flows.records import RowJudgement
from sereno.flows.records_path import RecordPath, RowPlace, stored_judgements
from sereno.flows.regimes import RegimeView, find_regimes
from sereno.flows.reporting import build_report, write_report
from sereno.flows.reproducing import Reproduction, reproduce
from sereno.flows.results import ResultReport, export_results
from sereno.flows.retraining import (
    Retrainer,
    RetrainStep,
    has_models_to_look_after,
    learn_forecaster,
    look_after_models,
)
from sereno.flows.rolling_up import roll_up_store
from sereno.flows.savings import SavingsReport, SavingsRequest, savings_of
from sereno.flows.score import AssetOutcome
from sereno.flows.scoring import ScoreReport, Scoring
from sereno.flows.segments import SegmentReport, load_segmentation, segment_workspace
from sereno.flows.series import SeriesQuery, SeriesView, find_series
from sereno.flows.sheets import sheet_of, version_lines
from sereno.flows.silencing import SilenceRequest, add_silence
from sereno.flows.status import note_status
from sereno.flows.succession import find_version, model_history
from sereno.flows.taking import Receipt, Submission, Taker
from sereno.flows.timers import fire_due, review_visibility, tending
from sereno.flows.upgrading import UpgradeReport, upgrade_folder
from sereno.ingest import Batch, inspect_file, read_batches
from sereno.ingest.identity import site_from_file_name
from sereno.ingest.inspection import refuse_unknown_zone
from sereno.report.process_report import AssetReport
from sereno.settings.reading import save_setting
from sereno.settings.tree import Settings
from sereno.store import (
    Appended,
    DetectionQuery,
    ErasureRecord,
    FileIssue,
    NotificationQuery,
    Store,
    StoredAsset,
    StoredDetection,
    Transaction,
)
from sereno.store.forecasts import StoredForecast
from sereno.store.incident_pages import Order
from sereno.store.scrubbing import scrub

__all__ = ["Workspace"]

_RETAINED_EVERY = timedelta(days=1)
_LOOKED_EVERY = timedelta(minutes=1)


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
        self._predictor = Predictor(setup, store)
        self._book = IncidentBook(store, setup.incident_profiles, lambda: self.settings.tariff)
        self._names = NameBook(setup, store)
        self._changes = ChangeFeed(store)
        self._jobs = JobRunner(
            setup.folder, store, clock=setup.clock, language=setup.language, done=self._look_again
        )
        self._kept_scoring: Scoring | None = None
        self._retained_at: datetime | None = None
        self._rolled_up_at: datetime | None = None
        self._looked_at: datetime | None = None

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
            PinnedVersionMissing: Settings name a version of a model that is not there.
        """
        setup = open_setup(Path(folder), clock=clock, language=language)
        store = open_workspace_store(setup)
        try:
            pin_versions(setup, store)
        except SerenoError:
            store.close()
            raise
        return cls(setup, store)

    def close(self) -> None:
        """End what it has begun, and give back the store."""
        self._jobs.close()
        self._changes.close()
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
    def setup(self) -> Setup:
        """What the folder says: settings, profiles, language."""
        return self._setup

    @property
    def organization(self) -> str:
        """The organization whose workspace it is."""
        return self._setup.organization

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
        self._records.forget()
        self._models.refresh()
        results = []
        for path in files:
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
        with self._store.begin() as tx:
            ids = self._ensured(tx, readings, zone, judge=judge)
            appended = self._append(tx, readings, ids, is_simulated=is_simulated)
            judging = self._scoring().judge_at_once if judge else judge_again
            judging(tx, ids, appended, self.profiles[readings.profile])
        return appended.n_new + appended.n_changed

    def train(
        self,
        *,
        profile: str | None = None,
        detector: str | None = None,
        budget: float | None = None,
        before: datetime | None = None,
        told: Callable[[int, int], None] | None = None,
        is_candidate: bool = False,
    ) -> list[ModelCard]:
        """Learn every asset with enough history; one model per profile, which then judges.

        Args:
            profile: Only this one.
            detector: Name of what learns, instead of the one in settings.
            budget: False episodes per week and asset; one that the history cannot support is then an error.
            before: Learn only from readings before this instant.
            told: Hears before each profile how many are done, and of how many.
            is_candidate: The model that judges goes on; `promote_model` compares the new one with it.

        Raises:
            HistoryTooShort: No asset has enough readings.
            BudgetTooSmall: See `budget`.
            DetectorUnknown, ExtraMissing: See `detector`.
        """
        cards = train_workspace(
            self._setup,
            self._store,
            profile=profile,
            detector=detector,
            budget=budget,
            before=before,
            told=told,
            is_candidate=is_candidate,
        )
        self._look_again()
        return cards

    def forecast(
        self,
        *,
        horizon: timedelta = timedelta(days=1),
        origin: datetime | None = None,
        profile: str | None = None,
        asset: str | None = None,
        signal: str | None = None,
        forecaster: str | None = None,
    ) -> ForecastReport:
        """Forecast stored meters with bands, and keep what was said; what is needed is learnt.

        Args:
            horizon: Up to seven days.
            origin: From when; nothing later is used. After the last reading when None.
            asset: Only this one, as `Asset` or `Site/Asset`; all of its kind learn together nevertheless.
            signal: What to forecast; the first that each asset has when None.
            forecaster: Its name, instead of the one in settings.

        Raises:
            UsageError: The horizon is not between a moment and seven days.
            NoReadings, UnknownSignal: There is nothing of that name.
            HistoryTooShort: No asset has readings of two days.
            ForecasterUnknown, ExtraMissing: See `forecaster`.
        """
        if not timedelta(0) < horizon <= LONGEST_HORIZON:
            raise UsageError(
                detail=f"A forecast reaches from a moment to 7 days ahead (found {horizon})",
                command="forecast",
            )
        wanted = ForecastRequest(horizon, origin, profile, asset, signal, forecaster)
        return forecast_workspace(self._setup, self._store, wanted)

    def drift(self, wanted: DriftRequest | None = None) -> DriftReport:
        """Whether the last weeks are still what was learnt; keeps the verdicts and tells the registry.

        Writes `drift_analysis.json` and its figures, too.

        Raises:
            NoReadings, UnknownSignal: There is nothing of that name.
        """
        report = drift_workspace(self._setup, self._store, wanted or DriftRequest())
        keep_drift(self._store, report, self.now())
        write_drift(report, self.output_folder, self.language)
        return report

    def drifts(
        self,
        asset_id: int | None = None,
        *,
        level: DriftLevel = DriftLevel.UNKNOWN,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[DriftStanding]:
        """The last verdicts of the watch for drift, the worst first; those of one asset with their replays.

        Args:
            level: Only of assets that are at least there.
            limit, offset: At most so many, after so many.

        Raises:
            NotFound: There is no such asset.
        """
        with self._store.read() as tx:
            return tx.drifts(asset_id, level=level, limit=limit, offset=offset)

    def savings(
        self,
        site: str,
        baseline: tuple[datetime, datetime],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        signal: str | None = None,
    ) -> SavingsReport:
        """What the meters of a site, or one `Site/Asset`, have saved since a baseline; see `savings_of`."""
        wanted = SavingsRequest(site, *baseline, since=since, until=until, signal=signal)
        return savings_of(self._setup, self._store, wanted)

    def last_forecast(self, asset_id: int, *, signal: str | None = None) -> StoredForecast:
        """The newest forecast that was kept of an asset.

        Raises:
            NotFound: There is no such asset.
            ForecastMissing: It has none, of that signal.
        """
        about = self.asset(asset_id).asset.key
        with self._store.read() as tx:
            found = tx.forecasts(asset_id, signal=signal, limit=1)
        if not found:
            raise ForecastMissing(asset=str(about))
        return found[0]

    def predict(
        self, instant: datetime, weather: Mapping[str, float], *, site: str | None = None
    ) -> Prediction:
        """The loads of a site at any instant, from the forecaster that was last learnt; see `Predictor`."""
        return self._predictor.predict(instant, weather, site=site)

    def forecaster_path(self) -> Path | None:
        """The forecaster that `predict` answers from; None without one that can be used."""
        return self._predictor.path()

    def segment(
        self, *, profile: str | None = None, before: datetime | None = None, is_refit: bool = True
    ) -> list[SegmentReport]:
        """Find the assets of each profile that behave alike, draw why, and keep it for training.

        Writes `client_clusters.csv` and the folder `clustering_diagnostics` where `run.output` says.

        Args:
            before: Learn only from readings before this instant.
            is_refit: Fit anew; otherwise known segments stay and only later assets are assigned to them.

        Raises:
            NoReadings: There is nothing to compare.
            SettingsError: A feature in settings names nothing.
        """
        reports = segment_workspace(
            self._setup, self._store, profile=profile, before=before, is_refit=is_refit
        )
        self._models.forget()
        self._records.forget()
        for report in reports:
            draw_diagnostics(report, self.output_folder / "clustering_diagnostics", self.language)
            several = len(reports) > 1
            name = f"client_clusters_{report.segmentation.profile}.csv" if several else "client_clusters.csv"
            write_clusters(self.output_folder / name, report.segmentation, self.export_plan.table_format)
        return reports

    def evaluate(
        self, truth: str | Path, *, since: datetime | None = None, until: datetime | None = None
    ) -> Evaluation:
        """Compare what is said of all stored rows with a table of known anomalies.

        Writes `performance_metrics.csv` where `run.output` says. Assets of the same profile that the truth
        does not name, and instants that it does not name, count as normal.

        Args:
            since: Only rows from this instant on.
            until: Only rows before this instant.

        Raises:
            NoTruth: The file is no such table.
            UnknownAsset: None of its names is an asset here.
        """
        found = evaluate_workspace(
            self._setup, self._store, self._models, Path(truth), since=since, until=until
        )
        write_performance(
            self.output_folder / "performance_metrics.csv", found, self.export_plan.table_format
        )
        return found

    @property
    def output_folder(self) -> Path:
        """Where results of the whole journey are written."""
        return self.folder / self.settings.run.output

    def score(self, *, told: Callable[[int, int], None] | None = None) -> ScoreReport:
        """Judge every stored row that the current model has not judged yet; note how many are abnormal.

        Args:
            told: Hears before each asset how many are done, and of how many.
        """
        self._records.forget()
        report = self._scoring().score_all(told)
        report.status = note_status(self._store, self.settings.status, at=self.now())
        return report

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

    def judge_each(self, records: Sequence[Mapping[str, object]]) -> tuple[list[RowJudgement | None], Batch]:
        """As `score_records`, with None for what cannot be used; and what was understood of the records."""
        return self._records.judge_each(records)

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

    def judge_asked(self, *, limit: int) -> int:
        """Judge assets again of which judging was put off, in one transaction; returns how many."""
        return self._scoring().judge_asked(limit=limit)

    def refresh_models(self) -> None:
        """Let go of models that another process has replaced."""
        if self._models.refresh():
            self._records.forget()

    def drop_answers(self, *, older_than: timedelta) -> int:
        """Forget what requests of long ago were answered; returns how many."""
        with self._store.begin() as tx:
            return tx.drop_answers(before=self.now() - older_than)

    def use_model(self, model: TrainedModel) -> None:
        """Let a model judge its profile as long as this workspace is open, whatever the store says."""
        self._models.use(model)
        self._records.forget()

    def site_of(self, path: str | Path) -> str:
        """The site that a file's name speaks of, for rows that name none."""
        return site_from_file_name(Path(path).name)

    def incidents(self, *, since: datetime | None = None, order: Order = "worst") -> list[IncidentView]:
        """All incidents, worst first."""
        with self._store.read() as tx:
            return find_incidents(
                tx, self._setup.incident_profiles, self.settings.tariff, since=since, order=order
            )

    def incident(self, incident_id: str) -> IncidentView:
        """One incident, by its id or the beginning of it.

        Raises:
            NotFound: No incident, or several, begin like that.
        """
        with self._store.read() as tx:
            incident = tx.incident(incident_id)
            profiles = self._setup.incident_profiles
            return view_of(tx, incident, profiles, self.settings.tariff, self.usable_model)

    def regimes(self, *, asset: str | None = None, since: datetime | None = None) -> list[RegimeView]:
        """When process lines started, stopped or came to other set-points, newest first.

        Raises:
            UnknownAsset: Nothing has that name.
        """
        with self._store.read() as tx:
            return find_regimes(tx, self.profiles, asset=asset, since=since)

    def usable_model(self, profile: str) -> TrainedModel | None:
        """As `model`; None also where it cannot be used here, which is no reason not to show an incident."""
        try:
            return self._models.get(profile)
        except (ModelError, SettingsError, UsageError):
            return None

    def acknowledge(
        self, incident_id: str, *, actor: str, request_key: str | None = None, version: int | None = None
    ) -> Incident:
        """Say that somebody has seen it.

        Args:
            request_key: Of the request, as of all that people do: one heard before changes nothing.
            version: How many events it had when the actor last saw it: if more, nothing is done.

        Raises:
            IncidentChanged: It has more by now.
        """
        return self._act(incident_id, EventKind.ACKNOWLEDGED, actor, request_key, version)

    def unacknowledge(
        self, incident_id: str, *, actor: str, request_key: str | None = None, version: int | None = None
    ) -> Incident:
        """Take an acknowledgement back: somebody else has to see to it.

        Raises:
            UsageError: Nobody has acknowledged it.
        """
        return self._act(incident_id, EventKind.UNACKNOWLEDGED, actor, request_key, version)

    def comment(
        self,
        incident_id: str,
        text: str,
        *,
        actor: str,
        request_key: str | None = None,
        version: int | None = None,
    ) -> Incident:
        """Add a remark."""
        return self._act(incident_id, EventKind.COMMENTED, actor, request_key, version, text=text)

    def assign(
        self,
        incident_id: str,
        owner: str,
        *,
        actor: str,
        request_key: str | None = None,
        version: int | None = None,
    ) -> Incident:
        """Give it to somebody."""
        return self._act(incident_id, EventKind.ASSIGNED, actor, request_key, version, owner=owner)

    def shelve(
        self,
        incident_id: str,
        length: timedelta,
        reason: str,
        *,
        actor: str,
        request_key: str | None = None,
        version: int | None = None,
    ) -> Incident:
        """Put it aside for a day at most; it returns by itself.

        Raises:
            ShelvingTooLong, ReasonMissing: It may not be put aside so.
        """
        facts = shelve(incident_id, length, reason, now=self.now())
        return self._act(incident_id, EventKind.SHELVED, actor, request_key, version, **facts)

    def unshelve(
        self, incident_id: str, *, actor: str, request_key: str | None = None, version: int | None = None
    ) -> Incident:
        """Take it back before its time."""
        return self._act(incident_id, EventKind.UNSHELVED, actor, request_key, version)

    def close_incident(
        self,
        incident_id: str,
        verdict: Verdict,
        *,
        actor: str,
        request_key: str | None = None,
        version: int | None = None,
        is_applied: bool = False,
    ) -> Incident:
        """Close it, saying what it was.

        Args:
            is_applied: Also move the threshold as `preview_verdict` says.

        Raises:
            UsageError: It is closed, or the verdict would move nothing and should.
        """
        event = human_event(EventKind.CLOSED, at=self.now(), actor=actor, verdict=verdict.value)
        self._records.forget()
        with self._store.begin() as tx:
            incident = tx.locked_incident(incident_id)
            is_new = request_key is None or not tx.was_heard(incident.id, request_key)
            if is_applied and is_new:
                asset = self._asset_of(tx, incident)
                apply_verdict(tx, self._would_change(tx, incident, verdict), asset, at=self.now(), by=actor)
            return act(tx, self.policy, incident.id, event, request_key=request_key, version=version)

    def preview_verdict(self, incident_id: str, verdict: Verdict) -> WouldChange:
        """What a verdict would change: the last 90 days judged again; nothing is stored."""
        with self._store.read() as tx:
            return self._would_change(tx, tx.incident(incident_id), verdict)

    def _would_change(self, tx: Transaction, incident: Incident, verdict: Verdict) -> WouldChange:
        asset = self._asset_of(tx, incident)
        model = self.usable_model(asset.profile)
        return would_change(tx, incident, verdict, asset, self.profiles[asset.profile], model)

    @staticmethod
    def _asset_of(tx: Transaction, incident: Incident) -> StoredAsset:
        found = tx.assets(sites=[incident.asset.site], with_sources=True)
        return next(one for one in found if one.key == incident.asset)

    def undo_verdict(self, incident_id: str, *, actor: str) -> list[Adjustment]:
        """Take back the threshold that an incident's verdict moved; gives what was taken back."""
        self._records.forget()
        with self._store.begin() as tx:
            return tx.undo_adjustments(tx.incident(incident_id).id, at=self.now(), by=actor)

    def reopen(
        self, incident_id: str, *, actor: str, request_key: str | None = None, version: int | None = None
    ) -> Incident:
        """Look at a closed one again."""
        return self._act(incident_id, EventKind.REOPENED, actor, request_key, version)

    def silences(self, *, with_ended: bool = False) -> list[Silence]:
        """The silences of people and of the settings that are in force or will be.

        Args:
            with_ended: Those that are over, too.
        """
        with self._store.read() as tx:
            kept = tx.silences(not_over=None if with_ended else self.now())
        return [*kept, *self.policy.silences]

    def silenced_counts(self) -> dict[str, int]:
        """How many incidents each silence keeps quiet, or kept quiet to their end."""
        with self._store.read() as tx:
            return dict(Counter(name for one in tx.incidents() for name in one.silences))

    def add_silence(self, request: SilenceRequest) -> Silence:
        """Let nobody be told for a while; what happens is recorded and shown all the same.

        Raises:
            InvalidSilence: It makes no sense.
        """
        with self._store.begin() as tx:
            silence = add_silence(tx, request, now=self.now())
        review_visibility(self._store, self.policy, now=self.now())
        return silence

    def end_silence(self, silence_id: str, *, actor: str) -> Silence:
        """End a silence early, by its id or the beginning of it; what goes on is then told.

        Raises:
            NotFound: There is none, or it is declared in the settings.
        """
        with self._store.begin() as tx:
            silence = tx.end_silence(silence_id, at=self.now(), by=actor)
        review_visibility(self._store, self.policy, now=self.now())
        return silence

    @property
    def policy(self) -> LifePolicy:
        """What follows from events of incidents."""
        return life_policy(self._setup)

    def fire_timers(self) -> int:
        """Do what is due, once; returns how many incidents changed."""
        changed = review_visibility(self._store, self.policy, now=self.now())
        return changed + fire_due(self._store, self.policy, now=self.now())

    def tending(self) -> AbstractContextManager[None]:
        """Do what is due as long as the context lasts, in a thread of its own."""
        return tending(self._store, self.policy, self._setup.clock)

    @property
    def zone(self) -> str:
        """The time zone of the workspace."""
        return workspace_zone(self._setup)

    def health(self, *, days: int = 30) -> Health:
        """How much incidents ask of people over the last days of the data, and what would help most."""
        until = self.last_reading_at() or self.now()
        since = until - timedelta(days=days)
        views = self.incidents(since=since)
        with self._store.read() as tx:
            events = tx.events_of([view.incident.id for view in views], WAITED_FOR)
            told = told_since(tx, self.now() - timedelta(days=days))
        return health_of(views, events, since=since, until=until, told=told, now=self.now())

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
            return max(tx.last_readings().values(), default=None)

    @property
    def export_plan(self) -> ExportPlan:
        """What the settings ask of exports."""
        plan = export_plan(self.settings.exports)
        return self.without_names(plan) if self.settings.exports.pseudonyms else plan

    def without_names(self, plan: ExportPlan) -> ExportPlan:
        """The plan for somebody who may not see personal names: pseudonyms stand for them."""
        masked = replace(plan.table_format, masked=self.pseudonyms().text)
        return replace(plan, table_format=masked)

    def _plan_for(self, plan: ExportPlan | None, *, sees_personal: bool) -> ExportPlan:
        plan = plan or self.export_plan
        return plan if sees_personal else self.without_names(plan)

    def export_preprocessed(
        self, output: str | Path, plan: ExportPlan | None = None, *, sees_personal: bool = True
    ) -> ExportReport:
        """Write stored values with features as CSV or XLSX; what is stored and judged stays as it is.

        Args:
            plan: What is exported and how; otherwise as the settings say.
            sees_personal: Whether whoever asked may see personal names; pseudonyms otherwise.
        """
        plan = self._plan_for(plan, sees_personal=sees_personal)
        with self._store.read() as tx:
            return export_preprocessed(tx, Path(output), plan, self.profiles)

    def export_results(
        self,
        output: str | Path,
        plan: ExportPlan | None = None,
        *,
        since: datetime | None = None,
        sees_personal: bool = True,
    ) -> ResultReport:
        """Write the score of every stored row, and the error of each variable, as CSV or XLSX.

        Args:
            plan: Of which assets, and how the table is written.
            since: Only rows from this instant on.
            sees_personal: Whether whoever asked may see personal names; pseudonyms otherwise.

        Raises:
            ModelMissing: Nothing has been trained.
        """
        plan = self._plan_for(plan, sees_personal=sees_personal)
        with self._store.read() as tx:
            assets = chosen_assets(tx, plan, command="export results")
            return export_results(
                tx, self._models.get, self.profiles, assets, Path(output), plan, since=since
            )

    def report(self, asset: str, output: str | Path, *, since: datetime | None = None) -> AssetReport:
        """Write the report of an asset as one HTML file, in the language of the workspace.

        Args:
            since: Begin of the current rows; otherwise the end of the training.

        Raises:
            UnknownAsset: Nothing has that name.
            ModelMissing: Nothing has been trained.
        """
        plan = replace(self.export_plan, assets=(asset,))
        incidents = self.incidents()
        with self._store.read() as tx:
            stored = chosen_assets(tx, plan, command="report")
            if len(stored) > 1:
                known = ", ".join(str(one.key) for one in stored)
                raise UsageError(detail=f"'{asset}' stands for several assets ({known})", command="report")
            profile = self.profiles[stored[0].profile]
            model = self._models.get(profile.name)
            if model is None:
                raise ModelMissing(workspace=str(self.folder))
            found = build_report(
                tx, stored[0], model, profile, incidents, language=self.language, since=since
            )
        write_report(Path(output), found, self.language)
        return found

    def export_anomalies(
        self,
        output: str | Path,
        *,
        profile: str | None = None,
        assets: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        sees_personal: bool = True,
    ) -> AnomalyReport:
        """Write a row per abnormal hour as CSV or XLSX, judged by the current model; see `write_anomalies`.

        Args:
            profile: Of the assets, where there are several.
            assets: Their names; all of the profile without any.
            since, until: Only hours in [since, until).
            sees_personal: Whether whoever asked may see personal names; pseudonyms otherwise.

        Raises:
            UsageError: There is nothing to export, or assets of several profiles and none was named.
            UnknownAsset: Nothing has a name that was given.
        """
        chosen = ExportPlan(profile=profile, assets=assets)
        with self._store.read() as tx:
            found = chosen_assets(tx, chosen, command="export anomalies")
            name = found[0].profile
            written = self._plan_for(None, sees_personal=sees_personal).table_format
            plan = replace(self.anomaly_plan(name, since=since, until=until), table_format=written)
            return write_anomalies(tx, Path(output), found, self.profiles[name], self._models.get(name), plan)

    def write_detected(
        self, paths: Mapping[str, Path], *, truth: Path | None = None, since: datetime | None = None
    ) -> tuple[dict[str, AnomalyReport], Evaluation | None]:
        """Write the abnormal hours of each profile to its file; with a truth also evaluate."""
        plans = {name: (path, self.anomaly_plan(name)) for name, path in paths.items()}
        return write_detected(self._setup, self._store, self._models, plans, truth=truth, since=since)

    def model(self, profile: str) -> TrainedModel | None:
        """The model that judges a profile; None before the first training."""
        return self._models.get(profile)

    def anomaly_plan(
        self, profile: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> AnomalyPlan:
        """How abnormal hours of a profile are graded and written, as the settings say."""
        return AnomalyPlan(
            scale=CriticalityScale(**self.settings.criticality.model_dump()),
            since=since,
            until=until,
            segmentation=load_segmentation(self.folder, profile),
            table_format=self.export_plan.table_format,
        )

    def export_clusters(
        self, output: str | Path, *, profile: str | None = None, sees_personal: bool = True
    ) -> int:
        """Write who is in which segment as CSV or XLSX; returns the rows.

        Args:
            profile: Of the segments, where there are those of several.
            sees_personal: Whether whoever asked may see personal names; pseudonyms otherwise.

        Raises:
            UsageError: There are no segments yet, or those of several profiles and none was named.
        """
        names = [profile] if profile else sorted({one.profile for one in self._all_assets()})
        known = [found for name in names if (found := load_segmentation(self.folder, name)) is not None]
        if not known:
            raise UsageError(
                detail="there are no segments yet: run `sereno segment`", command="export clusters"
            )
        if len(known) > 1:
            listed = ", ".join(found.profile for found in known)
            detail = f"there are segments of several profiles ({listed}): name one with --profile"
            raise UsageError(detail=detail, command="export clusters")
        plan = self._plan_for(None, sees_personal=sees_personal)
        return write_clusters(Path(output), known[0], plan.table_format)

    def _all_assets(self) -> list[StoredAsset]:
        with self._store.read() as tx:
            return tx.assets()

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

    def model_card(self, version: str) -> ModelCard | ForecasterCard:
        """The card of a version, by its id or the beginning of it.

        Raises:
            NotFound: There is no such version, or several begin so.
        """
        with self._store.read() as tx:
            return find_version(tx, version).card

    def versions(self) -> list[dict[str, object]]:
        """Every version of every detector and forecaster, newest first, and where it stands."""
        with self._store.read() as tx:
            return version_lines(tx)

    def model_sheet(self, version: str) -> dict[str, object]:
        """All that is known of a version, by its id or the beginning of it, and how it did in the shadow.

        Raises:
            NotFound: There is no such version, or several begin so.
        """
        with self._store.read() as tx:
            return sheet_of(tx, find_version(tx, version))

    def model_history(self, model_id: str) -> list[dict[str, object]]:
        """What was decided about the models of a model's profile, by whom and why, oldest first.

        Raises:
            NotFound: There is no such model, or several begin so.
        """
        with self._store.read() as tx:
            return model_history(tx, find_version(tx, model_id).card)

    @property
    def registrar(self) -> Registrar:
        """Compares, promotes and sends to the shadow."""
        return Registrar(self._setup, self._store, self._models)

    def promote_model(
        self, model_id: str, *, actor: str = "", reason: str = "", is_forced: bool = False
    ) -> ModelCard | ForecasterCard:
        """Let a version judge or forecast, if on days that neither has seen it is better than what does now.

        Args:
            actor, reason: Who decided it and why; told to those who listen.
            is_forced: Without a comparison; needs a reason.

        Raises:
            NotFound: There is no such version, or several begin so.
            PromotionRefused: It is not better, or that cannot be told yet.
            ForcingNeedsReason: See `is_forced`.
            VersionPinned: Settings name the version.
        """
        promotion = self.registrar.promote(model_id, actor=actor, reason=reason, is_forced=is_forced)
        self._look_again()
        return promotion.card

    def roll_back_model(
        self, profile: str | None = None, *, actor: str = "", reason: str = ""
    ) -> ModelCard | ForecasterCard:
        """Let the version judge, or forecast, again that did before the one of now.

        Args:
            profile: Whose model, or the group of a forecaster; need not be said where only one profile has
                any.
            actor, reason: Who decided it and why; told to those who listen.

        Raises:
            NotFound: There is no model before.
            VersionPinned: Settings name the version.
        """
        version = self.registrar.roll_back(profile, actor=actor, reason=reason)
        self._look_again()
        with self._store.read() as tx:
            return find_version(tx, version).card

    def learn_forecaster(self, group: str) -> ForecasterCard:
        """Learn a candidate for a group that is forecast together; its champion forecasts on.

        Raises:
            NotFound: Nothing forecasts such a group.
            HistoryTooShort: No asset has readings of two days.
        """
        champion = ForecasterShelf(self._setup, self._store).champion(group)
        if champion is None:
            raise NotFound(what="model", id=group, hint="")
        return learn_forecaster(self.registrar, champion.card)

    def reproduce(self, version: str | None = None) -> list[Reproduction]:
        """Do a training, or that of every champion, again in two fresh processes, and write a report.

        Raises:
            NotFound: There is no such version.
            ModelMissing: Nothing has been trained.
        """
        return reproduce(self._setup, self._store, version)

    def export_mlflow(self, version: str, folder: str | Path) -> Path:
        """Write a version as a pyfunc that MLflow loads.

        Raises:
            NotFound: There is no such version, or several begin so.
            ExportTargetTaken: There is something in the folder.
            ExtraMissing: MLflow is not installed.
        """
        with self._store.read() as tx:
            stored = find_version(tx, version)
        return export_mlflow(self._setup, stored, Path(folder))

    def export_model(self, version: str, file: str | Path) -> Path:
        """Write a version into one file for `import_model` elsewhere; a file of that name gives way.

        Raises:
            NotFound: There is no such version, or several begin so.
            ModelCorrupt: Its artefact is gone or was altered.
            SystemRefused: The file cannot be written there.
        """
        with self._store.read() as tx:
            stored = find_version(tx, version)
        return export_version(self._setup, stored, Path(file))

    def import_model(self, file: str | Path) -> ModelCard | ForecasterCard:
        """Take in what `export_model` wrote, as a candidate; one that is here already stays as it is.

        Raises:
            FileMissing: There is no such file.
            ModelCorrupt: It is no such file, was altered, or another training has its name here.
            NotFound: Its profile is not here.
            DetectorUnknown, ForecasterUnknown, ExtraMissing: What learnt it is not installed here.
        """
        return import_version(self._setup, self._store, Path(file))

    def retrain(self, *, is_asked: bool = False) -> list[RetrainStep]:
        """The next step of learning anew for each profile and group that it is time for.

        Args:
            is_asked: Whether or not it is time; every other guard holds.

        Raises:
            ModelMissing: Nothing has been learnt yet.
        """
        steps = Retrainer(self.registrar).look(is_asked=is_asked)
        self._look_again()
        return steps

    def look_after_models(self) -> None:
        """Let the shadows judge what is new, and ask for the jobs that are due: drift, learning anew."""
        look_after_models(self.registrar, self._jobs)

    @property
    def is_look_at_models_due(self) -> bool:
        """Whether there is something to look after, and nobody here has done so for a while."""
        if self._looked_at is not None and self.now() - self._looked_at < _LOOKED_EVERY:
            return False
        self._looked_at = self.now()
        return has_models_to_look_after(self.registrar)

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
        """Be the engine of the workspace; the lease ends with the process, however it ends.

        On PostgreSQL several engines may work beside each other; each file and duty goes to one of them.

        Raises:
            EngineRunning: The store is embedded, and another process works on it.
        """
        with engine_at_work(self._store, self.folder, holder):
            yield

    @contextmanager
    def duty(self, name: str) -> Iterator[None]:
        """Be the only engine that does something which one has to do.

        Raises:
            LeaseTaken: Another one does.
        """
        with leased(self._store, f"duty/{name}"):
            yield

    def backup(self, file: str | Path) -> BackupReport:
        """Write store, models, profiles and settings into one archive, also while an engine works.

        Args:
            file: Where to; in a folder it gets a name with the time. A file of that name gives way once the
                new one is complete.

        Raises:
            StoreError: The store cannot be read, or is damaged.
            SystemRefused: The archive cannot be written there.
        """
        _refuse_organization(self._setup, "backup")
        at, path = self.now(), Path(file)
        if path.is_dir():
            path /= f"sereno-{at:%Y%m%dT%H%M%SZ}.tar.gz"
        return write_backup(self.folder, store_url(self._setup), path, at=at)

    @classmethod
    def restore(
        cls,
        folder: str | Path,
        archive: str | Path,
        *,
        replace: bool = False,
        hold_notifications: bool = False,
        clock: Clock = system_clock,
    ) -> RestoreReport:
        """Make the workspace of a folder what it was when the archive was written; all of it, or nothing.

        Args:
            replace: Whether what is there may give way; it is kept in `backups/`.
            hold_notifications: Whether what was still to be sent then waits for `release`; otherwise it is
                sent, under its keys, whether it has been sent since the backup or not.

        Raises:
            BackupCorrupt, BackupNewer, BackupMisfit: The archive cannot be used here.
            WorkspaceNotEmpty: There is data, and `replace` was not said.
            EngineRunning: Somebody works on the workspace.
        """
        setup = open_setup(Path(folder), clock=clock)
        _refuse_organization(setup, "restore")
        if not Path(archive).is_file():
            raise FileMissing(file=str(archive))
        url = store_url(setup)
        refuse_engines(url, setup.folder)
        return restore_folder(
            setup.folder,
            url,
            Path(archive),
            replace=replace,
            at=clock(),
            hold_notifications=hold_notifications,
        )

    @classmethod
    def upgrade(
        cls,
        folder: str | Path,
        *,
        is_dry: bool = False,
        clock: Clock = system_clock,
        told: Callable[[str], object] = lambda _: None,
    ) -> UpgradeReport:
        """Back up and migrate the store of a folder that an older version wrote.

        Args:
            is_dry: Only say what is due.
            told: Hears the revision of each migration that is done.

        Raises:
            StoreNewer: A newer version wrote it.
            EngineRunning: Somebody works on the workspace.
            UpgradeFailed: A migration failed; the store is as it was.
        """
        setup = open_setup(Path(folder), clock=clock)
        url = store_url(setup)
        if not is_dry:
            refuse_engines(url, setup.root)
        return upgrade_folder(setup.root, url, at=clock(), is_dry=is_dry, told=told)

    def intake(self) -> Intake:
        """Where records of sources go."""
        return Intake(self._setup, self._store, self._scoring(), self._records.forget)

    def _scoring(self) -> Scoring:
        if self._kept_scoring is None or self._kept_scoring.setup is not self._setup:
            self._kept_scoring = Scoring(self._setup, self._store, self._models)
        return self._kept_scoring

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
        self._records.forget(readings.assets)
        profile = self.profiles[readings.profile]
        return tx.append(readings, profile, ids, at=self._setup.clock(), is_simulated=is_simulated)

    def _act(
        self,
        incident_id: str,
        kind: EventKind,
        actor: str,
        request_key: str | None,
        version: int | None,
        **facts: str,
    ) -> Incident:
        event = human_event(kind, at=self._setup.clock(), actor=actor, **facts)
        with self._store.begin() as tx:
            return act(tx, self.policy, incident_id, event, request_key=request_key, version=version)

    def pseudonyms(self) -> Pseudonyms:
        """What stands for the personal names of this workspace where somebody may not see them."""
        return pseudonyms_of(self._setup, known_names(self._store))

    @property
    def has_personal(self) -> bool:
        """Whether the settings say that names of sites or assets are personal."""
        return self._names.has_personal

    def mask(self) -> Mask:
        """What hides personal names and supply-point numbers in any text."""
        return self._names.mask()

    def names_behind(self) -> Mapping[str, str]:
        """The name that each pseudonym stands for, for those who ask by one."""
        return self._names.behind()

    def logging(self) -> AbstractContextManager[Path | None]:
        """Write the log of this process as the settings say, as long as the context lasts."""
        names, hidden = self.pseudonyms(), secrets_of(self._setup)
        return logging_to(self.folder, self.settings.logging, names, hidden)

    def sites(self) -> list[str]:
        """Names of all sites."""
        with self._store.read() as tx:
            return tx.site_list()

    def export_site(self, site: str, file: str | Path) -> SiteExport:
        """Write everything that is stored of a site into one archive.

        Raises:
            NotFound: There is no such site.
        """
        return export_site(self._store, site, Path(file), at=self.now())

    def erase_site(self, site: str, *, actor: str, reason: str, is_dry: bool = False) -> Erasure:
        """Erase everything that is stored of a site, in one transaction that leaves a record.

        Args:
            is_dry: Only say what would go.

        Raises:
            NotFound: There is no such site.
        """
        self._records.forget()
        found = erase_site(
            self._setup, self._store, site, at=self.now(), actor=actor, reason=reason, is_dry=is_dry
        )
        self._models.forget()
        return found

    def retain(self, *, actor: str = "", is_dry: bool = False) -> Erasure:
        """Delete what is older than the settings allow.

        Args:
            is_dry: Only say what would go.
        """
        self._records.forget()
        now = self.now()
        if self.settings.retention.thin is not None:
            roll_up_store(self._store, now=now)
        return retain(self._store, self.settings.retention, at=now, actor=actor, is_dry=is_dry)

    @property
    def is_rolling_up_due(self) -> bool:
        """Whether a day has passed since this process had all figures of hours and days."""
        return self._rolled_up_at is None or self.now() - self._rolled_up_at >= _RETAINED_EVERY

    def roll_up_when_due(self, stop: threading.Event | None = None, *, seconds: float | None = None) -> None:
        """Reckon the figures of hours and days that are missing, once a day.

        Args:
            stop, seconds: End it early; it stays due then.
        """
        now = self.now()
        if self.is_rolling_up_due and roll_up_store(self._store, now=now, stop=stop, seconds=seconds):
            self._rolled_up_at = now

    @property
    def is_retention_due(self) -> bool:
        """Whether a day has passed since this process deleted what was too old."""
        return self._retained_at is None or self.now() - self._retained_at >= _RETAINED_EVERY

    def retain_when_due(self, stop: threading.Event | None = None) -> Erasure | None:
        """Delete what is older than the settings allow, bit by bit, once a day; None where it is not time.

        Args:
            stop: Ends it between two bits; the rest goes the next time.
        """
        if not self.is_retention_due:
            return None
        now = self.now()
        self._records.forget()
        found = retain_in_batches(
            self._store, self.settings.retention, at=now, stop=stop or threading.Event()
        )
        self._retained_at = now
        return found

    def scrub(self) -> None:
        """Write the database anew without the space of what was deleted.

        Raises:
            StoreUnreachable: Somebody works on it.
            DiskFull: There is no space for it.
        """
        scrub(store_url(self._setup))

    def erasures(self) -> list[ErasureRecord]:
        """What was erased so far, newest first: who, when, why, how much."""
        with self._store.read() as tx:
            return tx.erasures()

    def events(self, incident_id: str) -> list[IncidentEvent]:
        """The log of an incident, oldest first."""
        with self._store.read() as tx:
            return tx.events(incident_id)

    def told_of(self, incident_id: str) -> list[dict[str, object]]:
        """Who was told of an incident, when, in how many attempts and with which answer."""
        with self._store.read() as tx:
            return told_of(tx, tx.incident(incident_id).id)

    def notifier(self) -> Notifier | None:
        """What delivers notifications; None where the settings name no receivers.

        Raises:
            SettingsError: A receiver's kind or options are wrong.
        """
        if not self.settings.receivers:
            return None
        return build_notifier(self._setup, self._store, self.usable_model)

    def deliver_due(self) -> DeliveryReport:
        """Deliver what may leave now, once.

        Raises:
            SettingsError: A receiver's kind or options are wrong.
        """
        notifier = self.notifier()
        return DeliveryReport() if notifier is None else notifier.deliver_due()

    def receivers(self) -> list[ReceiverView]:
        """Who can be told, and how each is doing."""
        return find_receivers(self._setup, self._store)

    def send_test(self, receiver: str) -> Answer:
        """Send a test to a receiver, end to end and at once.

        Raises:
            NotFound: There is no such receiver.
        """
        return send_test(self._setup, self._store, receiver)

    def notifications(self, *, statuses: Sequence[str] = ()) -> list[dict[str, object]]:
        """The newest notifications of these statuses, or of all, with their attempts."""
        with self._store.read() as tx:
            return notifications_json(tx, statuses)

    def resend(self, ids: Sequence[int]) -> int:
        """Put notifications that were given up back into their lanes; returns how many.

        Raises:
            NotFound, UsageError: One is not there, or was not given up.
        """
        return len(resend(self._setup, self._store, ids))

    def release(self, ids: Sequence[int] = ()) -> int:
        """Let notifications that a restore has kept leave under their keys; all of them without ids.

        Returns:
            How many are queued; what a later message has told meanwhile is not.

        Raises:
            NotFound, UsageError: One is not there, or was not kept.
        """
        return release(self._setup, self._store, ids)

    def describe(self, row: RowJudgement) -> str:
        """An abnormal row in one sentence; empty for a normal one."""
        return self._records.describe(row)

    def find_incidents(
        self,
        query: IncidentQuery,
        *,
        after: Sequence[object] | None = None,
        limit: int | None = None,
    ) -> list[IncidentView]:
        """The incidents that fit, in the order that was asked for; see `IncidentBook.find`."""
        return self._book.find(query, self.now(), after=after, limit=limit)

    def assets(self, *, site: str | None = None, profile: str | None = None) -> list[StoredAsset]:
        """The assets of a site, of a profile, or all, sorted by profile, site and asset."""
        with self._store.read() as tx:
            return tx.assets(profile, sites=None if site is None else [site])

    def describe_assets(self, assets: Sequence[StoredAsset]) -> list[AssetView]:
        """Assets with the signals that they send and the time that they cover."""
        with self._store.read() as tx:
            return [asset_view(tx, one, self.profiles) for one in assets]

    def asset(self, asset_id: int) -> AssetView:
        """An asset by its number.

        Raises:
            NotFound: There is none.
        """
        found = [one for one in self.assets() if one.id == asset_id]
        if not found:
            raise NotFound(what="asset", id=asset_id, hint="")
        return self.describe_assets(found)[0]

    def series(self, query: SeriesQuery) -> SeriesView:
        """A stretch of an asset's readings with few points and all of its peaks.

        Raises:
            NotFound, UnknownSignal, InvalidQuery: See `find_series`.
        """
        with self._store.read() as tx:
            return find_series(tx, query, self.profiles)

    def detections(self, query: DetectionQuery, *, limit: int) -> list[StoredDetection]:
        """Detections, newest first."""
        with self._store.read() as tx:
            return [one for one, _ in tx.find_detections(query, limit=limit)]

    def issues(
        self, *, code: str | None = None, before: tuple[datetime, str, str, int] | None = None, limit: int
    ) -> list[FileIssue]:
        """What was wrong in the files, those of the newest first.

        Args:
            before: When its file was read, digest and code of the one after which to begin, and how many of
                that file and code were given, itself too.
        """
        with self._store.read() as tx:
            return tx.find_issues(code=code, before=before, limit=limit)

    def quality(self, assets: Sequence[StoredAsset], *, days: int = 30) -> list[dict[str, object]]:
        """Of each signal of these assets over the last days of its data: what is there, what is flagged."""
        with self._store.read() as tx:
            return [row for one in assets for row in quality_of(tx, one, self.profiles, days=days)]

    def notification_page(self, query: NotificationQuery, *, limit: int) -> list[dict[str, object]]:
        """Notifications with their attempts, newest first."""
        with self._store.read() as tx:
            return with_attempts(tx, tx.find_notifications(query, limit=limit))

    @property
    def changes(self) -> ChangeFeed:
        """What changes, for those who listen."""
        return self._changes

    @property
    def jobs(self) -> JobRunner:
        """Long work, one at a time."""
        return self._jobs

    def _look_again(self) -> None:
        self._models.forget()
        self._records.forget()

    def now(self) -> datetime:
        """The current instant, by the workspace's clock."""
        return self._setup.clock()

    def asset_keys(self) -> list[AssetKey]:
        """All assets that have ever sent a reading."""
        with self._store.read() as tx:
            return [asset.key for asset in tx.assets()]


def _refuse_organization(setup: Setup, command: str) -> None:
    """What is done to the whole store is done in the root of the workspace."""
    if setup.organization != DEFAULT_ORGANIZATION:
        detail = f"`{command}` is about all organizations: run it on {setup.root}"
        raise UsageError(detail=detail, command=command)
