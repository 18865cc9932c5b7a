"""What every forecaster must keep, whoever wrote it."""

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from sereno.contracts import Forecaster, TrainedForecaster
from sereno.domain.errors import HistoryTooShort, NothingToForecast
from sereno.domain.forecasts import Forecast
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy, to_numpy
from sereno.testing.windows import STRANGER

__all__ = ["a_metered_history", "check_forecaster"]

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_START = np.datetime64("2024-01-01T00", "us")
_PROGRAM = "from sereno.testing.forecasters import _tell_digest; _tell_digest()"
_WORSE = 1.05
"""Most that the error of a forecaster may be of that of the better naive, on average over the meters."""


def a_metered_history(
    signal: str,
    *,
    n_meters: int = 3,
    n_days: int = 70,
    step: timedelta = _HOUR,
    zone: str = "UTC",
    seed: int = 0,
) -> list[Window]:
    """Meters of different size with a day, a week and noise; none of their values is missing."""
    time = _START + np.arange(n_days * (_DAY // step)) * np.timedelta64(step)
    day = (time - _START) / np.timedelta64(1, "D")
    windows = []
    for meter in range(n_meters):
        rng = np.random.default_rng([seed, meter])
        shape = 2.0 + np.sin(2 * np.pi * (day - 0.3)) + 0.3 * np.sin(4 * np.pi * day + meter)
        shape *= np.where(day // 1 % 7 < 5, 1.0, 0.7)
        noise = np.cumsum(rng.normal(size=len(day))) / np.sqrt(np.arange(1, len(day) + 1)) * 0.02
        values = 10.0 ** (meter % 3) * np.maximum(shape * (1 + noise + 0.03 * rng.normal(size=len(day))), 0.0)
        key = AssetKey("Site", f"Meter {meter}")
        quality = np.zeros((len(day), 1), dtype=np.int32)
        windows.append(Window(key, "load", (signal,), time, values[:, None], quality, step, zone))
    return windows


def check_forecaster(forecaster: Forecaster, history: Sequence[Window] | None = None) -> None:
    """Whether a forecaster keeps the contract.

    Args:
        forecaster: Its hyper-parameters; choose small ones, it learns five times.
        history: Windows of at least 60 days with its signal; simulated ones when not given.

    Raises:
        AssertionError: Something is not kept; says what.
    """
    history = a_metered_history(forecaster.signal) if history is None else history
    _check_options(forecaster)
    past = [window.rows(0, len(window) - 2 * _per_day(window)) for window in history]
    before = [window.values.tobytes() for window in past]
    trained = forecaster.fit(past)
    _demand(before == [window.values.tobytes() for window in past], "learning changes its input")
    _demand(all(trained.knows(window.asset) for window in past), "it does not know an asset that it learnt")
    _demand(not trained.knows(STRANGER), "it knows an asset that it never saw")
    origin = _end(past[0])
    _check_shape(trained, past[0], origin)
    _check_error(trained, history, past, origin)
    _check_no_look_ahead(forecaster, trained, history, past)
    _check_many(trained, past, origin)
    _check_order(forecaster, trained, past, origin)
    _check_gaps(forecaster, trained, past, origin)
    _check_state(forecaster, trained, past, origin)
    _check_refit(trained, history)
    _check_short_history(forecaster, past)
    _check_fresh_process(forecaster, trained, past, origin)


def _demand(that: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not that:
        raise AssertionError(otherwise)


def _per_day(window: Window) -> int:
    assert window.step is not None
    return _DAY // window.step


def _end(window: Window) -> datetime:
    assert window.step is not None
    return from_numpy(window.time[-1]) + window.step


def _check_options(forecaster: Forecaster) -> None:
    kind = type(forecaster)
    _demand(bool((kind.__doc__ or "").strip()), "the class has no docstring")
    _demand(is_dataclass(forecaster), "it is no dataclass, so its options have no names")
    options = fields(forecaster)  # type: ignore[arg-type]
    _demand(options[0].name == "signal", "the first field is not `signal`")
    bare = [o.name for o in options[1:] if o.default is MISSING and o.default_factory is MISSING]
    _demand(not bare, f"options without a default: {', '.join(bare)}")
    try:
        forecaster.signal = "another"  # type: ignore[misc]
    except (FrozenInstanceError, AttributeError, TypeError):
        return
    raise AssertionError(f"{kind.__name__} is not frozen")


def _check_shape(trained: TrainedForecaster, window: Window, origin: datetime) -> None:
    assert window.step is not None
    for begin in (origin, origin - 7 * window.step, origin - timedelta(minutes=7)):
        for horizon in (window.step, timedelta(hours=30), timedelta(days=7)):
            made = trained.forecast(window, begin, horizon)
            n_steps = len(made.time)
            said = f"{n_steps} steps in {horizon} at a step of {window.step}"
            _demand(abs(n_steps * window.step - horizon) <= window.step, said)
            _demand(bool((made.time >= to_numpy(begin)).all()), "a step begins before the origin")
            _demand(made.quantiles.shape == (n_steps, len(made.levels)), "quantiles are not (steps, levels)")
            _demand(bool(np.isfinite(made.quantiles).all()), "a quantile is not a number")
            _demand(bool((np.diff(made.quantiles, axis=1) >= 0).all()), "quantiles cross")
            _demand(made.cut_off <= begin, "something after the origin was used")


def _check_error(
    trained: TrainedForecaster, history: Sequence[Window], past: Sequence[Window], origin: datetime
) -> None:
    made = trained.forecast_many(past, origin, 2 * _DAY)
    errors, naive = [], []
    for one, whole, known in zip(made, history, past, strict=True):
        column = whole.signals.index(one.signal)
        n_day, actual = _per_day(whole), whole.values[len(known) :, whole.signals.index(one.signal)]
        size = np.abs(actual).mean()
        said = [np.resize(known.values[-back * n_day :, column], len(actual)) for back in (1, 7)]
        naive.append([np.abs(one - actual).mean() / size for one in said])
        errors.append(np.abs(one.median - actual).mean() / size)
    error, best = float(np.mean(errors)), float(np.mean(naive, axis=0).min())
    _demand(error <= _WORSE * best, f"its error, {error:.1%} of the mean, is above the naive's {best:.1%}")


def _check_no_look_ahead(
    forecaster: Forecaster, trained: TrainedForecaster, history: Sequence[Window], past: Sequence[Window]
) -> None:
    """Values after the cut-off may be anything: nothing changes."""
    origin = _end(past[0])
    poisoned = []
    for whole, known in zip(history, past, strict=True):
        values = whole.values.copy()
        values[len(known) :, whole.signals.index(forecaster.signal)] = 1e9
        poisoned.append(replace(whole, values=values))
    plain = trained.forecast_many(past, origin, _DAY)
    same = _digest(trained.forecast_many(poisoned, origin, _DAY)) == _digest(plain)
    _demand(same, "values after the cut-off change the forecast")


def _check_many(trained: TrainedForecaster, past: Sequence[Window], origin: datetime) -> None:
    together = trained.forecast_many(past, origin, _DAY)
    alone = [trained.forecast(window, origin, _DAY) for window in past]
    _demand(_digest(together) == _digest(alone), "forecasts in one go differ from forecasts one by one")


def _check_order(
    forecaster: Forecaster, trained: TrainedForecaster, past: Sequence[Window], origin: datetime
) -> None:
    turned = forecaster.fit(list(reversed(past)))
    _demand(turned.dump() == trained.dump(), "the order of the meters changes what is learnt")
    made = turned.forecast_many(list(reversed(past)), origin, _DAY)
    same = _digest(list(reversed(made))) == _digest(trained.forecast_many(past, origin, _DAY))
    _demand(same, "the order of the meters changes the forecasts")


def _check_gaps(
    forecaster: Forecaster, trained: TrainedForecaster, past: Sequence[Window], origin: datetime
) -> None:
    """Gaps are forecast over; a window without values says so; flagged values count as gaps."""
    first = past[0]
    column, n_day = first.signals.index(forecaster.signal), _per_day(first)
    for gap in (
        slice(-3 * n_day, None),
        slice(-9 * n_day, -n_day),
        slice(None, -1),
        slice(None, -20 * n_day),
    ):
        values = first.values.copy()
        values[gap, column] = np.nan
        made = trained.forecast(replace(first, values=values), origin, _DAY)
        _demand(bool(np.isfinite(made.quantiles).all()), f"after a gap {gap} a quantile is not a number")
    stranger = trained.forecast(replace(first, asset=STRANGER), origin, _DAY)
    _demand(bool(np.isfinite(stranger.quantiles).all()), "an asset that it never saw has no forecast")
    for nothing in (replace(first, values=np.full(first.values.shape, np.nan)), first.rows(0, 0)):
        _demand(not trained.forecast_many([nothing], origin, _DAY), "a window without values has a forecast")
        try:
            trained.forecast(nothing, origin, _DAY)
        except NothingToForecast:
            continue
        raise AssertionError("a window without values is forecast")


def _check_state(
    forecaster: Forecaster, trained: TrainedForecaster, past: Sequence[Window], origin: datetime
) -> None:
    state = trained.dump()
    read = type(forecaster)(forecaster.signal).load(state)  # type: ignore[call-arg]
    _demand(read.dump() == state, "what `load` reads is not what `dump` wrote")
    same = _digest(read.forecast_many(past, origin, _DAY)) == _digest(
        trained.forecast_many(past, origin, _DAY)
    )
    _demand(same, "loaded, it forecasts otherwise")
    _demand(trained.dump() == state, "forecasting changes the trained forecaster")


def _check_refit(trained: TrainedForecaster, history: Sequence[Window]) -> None:
    state = trained.dump()
    again = trained.refit(history)
    _demand(trained.dump() == state, "learning more changes the trained forecaster")
    made = again.forecast_many(history, _end(history[0]), _DAY)
    _demand(len(made) == len(history), "after learning more it forecasts fewer assets")


def _check_short_history(forecaster: Forecaster, past: Sequence[Window]) -> None:
    for short in ([], [past[0].rows(0, 0)], [past[0].rows(0, 1)]):
        try:
            forecaster.fit(short)
        except HistoryTooShort:
            continue
        raise AssertionError(f"it learns from {sum(map(len, short))} rows")


def _check_fresh_process(
    forecaster: Forecaster, trained: TrainedForecaster, past: Sequence[Window], origin: datetime
) -> None:
    places = os.pathsep.join(place for place in sys.path if place)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=pickle.dumps((forecaster, list(past), origin)),
        env={**os.environ, "PYTHONPATH": places, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        check=False,
    )
    detail = done.stderr.decode()[-2000:]
    _demand(done.returncode == 0, f"it cannot learn in a process of its own: {detail}")
    own = f"{_sha(trained.dump())} {_digest(trained.forecast_many(past, origin, _DAY))}"
    _demand(done.stdout.decode() == own, "another process learns or forecasts otherwise")


def _tell_digest() -> None:
    """Learn what stands on stdin, in a process that has never learnt, and tell the digests."""
    forecaster, past, origin = pickle.loads(sys.stdin.buffer.read())
    trained = forecaster.fit(past)
    sys.stdout.write(f"{_sha(trained.dump())} {_digest(trained.forecast_many(past, origin, _DAY))}")


def _digest(made: Sequence[Forecast]) -> str:
    return _sha(
        b"".join(str(one.asset).encode() + one.quantiles.tobytes() + one.tier.encode() for one in made)
    )


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
