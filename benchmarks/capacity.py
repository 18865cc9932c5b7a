"""What each stage costs per million readings and per thousand meters, and what that makes for a country.

Processor seconds of one process with one thread. Meters of 15 minutes: 60 days of them are read from a CSV
file and stored, judged from their beginning, and forecast for a day; four weeks of them are learnt. A fleet
half as large tells whether the cost of a meter grows. The arithmetic below is a multiplication.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import polars as pl

from benchmarks.common import Goal, own_peak_mb, parse_options, publish, tell
from benchmarks.scale_fleet import NOW, PROFILE, START, STEP, write_fleet
from sereno.domain.readings import Window
from sereno.flows.blocks import judge_block, on_grid, train_block
from sereno.flows.build import Setup, open_setup
from sereno.flows.forecasting import ForecastRequest, forecast_windows
from sereno.flows.learning import training_plan
from sereno.flows.train import sound_window
from sereno.flows.workspace import Workspace
from sereno.scale.blocks import Block
from sereno.scale.lake import Lake
from sereno.scale.local import with_one_thread

__all__ = ["main"]

N_METERS, QUICK_METERS = 60, 4
N_DAYS, QUICK_DAYS = 60, 20
LEARNT_DAYS, QUICK_LEARNT_DAYS = 28, 10
MAX_GROWTH = 0.15
MILLION, THOUSAND = 1e6, 1e3
DAY = timedelta(days=1)
SECONDS_PER_DAY = 86_400.0
FLEETS = (1_000_000, 10_000_000)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("capacity", str(__doc__), arguments)
    with_one_thread()
    n_meters = QUICK_METERS if options.is_quick else N_METERS
    days, learnt = (QUICK_DAYS, QUICK_LEARNT_DAYS) if options.is_quick else (N_DAYS, LEARNT_DAYS)
    with TemporaryDirectory(prefix="sereno-capacity-") as folder:
        _stages(Path(folder) / "first", 2, days, learnt)  # what is imported on first use costs once
        half = _stages(Path(folder) / "half", n_meters // 2, days, learnt)
        whole = _stages(Path(folder) / "whole", n_meters, days, learnt)
    n_readings = n_meters * days * (DAY // STEP)
    figures: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "meters": n_meters,
        "readings": n_readings,
        "learnt_days": learnt,
        "stages": {name: _cost(seconds, n_meters, n_readings) for name, seconds in whole.items()},
        "growth": {name: round(whole[name] / (2 * half[name]), 3) for name in whole},
        "peak_mb": round(own_peak_mb()),
    }
    figures["fleets"] = {str(n): _arithmetic(figures["stages"], n) for n in FLEETS}
    worst = max(figures["growth"].values()) - 1
    publish(options, figures, {"growth": Goal(None if options.is_quick else worst, MAX_GROWTH)})


def _stages(folder: Path, n_meters: int, days: int, learnt: int) -> dict[str, float]:
    """Processor seconds of each stage."""
    tell(f"{n_meters} meters")
    write_fleet(folder / "lake", n_meters, days * (DAY // STEP), per_file=n_meters)
    setup = open_setup(folder / "workspace", clock=lambda: NOW, language="en")
    profile = setup.profiles[PROFILE]
    lake = Lake(str(folder / "lake"))
    rows: list[Window] = []
    seconds = {"ingest": _ingest(folder, setup)}
    block = Block(PROFILE, tuple(lake.keys()))
    seconds["read_lake"] = _processor(lambda: rows.extend(lake.read(block, profile)))
    plan = training_plan(setup, profile, None, None)
    begun = process_time()
    model = train_block(rows, plan, before=START + timedelta(days=learnt))
    seconds["train"] = process_time() - begun
    seconds["score"] = _processor(lambda: judge_block(rows, profile, model, now=NOW))
    asked = ForecastRequest(DAY)
    seconds["forecast"] = _processor(
        lambda: forecast_windows(
            [sound_window(on_grid(one), profile) for one in rows], profile, setup.settings.forecast, asked
        )
    )
    return seconds


def _ingest(folder: Path, setup: Setup) -> float:
    file = folder / "fleet.csv"
    pl.scan_parquet(folder / "lake" / "*.parquet").select(
        pl.col("site").alias("Site"),
        pl.col("asset").alias("Asset"),
        pl.col("time").dt.to_string("%Y-%m-%d %H:%M:%S").alias("Time"),
        pl.col("power").alias("Power kW"),
    ).collect().write_csv(file)
    with Workspace.open(setup.folder, clock=lambda: NOW, language="en") as workspace:
        return _processor(lambda: workspace.ingest(file, timezone="UTC", profile=PROFILE))


def _processor(work: Callable[[], object]) -> float:
    begun = process_time()
    work()
    return process_time() - begun


def _cost(seconds: float, n_meters: int, n_readings: int) -> dict[str, float]:
    return {
        "cpu_s_per_million_readings": round(seconds / n_readings * MILLION, 3),
        "cpu_s_per_thousand_meters": round(seconds / n_meters * THOUSAND, 2),
    }


def _arithmetic(stages: dict[str, dict[str, float]], n_meters: int) -> dict[str, float]:
    """Cores that a day's readings need all day long, and hours of 100 cores for what is done at times."""
    readings = n_meters * (DAY // STEP) / MILLION
    daily = sum(stages[name]["cpu_s_per_million_readings"] for name in ("read_lake", "score")) * readings
    hours = {
        name: round(stages[name]["cpu_s_per_thousand_meters"] * n_meters / THOUSAND / 3600 / 100, 2)
        for name in ("train", "forecast")
    }
    return {
        "million_readings_a_day": round(readings, 1),
        "cores_to_score_all_day": round(daily / SECONDS_PER_DAY, 2),
        "cores_to_ingest_all_day": round(
            stages["ingest"]["cpu_s_per_million_readings"] * readings / SECONDS_PER_DAY, 2
        ),
        "hours_of_100_cores_to_train": hours["train"],
        "hours_of_100_cores_to_forecast": hours["forecast"],
    }


if __name__ == "__main__":
    main()
