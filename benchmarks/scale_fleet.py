"""A synthetic fleet in Parquet files, and what one engine makes of it: `python -m benchmarks.scale_fleet …`.

One process for each measurement, so that memory and processor time are its own. Prints one JSON document.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import polars as pl

from benchmarks.common import BYTES_PER_MB, RSS_UNIT, own_peak_mb
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey, Profile
from sereno.flows.blocks import judge_block, train_block
from sereno.flows.build import Setup, open_setup
from sereno.flows.lake import score_lake, train_lake
from sereno.flows.lake_fleet import LakeRequest
from sereno.flows.learning import training_plan
from sereno.scale.blocks import Block, cut_blocks
from sereno.scale.local import with_one_thread

__all__ = ["PROFILE", "START", "STEP", "main", "write_fleet"]

PROFILE, SIGNAL = "load", "power"
START = datetime(2024, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=15)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ASSETS_PER_SITE = 10
MB_PER_GB = 1000.0
_DAY_HOURS, _WEEK_DAYS, _WORKDAYS = 24.0, 7, 5


def write_fleet(folder: Path, n_assets: int, n_rows: int, *, per_file: int, seed: int = 0) -> None:
    """Meters with a daily and a weekly shape and noise; every tenth stands for some hours at the end."""
    folder.mkdir(parents=True)
    step = np.timedelta64(STEP // timedelta(microseconds=1), "us")
    time = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(n_rows) * step
    hours = np.arange(n_rows) * (STEP / timedelta(hours=1))
    shape = (
        1 + 0.4 * np.sin(2 * np.pi * (hours - 8) / _DAY_HOURS) - 0.2 * (hours // _DAY_HOURS % _WEEK_DAYS >= 5)
    )
    for first in range(0, n_assets, per_file):
        frames = []
        for asset in range(first, min(first + per_file, n_assets)):
            rng = np.random.default_rng([seed, asset])
            values = rng.lognormal(3.0, 1.0) * shape * (1 + 0.05 * rng.normal(size=n_rows))
            if asset % ASSETS_PER_SITE == 0:
                values[-n_rows // 20 : -n_rows // 40] = 0.0
            names = {"site": f"Site {asset // ASSETS_PER_SITE:05d}", "asset": f"Meter {asset:06d}"}
            frames.append(
                pl.DataFrame({"time": time, SIGNAL: np.round(values, 3)}).with_columns(
                    *(pl.lit(text).alias(name) for name, text in names.items())
                )
            )
        pl.concat(frames).write_parquet(folder / f"part-{first // per_file:04d}.parquet")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and score a fleet with one engine."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_fleet")
    parser.add_argument("engine", choices=["local", "dask", "polars"])
    parser.add_argument("lake")
    parser.add_argument("folder", type=Path, help="workspace and results")
    parser.add_argument("--block", type=int, required=True)
    parser.add_argument("--days", type=int, required=True, help="days that are learnt from")
    parser.add_argument("--kill-after", type=float, help="seconds after which a worker is killed")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True)
    executor = f"executor: {{kind: {given.engine}, workers: 2, block_assets: {given.block}}}\n"
    (given.folder / "sereno.yaml").write_text("" if given.engine == "polars" else executor, encoding="utf-8")
    setup = open_setup(given.folder, clock=lambda: NOW, language="en")
    wanted = LakeRequest(
        given.lake, str(given.folder / "results"), PROFILE, before=START + timedelta(days=given.days)
    )
    killer = _Killer(given.kill_after)
    begun = perf_counter()
    run = _by_loop if given.engine == "polars" else _by_blocks
    train_s, score_s, n_rows, digest = run(setup, wanted, given.block)
    print(
        json.dumps(
            {
                "seconds": round(perf_counter() - begun, 2),
                "train_s": round(train_s, 2),
                "score_s": round(score_s, 2),
                "cpu_seconds": round(_cpu_seconds(), 2),
                "rows": n_rows,
                "rows_per_s": round(n_rows / (perf_counter() - begun)),
                "peak_gb": round(_peak_gb(), 3),
                "digest": digest,
                "killed": killer.killed,
            }
        )
    )


def _by_blocks(setup: Setup, wanted: LakeRequest, _block: int) -> tuple[float, float, int, str]:
    begun = perf_counter()
    train_lake(setup, wanted)
    trained = perf_counter()
    report = score_lake(setup, wanted)
    listed = pl.read_parquet(f"{wanted.output}/assets/*.parquet").sort("site", "asset")
    said = listed.select("site", "asset", "digest").iter_rows()
    return trained - begun, perf_counter() - trained, report.counts["rows"], _digest(said)


def _by_loop(setup: Setup, wanted: LakeRequest, block: int) -> tuple[float, float, int, str]:
    """The same with polars and a loop: no executor, no files between, nothing that could be resumed."""
    with_one_thread()
    profile = setup.profiles[PROFILE]
    plan = training_plan(setup, profile, None, None)
    scan = pl.scan_parquet(f"{wanted.lake}/*.parquet")
    keys = [AssetKey(*row) for row in scan.select("site", "asset").unique().collect().iter_rows()]
    said, n_rows = [], 0
    train_s = score_s = 0.0
    for one in cut_blocks(PROFILE, keys, size=block):
        begun = perf_counter()
        rows = list(_windows(scan, one, profile))
        model = train_block(rows, plan, before=wanted.before)
        trained = perf_counter()
        judged = judge_block(rows, profile, model, now=NOW)
        said += [(a.asset.site, a.asset.asset, a.digest) for a in judged.assets]
        n_rows += sum(len(a.time) for a in judged.assets)
        train_s, score_s = train_s + trained - begun, score_s + perf_counter() - trained
    return train_s, score_s, n_rows, _digest(sorted(said))


def _windows(scan: pl.LazyFrame, block: Block, profile: Profile) -> Iterator[Window]:
    names = [key.asset for key in block.keys]
    parts = scan.filter(pl.col("asset").is_in(names)).collect().partition_by("asset", as_dict=True)
    for key in block.keys:
        frame = parts[key.asset,].sort("time")
        values = frame[SIGNAL].to_numpy()[:, None]
        quality = np.zeros(values.shape, dtype=np.int32)
        yield Window(key, profile.name, (SIGNAL,), frame["time"].to_numpy(), values, quality, None, "UTC")


def _digest(said: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> str:
    return hashlib.sha256("\n".join("|".join(one) for one in said).encode()).hexdigest()


class _Killer:
    """Kills one worker, once, when it is time."""

    def __init__(self, after: float | None) -> None:
        self.killed = False
        if after is not None:
            threading.Thread(target=self._kill, args=(after,), daemon=True).start()

    def _kill(self, after: float) -> None:
        sleep(after)
        while not (workers := multiprocessing.active_children()):
            sleep(0.1)
        pid = workers[0].pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self.killed = True


def _cpu_seconds() -> float:
    """Of this process and of its workers, which have all ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def _peak_gb() -> float:
    """Most memory of the largest process."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * RSS_UNIT / BYTES_PER_MB
    return max(own_peak_mb(), children) / MB_PER_GB


if __name__ == "__main__":
    main()
