"""Many meters: 2,000 in a lake are learnt and judged by a pool of processes, by Dask and by a plain loop.

Each engine learns four weeks of 15-minute readings of every meter and judges all 25,000 readings of it, 50
million in all, in blocks of 125 meters. All must say the same, also when a worker is killed on the way.
Growth is that of processor time, which other work on the machine moves less than the clock.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.common import Goal, child_environment, parse_options, publish, tell
from benchmarks.scale_fleet import write_fleet

__all__ = ["main"]

MAX_GROWTH = 0.15
"""By how much the cost of a meter may differ between fleets, relative."""
MAX_MEMORY_GROWTH = 0.15
KILL_AT = 0.5
"""Share of an undisturbed training after which a worker is killed."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is to do.

    Attributes:
        fleets: Meters of the fleets whose cost is compared, the last of which all engines work on.
        days: Days of it that are learnt from.
    """

    fleets: tuple[int, ...]
    n_rows: int
    block: int
    days: int


BLOCKS_AT_LEAST = 4
"""Of the smallest fleet: two for each process. A process reads its first block before it has loaded what it
learns with (0.1 GB), so one block alone takes less memory than the next ones; that would look like growth."""
FULL = Size((500, 1_000, 2_000), 25_000, 500 // BLOCKS_AT_LEAST, 28)
QUICK = Size((8, 16, 32), 2_000, 8 // BLOCKS_AT_LEAST, 14)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("scale", str(__doc__), arguments)
    size = QUICK if options.is_quick else FULL
    if options.n_rows is not None:
        fleets = tuple(max(options.n_rows // size.n_rows * n // size.fleets[-1], 1) for n in size.fleets)
        size = Size(fleets, size.n_rows, max(min(size.block, fleets[0] // BLOCKS_AT_LEAST), 1), size.days)
    with TemporaryDirectory(prefix="sereno-scale-") as folder:
        figures = _measure(Path(folder), size)
    publish(options, figures, _goals(figures, is_quick=options.is_quick))


def _measure(folder: Path, size: Size) -> dict[str, Any]:
    tell(f"writing {size.fleets[-1]:,} meters of {size.n_rows:,} readings")
    write_fleet(folder / "fleet", size.fleets[-1], size.n_rows, per_file=size.block)
    lakes = {n: _first(folder, n, size.block) for n in size.fleets}
    work = _Work(folder, size)
    local = {n: work.run("local", lake, f"local {n:,}") for n, lake in lakes.items()}
    smallest, largest = size.fleets[0], size.fleets[-1]
    has_dask = find_spec("distributed") is not None
    dask = work.run("dask", lakes[largest], "dask") if has_dask else None
    loop = work.run("polars", lakes[largest], "polars")
    kill_after = KILL_AT * local[smallest]["train_s"]
    engines = ["local", "dask"] if has_dask else ["local"]
    killed = [work.run(one, lakes[smallest], f"{one}, a worker killed", kill_after) for one in engines]
    digests = {one["digest"] for one in (local[largest], dask, loop) if one is not None}
    return {
        "assets": largest,
        "readings": largest * size.n_rows,
        "local": _shown(local[largest]),
        "dask": None if dask is None else _shown(dask),
        "polars": _shown(loop),
        "digests_equal": len(digests) == 1,
        "killed_worker_equal": all(
            one["killed"] and one["digest"] == local[smallest]["digest"] for one in killed
        ),
        "growth": _growth(local),
        "digest": local[largest]["digest"],
    }


@dataclass(slots=True)
class _Work:
    """Runs of engines, each in a process and with results of its own."""

    folder: Path
    size: Size
    n_runs: int = 0

    def run(self, engine: str, lake: Path, name: str, kill_after: float | None = None) -> dict[str, Any]:
        """What an engine needed, as `scale_fleet` prints it."""
        tell(name)
        self.n_runs += 1
        command = [sys.executable, "-m", "benchmarks.scale_fleet", engine, str(lake)]
        command += [str(self.folder / f"run-{self.n_runs}")]
        command += ["--block", str(self.size.block), "--days", str(self.size.days)]
        command += [] if kill_after is None else ["--kill-after", str(kill_after)]
        done = subprocess.run(command, env=child_environment(), check=True, stdout=subprocess.PIPE, text=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        tell(f"  {found['seconds']} s, {found['cpu_seconds']} s of processors, {found['peak_gb']} GB")
        return found


def _first(folder: Path, n_assets: int, per_file: int) -> Path:
    """A lake of the first files of the fleet."""
    lake = folder / f"lake-{n_assets}"
    lake.mkdir()
    for place in range(-(-n_assets // per_file)):
        name = f"part-{place:04d}.parquet"
        os.link(folder / "fleet" / name, lake / name)
    return lake


def _shown(run: dict[str, Any]) -> dict[str, Any]:
    return {
        name: run[name] for name in ("seconds", "rows_per_s", "peak_gb", "cpu_seconds", "train_s", "score_s")
    }


def _growth(runs: dict[int, dict[str, Any]]) -> dict[str, Any]:
    per_meter = {n: run["cpu_seconds"] / n for n, run in runs.items()}
    peaks = [run["peak_gb"] for run in runs.values()]
    return {
        "assets": list(runs),
        "cpu_seconds": [run["cpu_seconds"] for run in runs.values()],
        "cpu_seconds_per_asset": [round(cost, 4) for cost in per_meter.values()],
        "spread": round(max(per_meter.values()) / min(per_meter.values()) - 1, 3),
        "peak_gb": peaks,
        "peak_spread": round(peaks[-1] / peaks[0] - 1, 3),
    }


def _goals(figures: dict[str, Any], *, is_quick: bool) -> dict[str, Goal]:
    """Few meters cost what starting processes costs: they say nothing of growth."""
    growth = figures["growth"]
    return {
        "digests_equal": Goal(float(figures["digests_equal"]), 1.0, is_floor=True),
        "killed_worker_equal": Goal(float(figures["killed_worker_equal"]), 1.0, is_floor=True),
        "growth": Goal(None if is_quick else growth["spread"], MAX_GROWTH),
        "memory_growth": Goal(None if is_quick else growth["peak_spread"], MAX_MEMORY_GROWTH),
    }


if __name__ == "__main__":
    main()
