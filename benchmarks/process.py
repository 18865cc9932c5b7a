"""Plants other than the pump rig, at its setting: water quality for months, chemistry, a water network."""

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import numpy as np
import polars as pl

from benchmarks.alarms import TRIVIAL, Judged, alarms_of, point_figures
from benchmarks.common import DATA_VARIABLE, Goal, Options, publish, tell
from benchmarks.skab import RELEASE, THRESHOLD
from benchmarks.volume import labelled_stretches
from sereno.detect.ewma import EwmaDetector
from sereno.domain.readings import BoolArray, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy
from sereno.settings.profiles import load_profiles

__all__ = ["Plant", "main", "read_plants"]

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WEEK = timedelta(weeks=1)
GECCO_TRAIN_ROWS = 14 * 24 * 60
BATADAL_TRAIN_ROWS = 6_000
TEP_STEP = timedelta(minutes=3)
TEP_FAULT_ROW = 160
QUICK_ROWS = 40_000
ON_DELAY, OFF_DELAY = 3, 6
"""Rows in a run that begin and end an alarm: for weeks of minutes a single row is no reason to call."""
MAX_FALSE_PER_WEEK = 3.0
PROTOCOL = (
    "The first rows of each plant teach (two weeks of minutes, 6,000 hours, the run without fault), the rest "
    "is judged causally by the detector, the defaults and the threshold of the skab benchmark. An episode is "
    "false when none of its rows is labelled."
)


@dataclass(frozen=True, slots=True)
class Plant:
    """One series: what teaches, then what is judged.

    Attributes:
        labels: Abnormal rows, shape (rows,).
    """

    name: str
    window: Window
    labels: BoolArray
    n_fit: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    begun = perf_counter()
    options, seed = _options(arguments)
    plants = [] if options.data is None else list(read_plants(options.data))
    if not plants:
        raise SystemExit("no plant: --data names a folder with gecco2018, tep_simulated or batadal_simulated")
    profile = load_profiles()["process"]
    figures, trivial = {}, {}
    for plant in plants:
        tell(plant.name)
        n_rows = min(len(plant.window), plant.n_fit + QUICK_ROWS if options.is_quick else len(plant.window))
        figures[plant.name], trivial[plant.name] = _judge(plant, n_rows, profile, seed)
    rates = [one["false_episodes_per_week"] for one in figures.values() if _number(one["normal_weeks"]) >= 1]
    publish(
        options,
        {
            "plants": figures,
            "trivial": trivial,
            "protocol": PROTOCOL,
            "seed": seed,
            "seconds": round(perf_counter() - begun, 1),
        },
        {"worst_false_episodes_per_week": Goal(max(map(_number, rates), default=None), MAX_FALSE_PER_WEEK)},
    )


def read_plants(data: Path) -> Iterator[Plant]:
    """The plants of a folder of data sets; those that are not there are passed over."""
    yield from _gecco(data / "gecco2018" / "geccoIC2018Train.parquet")
    yield from _batadal(data / "batadal_simulated")
    yield from _tep(data / "tep_simulated")


def _gecco(file: Path) -> Iterator[Plant]:
    if file.exists():
        frame = pl.read_parquet(file)
        yield _plant(
            "gecco2018", frame.drop("Time", "EVENT"), frame["EVENT"].cast(pl.Int8), GECCO_TRAIN_ROWS, MINUTE
        )


def _batadal(folder: Path) -> Iterator[Plant]:
    files = [folder / "dataset03.parquet", folder / "dataset04.parquet"]
    if all(file.exists() for file in files):
        frames = [
            frame.rename(str.strip).drop("DATETIME").cast(pl.Float64) for frame in map(pl.read_parquet, files)
        ]
        frame = pl.concat(frames)
        yield _plant("batadal", frame.drop("ATT_FLAG"), frame["ATT_FLAG"] > 0, BATADAL_TRAIN_ROWS, HOUR)


def _tep(folder: Path) -> Iterator[Plant]:
    normal = folder / "d00.parquet"
    if not normal.exists():
        return
    taught = pl.read_parquet(normal)
    for file in sorted(folder.glob("d*_te.parquet")):
        names = [name for name in taught.columns if name.startswith("xm")]
        signals = pl.concat([one.select(names).cast(pl.Float64) for one in (taught, pl.read_parquet(file))])
        row = np.arange(len(signals)) - len(taught)
        is_faulty = (row >= TEP_FAULT_ROW) & (file.stem != "d00_te")
        yield _plant(f"tep_{file.stem.removesuffix('_te')}", signals, is_faulty, len(taught), TEP_STEP)


def _plant(
    name: str, signals: pl.DataFrame, labels: pl.Series | BoolArray, n_fit: int, step: timedelta
) -> Plant:
    values = signals.cast(pl.Float64).to_numpy()
    time = np.datetime64("2020-01-01", "us") + np.arange(len(values)) * np.timedelta64(step)
    quality = np.zeros(values.shape, dtype=np.int32)
    window = Window(AssetKey("plant", name), "process", tuple(signals.columns), time, values, quality, step)
    return Plant(name, window, np.asarray(labels) > 0, n_fit)


def _judge(
    plant: Plant, n_rows: int, profile: Profile, seed: int
) -> tuple[dict[str, object], dict[str, object]]:
    """Figures of our detector, and of those that look at no data."""
    window, labels = plant.window.rows(0, n_rows), plant.labels[plant.n_fit : n_rows]
    trained = EwmaDetector(profile).fit([window.rows(0, plant.n_fit)])
    judged = trained.score(window)[0]
    scores = judged.values[plant.n_fit :]
    alarms = alarms_of(scores, THRESHOLD, RELEASE, on_delay=ON_DELAY, off_delay=OFF_DELAY)
    ours = _figures(Judged(labels, alarms, scores), window)
    begun = from_numpy(window.time[plant.n_fit])
    changes = {change.at for change in judged.changes if change.at >= begun}
    made = {name: one(len(labels), np.random.default_rng(seed)) for name, one in TRIVIAL.items()}
    trivial = {name: _figures(Judged(labels, *one), window) for name, one in made.items()}
    return {**ours, "regime_changes": len(changes)}, dict(trivial)


def _figures(judged: Judged, window: Window) -> dict[str, object]:
    step = window.step or MINUTE
    weeks = float((~judged.labels).sum() * (step / WEEK))
    episodes = labelled_stretches(judged.alarms)
    n_false = sum(not judged.labels[first:stop].any() for first, stop in episodes)
    return {
        **point_figures([judged], max_buffer=0),
        "false_episodes": n_false,
        "normal_weeks": round(weeks, 2),
        "false_episodes_per_week": float(f"{n_false / weeks:.4g}") if weeks else None,
    }


def _options(arguments: Sequence[str] | None) -> tuple[Options, int]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.process", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quick", action="store_true", help=f"at most {QUICK_ROWS} judged rows a plant")
    parser.add_argument("--seed", type=int, default=1, help="of the random detector")
    parser.add_argument("--data", type=Path, help=f"folder of data sets, otherwise {DATA_VARIABLE}")
    given = parser.parse_args(arguments)
    folder = given.data or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    return Options(given.json, given.quick, folder, None), given.seed


def _number(value: object) -> float:
    return value if isinstance(value, float) else float("nan")


if __name__ == "__main__":
    main()
