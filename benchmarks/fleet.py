"""A thousand meters: learning a year of hours, forecasting a day, learning a day more; beside mlforecast."""

import resource
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from time import process_time

import numpy as np

from benchmarks.common import Goal, own_peak_mb, parse_options, publish, tell
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import AssetKey
from sereno.forecast.forecasters import RidgeForecaster
from sereno.forecast.panel import build_panel
from sereno.forecast.trained import TrainedPool

__all__ = ["main", "synthetic_fleet"]

N_METERS, QUICK_METERS = 1_000, 40
N_DAYS = 365
TEST_DAYS = 7
PER_DAY = 24
HOUR = timedelta(hours=1)
START = datetime(2023, 1, 1, tzinfo=UTC)
PEER_METERS = 20
PEER_TREES = 200
MAX_FIT_S, MAX_PREDICT_MS, MAX_REFIT_S, MIN_RATIO = 3.0, 50.0, 0.3, 30.0
MS, MB_PER_GB = 1000.0, 1000.0
PROTOCOL = (
    "Synthetic meters: mixtures of three daily and weekly shapes with a season, own scale, autocorrelated "
    "noise; one year of hours, seven days after it tested from midnight, 24 hours ahead. CPU seconds of one "
    "thread. "
    "mlforecast learns the first 20 meters only; its cost is scaled to all of them, its error "
    "compared on those 20."
)


def synthetic_fleet(n_meters: int, n_days: int, seed: int = 0) -> FloatArray:
    """Hourly values, shape (meters, days x 24)."""
    rng = np.random.default_rng(seed)
    hours = np.arange(n_days * PER_DAY)
    clock, weekday, day = hours % PER_DAY, hours // PER_DAY % 7, hours / PER_DAY
    shapes = np.stack(
        [
            1.0 + 0.5 * np.exp(-(((clock - 20) / 3.0) ** 2)) + 0.25 * np.exp(-(((clock - 8) / 2.0) ** 2)),
            0.4 + 1.2 * ((clock >= 8) & (clock < 19)) * np.where(weekday < 5, 1.0, 0.25),
            0.9 + 0.4 * np.sin(2 * np.pi * (clock - 9) / PER_DAY) - 0.1 * (weekday >= 5),
        ]
    )
    season = np.stack([np.cos(2 * np.pi * (day - peak) / 365.0) for peak in (15, 200, 100)])
    values = np.empty((n_meters, len(hours)))
    for meter in range(n_meters):
        shares = rng.dirichlet(np.ones(3))
        strength = rng.uniform(0.0, 0.35, 3)
        clean = (shares[:, None] * shapes * (1 + strength[:, None] * season)).sum(axis=0)
        noise = _autocorrelated(rng, len(hours), rng.uniform(0.7, 0.95), rng.uniform(0.04, 0.15))
        values[meter] = rng.lognormal(3.0, 1.0) * np.maximum(clean * (1 + noise), 0.0)
    return values


def _autocorrelated(rng: np.random.Generator, n_rows: int, keeps: float, size: float) -> FloatArray:
    """First-order autoregressive noise of a standard deviation, shape (rows,)."""
    from scipy.signal import lfilter

    steps = rng.normal(size=n_rows) * size * np.sqrt(1 - keeps**2)
    made: FloatArray = lfilter([1.0], [1.0, -keeps], steps)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("fleet", __doc__ or "", arguments)
    n_meters = options.n_rows or (QUICK_METERS if options.is_quick else N_METERS)
    values = synthetic_fleet(n_meters, N_DAYS + TEST_DAYS + 1)
    windows = _windows(values)
    tell(f"{n_meters} meters x {N_DAYS * PER_DAY} hours")
    before = own_peak_mb()
    begun = process_time()
    trained = RidgeForecaster("energy", days_ahead=1).fit([one.rows(0, N_DAYS * PER_DAY) for one in windows])
    fit_s = process_time() - begun
    peak_gb = (own_peak_mb() - before) / MB_PER_GB
    predict_ms = _predict_ms(trained, windows)
    begun = process_time()
    trained.refit([one.rows(0, (N_DAYS + 1) * PER_DAY) for one in windows])
    refit_s = process_time() - begun
    said, naive = _rolling(trained, windows, values)
    peer = _peer(values, said, fit_s)
    mase = float(said.mean())
    per_thousand = N_METERS / n_meters
    figures = {
        "meters": n_meters,
        "fit_cpu_s": _short(fit_s),
        "predict_ms": _short(predict_ms),
        "refit_cpu_s": _short(refit_s),
        "peak_gb": _short(peak_gb),
        "mase": _short(mase),
        "naive_mase": _short(float(naive.mean())),
        "peer": peer,
        "protocol": PROTOCOL,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    publish(
        options,
        figures,
        {
            "fit_cpu_s_per_1000": Goal(_short(fit_s * per_thousand), MAX_FIT_S),
            "predict_ms_per_1000": Goal(_short(predict_ms * per_thousand), MAX_PREDICT_MS),
            "refit_cpu_s_per_1000": Goal(_short(refit_s * per_thousand), MAX_REFIT_S),
            "times_cheaper_than_mlforecast": Goal(
                None if peer is None else float(str(peer["times"])), MIN_RATIO, is_floor=True
            ),
        },
    )


def _windows(values: FloatArray) -> list[Window]:
    time = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(values.shape[1]) * np.timedelta64(HOUR)
    quality = np.zeros((values.shape[1], 1), dtype=np.int32)
    return [
        Window(AssetKey("Fleet", f"M{meter:05d}"), "load", ("energy",), time, row[:, None], quality, HOUR)
        for meter, row in enumerate(values)
    ]


def _predict_ms(trained: TrainedPool, windows: Sequence[Window]) -> float:
    """All quantiles of the next day of all meters, from values that are side by side already."""
    reach = trained.lookback // timedelta(days=1)
    rows = [one.rows((N_DAYS - reach) * PER_DAY, N_DAYS * PER_DAY) for one in windows]
    panel = build_panel(rows, "energy", days_ahead=1)
    assets = [one.asset for one in windows]
    took = []
    for _ in range(3):
        begun = process_time()
        trained.quantiles(assets, panel, reach * PER_DAY, PER_DAY)
        took.append(process_time() - begun)
    return min(took) * MS


def _rolling(
    trained: TrainedPool, windows: Sequence[Window], values: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """MASE of the next seven days and of the day before as forecast, shape (meters,) each."""
    scale = np.abs(np.diff(values[:, : N_DAYS * PER_DAY].reshape(len(values), -1, PER_DAY), axis=1)).mean(
        axis=(1, 2)
    )
    ours, naive = [], []
    for day in range(N_DAYS, N_DAYS + TEST_DAYS):
        known = [one.rows((day - 20) * PER_DAY, day * PER_DAY) for one in windows]
        made = trained.forecast_many(known, START + timedelta(days=day), timedelta(days=1))
        actual = values[:, day * PER_DAY : (day + 1) * PER_DAY]
        ours.append(np.abs(np.stack([one.median for one in made]) - actual).mean(axis=1))
        naive.append(np.abs(values[:, (day - 1) * PER_DAY : day * PER_DAY] - actual).mean(axis=1))
    return np.mean(ours, axis=0) / scale, np.mean(naive, axis=0) / scale


def _peer(values: FloatArray, said: FloatArray, fit_s: float) -> dict[str, object] | None:
    """Mlforecast with LightGBM on some of the meters; None where it is not installed."""
    if not (find_spec("mlforecast") and find_spec("lightgbm")):
        return None
    import pandas as pd
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.target_transforms import LocalStandardScaler

    n_meters = min(PEER_METERS, len(values))
    tell(f"mlforecast, {n_meters} meters")
    time = np.datetime64(START.replace(tzinfo=None), "ns") + np.arange(values.shape[1]) * np.timedelta64(
        1, "h"
    )

    def frame(start: int, stop: int) -> "pd.DataFrame":
        names = np.repeat([f"M{meter:05d}" for meter in range(n_meters)], stop - start)
        rows = values[:n_meters, start:stop].ravel()
        return pd.DataFrame({"unique_id": names, "ds": np.tile(time[start:stop], n_meters), "y": rows})

    model = MLForecast(
        models=[LGBMRegressor(n_estimators=PEER_TREES, n_jobs=1, verbosity=-1)],
        freq="h",
        lags=[1, 2, 3, 24, 48, 168],
        date_features=["hour", "dayofweek"],
        target_transforms=[LocalStandardScaler()],
        num_threads=1,
    )
    begun = process_time()
    model.fit(frame(0, N_DAYS * PER_DAY))
    took = process_time() - begun
    errors = []
    for day in range(N_DAYS, N_DAYS + TEST_DAYS):
        made = model.predict(h=PER_DAY, new_df=frame((day - 20) * PER_DAY, day * PER_DAY))
        actual = values[:n_meters, day * PER_DAY : (day + 1) * PER_DAY]
        errors.append(
            np.abs(made["LGBMRegressor"].to_numpy().reshape(n_meters, PER_DAY) - actual).mean(axis=1)
        )
    taught = values[:n_meters, : N_DAYS * PER_DAY].reshape(n_meters, -1, PER_DAY)
    scale = np.abs(np.diff(taught, axis=1)).mean(axis=(1, 2))
    scaled = took * len(values) / n_meters
    return {
        "name": "mlforecast",
        "meters": n_meters,
        "fit_cpu_s_measured": _short(took),
        "fit_cpu_s_scaled": _short(scaled),
        "times": _short(scaled / fit_s),
        "mase": _short(float((np.mean(errors, axis=0) / scale).mean())),
        "sereno_mase": _short(float(said[:n_meters].mean())),
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
