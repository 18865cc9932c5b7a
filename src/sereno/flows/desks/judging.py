"""Learning, judging and what is compared with the truth."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sereno.domain.errors import SerenoError
from sereno.domain.judgement import ModelCard
from sereno.flows.anomalies import write_clusters
from sereno.flows.desks.desk import Desk
from sereno.flows.diagnostics import draw_diagnostics
from sereno.flows.evaluating import evaluate_workspace
from sereno.flows.evaluation import Evaluation, write_performance
from sereno.flows.learning import train_workspace
from sereno.flows.models import TrainedModel
from sereno.flows.put_off import Progress
from sereno.flows.recalibration import (
    Recalibration,
    is_recalibration_due,
    past_recalibrations,
    recalibrate_workspace,
)
from sereno.flows.records import RowJudgement
from sereno.flows.records_path import Heard, Opinion, Question
from sereno.flows.scoring import ScoreReport
from sereno.flows.segments import SegmentReport, segment_workspace
from sereno.flows.status import note_status

__all__ = ["JudgingDesk"]


class JudgingDesk(Desk):
    """Learns, judges, and says how well."""

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

    def score(self, *, told: Callable[[int, int], None] | None = None) -> ScoreReport:
        """Judge every stored row that the current model has not judged yet; note how many are abnormal.

        Args:
            told: Hears before each asset how many are done, and of how many.
        """
        with self._records.changing():
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

    def judge_all(self, questions: Sequence[Question]) -> list[Opinion | SerenoError]:
        """What is thought of the records of several who ask at once; none of them is shown the others'."""
        return self._records.judge_all(questions)

    @property
    def heard(self) -> Heard:
        """Of how many changes of the store and of the models it has heard since it was opened."""
        return self._records.heard

    def describe(self, row: RowJudgement) -> str:
        """An abnormal row in one sentence; empty for a normal one."""
        return self._records.describe(row)

    def judge_put_off(self) -> Progress:
        """The next step of judging what was put off; see `PutOff.go_on`.

        Raises:
            StoreError: The store refused; what is put off still waits.
        """
        return self._scoring().put_off.go_on()

    def refresh_models(self) -> None:
        """Let go of models that another process has replaced."""
        if self._models.refresh():
            self._records.forget()

    def catch_up(self, heard: Heard) -> None:
        """Let go of what has changed since another process had heard of that when it said so last."""
        self._records.catch_up(heard)

    def forget_records(self) -> None:
        """Let go of what is kept of the past: another process has stored something."""
        self._records.forget()

    def use_model(self, model: TrainedModel) -> None:
        """Let a model judge its profile as long as this workspace is open, whatever the store says."""
        self._models.use(model)
        self._records.forget()

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

    def past_recalibrations(self) -> list[dict[str, object]]:
        """What recalibrating decided so far, oldest first."""
        return past_recalibrations(self._setup)
