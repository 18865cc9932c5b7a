"""Backtests by rolling origin: each forecast from what was available then, errors by hours ahead."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from sereno.contracts import Forecaster, TrainedForecaster
from sereno.domain.calendar import step_end
from sereno.domain.errors import SplitRefused
from sereno.domain.forecasts import Forecast
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import AssetKey
from sereno.domain.time import to_numpy

__all__ = ["AssetFigures", "Backtest", "Dated", "backtest", "dated", "known_at", "rolled"]

_ROLLING = "rolling"
_HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True, slots=True)
class Dated:
    """A window, and when each of its rows could be known.

    Attributes:
        available_at: UTC, shape (rows,); not before the end of the row's step.
    """

    window: Window
    available_at: TimeArray


@dataclass(frozen=True, slots=True)
class Backtest:
    """How to test.

    Attributes:
        start, end: The first origin is at or after `start`; the last forecast ends at or before `end`.
        every: Between origins.
        refit_every: Between refits; None learns once, before `start`.
        split: `rolling`; any other is refused.
    """

    start: datetime
    end: datetime
    horizon: timedelta
    every: timedelta
    refit_every: timedelta | None = None
    split: str = _ROLLING


@dataclass(frozen=True, slots=True)
class AssetFigures:
    """How the forecasts of one asset turned out.

    Attributes:
        mae: Mean absolute error of the median, unit of the signal.
        scale: Mean absolute difference to the day before over the rows that taught; NaN without such.
        coverage: Share of values inside the 90 % band.
        winkler: Mean interval score of that band, unit of the signal.
        level: Mean absolute value in the tested stretch.
        mae_by_hour: By whole hours ahead.
        coverage_by_hour: The same.
        n_steps: Steps that could be compared.
    """

    asset: AssetKey
    mae: float
    scale: float
    coverage: float
    winkler: float
    level: float
    mae_by_hour: FloatArray
    coverage_by_hour: FloatArray
    n_steps: int

    @property
    def mase(self) -> float:
        """Error in units of the day-before naive's error on the rows that taught."""
        return self.mae / self.scale


def dated(window: Window, delay: timedelta = timedelta(0)) -> Dated:
    """A window whose rows are known when their step is over, or so much later."""
    ends = [step_end(one, window.step, window.zone) for one in window.time]
    late = round(delay / timedelta(microseconds=1))
    at: TimeArray = (np.array(ends, dtype="datetime64[us]").view(np.int64) + late).view("datetime64[us]")
    return Dated(window, at)


def known_at(history: Dated, origin: datetime, signal: str) -> Window:
    """The window as it could be known at an origin: of the signal, nothing that was available later."""
    is_late: BoolArray = history.available_at > to_numpy(origin)
    if not is_late.any():
        return history.window
    values = history.window.values.copy()
    values[is_late, history.window.signals.index(signal)] = np.nan
    return replace(history.window, values=values)


def backtest(forecaster: Forecaster, history: Sequence[Dated], plan: Backtest) -> list[AssetFigures]:
    """The figures of each asset.

    Raises:
        SplitRefused: The split is not by rolling origin.
    """
    signal = forecaster.signal
    scales = {one.window.asset: _scale(one, plan.start, signal) for one in history}
    made: dict[AssetKey, list[Forecast]] = {one.window.asset: [] for one in history}
    for forecasts in rolled(forecaster, history, plan):
        for one in forecasts:
            made[one.asset].append(one)
    return [_figures(one, made[one.window.asset], scales[one.window.asset], signal) for one in history]


def rolled(forecaster: Forecaster, history: Sequence[Dated], plan: Backtest) -> Iterator[Sequence[Forecast]]:
    """The forecasts of each origin, in order, each from what was available then.

    Raises:
        SplitRefused: The split is not by rolling origin.
    """
    if plan.split != _ROLLING:
        raise SplitRefused(found=plan.split)
    signal = forecaster.signal
    trained = forecaster.fit(_known(history, plan.start, signal))
    origin, refitted = plan.start, plan.start
    while origin + plan.horizon <= plan.end:
        known = _known(history, origin, signal, since=trained.lookback)
        if plan.refit_every is not None and origin - refitted >= plan.refit_every:
            trained, refitted = _refit(trained, history, origin, signal), origin
        yield trained.forecast_many(known, origin, plan.horizon)
        origin += plan.every


def _refit(
    trained: TrainedForecaster, history: Sequence[Dated], origin: datetime, signal: str
) -> TrainedForecaster:
    return trained.refit(_known(history, origin, signal))


def _known(
    history: Sequence[Dated], origin: datetime, signal: str, since: timedelta | None = None
) -> list[Window]:
    """What was known at an origin; with `since`, also what was foreseen of other signals after it."""
    windows = []
    for one in history:
        window = known_at(one, origin, signal)
        if since is None:
            windows.append(window.rows(0, int(np.searchsorted(window.time, to_numpy(origin)))))
        else:
            first = int(np.searchsorted(window.time, to_numpy(origin - since)))
            windows.append(window.rows(first, len(window)))
    return windows


def _scale(history: Dated, start: datetime, signal: str) -> float:
    """Mean absolute difference between days before the test."""
    window = known_at(history, start, signal)
    stop = int(np.searchsorted(window.time, to_numpy(start)))
    values = window.values[:stop, window.signals.index(signal)]
    assert window.step is not None
    per_day = max(1, timedelta(days=1) // window.step)
    apart = np.abs(values[per_day:] - values[:-per_day])
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else float("nan")


def _figures(history: Dated, made: Sequence[Forecast], scale: float, signal: str) -> AssetFigures:
    window = history.window
    values = window.values[:, window.signals.index(signal)]
    errors, inside, penalty, hours, level = [], [], [], [], []
    for one in made:
        place = np.searchsorted(window.time, one.time)
        place = np.minimum(place, len(window) - 1)
        actual = np.where(window.time[place] == one.time, values[place], np.nan)
        low, high = one.band
        beyond = np.maximum(low - actual, 0.0) + np.maximum(actual - high, 0.0)
        errors.append(np.abs(one.median - actual))
        inside.append(np.where(np.isnan(actual), np.nan, beyond == 0.0))
        penalty.append(high - low + beyond * 2.0 / 0.1)
        hours.append((one.time - to_numpy(one.origin)) // _HOUR)
        level.append(np.abs(actual))
    if not made:
        nothing, none = np.empty(0), float("nan")
        return AssetFigures(window.asset, none, none, none, none, none, nothing, nothing, 0)
    error, within, hour = np.concatenate(errors), np.concatenate(inside), np.concatenate(hours)
    return AssetFigures(
        asset=window.asset,
        mae=float(np.nanmean(error)),
        scale=scale,
        coverage=float(np.nanmean(within)),
        winkler=float(np.nanmean(np.concatenate(penalty))),
        level=float(np.nanmean(np.concatenate(level))),
        mae_by_hour=_by_hour(error, hour),
        coverage_by_hour=_by_hour(within, hour),
        n_steps=int(np.isfinite(error).sum()),
    )


def _by_hour(values: FloatArray, hours: np.ndarray) -> FloatArray:
    return np.array([np.nanmean(values[hours == hour]) for hour in range(int(hours.max()) + 1)])
