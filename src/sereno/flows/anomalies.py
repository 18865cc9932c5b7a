"""The tables that the field's pipeline hands on: segments of clients, abnormal hours, performance."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.criticality import Criticality, CriticalityScale
from sereno.domain.errors import SettingsError
from sereno.domain.readings import FloatArray, Window
from sereno.domain.segments import Segmentation
from sereno.domain.signals import Profile
from sereno.domain.time import to_numpy
from sereno.flows.abnormal import AbnormalRows, abnormal_rows
from sereno.flows.exports import signal_column
from sereno.flows.models import TrainedModel
from sereno.prepare.features import amount_of_gas_mol
from sereno.report.exports import PLAIN, TableFormat, TableWriter, open_table, write_table
from sereno.store import StoredAsset, Transaction

__all__ = ["CLUSTER_COLUMNS", "AnomalyPlan", "AnomalyReport", "write_anomalies", "write_clusters"]

CLUSTER_COLUMNS = ("cliente_id", "cluster_id")
_FRONT = ("timestamp_deteccion", "cliente_id", "cluster_id", "Fecha")
_BACK = ("modelo_deteccion", "score_anomalia_final", "criticidad_predicha")
GAS_AMOUNT = "cantidad_gas_calculada"
_GAS_SIGNALS = ("pressure", "temperature", "volume")
_DIGITS = 6


def write_clusters(path: Path, found: Segmentation, table_format: TableFormat = PLAIN) -> int:
    """Write `client_clusters.csv`, a row per client with a segment; returns the rows.

    Raises:
        OSError: The file cannot be written; no part of it stays.
    """
    members = found.members()
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ((str(asset), number) for asset, number in members.items())
    write_table(path, CLUSTER_COLUMNS, rows, table_format)
    return len(members)


@dataclass(frozen=True, slots=True)
class AnomalyPlan:
    """Which abnormal rows are written, and how.

    Attributes:
        since, until: Only rows in [since, until); None for no bound.
        segmentation: Gives `cluster_id`; empty without.
    """

    scale: CriticalityScale
    since: datetime | None = None
    until: datetime | None = None
    segmentation: Segmentation | None = None
    table_format: TableFormat = PLAIN


@dataclass(slots=True)
class AnomalyReport:
    """What was written.

    Attributes:
        levels: Rows by criticality, as the table writes it.
        judging_seconds: How long judging took, without writing.
        problems: Why a column of an asset stayed empty, by asset.
    """

    file: Path
    n_rows: int = 0
    n_assets: int = 0
    levels: dict[str, int] = field(default_factory=dict)
    judging_seconds: float = 0.0
    problems: dict[str, SettingsError] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """As `export anomalies --json` shows it; problems have their English sentence."""
        return {
            "file": str(self.file),
            "rows": self.n_rows,
            "assets": self.n_assets,
            "levels": self.levels,
            "problems": [
                {"asset": name, "code": error.code, "message": str(error)}
                for name, error in self.problems.items()
            ],
        }


def write_anomalies(
    tx: Transaction,
    path: Path,
    assets: Sequence[StoredAsset],
    profile: Profile,
    model: TrainedModel | None,
    plan: AnomalyPlan,
    *,
    heard: Callable[[StoredAsset, AbnormalRows], None] | None = None,
) -> AnomalyReport:
    """Write `anomalies_detected.csv`: a row per abnormal hour that has a reading, assets one after another.

    Columns: `timestamp_deteccion` (clock of the site, when the alarm spoke of that hour), `cliente_id`,
    `cluster_id`, `Fecha` (start of the hour), the signals by their Spanish names, for gas
    `cantidad_gas_calculada` [mol], `modelo_deteccion` (detector, or the check of data or physics),
    `score_anomalia_final` (score over threshold) and `criticidad_predicha`.

    Args:
        assets: Of one profile.
        heard: Is given all rows of each asset, so that they need not be judged twice.

    Raises:
        OSError: The file cannot be written; no part of it stays.
    """
    signals = tx.measured(profile.name)
    columns = {name: signal_column(profile, name) for name in signals}
    has_amount = set(_GAS_SIGNALS) <= set(signals) and not profile.is_open
    names = (*_FRONT, *columns.values(), *((GAS_AMOUNT,) if has_amount else ()), *_BACK)
    report = AnomalyReport(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_table(path, names, plan.table_format) as table:
        for asset in assets:
            begun = time.perf_counter()
            found = abnormal_rows(tx, asset, profile, model)
            report.judging_seconds += time.perf_counter() - begun
            if heard is not None:
                heard(asset, found)
            _write_asset(table, report, asset, found, profile, columns, plan, has_amount=has_amount)
    return report


def _write_asset(
    table: TableWriter,
    report: AnomalyReport,
    asset: StoredAsset,
    found: AbnormalRows,
    profile: Profile,
    columns: Mapping[str, str],
    plan: AnomalyPlan,
    *,
    has_amount: bool,
) -> None:
    import polars as pl

    report.n_assets += 1
    window = found.window
    rows = np.flatnonzero(found.is_abnormal & found.is_read & _between(window, plan))
    if not len(rows):
        return
    levels = plan.scale.grade(found.graded[rows])
    words = [Criticality(level).word for level in levels.tolist()]
    for word in words:
        report.levels[word] = report.levels.get(word, 0) + 1
    number = None if plan.segmentation is None else plan.segmentation.number_of(asset.key)
    series = {name: _column(window, signal)[rows] for signal, name in columns.items()}
    if has_amount:
        series[GAS_AMOUNT] = _amount(window, profile, report)[rows]
    n_rows = len(rows)
    checks = [found.checks[place] for place in found.check[rows].tolist()]
    frame = pl.DataFrame(
        {
            "timestamp_deteccion": local_time(found.told_at[rows], window.zone),
            "cliente_id": pl.repeat(str(asset.key), n_rows, eager=True, dtype=pl.String),
            "cluster_id": pl.repeat(number, n_rows, eager=True, dtype=pl.Int64),
            "Fecha": local_time(window.time[rows], window.zone),
            **series,
            "modelo_deteccion": pl.Series(checks, dtype=pl.String),
            "score_anomalia_final": np.round(found.exceedance[rows], _DIGITS),
            "criticidad_predicha": pl.Series(words, dtype=pl.String),
        }
    )
    table.add_frame(frame)
    report.n_rows += n_rows


def _between(window: Window, plan: AnomalyPlan) -> np.ndarray:
    is_in = np.ones(len(window), dtype=bool)
    if plan.since is not None:
        is_in &= window.time >= to_numpy(plan.since)
    if plan.until is not None:
        is_in &= window.time < to_numpy(plan.until)
    return is_in


def _column(window: Window, signal: str) -> FloatArray:
    if signal not in window.signals:
        return np.full(len(window), np.nan)
    return window.values[:, window.signals.index(signal)]


def _amount(window: Window, profile: Profile, report: AnomalyReport) -> FloatArray:
    """Amount of gas of each row [mol]; empty, and said so, where nobody declared what the readings are."""
    pressure, temperature, volume = (_column(window, name) for name in _GAS_SIGNALS)
    name = str(window.asset)
    try:
        return amount_of_gas_mol(pressure, temperature, volume, profile.facts_of(window.asset), name)
    except SettingsError as error:
        report.problems[name] = error
        return np.full(len(window), np.nan)
