"""Three zones of a city, forecast a day and an hour ahead: sereno and other libraries on the same origins."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import polars as pl

from benchmarks.common import DATA_VARIABLE, Goal, Options, publish, tell
from benchmarks.forecast_peers import MlForecastPeer, Peer, StatsForecastPeer
from benchmarks.openstef import Asked, Said, answers, interpreter_with_openstef
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import AssetKey
from sereno.forecast.backtest import AssetFigures, Backtest, backtest, dated
from sereno.forecast.registry import build_forecaster

__all__ = ["City", "main", "read_city"]

DAY, HOUR, STEP = timedelta(days=1), timedelta(hours=1), timedelta(minutes=10)
PER_DAY, PER_HOUR = DAY // STEP, HOUR // STEP
SIGNAL = "power"
COUNTRY = "MA"
ZONES = ("Zone1", "Zone2", "Zone3")
WEATHER = ("Temperature", "Humidity", "Wind Speed", "general diffuse flows", "diffuse flows")
TRAIN_UNTIL = date(2017, 8, 1)
TEST_SHARE = 0.2
OPENSTEF_RATIO, MLFORECAST_RATIO = 0.80, 0.91
COVERAGE = (88.0, 93.0)
PERCENT = 100.0
PROTOCOL = (
    "10-minute load of three zones. Day ahead: origins at midnight of the file, 144 steps; one hour: origins "
    "every hour, 6 steps. sereno learns before the first origin and once a day what came since; no weather. "
    "Peers learn once before the first origin and are given all values before each; they are asked at fewer "
    "origins (`origins`), and sereno's figures on exactly those stand beside them (`sereno_mase`). OpenSTEF "
    "learns anew every week, as its own storage has it, with its presets and their defaults; its models are "
    "asked without weather, as sereno is, and with the true weather of the day to come, which nobody has; "
    "sereno is compared with whichever turned out best. MASE scale: mean absolute difference to the day "
    "before over the training rows. Features, penalties and weights were chosen on the training rows and the "
    "series of benchmarks.loads; the rank of the bands was changed after August and September had been seen "
    "once, so their coverage there is no untouched test; the weight of the last week and the "
    "width on holidays were chosen on March to July."
)


@dataclass(frozen=True, slots=True)
class City:
    """What the file holds.

    Attributes:
        values: Load [kW], shape (zones, rows).
        weather: Shape (columns, rows).
    """

    start: datetime
    values: FloatArray
    weather: FloatArray

    @property
    def end(self) -> datetime:
        """End of the last row."""
        return self.start + self.values.shape[1] * STEP

    def place(self, instant: datetime) -> int:
        """Row of an instant."""
        return (instant - self.start) // STEP

    def windows(self, *, with_weather: bool = False) -> list[Window]:
        """One per zone."""
        n_rows = self.values.shape[1]
        time = np.datetime64(self.start.replace(tzinfo=None), "us") + np.arange(n_rows) * np.timedelta64(STEP)
        names = (SIGNAL, "temperature") if with_weather else (SIGNAL,)
        columns = [np.stack([one, self.weather[0]][: len(names)], axis=1) for one in self.values]
        return [
            Window(AssetKey("Tetuan", zone), "load", names, time, one, np.zeros(one.shape, np.int32), STEP)
            for zone, one in zip(ZONES, columns, strict=True)
        ]


def read_city(folder: Path) -> City:
    """The longest file of the folder; month first, columns by name.

    Raises:
        SystemExit: There is none.
    """
    files = sorted(folder.glob("*.csv"), key=lambda file: file.stat().st_size)
    if not files:
        raise SystemExit("no file: --data names a folder with tetuan/*.csv")
    frame = pl.read_csv(files[-1])
    frame = frame.rename(
        {name: " ".join(name.replace(" Power Consumption", "").split()) for name in frame.columns}
    )
    frame = frame.rename({name: name.replace("Zone ", "Zone") for name in frame.columns})
    first = frame[frame.columns[0]][0]
    day, _, clock = str(first).partition(" ")
    month, number, year = (int(part) for part in day.split("/"))
    hour, minute = (int(part) for part in clock.split(":")[:2])
    start = datetime(year + 2000 * (year < 100), month, number, hour, minute, tzinfo=UTC)
    values = frame.select(pl.col(ZONES).cast(pl.Float64)).to_numpy().T
    weather = frame.select(pl.col(WEATHER).cast(pl.Float64)).to_numpy().T
    return City(start, np.ascontiguousarray(values), np.ascontiguousarray(weather))


@dataclass(frozen=True, slots=True)
class Task:
    """One horizon, and the origins at which sereno and the peers are asked.

    Attributes:
        peer_every: Of a slower peer, by its name.
    """

    name: str
    horizon: timedelta
    every: timedelta
    peer_every: Mapping[str, timedelta]


DAY_AHEAD = Task("day_ahead", DAY, DAY, {"mlforecast": 3 * DAY, "statsforecast": 3 * DAY})
ONE_HOUR = Task("one_hour", HOUR, HOUR, {"mlforecast": 7 * HOUR})


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options, given = _options(arguments)
    if options.data is None:
        raise SystemExit(f"--data names the folder that holds tetuan/, or {DATA_VARIABLE} does")
    city = read_city(options.data / "tetuan")
    if given.seed_cut:
        from benchmarks.forecast_seed import seed_figures

        publish(
            options, seed_figures(city.values[1], city.weather, city.start, is_quick=options.is_quick), {}
        )
        return
    interpreter = interpreter_with_openstef(given.openstef_python)
    start, end = _period(city, given)
    figures: dict[str, Any] = {"train_until": start.isoformat(), "test_until": end.isoformat()}
    kinds = ["ridge", "seasonal_naive"]
    kinds += ["mixed"] if find_spec("lightgbm") and not options.is_quick else []
    by_kind: dict[str, dict[str, list[AssetFigures]]] = {}
    for task in (DAY_AHEAD, ONE_HOUR):
        by_kind[task.name] = {
            kind: _ours(kind, city, start, end, task)
            for kind in kinds
            if task is DAY_AHEAD or kind != "seasonal_naive"
        }
        ours = {name: _shown(one) for name, one in by_kind[task.name].items()}
        naive = _naive(city, start, end, task)
        peers = {name: _beside(name, city, start, end, task, options) for name in _PEERS}
        figures[task.name] = {"sereno": ours.pop("ridge"), **naive, **ours, **peers}
    figures["day_ahead"]["openstef"] = _beside_openstef(city, start, end, options, interpreter)
    figures["bands"] = _bands(by_kind["day_ahead"]["ridge"])
    figures["protocol"] = PROTOCOL
    publish(options, figures, _goals(figures))


def _ours(kind: str, city: City, start: datetime, end: datetime, task: Task) -> list[AssetFigures]:
    tell(f"{task.name}: {kind}")
    common: dict[str, object] = {"days_ahead": 1, "country": COUNTRY}
    forecaster = build_forecaster(kind, SIGNAL, common=common)
    plan = Backtest(start, end, task.horizon, task.every, refit_every=DAY)
    return backtest(forecaster, [dated(one) for one in city.windows()], plan)


def _naive(city: City, start: datetime, end: datetime, task: Task) -> dict[str, object]:
    """The same time of the day and of the week before; within the hour, with the last error as it fades."""
    origins = _origins(city, start, end, task.horizon, task.every)
    steps = np.arange(task.horizon // STEP)
    targets = origins[:, None] + steps
    actual = city.values[:, targets]
    scale = _scale(city, start)
    found: dict[str, object] = {}
    for name, back in (("day_naive", PER_DAY), ("week_naive", 7 * PER_DAY)):
        said = city.values[:, targets - back]
        if task is ONE_HOUR:
            last = city.values[:, origins - 1] - city.values[:, origins - 1 - back]
            said = said + last[:, :, None] * 0.97**steps
        found[name] = _figures(np.abs(said - actual), scale)
    return found


def _scale(city: City, start: datetime) -> FloatArray:
    taught = city.values[:, : city.place(start)]
    scale: FloatArray = np.abs(taught[:, PER_DAY:] - taught[:, :-PER_DAY]).mean(axis=1)
    return scale


def _origins(city: City, start: datetime, end: datetime, horizon: timedelta, every: timedelta) -> np.ndarray:
    last = city.place(end) - horizon // STEP
    return np.arange(city.place(start), last + 1, every // STEP)


def _figures(errors: FloatArray, scale: FloatArray) -> dict[str, object]:
    """Errors (zones, origins, steps) as figures."""
    mae = errors.mean(axis=(1, 2))
    return {
        "mase": _short(float((mae / scale).mean())),
        "mase_by_zone": [_short(one) for one in (mae / scale).tolist()],
        "mae_by_zone": [_short(one) for one in mae.tolist()],
        "origins": errors.shape[1],
    }


_PEERS: Mapping[str, Callable[[], Peer]] = {
    "mlforecast": MlForecastPeer,
    "statsforecast": StatsForecastPeer,
}


def _beside(
    name: str, city: City, start: datetime, end: datetime, task: Task, options: Options
) -> dict[str, object] | None:
    """A peer on its origins with sereno on the same; None where it is not installed or not asked."""
    peer = _PEERS[name]()
    if name not in task.peer_every or not peer.is_here:
        return None
    tell(f"{task.name}: {name}")
    origins = _origins(city, start, end, task.horizon, task.peer_every[name])
    origins = origins[:2] if options.is_quick else origins
    n_steps = task.horizon // STEP
    begun = process_time()
    peer.fit(city.values[:, : city.place(start)], city.weather[:, : city.place(start)], city.start)
    fit_s = process_time() - begun
    said = np.stack(
        [peer.predict(city.values[:, :origin], city.weather, city.start, n_steps) for origin in origins],
        axis=1,
    )
    actual = city.values[:, origins[:, None] + np.arange(n_steps)]
    ours = _at_origins(city, start, origins, n_steps)
    shown = _figures(np.abs(said - actual), _scale(city, start))
    own = _figures(np.abs(ours - actual), _scale(city, start))
    return {
        **shown,
        "sereno_mase": own["mase"],
        "ratio": _short(float(str(own["mase"])) / float(str(shown["mase"]))),
        "fit_cpu_s": _short(fit_s),
        "predict_cpu_s": _short(process_time() - begun - fit_s),
    }


def _beside_openstef(
    city: City, start: datetime, end: datetime, options: Options, interpreter: str | None
) -> dict[str, object] | None:
    """Each of its models on the origins of sereno, and the ratio to the best; None where it is not there."""
    if interpreter is None:
        return None
    origins = _origins(city, start, end, DAY, DAY)
    origins = origins[:2] if options.is_quick else origins
    actual, scale = city.values[:, origins[:, None] + np.arange(PER_DAY)], _scale(city, start)
    own = _figures(np.abs(_at_origins(city, start, origins, PER_DAY) - actual), scale)
    asked = Asked(city.values, city.weather, city.start, STEP, origins, PER_DAY)
    models = [
        _model_of_openstef(one, actual, scale)
        for one in answers(interpreter, asked, is_quick=options.is_quick)
    ]
    best = min(models, key=lambda one: float(str(one["mase"])))
    ratio = _short(float(str(own["mase"])) / float(str(best["mase"])))
    return {"best": best, "sereno_mase": own["mase"], "ratio": ratio, "models": models}


def _model_of_openstef(said: Said, actual: FloatArray, scale: FloatArray) -> dict[str, object]:
    low, middle, high = np.moveaxis(said.quantiles, -1, 0)
    inside = ((low <= actual) & (actual <= high)).mean(axis=(1, 2))
    return {
        "model": said.model,
        "knows_weather": said.knows_weather,
        **_figures(np.abs(middle - actual), scale),
        "coverage_by_zone": [_short(PERCENT * one) for one in inside.tolist()],
        "fit_cpu_s": _short(said.fit_cpu_s),
        "predict_cpu_s": _short(said.predict_cpu_s),
        "version": said.version,
    }


def _at_origins(city: City, start: datetime, origins: np.ndarray, n_steps: int) -> FloatArray:
    """Medians of sereno at these origins, refitted once a day, shape (zones, origins, steps)."""
    windows = city.windows()
    trained = build_forecaster("ridge", SIGNAL, {"days_ahead": 1, "country": COUNTRY}).fit(
        [one.rows(0, city.place(start)) for one in windows]
    )
    said, taught = [], city.place(start)
    for origin in origins.tolist():
        if origin - taught >= PER_DAY:
            taught = origin // PER_DAY * PER_DAY
            trained = trained.refit([one.rows(0, taught) for one in windows])
        known = [one.rows(max(0, origin - 30 * PER_DAY), origin) for one in windows]
        made = trained.forecast_many(known, city.start + origin * STEP, n_steps * STEP)
        said.append(np.stack([one.median for one in made]))
    return np.stack(said, axis=1)


def _shown(figures: Sequence[AssetFigures]) -> dict[str, object]:
    return {
        "mase": _short(float(np.mean([one.mase for one in figures]))),
        "mase_by_zone": [_short(one.mase) for one in figures],
        "mae_by_zone": [_short(one.mae) for one in figures],
    }


def _bands(figures: Sequence[AssetFigures]) -> dict[str, object]:
    by_hour = np.mean([one.coverage_by_hour for one in figures], axis=0)
    return {
        "coverage_by_zone": [_short(PERCENT * one.coverage) for one in figures],
        "coverage_by_hour": [_short(PERCENT * one) for one in by_hour.tolist()],
        "winkler": _short(PERCENT * float(np.mean([one.winkler / one.level for one in figures]))),
    }


def _goals(figures: Mapping[str, object]) -> dict[str, Goal]:
    day: Mapping[str, Mapping[str, object]] = figures["day_ahead"]  # type: ignore[assignment]
    bands: Mapping[str, list[float]] = figures["bands"]  # type: ignore[assignment]
    ours, naive = day["sereno"]["mase_by_zone"], day["day_naive"]["mase_by_zone"]
    worst = max(one / other for one, other in zip(ours, naive, strict=True))  # type: ignore[call-overload]
    return {
        "ratio_to_openstef": Goal(_ratio(day["openstef"]), OPENSTEF_RATIO),
        "ratio_to_mlforecast": Goal(_ratio(day["mlforecast"]), MLFORECAST_RATIO),
        "worst_zone_to_day_naive": Goal(_short(worst), 1.0),
        "least_coverage": Goal(min(bands["coverage_by_zone"]), COVERAGE[0], is_floor=True),
        "most_coverage": Goal(max(bands["coverage_by_zone"]), COVERAGE[1]),
    }


def _ratio(peer: Mapping[str, object] | None) -> float | None:
    return None if peer is None else float(str(peer["ratio"]))


def _period(city: City, given: argparse.Namespace) -> tuple[datetime, datetime]:
    start = datetime.combine(given.train_until or TRAIN_UNTIL, datetime.min.time(), UTC)
    end = city.end
    if given.test_until:
        end = min(end, datetime.combine(given.test_until, datetime.min.time(), UTC))
    return start, min(end, start + 3 * DAY) if given.quick else end


def _options(arguments: Sequence[str] | None) -> tuple[Options, argparse.Namespace]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quick", action="store_true", help="three days instead of all")
    parser.add_argument("--data", type=Path, help=f"folder that holds tetuan/, otherwise {DATA_VARIABLE}")
    parser.add_argument("--train-until", type=date.fromisoformat, help="first day of the test, as 2017-08-01")
    parser.add_argument("--test-until", type=date.fromisoformat, help="day after the last of the test")
    parser.add_argument("--seed-cut", action="store_true", help="the first system's own task instead")
    parser.add_argument(
        "--openstef-python", type=Path, help="interpreter that has OpenSTEF, where this one has not"
    )
    given = parser.parse_args(arguments)
    folder = given.data or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    return Options(given.json, given.quick, folder, None), given


def _short(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
