"""Other libraries on the task of `benchmarks.forecast`, each as its own pages advise."""

from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["MlForecastPeer", "Peer", "StatsForecastPeer"]

STEP = timedelta(minutes=10)
PER_DAY = 144
TREES = 200
RECENT_ROWS = 21 * PER_DAY
STATISTICAL_ROWS = 42 * PER_DAY


class Peer(Protocol):
    """A library that forecasts the three zones together."""

    @property
    def is_here(self) -> bool:
        """Whether it is installed."""
        ...

    def fit(self, values: FloatArray, weather: FloatArray, start: datetime) -> None:
        """Learn from values (zones, rows) and weather (columns, rows)."""
        ...

    def predict(self, values: FloatArray, weather: FloatArray, start: datetime, n_steps: int) -> FloatArray:
        """The steps after the values, shape (zones, steps); `weather` goes on beyond them."""
        ...


class MlForecastPeer:
    """mlforecast with LightGBM, scaled per zone, recursive; lags of minutes, a day and a week."""

    def __init__(self) -> None:
        self._model: Any = None

    @property
    def is_here(self) -> bool:
        """Whether it and its LightGBM are installed."""
        return bool(find_spec("mlforecast") and find_spec("lightgbm"))

    def fit(self, values: FloatArray, weather: FloatArray, start: datetime) -> None:
        """See `Peer`; it gets no weather, as sereno gets none."""
        del weather
        from lightgbm import LGBMRegressor
        from mlforecast import MLForecast
        from mlforecast.target_transforms import LocalStandardScaler

        self._model = MLForecast(
            models=[LGBMRegressor(n_estimators=TREES, n_jobs=1, verbosity=-1)],
            freq="10min",
            lags=[1, 2, 3, 6, PER_DAY - 1, PER_DAY, PER_DAY + 1, 7 * PER_DAY],
            date_features=["hour", "minute", "dayofweek"],
            target_transforms=[LocalStandardScaler()],
            num_threads=1,
        )
        self._model.fit(_frame(values, start))

    def predict(self, values: FloatArray, weather: FloatArray, start: datetime, n_steps: int) -> FloatArray:
        """See `Peer`."""
        del weather
        recent, begin = _recent(values, start, RECENT_ROWS)
        made = self._model.predict(h=n_steps, new_df=_frame(recent, begin))
        said: FloatArray = made["LGBMRegressor"].to_numpy().reshape(len(values), n_steps)
        return said


class StatsForecastPeer:
    """statsforecast's MSTL of a day and a week, on the last six weeks before each origin."""

    @property
    def is_here(self) -> bool:
        """Whether it is installed."""
        return bool(find_spec("statsforecast"))

    def fit(self, values: FloatArray, weather: FloatArray, start: datetime) -> None:
        """Nothing: it learns each series at each origin."""

    def predict(self, values: FloatArray, weather: FloatArray, start: datetime, n_steps: int) -> FloatArray:
        """See `Peer`."""
        del weather
        from statsforecast import StatsForecast
        from statsforecast.models import MSTL

        recent, begin = _recent(values, start, STATISTICAL_ROWS)
        model = StatsForecast(models=[MSTL(season_length=[PER_DAY, 7 * PER_DAY])], freq="10min", n_jobs=1)
        made = model.forecast(df=_frame(recent, begin), h=n_steps)
        said: FloatArray = made["MSTL"].to_numpy().reshape(len(values), n_steps)
        return said


def _recent(values: FloatArray, start: datetime, n_rows: int) -> tuple[FloatArray, datetime]:
    skipped = max(0, values.shape[1] - n_rows)
    return values[:, skipped:], start + skipped * STEP


def _frame(values: FloatArray, start: datetime) -> Any:  # noqa: ANN401 - pandas is the peers' own
    import pandas as pd

    n_zones, n_rows = values.shape
    time = np.datetime64(start.replace(tzinfo=None), "ns") + np.arange(n_rows) * np.timedelta64(600, "s")
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"zone{one}" for one in range(n_zones)], n_rows),
            "ds": np.tile(time, n_zones),
            "y": values.ravel(),
        }
    )
