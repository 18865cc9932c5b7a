"""How the whole plant is, by the analyses that `score` notes, and how well an evaluation found it judged."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import yaml

from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import moment
from sereno.report.charts import Chart, Line, draw
from sereno.report.plots import Plot
from sereno.settings.keeping import StatusSettings
from sereno.store import StoredMetric

__all__ = ["Criterion", "Performance", "Plant", "analyses_plot", "performance_of", "plant_of"]

_GAUGE_TO = 10.0
"""Right end of the gauge [%]."""
_MOST_SHOWN = 200
_MINUTE_S = 60.0
_RECALL = "sensibilidad_"


@dataclass(frozen=True, slots=True)
class Plant:
    """The last analysis beside the one before.

    Attributes:
        analyses: Newest first; none before anything was scored.
        breaks: Shares of abnormal records from which it is a caution, and critical [%].
    """

    analyses: Sequence[StoredMetric]
    breaks: tuple[float, float]

    @property
    def last(self) -> StoredMetric | None:
        """The last analysis."""
        return self.analyses[0] if self.analyses else None

    @property
    def delta(self) -> float | None:
        """Percentage points that it has more than the analysis before; None where there is none."""
        if len(self.analyses) < 2:
            return None
        return self.analyses[0].percent - self.analyses[1].percent

    @property
    def gauge(self) -> tuple[float, float, float]:
        """Where the last analysis, the caution and the critical stand on a gauge, as shares of its length."""
        last = self.last.percent if self.last else 0.0
        end = max(_GAUGE_TO, self.breaks[1] * 1.5)
        return tuple(min(max(one / end, 0.0), 1.0) for one in (last, *self.breaks))  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Criterion:
    """A goal, and the figure of the last evaluation; None where nothing could be counted."""

    name: str
    variable: str
    goal: float
    value: float | None
    is_upper: bool

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met."""
        if self.value is None:
            return None
        return self.value <= self.goal if self.is_upper else self.value >= self.goal


@dataclass(frozen=True, slots=True)
class Performance:
    """What the last evaluation and the last whole run wrote.

    Attributes:
        criteria: Empty where nothing was ever evaluated.
        seconds: How long each stage took; empty where the whole was never run.
    """

    criteria: Sequence[Criterion]
    seconds: Mapping[str, float]


def plant_of(workspace: Workspace) -> Plant:
    """How much of the last data is abnormal, and how that has changed."""
    settings: StatusSettings = workspace.settings.status
    with workspace.store.read() as tx:
        return Plant(tx.metrics(), (settings.caution, settings.critical))


def analyses_plot(plant: Plant, *, zone: str, language: str) -> Plot:
    """The share of abnormal records by analysis."""
    found = list(reversed(plant.analyses[:_MOST_SHOWN]))
    title = sentence("plant.analyses.title", language)
    about = sentence("plant.analyses.about", language)
    if not found:
        return Plot("analyses", title, about, "", missing=sentence("plant.analyses.none", language))
    x = np.arange(len(found), dtype=float)
    ticks = [(float(at), moment(found[at].at, zone, language)) for at in sorted({0, len(found) - 1})]
    line = Line(x, np.array([one.percent for one in found]), has_marks=True)
    chart = Chart(title, [line], ticks, language=language, axes=("", "%"), limit=plant.breaks[1])
    columns = [sentence(f"plant.column.{one}", language) for one in ("at", "total", "abnormal", "percent")]
    rows: list[list[str | int | float]] = [
        [one.at.isoformat(), one.total, one.abnormal, one.percent] for one in found
    ]
    return Plot("analyses", title, about, draw(chart), columns, rows)


def performance_of(workspace: Workspace) -> Performance:
    """The figures of the last evaluation beside the goals of the settings."""
    folder = workspace.output_folder
    return Performance(_criteria(folder / "performance_metrics.csv", workspace), _seconds(folder))


def _criteria(path: Path, workspace: Workspace) -> list[Criterion]:
    goals = workspace.settings.acceptance
    row = _figures(path)
    if not row:
        return []
    seconds = row.get("latencia_procesamiento_segundos")
    variables = {name.removeprefix(_RECALL): value for name, value in row.items() if name.startswith(_RECALL)}
    return [
        Criterion(
            "false_positive_rate",
            "",
            goals.false_positive_rate,
            row.get("tasa_falsos_positivos"),
            is_upper=True,
        ),
        Criterion("recall", "", goals.recall, row.get("recall_anomalia_sensibilidad"), is_upper=False),
        *(
            Criterion("recall_by_variable", name, goals.recall_by_variable, value, is_upper=False)
            for name, value in variables.items()
        ),
        Criterion(
            "severity", "", goals.severity, row.get("precision_clasificacion_criticidad"), is_upper=False
        ),
        Criterion(
            "latency",
            "",
            goals.latency / timedelta(minutes=1),
            None if seconds is None else seconds / _MINUTE_S,
            is_upper=True,
        ),
    ]


def _figures(path: Path) -> dict[str, float | None]:
    """The one row of the table, numbers alone; decimal commas as points."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError:
        return {}
    lines = list(csv.reader(text.splitlines(), delimiter=";" if ";" in text.partition("\n")[0] else ","))
    if len(lines) < 2:
        return {}
    return {name: _number(cell) for name, cell in zip(lines[0], lines[1], strict=False)}


def _number(cell: str) -> float | None:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return None


def _seconds(folder: Path) -> dict[str, float]:
    try:
        found = yaml.safe_load((folder / "execution_times.yaml").read_text("utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}
