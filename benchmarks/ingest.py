"""How many readings (values) are stored durably per second, and whether memory stays flat with a big file.

First load: a file into an empty store. Repeated load: the same readings in a file of other bytes, so that
every value is compared with what is stored. Judged: the file that follows in time, with a trained model,
incidents and all. Memory: peak of a process that stores a big file beside one that stores a tenth of it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.common import (
    BYTES_PER_MB,
    Goal,
    Options,
    child_environment,
    own_peak_mb,
    parse_options,
    publish,
    tell,
)
from benchmarks.solar_export import Export, write_export, write_large_export
from benchmarks.solar_fleet import ZONE
from sereno import Workspace
from tests.support.postgres import PostgresMissing, fresh_database, running_postgres

__all__ = ["main"]

ROWS, QUICK_ROWS = 400_000, 10_000
SITES, QUICK_SITES = 50, 10
TRAINED_SHARE = 4
"""The model learns from the first quarter of the first file: how much it learnt does not change its speed."""
BYTES, QUICK_BYTES = 1_000_000_000, 50_000_000
BLOCK_HOURS, QUICK_BLOCK_HOURS = 2_190, 500
TENTH = 10

PLAIN_PER_S = 100_000.0
JUDGED_PER_S = 50_000.0
FLAT_RATIO = 1.25

_INGEST = "from benchmarks.ingest import ingest_alone; ingest_alone()"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("ingest", str(__doc__), arguments)
    with TemporaryDirectory(prefix="sereno-ingest-") as scratch:
        figures = _figures(Path(scratch), options)
    publish(options, figures, _goals(figures))


def ingest_alone() -> None:
    """Body of a child process: ingest the file of the arguments, print the peak of its memory [MB]."""
    folder, file = sys.argv[1:]
    with Workspace.open(folder) as workspace:
        list(workspace.ingest(file))
    print(own_peak_mb())


def _figures(scratch: Path, options: Options) -> dict[str, object]:
    tell("writing the files")
    files = _files(scratch, options)
    tell("SQLite")
    sqlite = _rates(_workspace(scratch / "sqlite", None), files)
    tell("PostgreSQL")
    with _postgres() as url:
        postgres = None if url is None else _rates(_workspace(scratch / "postgres", url), files)
    return {"sqlite": sqlite, "postgres": postgres, "memory": _memory(scratch, options)}


def _goals(figures: Mapping[str, object]) -> dict[str, Goal]:
    goals = {}
    for name in ("sqlite", "postgres"):
        rates = figures[name] or {}
        for load, floor in (("first", PLAIN_PER_S), ("repeat", PLAIN_PER_S), ("judged", JUDGED_PER_S)):
            rate = rates.get(f"{load}_per_s")  # type: ignore[attr-defined]
            goals[f"{name}_{load}_per_s"] = Goal(rate, floor, is_floor=True)
    memory: Mapping[str, float] = figures["memory"]  # type: ignore[assignment]
    growth = round(memory["peak_mb"] / memory["peak_mb_at_tenth"], 3)
    return goals | {"memory_growth": Goal(growth, FLAT_RATIO)}


def _files(scratch: Path, options: Options) -> tuple[Export, Export, Export]:
    """First load, the same readings in other bytes, and what follows in time."""
    n_rows = options.n_rows or (QUICK_ROWS if options.is_quick else ROWS)
    sites = QUICK_SITES if options.is_quick else SITES
    first, then = write_export(scratch / "first.csv", n_rows, sites)
    again = scratch / "again.csv"
    again.write_bytes(first.path.read_bytes() + b"\n")
    following, _ = write_export(scratch / "following.csv", n_rows, sites, start=then)
    return first, Export(again, first.n_values), following


def _workspace(folder: Path, url: str | None) -> Path:
    folder.mkdir()
    store = "" if url is None else f"store:\n  url: {json.dumps(url)}\n"
    (folder / "sereno.yaml").write_text(f"timezone: {ZONE}\n{store}", "utf-8")
    return folder


def _rates(folder: Path, files: tuple[Export, Export, Export]) -> dict[str, float]:
    first, again, following = files
    with Workspace.open(folder) as workspace:
        rates = {
            "first_per_s": _rate(workspace, first, n_new=first.n_values),
            "repeat_per_s": _rate(workspace, again, n_new=0),
        }
        tell("training")
        ends = workspace.last_reading_at()
        with workspace.store.read() as tx:
            begins = min(span[0] for asset in tx.assets() if (span := tx.span(asset.id)))
        assert ends is not None
        workspace.train(before=begins + (ends - begins) / TRAINED_SHARE)
        workspace.score()
        return rates | {"judged_per_s": _rate(workspace, following, n_new=following.n_values, judge=True)}


def _rate(workspace: Workspace, file: Export, *, n_new: int, judge: bool = False) -> float:
    begun = perf_counter()
    (result,) = workspace.ingest(file.path, judge=judge)
    seconds = perf_counter() - begun
    if result.is_refused or result.entry["readings_new"] != n_new:
        raise SystemExit(f"{file.path.name}: expected {n_new} new readings: {result.entry}")
    tell(f"{file.path.name}: {file.n_values} readings in {seconds:.1f} s")
    return round(file.n_values / seconds)


@contextmanager
def _postgres() -> Iterator[str | None]:
    """An empty database on a server of our own; None where there is none to start."""
    try:
        with running_postgres() as server, fresh_database(server) as url:
            yield url
    except PostgresMissing as missing:
        tell(str(missing))
        yield None


def _memory(scratch: Path, options: Options) -> dict[str, float]:
    """Peak memory of a process that stores a big file, and of one that stores a tenth of it."""
    n_bytes = QUICK_BYTES if options.is_quick else BYTES
    peaks = {}
    for share in (TENTH, 1):
        tell(f"a file of {n_bytes // share // BYTES_PER_MB} MB")
        file = scratch / f"large-{share}.csv"
        hours = QUICK_BLOCK_HOURS if options.is_quick else BLOCK_HOURS
        write_large_export(file, n_bytes // share, hours, SITES)
        peaks[share] = _peak_mb(_workspace(scratch / f"memory-{share}", None), file)
        size = file.stat().st_size
        file.unlink()
    return {"file_bytes": size, "peak_mb": peaks[1], "peak_mb_at_tenth": peaks[TENTH]}


def _peak_mb(folder: Path, file: Path) -> float:
    command = [sys.executable, "-c", _INGEST, str(folder), str(file)]
    done = subprocess.run(command, check=True, env=child_environment(), capture_output=True, text=True)
    return round(float(done.stdout), 1)


if __name__ == "__main__":
    main()
