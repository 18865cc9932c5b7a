"""How much a change of the inputs would cost a model that does not learn on: weather and calendar alone."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.readings import FloatArray, Window

__all__ = ["Fit", "Response", "fit_response"]

_HARMONICS = 4
_PENALTY = 1e-3
_WEEKEND = 5
_EPOCH_WEEKDAY = 3
_DAY_S = 86_400.0
_YEAR_S = 365.2425 * _DAY_S


@dataclass(frozen=True, slots=True)
class Fit:
    """How well values are met: root mean square and mean absolute error [unit], share of variance."""

    rmse: float
    mae: float
    r2: float


@dataclass(frozen=True, slots=True)
class Response:
    """A linear model of a signal by the time of day, the kind of day, the season and its inputs, frozen."""

    target: str
    inputs: tuple[str, ...]
    centre: FloatArray
    scale: FloatArray
    slopes: FloatArray

    def predict(self, window: Window, *, shift: timedelta = timedelta(0)) -> FloatArray:
        """What the inputs make expect, shape (rows,); NaN where one is missing.

        Args:
            shift: The calendar that the model is told is so much later.
        """
        columns = (_columns(window, self.inputs, shift) - self.centre) / self.scale
        expected: FloatArray = np.column_stack([np.ones(len(columns)), columns]) @ self.slopes
        return expected

    def fit(self, actual: Window, told: Window, *, shift: timedelta = timedelta(0)) -> Fit:
        """How what `told` makes expect meets the actual values of the same rows."""
        values = actual.values[:, actual.signals.index(self.target)]
        apart = values - self.predict(told, shift=shift)
        known = ~np.isnan(apart)
        if not known.any():
            return Fit(float("nan"), float("nan"), float("nan"))
        apart, values = apart[known], values[known]
        spread = float(((values - values.mean()) ** 2).sum())
        return Fit(
            rmse=float(np.sqrt((apart**2).mean())),
            mae=float(np.abs(apart).mean()),
            r2=1.0 - float((apart**2).sum()) / spread if spread else float("nan"),
        )


def fit_response(window: Window, target: str) -> Response:
    """Learn from the rows whose values are all there."""
    inputs = tuple(name for name in window.signals if name != target)
    columns = _columns(window, inputs, timedelta(0))
    values = window.values[:, window.signals.index(target)]
    known = ~np.isnan(columns).any(axis=1) & ~np.isnan(values)
    columns, values = columns[known], values[known]
    centre = columns.mean(axis=0) if len(columns) else np.zeros(columns.shape[1])
    scale = np.maximum(columns.std(axis=0), 1e-9) if len(columns) else np.ones(columns.shape[1])
    design = np.column_stack([np.ones(len(columns)), (columns - centre) / scale])
    gram = design.T @ design + _PENALTY * max(len(design), 1) * np.eye(design.shape[1])
    return Response(target, inputs, centre, scale, np.linalg.solve(gram, design.T @ values))


def _columns(window: Window, inputs: tuple[str, ...], shift: timedelta) -> FloatArray:
    """Harmonics of the day, apart for weekends, one of the year, and the inputs with their squares."""
    local = local_time(window.time, window.zone) + np.timedelta64(shift)
    seconds = local.astype("datetime64[s]").astype(np.int64).astype(float)
    day = 2.0 * np.pi * seconds / _DAY_S
    year = 2.0 * np.pi * seconds / _YEAR_S
    is_weekend = (((seconds // _DAY_S) + _EPOCH_WEEKDAY) % 7 >= _WEEKEND).astype(float)
    waves = [wave(k * day) for k in range(1, _HARMONICS + 1) for wave in (np.sin, np.cos)]
    calendar = [*waves, is_weekend, *(is_weekend * wave for wave in waves), np.sin(year), np.cos(year)]
    values = [window.values[:, window.signals.index(name)] for name in inputs]
    return np.column_stack([*calendar, *values, *(value**2 for value in values)])
