"""The whole journey of a workspace once: read, segment, learn, judge, compare, write; timed by stage.

A run can be stopped at any moment and started again: files are known by their content, judging goes on where
it ended, and segments and models that came from the same readings and settings are not made twice.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import yaml

from sereno.domain.errors import HistoryTooShort, ModelCorrupt, NoFiles, NoReadings, SerenoError
from sereno.domain.time import isoformat
from sereno.domain.version import VERSION
from sereno.flows.anomalies import AnomalyReport, write_clusters
from sereno.flows.build import MODELS_FOLDER
from sereno.flows.evaluation import Evaluation, write_performance
from sereno.flows.ingest import FileResult
from sereno.flows.scoring import ScoreReport
from sereno.flows.segments import SegmentReport, load_segmentation
from sereno.flows.workspace import Workspace

__all__ = ["STAGES", "RunReport", "run_workspace"]

STAGES = ("etl", "clustering", "training", "detection", "evaluation", "exports")
_KEYS = {
    "etl": "etl_pipeline_seconds",
    "clustering": "clustering_pipeline_seconds",
    "training": "training_seconds",
    "detection": "anomaly_detection_seconds",
    "evaluation": "system_evaluation_seconds",
    "exports": "exports_seconds",
}
"""Names of the stages in `execution_times.yaml`."""
_NOT_LEARNT_FROM = {
    *("store", "language", "tariff", "limits", "sources", "exports", "mappings"),
    *("criticality", "acceptance", "run"),
}
"""Branches of the settings on which no model depends."""
_JOURNAL = "run.json"


@dataclass(slots=True)
class RunReport:
    """What a run did.

    Attributes:
        seconds: By stage, in the order in which they ran.
        reused: Stages whose result of an earlier run still holds; their seconds are those of now.
        cut: Nothing was learnt from readings at or after this instant; None when all taught.
        notes: What could not be done, and why.
        files: What was written, by name.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    reused: list[str] = field(default_factory=list)
    cut: datetime | None = None
    results: list[FileResult] = field(default_factory=list)
    segments: list[SegmentReport] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)
    score: ScoreReport | None = None
    anomalies: dict[str, AnomalyReport] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    notes: list[SerenoError] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """For `run --json`."""
        return {
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "reused": list(self.reused),
            "trained_until": isoformat(self.cut),
            "files_read": [one.entry for one in self.results],
            "segments": [one.to_json() for one in self.segments],
            "models": self.models,
            "score": None if self.score is None else self.score.to_json(),
            "anomalies": {name: one.to_json() for name, one in self.anomalies.items()},
            "evaluation": None if self.evaluation is None else self.evaluation.to_json(),
            "notes": [{"code": one.code, "message": str(one)} for one in self.notes],
            "written": {name: str(path) for name, path in self.files.items()},
        }


Tell = Callable[[str, dict[str, object]], None]
"""Hears the name of a stage as it begins, with its facts."""


def run_workspace(workspace: Workspace, *, tell: Tell = lambda _name, _facts: None) -> RunReport:
    """Run all stages as the block `run:` of the settings says.

    Raises:
        EngineRunning: Another engine works on the workspace.
        NoReadings: There is nothing to work on.
        FileMissing: An input or the truth is not there.
    """
    with workspace.engine_lease("sereno run"):
        return _Run(workspace, tell).all_stages()


class _Run:
    """One run, stage by stage."""

    def __init__(self, workspace: Workspace, tell: Tell) -> None:
        self._workspace = workspace
        self._tell = tell
        self._options = workspace.settings.run
        self._journal = _Journal(workspace.folder / MODELS_FOLDER / _JOURNAL)
        self._report = RunReport()
        self._output = workspace.output_folder

    def all_stages(self) -> RunReport:
        with self._stage("etl"):
            self._ingest()
        if self._workspace.last_reading_at() is None:
            raise NoReadings(file=str(self._workspace.folder), detail="there is nothing to work on")
        self._report.cut = self._cut()
        with self._stage("clustering"):
            self._segment()
        with self._stage("training"):
            self._train()
        with self._stage("detection"):
            self._report.score = self._workspace.score()
        with self._stage("evaluation"):
            self._judge_tables()
        with self._stage("exports"):
            self._write_rest()
        self._write_times()
        return self._report

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        self._tell(name, {})
        begun = time.perf_counter()
        yield
        self._report.seconds[name] = time.perf_counter() - begun

    def _ingest(self) -> None:
        paths = [self._path(one) for one in self._options.inputs]
        with suppress(NoFiles):  # nothing new today: what is stored is worked on
            self._report.results = self._workspace.ingest(*paths)

    def _path(self, said: str) -> Path:
        """A path of the settings: relative ones start at the workspace."""
        return self._workspace.folder / said

    def _cut(self) -> datetime | None:
        """Where the last part of the time span begins, from which nothing is learnt."""
        if not self._options.test_size:
            return None
        with self._workspace.store.read() as tx:
            spans = [span for asset in tx.assets() if (span := tx.span(asset.id)) is not None]
        first, last = min(span[0] for span in spans), max(span[1] for span in spans)
        return last - (last - first) * self._options.test_size

    def _segment(self) -> None:
        if not self._workspace.settings.segments.enabled:
            return
        key = self._digest("segments", self._learnt_from())
        known = self._journal.get("clustering", key)
        if known is not None and known == self._digests():
            self._report.reused.append("clustering")
            return
        try:
            self._report.segments = self._workspace.segment(before=self._report.cut)
        except NoReadings as error:
            self._report.notes.append(error)
            return
        self._journal.put("clustering", key, self._digests())

    def _train(self) -> None:
        key = self._digest("models", self._learnt_from(), json.dumps(self._digests(), sort_keys=True))
        known = self._journal.get("training", key)
        if known is not None and self._can_judge(known):
            self._report.models = known
            self._report.reused.append("training")
            return
        try:
            self._workspace.train(before=self._report.cut)
        except HistoryTooShort as error:
            self._report.notes.append(error)
            return
        self._report.models = self._active()
        self._journal.put("training", key, self._report.models)

    def _digests(self) -> dict[str, str]:
        """Digest of the segmentation of each profile that has one."""
        found = {name: load_segmentation(self._workspace.folder, name) for name in self._profiles()}
        return {name: one.digest for name, one in found.items() if one is not None}

    def _can_judge(self, models: dict[str, str]) -> bool:
        """Whether these models judge now and can be loaded; what cannot is simply made again."""
        try:
            return models == self._active()
        except ModelCorrupt:
            return False

    def _active(self) -> dict[str, str]:
        """The model of each profile that judges now and can be loaded."""
        models = {name: self._workspace.model(name) for name in self._profiles()}
        return {name: model.card.id for name, model in models.items() if model is not None}

    def _profiles(self) -> list[str]:
        with self._workspace.store.read() as tx:
            return sorted({asset.profile for asset in tx.assets()})

    def _learnt_from(self) -> str:
        """Digest of the readings that teach, exact to the last value."""
        digest = hashlib.sha256()
        with self._workspace.store.read() as tx:
            for asset in sorted(tx.assets(), key=lambda one: (one.profile, one.key)):
                rows = tx.rows(asset.id, asset.profile, end=self._report.cut)
                digest.update(f"{asset.profile}|{asset.key}|{asset.zone}|{rows.signals}".encode())
                digest.update(rows.time.tobytes() + np.ascontiguousarray(rows.values).tobytes())
        return digest.hexdigest()

    def _digest(self, *parts: str) -> str:
        settings = self._workspace.settings.model_dump_json(exclude=_NOT_LEARNT_FROM)
        return hashlib.sha256("|".join([VERSION, settings, *parts]).encode()).hexdigest()

    def _judge_tables(self) -> None:
        """Every row judged once more from its beginning: abnormal hours, and comparison with the truth."""
        names = self._profiles()
        truth = None if self._options.truth is None else self._path(self._options.truth)
        paths = {name: self._output / _named("anomalies_detected", name, names) for name in names}
        self._report.anomalies, self._report.evaluation = self._workspace.write_detected(
            paths, truth=truth, since=self._report.cut
        )
        self._report.files |= {path.name: path for path in paths.values()}
        if self._report.evaluation is not None:
            path = self._output / "performance_metrics.csv"
            table_format = self._workspace.export_plan.table_format
            write_performance(path, self._report.evaluation, table_format)
            self._report.files[path.name] = path

    def _write_rest(self) -> None:
        names = self._profiles()
        plan = self._workspace.export_plan
        for name in names:
            found = load_segmentation(self._workspace.folder, name)
            if found is not None:
                path = self._output / _named("client_clusters", name, names)
                write_clusters(path, found, plan.table_format)
                self._report.files[path.name] = path
            if self._options.preprocessed:
                path = self._output / _named("preprocessed", name, names)
                self._workspace.export_preprocessed(path, replace(plan, profile=name))
                self._report.files[path.name] = path
        drawn = self._output / "clustering_diagnostics"
        if drawn.is_dir():
            self._report.files[drawn.name] = drawn

    def _write_times(self) -> None:
        path = self._output / "execution_times.yaml"
        times: dict[str, object] = {_KEYS[name]: round(s, 3) for name, s in self._report.seconds.items()}
        times["total_seconds"] = round(sum(self._report.seconds.values()), 3)
        times["reused"] = list(self._report.reused)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, yaml.safe_dump(times, sort_keys=False, allow_unicode=True))
        self._report.files[path.name] = path


class _Journal:
    """What stages of earlier runs gave, by the digest of what they came from."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, stage: str, key: str) -> dict[str, str] | None:
        """What a stage gave for that key; None where it ran for another one, or never."""
        entry = self._read().get(stage)
        if not isinstance(entry, dict) or entry.get("key") != key:
            return None
        gave = entry.get("gave")
        return gave if isinstance(gave, dict) else None

    def put(self, stage: str, key: str, gave: dict[str, str]) -> None:
        """Note what a stage gave."""
        entries = {**self._read(), stage: {"key": key, "gave": gave}}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(self._path, json.dumps(entries, indent=1) + "\n")

    def _read(self) -> dict[str, dict[str, object]]:
        """The entries; none where the file cannot be understood, so that stages simply run again."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _named(name: str, profile: str, profiles: Sequence[str]) -> str:
    """`name.csv`, or `name_profile.csv` where there are several profiles."""
    return f"{name}.csv" if len(profiles) == 1 else f"{name}_{profile}.csv"


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, "utf-8")
    partial.replace(path)
