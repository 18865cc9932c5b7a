"""Any detector of sereno as a scikit-learn estimator, over arrays and data frames."""

import warnings
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Protocol, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from sereno.domain.readings import BoolArray, FloatArray, TimeArray

if TYPE_CHECKING:
    from sereno.domain.judgement import Calibration
    from sereno.flows.frames import Table
    from sereno.flows.models import TrainedModel

__all__ = ["SerenoDetector"]


class _Column(Protocol):
    def to_numpy(self) -> np.ndarray: ...


class SerenoDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """A detector by name, with its threshold.

    Arrays are hours of one asset in their order. Of a data frame (pandas, polars, Arrow) one column may say
    when a row was and one of which asset it is; all other columns are signals. NaN is unknown, never zero.
    Rows that follow what was learnt go on from there; other rows are judged as a series of their own.

    Args:
        detector: Name of the detector, as in `sereno.yaml`.
        profile: Gives signals their meaning; `process` takes any column.
        budget: False episodes per week and asset.
        calibration: Rule for the threshold: auto, conformal, pot, mean_3sigma, sigma_bands.
        options: Of the detector.
        time: Name of the column with the instants (naive ones are UTC).
        asset: Name of the column with the asset's name.

    Attributes:
        model_: The trained model.
        calibration_: Its threshold and what that promises.
        offset_: Minus the threshold; rows whose `score_samples` lie below are outliers.
        n_features_in_: Number of signals.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> calm = rng.normal(size=(2000, 3))
        >>> detector = SerenoDetector("pca").fit(calm)
        >>> detector.predict(np.vstack([calm[:2], [[0.0, 0.0, 25.0]]])).tolist()
        [1, 1, -1]
    """

    def __init__(
        self,
        detector: str = "robust",
        *,
        profile: str = "process",
        budget: float = 0.25,
        calibration: str = "auto",
        options: Mapping[str, object] | None = None,
        time: str | None = None,
        asset: str | None = None,
    ) -> None:
        self.detector = detector
        self.profile = profile
        self.budget = budget
        self.calibration = calibration
        self.options = options
        self.time = time
        self.asset = asset

    def fit(self, X: object, y: object = None) -> Self:  # noqa: ARG002, N803 - the names of scikit-learn
        """Learn the rows of `X`, (rows, signals); `y` is not looked at.

        Raises:
            ValueError: `X` is no table of numbers, or a named column is missing.
            HistoryTooShort: There are too few rows.
            DetectorUnknown, DetectorOptionUnknown, ExtraMissing: There is no such detector here.
        """
        from sereno.flows.frames import LearningOptions, learn_table

        table = self._table(X)
        chosen = LearningOptions(
            profile=self.profile,
            detector=self.detector,
            options=self.options or {},
            method=self.calibration,
            budget=self.budget,
        )
        self.model_: TrainedModel = learn_table(table, chosen)
        self.calibration_: Calibration = self.model_.card.calibration
        self.offset_ = -self.calibration_.threshold
        self.n_features_in_ = len(table.signals)
        if _is_frame(X):
            self.feature_names_in_ = np.array(table.signals, dtype=object)
        if self.calibration_.budget > self.budget:
            warnings.warn(
                f"A budget of {self.budget:g} cannot be promised with {self.calibration_.asset_weeks:.1f} "
                f"asset-weeks: the threshold is for {self.calibration_.budget:g}.",
                UserWarning,
                stacklevel=2,
            )
        return self

    def score_samples(self, X: object) -> FloatArray:  # noqa: N803
        """Minus the strangeness of each row of `X`, (rows,): the lower, the stranger; NaN where unknown.

        Raises:
            ValueError: `X` has other columns than what was learnt.
        """
        from sereno.flows.frames import judge_table

        check_is_fitted(self)
        table = self._table(X)
        if not _is_frame(X) and len(table.signals) != self.n_features_in_:
            found = f"X has {len(table.signals)} features, but SerenoDetector is expecting"
            raise ValueError(f"{found} {self.n_features_in_} features as input")
        scores: FloatArray = -judge_table(table, self.model_)
        return scores

    def decision_function(self, X: object) -> FloatArray:  # noqa: N803
        """`score_samples` less `offset_`: below zero is an outlier, (rows,)."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: object) -> np.ndarray:  # noqa: N803
        """-1 for outliers, 1 for all other rows, (rows,); a row that nothing is known of is no outlier."""
        is_outlier: BoolArray = self.decision_function(X) <= 0.0
        return np.where(is_outlier, -1, 1)

    def _table(self, X: object) -> "Table":  # noqa: N803
        from sereno.flows.frames import Table

        if not _is_frame(X):
            if self.time is not None or self.asset is not None:
                raise ValueError("'time' and 'asset' name columns of a data frame; an array has none")
            values = np.asarray(X, dtype=float)
            if values.ndim != 2:
                raise ValueError(f"Expected 2D array, got {values.ndim}D array instead. Reshape your data")
            return Table(tuple(f"x{i}" for i in range(values.shape[1])), values)
        names = _names(X)
        for role in (self.time, self.asset):
            if role is not None and role not in names:
                raise ValueError(f"The data frame has no column '{role}'; it has {', '.join(names)}")
        signals = tuple(name for name in names if name not in (self.time, self.asset))
        columns = [_column(X, name).astype(float) for name in signals]
        assets = None if self.asset is None else [str(one) for one in _column(X, self.asset).tolist()]
        time = None if self.time is None else _instants(_column(X, self.time))
        return Table(signals, np.stack(columns, axis=1), time=time, assets=assets)


def _is_frame(table: object) -> bool:
    return hasattr(table, "column_names") or hasattr(table, "columns")


def _names(frame: object) -> list[str]:
    names = getattr(frame, "column_names", None) or getattr(frame, "columns", [])
    return [str(name) for name in names]


def _column(frame: object, name: str) -> np.ndarray:
    column = cast("Mapping[str, _Column]", frame)[name]
    return np.asarray(column.to_numpy())


def _instants(column: np.ndarray) -> TimeArray:
    """UTC instants; those with a zone of their own come as objects."""
    if column.dtype.kind == "O":
        aware = [one.astimezone(UTC).replace(tzinfo=None) if one.tzinfo else one for one in column.tolist()]
        column = np.array(aware, dtype="datetime64[us]")
    return column.astype("datetime64[us]")
