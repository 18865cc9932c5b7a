"""The result of an evaluation: figures, goals, and the table that the field hands on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path

from sereno.domain.criticality import Criticality
from sereno.domain.time import isoformat
from sereno.evaluate.acceptance import Criterion
from sereno.evaluate.counts import Confusion
from sereno.evaluate.scores import OURS, Scoreboard
from sereno.report.exports import PLAIN, TableFormat, write_table

__all__ = ["PERFORMANCE_COLUMNS", "Evaluation", "write_performance"]

PERFORMANCE_COLUMNS = (
    "total_muestras",
    "positivos_reales",
    "negativos_reales",
    "positivos_predichos",
    "verdaderos_positivos_tp",
    "falsos_positivos_fp",
    "verdaderos_negativos_tn",
    "falsos_negativos_fn",
    "precision_anomalia",
    "recall_anomalia_sensibilidad",
    "f1_score_anomalia",
    "tasa_falsos_positivos",
    "especificidad",
    "accuracy_general",
    "precision_clasificacion_criticidad",
)
"""What the field expects of `performance_metrics.csv`; ours stand behind."""
_MAX_NAMED = 20


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        n_labels: Rows of the truth that call something abnormal.
        n_distinct: Those that are left when each statement counts once.
        n_outside: Distinct ones of known assets at instants that these have no row of.
        unknown: Labels by a name that no asset has.
        unknown_variables: Labels by a variable that no asset has.
        judging: How long judging took.
        since, until: Only rows in [since, until) were counted.
    """

    board: Scoreboard
    criteria: Sequence[Criterion]
    n_labels: int
    n_distinct: int
    n_outside: int
    unknown: Mapping[str, int]
    unknown_variables: Mapping[str, int]
    judging: timedelta
    models: Mapping[str, str | None]
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether every goal that has a figure is met, and there is one."""
        known = [one.is_met for one in self.criteria if one.is_met is not None]
        return bool(known) and all(known)

    def to_json(self) -> dict[str, object]:
        """For `evaluate --json`; rates are shares of 1, and null where nothing could be counted."""
        board = self.board
        return {
            "models": dict(self.models),
            "since": isoformat(self.since),
            "until": isoformat(self.until),
            "truth": {
                "labels": self.n_labels,
                "distinct": self.n_distinct,
                "outside": self.n_outside,
                "unknown_assets": _first(self.unknown),
                "unknown_variables": _first(self.unknown_variables),
            },
            "assets": board.n_assets,
            "asset_weeks": round(board.asset_weeks, 2),
            "events": board.n_events,
            **self._detector(OURS),
            "trivial": {name: self._detector(name) for name in board.detectors if name != OURS},
            "by_variable": {
                name: {
                    "rows": score.n_rows,
                    "recall": _figure(score.n_found, score.n_rows),
                    "recall_named": _figure(score.n_named, score.n_rows),
                }
                for name, score in sorted(board.variables.items())
            },
            "severity": {
                "rows": board.n_levels,
                "agreement": _or_none(board.level_agreement),
                "commonest": _or_none(board.commonest_level_share),
                "by_level": [
                    {"real": Criticality(true).word, "predicted": Criticality(said).word, "rows": n}
                    for (true, said), n in sorted(board.levels.items())
                ],
            },
            "judging_seconds": round(self.judging.total_seconds(), 3),
            "acceptance": [
                {"name": one.name, "goal": one.goal, "value": _or_none(one.value), "met": one.is_met}
                for one in self.criteria
            ],
            "accepted": self.is_accepted,
        }

    def _detector(self, name: str) -> dict[str, object]:
        score, board = self.board.detectors[name], self.board
        return {
            "by_row": _by_row(score.rows),
            "by_event": {
                "found": score.n_found,
                "recall": _figure(score.n_found, board.n_events),
                "median_delay_minutes": _or_none(score.median_delay_minutes),
                "false_episodes": score.n_false,
                "false_episodes_per_week": _figure(score.n_false, board.asset_weeks),
            },
        }


def write_performance(path: Path, found: Evaluation, table_format: TableFormat = PLAIN) -> None:
    """Write `performance_metrics.csv`: one row, the columns of the field first, ours behind them.

    Raises:
        OSError: The file cannot be written; no part of it stays.
    """
    rows, score = found.board.ours.rows, found.board.ours
    usual = (
        rows.n_rows,
        rows.tp + rows.fn,
        rows.tn + rows.fp,
        rows.tp + rows.fp,
        rows.tp,
        rows.fp,
        rows.tn,
        rows.fn,
        rows.precision,
        rows.recall,
        rows.f1,
        rows.false_positive_rate,
        rows.specificity,
        rows.accuracy,
        found.board.level_agreement,
    )
    figures: dict[str, float | int | str | None] = {
        **dict(zip(PERFORMANCE_COLUMNS, usual, strict=True)),
        "eventos_reales": found.board.n_events,
        "eventos_detectados": score.n_found,
        "retraso_mediano_minutos": score.median_delay_minutes,
        "episodios_falsos_por_semana": _figure(score.n_false, found.board.asset_weeks),
        "latencia_procesamiento_segundos": round(found.judging.total_seconds(), 3),
        "cumple_todo": "si" if found.is_accepted else "no",
    }
    for name, one in sorted(found.board.variables.items()):
        figures[f"sensibilidad_{name}"] = _figure(one.n_named, one.n_rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, list(figures), [list(figures.values())], table_format)


def _by_row(rows: Confusion) -> dict[str, object]:
    return {
        "rows": rows.n_rows,
        "tp": rows.tp,
        "fp": rows.fp,
        "tn": rows.tn,
        "fn": rows.fn,
        "precision": _or_none(rows.precision),
        "recall": _or_none(rows.recall),
        "f1": _or_none(rows.f1),
        "false_positive_rate": _or_none(rows.false_positive_rate),
    }


def _figure(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _or_none(value: float) -> float | None:
    return value if isfinite(value) else None


def _first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:_MAX_NAMED])
