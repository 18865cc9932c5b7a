"""Results as files: tables and reports."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sereno.domain.criticality import CriticalityScale
from sereno.domain.errors import ModelMissing, UsageError
from sereno.flows.anomalies import AnomalyPlan, AnomalyReport, write_anomalies, write_clusters
from sereno.flows.desks.incidents import IncidentDesk
from sereno.flows.detected import write_detected
from sereno.flows.evaluation import Evaluation
from sereno.flows.exports import ExportPlan, ExportReport, chosen_assets, export_preprocessed
from sereno.flows.reporting import build_report, write_report
from sereno.flows.results import ResultReport, export_results
from sereno.flows.segments import load_segmentation
from sereno.report.process_report import AssetReport

__all__ = ["ExportDesk"]


class ExportDesk(IncidentDesk):
    """Writes what is known into files."""

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
        names = [profile] if profile else sorted({one.profile for one in self.assets()})
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

    def _plan_for(self, plan: ExportPlan | None, *, sees_personal: bool) -> ExportPlan:
        plan = plan or self.export_plan
        return plan if sees_personal else self.without_names(plan)
