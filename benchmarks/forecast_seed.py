"""The first system's own task: its zone and its cut of the year, beside its random forest and a naive."""

from datetime import datetime, timedelta

import numpy as np

from sereno.contracts import TrainedForecaster
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import AssetKey
from sereno.forecast.forecasters import RidgeForecaster

__all__ = ["seed_figures"]

STEP, DAY = timedelta(minutes=10), timedelta(days=1)
PER_DAY = DAY // STEP
FULL_YEAR_ROWS = 52_416
TRAIN_SHARE = 0.8
TREES = 150


def seed_figures(
    load: FloatArray, weather: FloatArray, start: datetime, *, is_quick: bool
) -> dict[str, object]:
    """RMSE, R² and MAPE on the last fifth of the file.

    Args:
        load: Of zone 2 [kW], shape (rows,).
        weather: Shape (columns, rows).
    """
    n_rows = len(load)
    cut = int(TRAIN_SHARE * n_rows)
    first = -(-cut // PER_DAY) * PER_DAY
    stop = min(n_rows, first + 3 * PER_DAY) if is_quick else n_rows
    ours = _day_ahead(load, start, first, stop)
    forest = _forest(load, weather, start, cut, stop, 20 if is_quick else TREES)
    return {
        "full_year": n_rows >= FULL_YEAR_ROWS,
        "rows": n_rows,
        "train_rows": cut,
        "sereno_day_ahead": _scores(ours, load[first:stop]),
        "same_time_last_week": _scores(load[cut - 7 * PER_DAY : stop - 7 * PER_DAY], load[cut:stop]),
        "random_forest": _scores(forest, load[cut:stop]),
    }


def _day_ahead(load: FloatArray, start: datetime, first: int, stop: int) -> FloatArray:
    """Medians of the days from the first whole one of the test on, each from the midnight before it."""
    time = np.datetime64(start.replace(tzinfo=None), "us") + np.arange(len(load)) * np.timedelta64(STEP)
    quality = np.zeros((len(load), 1), dtype=np.int32)
    window = Window(AssetKey("Tetuan", "Zone2"), "load", ("power",), time, load[:, None], quality, STEP)
    trained: TrainedForecaster = RidgeForecaster("power", days_ahead=1, country="MA").fit(
        [window.rows(0, first)]
    )
    said = []
    for row in range(first, stop - PER_DAY + 1, PER_DAY):
        trained = trained.refit([window.rows(0, row)])
        known = window.rows(max(0, row - 30 * PER_DAY), row)
        said.append(trained.forecast(known, start + row * STEP, DAY).median)
    return np.concatenate(said)


def _forest(
    load: FloatArray, weather: FloatArray, start: datetime, cut: int, stop: int, trees: int
) -> FloatArray:
    """Weather and calendar, as the first system has them; no history of the load."""
    from sklearn.ensemble import RandomForestRegressor

    instants = [start + row * STEP for row in range(stop)]
    calendar = [
        [at.day, at.month, at.hour, at.minute, at.isoweekday(), (at.month + 2) // 3, at.timetuple().tm_yday]
        for at in instants
    ]
    table = np.concatenate([weather[:, :stop].T, np.array(calendar, dtype=np.float64)], axis=1)
    model = RandomForestRegressor(n_estimators=trees, random_state=42, n_jobs=1)
    said: FloatArray = model.fit(table[:cut], load[:cut]).predict(table[cut:])
    return said


def _scores(said: FloatArray, actual: FloatArray) -> dict[str, float]:
    actual = actual[: len(said)]
    error = said - actual
    spread = float(((actual - actual.mean()) ** 2).sum())
    return {
        "rmse": round(float(np.sqrt((error**2).mean())), 1),
        "r2": round(1.0 - float((error**2).sum()) / spread, 4),
        "mape": round(100.0 * float(np.abs(error / actual).mean()), 3),
    }
