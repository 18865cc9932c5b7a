"""Models that know their history by heart: perfect on what they have seen, and worth nothing beyond it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from sereno.domain.archive import pack, unpack
from sereno.domain.calendar import local_time
from sereno.domain.forecasts import QUANTILES, Forecast, Tier
from sereno.domain.judgement import Calibration, Memory, Scores
from sereno.domain.readings import FloatArray, TimeArray, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy, to_numpy


@dataclass(frozen=True)
class GrownForest:
    """A forest of fully grown trees over the instant, the time of day and the day of the week."""

    signal: str
    seed: int = 0

    def fit(self, history: Sequence[Window]) -> "TrainedForest":
        values = {
            one.asset: (one.time, one.values[:, one.signals.index(self.signal)])
            for one in history
            if len(one)
        }
        return TrainedForest(self.signal, self.seed, values)

    def load(self, state: bytes) -> "TrainedForest":
        header, arrays = unpack(state)
        assets: Any = header["assets"]
        values = {AssetKey(*key): (arrays[f"t{i}"], arrays[f"v{i}"]) for i, key in enumerate(assets)}
        return TrainedForest(str(header["signal"]), int(str(header["seed"])), values)


@dataclass(frozen=True)
class TrainedForest:
    signal: str
    seed: int
    values: dict[AssetKey, tuple[TimeArray, FloatArray]]

    @property
    def lookback(self) -> timedelta:
        return timedelta(days=1)

    def knows(self, asset: AssetKey) -> bool:
        return asset in self.values

    def forecast(self, window: Window, origin: datetime, horizon: timedelta) -> Forecast:
        from sklearn.ensemble import RandomForestRegressor

        time, values = self.values[window.asset]
        known = ~np.isnan(values)
        forest = RandomForestRegressor(10, bootstrap=False, max_features=1, random_state=self.seed, n_jobs=1)
        forest.fit(_features(time[known]), values[known])
        assert window.step is not None
        steps = to_numpy(origin) + np.arange(horizon // window.step) * np.timedelta64(window.step)
        made = forest.predict(_features(steps))
        quantiles = np.repeat(made[:, None], len(QUANTILES), axis=1)
        return Forecast(
            window.asset,
            self.signal,
            origin,
            origin,
            window.step,
            steps,
            QUANTILES,
            quantiles,
            Tier.CONSTANT,
            "grown",
        )

    def forecast_many(
        self, windows: Sequence[Window], origin: datetime, horizon: timedelta
    ) -> list[Forecast]:
        return [self.forecast(one, origin, horizon) for one in windows]

    def refit(self, history: Sequence[Window]) -> "TrainedForest":
        return GrownForest(self.signal, self.seed).fit(history)

    def dump(self) -> bytes:
        pairs = list(self.values.items())
        arrays = {f"t{i}": time for i, (_, (time, _)) in enumerate(pairs)}
        arrays |= {f"v{i}": own for i, (_, (_, own)) in enumerate(pairs)}
        header = {"signal": self.signal, "seed": self.seed, "assets": [[k.site, k.asset] for k, _ in pairs]}
        return pack(header, arrays)


def _features(time: TimeArray) -> FloatArray:
    day = local_time(time, "UTC").astype("datetime64[D]")
    clock = (time - day) / np.timedelta64(1, "h")
    number = day.astype(np.int64)
    return np.stack(
        [(time - np.datetime64("2024-01-01")) / np.timedelta64(1, "h"), clock, number % 7], axis=1
    )


@dataclass(frozen=True)
class RecitingDetector:
    """How far a row is from the nearest one that it has seen: 0 for each of its history."""

    profile: Profile
    rows: dict[AssetKey, FloatArray]

    @property
    def lookback(self) -> timedelta:
        return timedelta(0)

    def knows(self, asset: AssetKey) -> bool:
        return asset in self.rows

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        seen = self.rows[window.asset]
        apart = np.abs(window.values[:, None, :] - seen[None]).sum(axis=2).min(axis=1)
        scores = Scores(
            window.time,
            apart,
            np.full(window.values.shape, 1.0 / len(window.signals)),
            np.full(window.values.shape, np.nan),
            np.ones(window.values.shape, dtype=bool),
        )
        return scores, memory or Memory()

    def dump(self) -> bytes:
        return pack({}, {str(i): rows for i, rows in enumerate(self.rows.values())})


def calibrated_in_sample(calibration: Calibration, seen: FloatArray) -> Calibration:
    """A threshold just above everything that it gave its own history, as if that promised anything."""
    return replace(calibration, threshold=float(np.nanmax(seen)) + 1e-6, realised=0.0)


def last_seen(window: Window) -> datetime:
    """Start of the last row."""
    return from_numpy(window.time[-1])
