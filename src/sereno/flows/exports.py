"""Exports: tables that people and other tools take away; nothing stored or judged is touched by them."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sereno.domain.calendar import local_time
from sereno.domain.cleaning import RAW, Cleaning, Imputation, Normalization, OutlierRule, OutlierTreatment
from sereno.domain.corrections import Correction
from sereno.domain.errors import SettingsError, UsageError
from sereno.domain.readings import BoolArray, FloatArray, Quality, Window
from sereno.domain.signals import Profile, SignalKind
from sereno.flows.named import named_assets
from sereno.prepare.corrections import corrected
from sereno.prepare.features import amount_of_gas_mol, calendar_features, normalized, partition_rows
from sereno.prepare.grid import build_window, infer_step
from sereno.prepare.imputation import impute
from sereno.prepare.outliers import outlier_limits
from sereno.report.exports import PLAIN, Cell, TableFormat, TableWriter, open_table, write_table
from sereno.store import StoredAsset, StoredRows, Transaction

__all__ = [
    "PLAIN",
    "Cell",
    "ExportPlan",
    "ExportReport",
    "TableFormat",
    "chosen_assets",
    "export_preprocessed",
    "signal_column",
    "write_table",
]

GAS_AMOUNT = "cantidad_gas_calculada"
_GAS_SIGNALS = ("pressure", "temperature", "volume")
_COMMAND = "export preprocessed"
_SCALED = "_scaled"
_DAY = timedelta(days=1)
_MAX_GAP_STEPS = 3

CORRECTED, REJECTED, OUTLIER, IMPUTED = 1, 2, 4, 8
_MARKS = {CORRECTED: "corrected", REJECTED: "rejected", OUTLIER: "outlier", IMPUTED: "imputed"}
_NO_MEASUREMENT = int(Quality.OUT_OF_RANGE | Quality.BAD)


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What is exported and how.

    Attributes:
        profile: Which kind of assets; None when there is only one kind.
        assets: Their names; all of the profile without any.
        with_corrections: Corrected values instead of raw ones.
    """

    profile: str | None = None
    assets: Sequence[str] = ()
    cleaning: Cleaning = RAW
    with_corrections: bool = False
    table_format: TableFormat = PLAIN


@dataclass(slots=True)
class ExportReport:
    """What an export did, counted.

    Attributes:
        values: How many values of each signal were corrected, rejected, an outlier, imputed, and are empty.
        problems: Why a column of an asset stayed empty, by asset.
    """

    file: Path
    profile: str
    columns: tuple[str, ...]
    n_rows: int = 0
    n_assets: int = 0
    values: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: dict[str, SettingsError] = field(default_factory=dict)

    def count(self, signal: str, marks: npt.NDArray[np.int64], values: FloatArray) -> None:
        """Add the values of a signal of one asset."""
        counts = self.values.setdefault(signal, dict.fromkeys((*_MARKS.values(), "empty"), 0))
        for bit, name in _MARKS.items():
            counts[name] += int(np.count_nonzero(marks & bit))
        counts["empty"] += int(np.count_nonzero(np.isnan(values)))

    def to_json(self) -> dict[str, object]:
        """As `export --json` shows it; problems have their English sentence."""
        return {
            "file": str(self.file),
            "profile": self.profile,
            "rows": self.n_rows,
            "assets": self.n_assets,
            "columns": list(self.columns),
            "values": self.values,
            "problems": [
                {"asset": name, "code": error.code, "message": str(error)}
                for name, error in self.problems.items()
            ],
        }


def export_preprocessed(
    tx: Transaction, output: Path, plan: ExportPlan, profiles: Mapping[str, Profile]
) -> ExportReport:
    """Write the table `preprocessed`: the values of each asset on its grid, cleaned as asked, with features.

    Columns: `cliente_id`, `Fecha` (clock of the site), the signals by their Spanish names, for gas the
    amount in mol, the calendar with its cycles, the signals on the scale for learning where asked
    (`…_scaled`), `Fecha_utc`, `particion` (train, validation, test) and `tratamiento` (what was done to
    which value of the row; empty where all are raw).

    What outliers and scales learn, they learn from the training rows alone. Values that the source or the
    range check rejected are missing as soon as anything is to be cleaned.

    Raises:
        UsageError: There is nothing to export, or assets of several profiles and none was named.
        UnknownAsset: Nothing has a name that was given.
        OSError: The file cannot be written; no part of it stays.
    """
    assets = chosen_assets(tx, plan, command=_COMMAND)
    profile = profiles[assets[0].profile]
    signals = tx.measured(profile.name)
    columns = _Columns.of(profile, signals, plan.cleaning)
    report = ExportReport(output, profile.name, columns.names)
    with open_table(output, columns.names, plan.table_format) as table:
        for asset in assets:
            corrections = tx.corrections(asset_id=asset.id) if plan.with_corrections else []
            window = _window(asset, tx.rows(asset.id, asset.profile), signals)
            preparation = _Preparation(profile, plan.cleaning, corrections)
            _write_asset(window, columns, preparation, table, report)
    return report


def chosen_assets(tx: Transaction, plan: ExportPlan, *, command: str) -> list[StoredAsset]:
    """The assets with readings that a plan names, of one profile.

    Raises:
        UsageError: There is none, or they are of several profiles and none was named.
        UnknownAsset: Nothing has a name that was given.
    """
    if plan.assets:
        named = [one for name in plan.assets for one in named_assets(tx, name, profile=plan.profile)]
        assets = list({one.id: one for one in named}.values())
    else:
        assets = tx.assets(plan.profile)
    assets = [one for one in assets if tx.span(one.id) is not None]
    kinds = sorted({one.profile for one in assets})
    if not kinds:
        raise UsageError(detail="nothing has been ingested yet", command=command)
    if len(kinds) > 1:
        detail = f"there are assets of several profiles ({', '.join(kinds)}): name one with --profile"
        raise UsageError(detail=detail, command=command)
    return assets


@dataclass(frozen=True, slots=True)
class _Columns:
    """Names of the columns.

    Attributes:
        of_signal: Column of each signal, and of the amount of gas where it is one.
        scaled: Column on the scale for learning of each of them; empty where none was asked for.
    """

    of_signal: Mapping[str, str]
    scaled: Mapping[str, str]
    names: tuple[str, ...]

    @classmethod
    def of(cls, profile: Profile, signals: Sequence[str], cleaning: Cleaning) -> "_Columns":
        calendar = list(calendar_features(np.empty(0, dtype="datetime64[us]"), "UTC"))
        front, back = ["cliente_id", "Fecha"], ["Fecha_utc", "particion", "tratamiento"]
        taken = {*front, *calendar, *back, GAS_AMOUNT}
        of_signal: dict[str, str] = {}
        for signal in signals:
            of_signal[signal] = _free_name(signal_column(profile, signal), taken)
            taken |= {of_signal[signal], of_signal[signal] + _SCALED}
        if set(_GAS_SIGNALS) <= set(signals) and not profile.is_open:
            of_signal[GAS_AMOUNT] = GAS_AMOUNT
        is_scaled = cleaning.normalization is not Normalization.NONE
        scaled = {signal: name + _SCALED for signal, name in of_signal.items()} if is_scaled else {}
        names = (*front, *of_signal.values(), *calendar, *scaled.values(), *back)
        return cls(of_signal, scaled, names)


def signal_column(profile: Profile, signal: str) -> str:
    """The signal's Spanish name as a header: `Presion`, `Energia_vertida_a_la_red`; as it is without one."""
    label = (profile.signal(signal).labels or {}).get("es")
    if label is None:
        return signal
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    return plain.capitalize().replace(" ", "_")


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _window(asset: StoredAsset, rows: StoredRows, signals: tuple[str, ...]) -> Window:
    """All rows of an asset on its grid: an absent row is an empty one."""
    step = infer_step(rows.time) or asset.step
    columns = [rows.signals.index(name) for name in signals]
    readings = (rows.time, rows.values[:, columns], rows.quality[:, columns])
    return build_window(asset.key, asset.profile, signals, readings, step, zone=asset.zone)


def _write_asset(
    window: Window, columns: _Columns, preparation: "_Preparation", table: TableWriter, report: ExportReport
) -> None:
    import polars as pl

    n_rows, cleaning = len(window), preparation.cleaning
    partition = partition_rows(n_rows, test_size=cleaning.test_size, validation_size=cleaning.validation_size)
    series: dict[str, FloatArray] = {}
    marks: dict[str, npt.NDArray[np.int64]] = {}
    for signal in window.signals:
        series[signal], marks[signal] = preparation.prepared(window, signal, learn_rows=partition.n_train)
        report.count(signal, marks[signal], series[signal])
    if GAS_AMOUNT in columns.of_signal:
        series[GAS_AMOUNT] = _gas_amount(window, series, preparation.profile, report)
    scaled = {
        name: normalized(series[signal], cleaning.normalization, learn_rows=partition.n_train)
        for signal, name in columns.scaled.items()
    }
    frame = pl.DataFrame(
        {
            "cliente_id": pl.repeat(str(window.asset), n_rows, eager=True, dtype=pl.String),
            "Fecha": local_time(window.time, window.zone),
            **{name: series[signal] for signal, name in columns.of_signal.items()},
            **calendar_features(window.time, window.zone),
            **scaled,
            "Fecha_utc": window.time,
            "particion": pl.Series(partition.labels(), dtype=pl.String),
            "tratamiento": pl.Series(_told(marks, columns, n_rows), dtype=pl.String),
        }
    )
    table.add_frame(frame.select(columns.names))
    report.n_rows += n_rows
    report.n_assets += 1


@dataclass(frozen=True, slots=True)
class _Preparation:
    """What is done to each series of an asset: corrected, rejected, outliers treated, imputed."""

    profile: Profile
    cleaning: Cleaning
    corrections: Sequence[Correction]

    def prepared(
        self, window: Window, signal: str, *, learn_rows: int
    ) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        """The values of a signal, and marks of what was done to each, shape (rows,) both."""
        place = window.signals.index(signal)
        own = [one for one in self.corrections if one.signal == signal]
        values, is_corrected = corrected(window.time, window.values[:, place], own)
        marks: npt.NDArray[np.int64] = np.where(is_corrected, CORRECTED, 0).astype(np.int64)
        if self._is_raw:
            return values, marks
        is_rejected = ((window.quality[:, place] & _NO_MEASUREMENT) != 0) & ~is_corrected & ~np.isnan(values)
        values = np.where(is_rejected, np.nan, values)
        values, is_outlier = self._treated(values, self.profile.signal(signal).kind, learn_rows)
        filled = impute(
            window.time,
            values,
            self.cleaning.imputation,
            max_gap=self.cleaning.max_gap or _usual_gap(window.step),
            kind=self.profile.signal(signal).kind,
            learn_rows=learn_rows,
        )
        is_imputed = np.isnan(values) & ~np.isnan(filled)
        marks = marks | np.where(is_rejected, REJECTED, 0) | np.where(is_outlier, OUTLIER, 0)
        return filled, marks | np.where(is_imputed, IMPUTED, 0)

    @property
    def _is_raw(self) -> bool:
        cleaning = self.cleaning
        return cleaning.imputation is Imputation.NONE and cleaning.outliers is OutlierRule.NONE

    def _treated(self, values: FloatArray, kind: SignalKind, learn_rows: int) -> tuple[FloatArray, BoolArray]:
        """The values with their outliers treated; the level of a register is never an outlier."""
        if kind is SignalKind.CUMULATIVE:
            return values, np.zeros(len(values), dtype=bool)
        low, high = outlier_limits(values[:learn_rows], self.cleaning.outliers, self.cleaning.factor)
        is_outlier = (values < low) | (values > high)
        if self.cleaning.treatment is OutlierTreatment.CLIP:
            return np.clip(values, low, high), is_outlier
        return np.where(is_outlier, np.nan, values), is_outlier


def _usual_gap(step: timedelta | None) -> timedelta:
    return _DAY if step is None else max(_DAY, _MAX_GAP_STEPS * step)


def _gas_amount(
    window: Window, series: Mapping[str, FloatArray], profile: Profile, report: ExportReport
) -> FloatArray:
    """Amount of gas of each row [mol]; empty, and said so, where nobody declared what the readings are."""
    pressure, temperature, volume = (series[name] for name in _GAS_SIGNALS)
    name = str(window.asset)
    try:
        return amount_of_gas_mol(pressure, temperature, volume, profile.facts_of(window.asset), name)
    except SettingsError as error:
        report.problems[name] = error
        return np.full(len(window), np.nan)


def _told(marks: Mapping[str, npt.NDArray[np.int64]], columns: _Columns, n_rows: int) -> list[str | None]:
    """What was done to the values of each row, as `Volumen:outlier+imputed;Presion:corrected`."""
    codes = np.array(list(marks.values())).reshape(len(marks), n_rows).T
    distinct, inverse = np.unique(codes, axis=0, return_inverse=True)
    names = [columns.of_signal[signal] for signal in marks]
    texts = [";".join(_described(row, names)) or None for row in distinct.tolist()]
    return [texts[place] for place in inverse.reshape(-1).tolist()]


def _described(row: Sequence[int], names: Sequence[str]) -> Iterator[str]:
    for name, code in zip(names, row, strict=True):
        done = [word for bit, word in _MARKS.items() if code & bit]
        if done:
            yield f"{name}:{'+'.join(done)}"
