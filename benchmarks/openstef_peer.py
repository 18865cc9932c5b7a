"""OpenSTEF in an interpreter of its own: what one of its models says from each origin, over plain files.

`python openstef_peer.py TASK ANSWER` reads one `.npz` and writes another. It needs OpenSTEF 4 and nothing
of sereno, and is given no value that was not known at the last origin.
"""

import sys
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

__all__ = ["main"]

WEATHER = ("temperature", "relative_humidity", "windspeed")
QUANTILES = (0.05, 0.5, 0.95)
RECENT_DAYS = 21
LAG_DAYS = 14
"""Its default days of history in a prediction; its pages advise to leave as many out of the training."""
DAY = timedelta(days=1)


def main(task_file: str, answer_file: str) -> None:
    """Learn before the first origin and again every `refit_days`, as its own reuse of models does."""
    task = dict(np.load(task_file))
    step = timedelta(seconds=int(task["step_s"]))
    values, origins, n_steps = task["values"], task["origins"].tolist(), int(task["n_steps"])
    refit_every = int(task["refit_days"]) * (DAY // step)
    place = {"latitude": float(task["latitude"]), "longitude": float(task["longitude"])}
    config = {"model": str(task["model"]), "place": place, "country": str(task["country"])}
    fit_s = predict_s = 0.0
    said = np.empty((len(values), len(origins), n_steps, len(QUANTILES)))
    for zone, row in enumerate(values):
        table = _table(row, task["weather"], datetime.fromisoformat(str(task["start"])), step)
        model, taught = None, 0
        for number, origin in enumerate(origins):
            begun = process_time()
            if model is None or origin - taught >= refit_every:
                model, taught = _workflow(config, step, n_steps), origin
                model.fit(_dataset(table.iloc[:origin], step))
            learnt = process_time()
            said[zone, number] = _predict(model, table, origin, n_steps, step)
            fit_s, predict_s = fit_s + learnt - begun, predict_s + process_time() - learnt
    np.savez(
        answer_file, said=said, fit_cpu_s=fit_s, predict_cpu_s=predict_s, version=version("openstef-models")
    )


def _workflow(config: dict[str, Any], step: timedelta, n_steps: int) -> Any:  # noqa: ANN401 - the peer's own
    """Its preset with its defaults; of one lead time, the horizon, so that it knows the day before."""
    from openstef_core.types import LeadTime, Q
    from openstef_models.presets import ForecastingWorkflowConfig, create_forecasting_workflow
    from openstef_models.presets.forecasting_workflow import LocationConfig

    return create_forecasting_workflow(
        ForecastingWorkflowConfig(
            model_id="zone",
            model=config["model"],
            quantiles=[Q(level) for level in QUANTILES],
            sample_interval=step,
            horizons=[LeadTime(n_steps * step)],
            cutoff_history=LAG_DAYS * DAY,
            location=LocationConfig(coordinate=config["place"], country_code=config["country"]),
            mlflow_storage=None,
        )
    )


def _predict(
    model: Any,  # noqa: ANN401 - the peer's own
    table: Any,  # noqa: ANN401
    origin: int,
    n_steps: int,
    step: timedelta,
) -> np.ndarray:
    """Its quantiles of the steps after an origin, shape (steps, quantiles), from the load before it."""
    recent = table.iloc[max(0, origin - RECENT_DAYS * (DAY // step)) : origin + n_steps].copy()
    begin = recent.index[-n_steps]
    recent.loc[begin:, "load"] = np.nan
    made = model.predict(_dataset(recent, step), forecast_start=begin.to_pydatetime())
    found: np.ndarray = made.data[[f"quantile_P{100 * level:02.0f}" for level in QUANTILES]].to_numpy()
    return found[-n_steps:]


def _table(load: np.ndarray, weather: np.ndarray, start: datetime, step: timedelta) -> Any:  # noqa: ANN401
    """Load as far as it is known, and the weather, which goes on beyond it; it may have no columns."""
    import pandas as pd

    n_rows = weather.shape[1]
    known = np.concatenate([load, np.full(n_rows - len(load), np.nan)])
    index = pd.date_range(start, periods=n_rows, freq=step)
    return pd.DataFrame({"load": known, **dict(zip(WEATHER, weather, strict=False))}, index=index)


def _dataset(table: Any, step: timedelta) -> Any:  # noqa: ANN401 - the peer's own
    from openstef_core.datasets import TimeSeriesDataset

    return TimeSeriesDataset(table, sample_interval=step)


if __name__ == "__main__":
    main(*(str(Path(one)) for one in sys.argv[1:]))
