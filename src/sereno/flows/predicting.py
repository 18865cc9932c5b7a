"""What loads are at any instant: from the forecaster that was last learnt, and the weather that is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from sereno.contracts import TrainedForecaster
from sereno.domain.calendar import DAY, local_time, to_utc
from sereno.domain.errors import ForecasterMissing, NoReadings, NothingToForecast, SerenoError
from sereno.domain.forecasts import Forecast
from sereno.domain.readings import Window
from sereno.domain.registry import ForecasterCard
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy, to_numpy
from sereno.flows.build import Setup
from sereno.flows.forecasters import ForecasterShelf
from sereno.flows.forecasting import LONGEST_HORIZON
from sereno.flows.train import sound_window
from sereno.forecast.usual import usual_values
from sereno.prepare.grid import build_window, infer_step
from sereno.store import Store, StoredAsset

__all__ = ["MAX_LOADS", "LoadPrediction", "Prediction", "Predictor"]

PROFILE = "load"
MAX_LOADS = 50
"""Most loads of a site that one question is answered for."""
SIGNALS = ("power", "energy")
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LoadPrediction:
    """What the load of one asset is in one step.

    Attributes:
        power_kw: Middle of the distribution, mean over the step [kW].
        band_kw: Lower and upper end of the 90 % band [kW].
        weather_effect_kw: How much of it is due to the given weather; 0 where the forecaster makes no use
            of it.
        forecast: What it comes from.
    """

    asset: AssetKey
    power_kw: float
    band_kw: tuple[float, float]
    weather_effect_kw: float
    forecast: Forecast

    @property
    def start(self) -> datetime:
        """Of the step, UTC."""
        return from_numpy(self.forecast.time[0])


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the loads of a site are at an instant.

    Attributes:
        loads: Up to `MAX_LOADS`, by name.
        model_version: Kind and digest of the forecaster.
        local: The instant on the clock of the site.
    """

    loads: Sequence[LoadPrediction]
    model_version: str
    local: datetime


@dataclass(frozen=True, slots=True)
class _Model:
    """A forecaster's file, read."""

    trained: TrainedForecaster
    signal: str
    step: timedelta
    version: str
    path: Path


class Predictor:
    """Answers from the newest forecaster of a workspace; it is read once, and again when it has changed."""

    def __init__(self, setup: Setup, store: Store) -> None:
        self._setup = setup
        self._store = store
        self._shelf = ForecasterShelf(setup, store)
        self._read: tuple[tuple[object, ...], _Model] | None = None

    def path(self) -> Path | None:
        """The forecaster that answers; None without one that can be used."""
        model = self._model()
        return None if model is None else model.path

    def predict(
        self, instant: datetime, weather: Mapping[str, float], *, site: str | None = None
    ) -> Prediction:
        """The loads of a site in the step that holds an instant, from all readings before it.

        Instants that the forecaster does not reach, more than seven days after the last reading or before
        the first, get the usual values of that time of day.

        Args:
            instant: On the clock of the site when naive.
            weather: By signal of the profile, at that instant.
            site: Its name; the first that has loads when None.

        Raises:
            ForecasterMissing: None can be used.
            NoReadings: There is no load, or none of that site.
            NothingToForecast: None of them has a sound value.
        """
        model = self._model()
        if model is None:
            raise ForecasterMissing(workspace=str(self._setup.folder))
        assets = self._loads(site)
        zone = assets[0].zone
        at = instant.replace(tzinfo=ZoneInfo(zone)) if instant.tzinfo is None else instant
        at = at.astimezone(UTC)
        recent = [one for asset in assets if (one := self._recent(asset, model, at)) is not None]
        reached = _reached(model, recent, weather)
        loads: list[LoadPrediction] = []
        problem: SerenoError | None = None
        for asset in assets:
            try:
                loads.append(reached.get(asset.key) or self._usual(asset, model, at))
            except NothingToForecast as error:
                problem = error
        if not loads and problem is not None:
            raise problem
        return Prediction(loads, model.version, at.astimezone(ZoneInfo(zone)))

    def _model(self) -> _Model | None:
        """The forecaster of loads that was last learnt and can be used, one of power before one of energy."""
        with self._store.read() as tx:
            versions = [one for one in tx.forecasters() if one.is_active and _is_of_loads(one.card)]
        for stored in sorted(versions, key=lambda one: one.card.signal != SIGNALS[0]):
            path = self._shelf.path(stored)
            status = path.stat() if path.is_file() else None
            stamp = (path, status and status.st_mtime_ns, status and status.st_size)
            if self._read is not None and self._read[0] == stamp:
                return self._read[1]
            trained = self._shelf.current(stored)
            if trained is None:
                continue
            step = timedelta(seconds=stored.card.step_s)
            version = f"{stored.card.detector}-{stored.card.digest[:12]}"
            self._read = stamp, _Model(trained, stored.card.signal, step, version, path)
            return self._read[1]
        return None

    def _loads(self, site: str | None) -> list[StoredAsset]:
        with self._store.read() as tx:
            assets = sorted(tx.assets(PROFILE), key=lambda one: one.key)
        names = [one.key.site for one in assets]
        wanted = site if site is not None else next(iter(names), "")
        found = [one for one in assets if one.key.site == wanted]
        if not found:
            detail = f"there is no load of a site '{wanted}'" if names else "no load has been ingested yet"
            raise NoReadings(file=str(self._setup.folder), detail=detail)
        return found[:MAX_LOADS]

    def _recent(self, asset: StoredAsset, model: _Model, at: datetime) -> Window | None:
        """What is known before a step, with a last row for the step itself; None where it is too little."""
        start = _step_start(at, model.step, asset.zone, None)
        window = self._window(asset, model.step, start - model.trained.lookback - DAY, start + model.step)
        if window is None or model.signal not in window.signals:
            return None
        begin = to_numpy(_step_start(at, model.step, asset.zone, window.time[0]))
        known = window.rows(0, int(np.searchsorted(window.time, begin)))
        values = known.values[:, window.signals.index(model.signal)]
        sound = np.flatnonzero(np.isfinite(values))
        if not len(sound) or begin - known.time[sound[-1]] > np.timedelta64(LONGEST_HORIZON):
            return None
        return _extended(known, begin)

    def _usual(self, asset: StoredAsset, model: _Model, at: datetime) -> LoadPrediction:
        window = self._window(asset, model.step, None, None)
        start = _step_start(at, model.step, asset.zone, None)
        if window is None:
            raise NothingToForecast(signal=model.signal, asset=str(asset.key), origin=start.isoformat())
        said = usual_values(window, model.signal, start, model.step)
        return _told(said, said)

    def _window(
        self, asset: StoredAsset, step: timedelta, start: datetime | None, end: datetime | None
    ) -> Window | None:
        """Sound readings on the grid of the forecaster; None where there are none or of another step."""
        with self._store.read() as tx:
            rows = tx.rows(asset.id, asset.profile, start=start, end=end)
        if not len(rows) or (infer_step(rows.time) or step) != step:
            return None
        cells = rows.time, rows.values, rows.quality
        window = build_window(asset.key, asset.profile, rows.signals, cells, step, zone=asset.zone)
        return sound_window(window, self._setup.profiles[asset.profile])


def _is_of_loads(card: ForecasterCard) -> bool:
    return card.settings.get("source") == PROFILE and card.signal in SIGNALS


def _step_start(at: datetime, step: timedelta, zone: str, anchor: np.datetime64 | None) -> datetime:
    """Start of the step that holds an instant: on a grid, or as the day of the zone is parted."""
    instant = to_numpy(at)
    width = np.timedelta64(step)
    if anchor is not None and step < DAY:
        return from_numpy(anchor + (instant - anchor) // width * width)
    local = local_time(np.array([instant]), zone)
    into = (local - local.astype("datetime64[D]")) % width
    if step < DAY:
        return from_numpy((instant - into)[0])
    return from_numpy(to_utc(local - into, zone)[0])


def _extended(window: Window, at: np.datetime64) -> Window:
    """The window with one more row, of which nothing is known."""
    n_signals = len(window.signals)
    return replace(
        window,
        time=np.append(window.time, at),
        values=np.vstack([window.values, np.full(n_signals, np.nan)]),
        quality=np.vstack([window.quality, np.zeros(n_signals, dtype=np.int32)]),
    )


def _with_weather(window: Window, weather: Mapping[str, float]) -> Window:
    """The window with the weather in its last row, of those signals that it has."""
    values = window.values.copy()
    for signal in set(weather) & set(window.signals):
        values[-1, window.signals.index(signal)] = weather[signal]
    return replace(window, values=values)


def _reached(
    model: _Model, windows: Sequence[Window], weather: Mapping[str, float]
) -> dict[AssetKey, LoadPrediction]:
    """What the forecaster says of the step of each window's last row, with the weather and without."""
    given = [_with_weather(one, weather) for one in windows]
    found: dict[AssetKey, LoadPrediction] = {}
    for origin in {one.time[-1] for one in windows}:
        some = [one for one in (*given, *windows) if one.time[-1] == origin]
        said = model.trained.forecast_many(some, from_numpy(origin), model.step)
        half = len(said) // 2
        for one, plain in zip(said[:half], said[half:], strict=True):
            found[one.asset] = _told(one, plain)
    return found


def _told(said: Forecast, plain: Forecast) -> LoadPrediction:
    """A forecast of one step as power [kW]; energies [kWh] are those of the step."""
    per_hour = _HOUR / said.step if said.signal == "energy" else 1.0
    low, high = said.band
    return LoadPrediction(
        said.asset,
        float(said.median[0]) * per_hour,
        (float(low[0]) * per_hour, float(high[0]) * per_hour),
        float(said.median[0] - plain.median[0]) * per_hour,
        said,
    )
