"""What MLflow loads: a detector that scores, or a forecaster that forecasts, the rows of a data frame.

A frame has a column `time` (naive times are UTC), a column for each signal and, where there are several
assets, `site` and `asset`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sereno.domain.calendar import step_end
from sereno.domain.errors import UsageError
from sereno.domain.judgement import Memory
from sereno.domain.readings import TimeArray, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy
from sereno.flows.fleet import BlockNeighbours
from sereno.flows.judge import behaviour_in, weigh_window
from sereno.flows.mlflow_export import ABOUT, ARTEFACT
from sereno.flows.models import Layout, TrainedModel, load_model
from sereno.flows.places import PROFILES_FOLDER
from sereno.forecast.registry import build_forecaster
from sereno.prepare.grid import build_window, infer_step
from sereno.settings.profiles import load_profiles

if TYPE_CHECKING:
    import pandas as pd

    from sereno.contracts import TrainedForecaster

__all__ = ["ScoringModel", "ForecastingModel"]

_KEYS = ("site", "asset")
_TIME = "time"
_HOURS = 24.0


def _load_pyfunc(path: str) -> "ScoringModel | ForecastingModel":
    """What MLflow calls."""
    folder = Path(path)
    about = json.loads((folder / ABOUT).read_text("utf-8"))
    if about["family"] == "detector":
        profiles = load_profiles(folder / PROFILES_FOLDER)
        model = load_model(folder / ARTEFACT, profiles)
        return ScoringModel(model, profiles[model.card.profile])
    card = about["card"]
    forecaster = build_forecaster(str(card["detector"]), str(card["signal"]))
    return ForecastingModel(
        forecaster.load((folder / ARTEFACT).read_bytes()),
        str(card["signal"]),
        timedelta(seconds=float(card["step_s"])),
        [_key(str(name)) for name in card["assets"]],
    )


@dataclass(frozen=True, slots=True)
class ScoringModel:
    """A detector as a pyfunc."""

    model: TrainedModel
    profile: Profile

    def predict(self, frame: "pd.DataFrame", params: Mapping[str, Any] | None = None) -> "pd.DataFrame":  # noqa: ARG002
        """Judge rows: `site`, `asset`, `time`, `score`, `threshold`, `is_abnormal`.

        Raises:
            UsageError: The frame has no column `time`, or none of the signals.
        """
        import pandas as pd

        windows = list(_windows(frame, self._layout, self.profile.name))
        neighbours = BlockNeighbours({one.asset: one for one in windows})
        parts = [self._judged(one, neighbours) for one in windows]
        return pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)

    def _layout(self, key: AssetKey | None) -> tuple[AssetKey, Layout]:
        known = next(iter(self.model.layouts)) if key is None else key
        if known not in self.model.layouts:
            raise UsageError(detail=f"The model does not know {known}", command="mlflow")
        return known, self.model.layouts[known]

    def _judged(self, window: Window, neighbours: BlockNeighbours) -> dict[str, object]:
        reference = neighbours.reference(window.asset, self.model, window.time)
        weighed = weigh_window(window, self.profile, self.model, Memory(), None, reference)
        behaviour = behaviour_in(weighed.evidence)
        return {
            "site": window.asset.site,
            "asset": window.asset.asset,
            "time": window.time,
            "score": behaviour.exceedance * behaviour.threshold,
            "threshold": behaviour.threshold,
            "is_abnormal": behaviour.exceedance >= 1.0,
        }


@dataclass(frozen=True, slots=True)
class ForecastingModel:
    """A forecaster as a pyfunc."""

    trained: "TrainedForecaster"
    signal: str
    step: timedelta
    assets: list[AssetKey]

    def predict(self, frame: "pd.DataFrame", params: Mapping[str, Any] | None = None) -> "pd.DataFrame":
        """Forecast from the history in a frame: `site`, `asset`, `time`, `p05` … `p95`.

        Args:
            params: `horizon_hours` (24), `origin` (ISO 8601; the end of the last row of each asset).

        Raises:
            UsageError: The frame has no column `time`, or not the signal.
        """
        import pandas as pd

        said = dict(params or {})
        horizon = timedelta(hours=float(said.get("horizon_hours", _HOURS)))
        parts = []
        for window in _windows(frame, self._layout, "load"):
            end = from_numpy(step_end(window.time[-1], window.step, window.zone))
            origin = datetime.fromisoformat(str(said["origin"])) if said.get("origin") else end
            made = self.trained.forecast(window, origin, horizon)
            levels = {f"p{100 * level:02.0f}": made.at(level) for level in made.levels}
            keys = {"site": made.asset.site, "asset": made.asset.asset}
            parts.append(pd.DataFrame({**keys, "time": made.time, **levels}))
        return pd.concat(parts, ignore_index=True)

    def _layout(self, key: AssetKey | None) -> tuple[AssetKey, Layout]:
        return key or self.assets[0], Layout((self.signal,), "UTC", self.step)


def _windows(
    frame: "pd.DataFrame", layout_of: Callable[[AssetKey | None], tuple[AssetKey, Layout]], profile: str
) -> Iterator[Window]:
    """The window of each asset of a frame."""
    if _TIME not in frame.columns:
        raise UsageError(detail=f"There is no column 'time' (found {list(frame.columns)})", command="mlflow")
    keys = [name for name in _KEYS if name in frame.columns]
    groups = frame.groupby(keys, sort=False) if len(keys) == len(_KEYS) else [(None, frame)]
    for named, rows in groups:
        key, layout = layout_of(AssetKey(*map(str, named)) if named is not None else None)
        signals = tuple(name for name in layout.signals if name in rows.columns)
        if not signals:
            detail = f"There is none of the columns {', '.join(layout.signals)}"
            raise UsageError(detail=detail, command="mlflow")
        ordered = rows.sort_values(_TIME)
        time = _instants(ordered[_TIME])
        values = ordered[list(signals)].to_numpy(dtype=float)
        quality = np.zeros(values.shape, dtype=np.int32)
        step = layout.step or (infer_step(time) if len(time) > 1 else None)
        yield build_window(key, profile, signals, (time, values, quality), step, zone=layout.zone, after=None)


def _instants(column: "pd.Series[Any]") -> TimeArray:
    """UTC instants, shape (rows,); naive ones are UTC."""
    import pandas as pd

    at = pd.to_datetime(column, utc=True)
    time: TimeArray = at.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    return time


def _key(name: str) -> AssetKey:
    site, _, asset = name.partition("/")
    return AssetKey(site, asset or site)
