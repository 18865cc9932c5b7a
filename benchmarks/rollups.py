"""What figures of hours and days cost, what room they take, and what a long chart gains.

Years of 5-minute readings of one meter in an embedded store: reckoned, drawn with and without the figures,
and thinned. Processor time, which other work on the machine moves less than the clock.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np

from benchmarks.common import MS_PER_S, parse_options, publish, tell
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.flows.rolling_up import roll_up_store
from sereno.flows.series import SeriesQuery
from sereno.flows.workspace import Workspace

__all__ = ["main"]

START = datetime(2022, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
METER = AssetKey("Zona", "Contador")
YEAR = timedelta(days=365)
YEARS, QUICK_YEARS = 3, 1
REPEATS = 5
POINTS = 2_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("rollups", str(__doc__), arguments)
    n_years = QUICK_YEARS if options.is_quick else YEARS
    with TemporaryDirectory(prefix="sereno-rollups-") as folder:
        publish(options, _measured(Path(folder), n_years), {})


def _measured(folder: Path, n_years: int) -> dict[str, Any]:
    n_rows = n_years * (YEAR // STEP)
    tell(f"{n_rows:,} readings of {n_years} years")
    (folder / "sereno.yaml").write_text("timezone: UTC\nretention: {thin: 60d}\n", "utf-8")
    now = START + n_rows * STEP + timedelta(days=4)
    with Workspace.open(folder, clock=lambda: now) as workspace:
        workspace.add(_readings(n_rows), zone="UTC")
        read_ms = _chart_ms(workspace, n_years)
        begun = process_time()
        roll_up_store(workspace.store, now=now)
        spent = process_time() - begun
        drawn_ms = _chart_ms(workspace, n_years)
        begun = process_time()
        gone = sum(workspace.retain().counts.values())
        thinned_s = process_time() - begun
    return {
        "readings": n_rows,
        "reckon_s_per_million": round(spent / n_rows * 1e6, 2),
        "chart_ms": {"of_readings": read_ms, "of_figures": drawn_ms, "ratio": round(read_ms / drawn_ms, 1)},
        "thinned_rows": gone,
        "thin_s_per_million": round(thinned_s / gone * 1e6, 2),
        "bytes_per_reading": _bytes_per_reading(folder, n_rows),
    }


def _readings(n_rows: int) -> Readings:
    rng = np.random.default_rng(0)
    step = np.timedelta64(STEP // timedelta(microseconds=1), "us")
    day = np.arange(n_rows) * (STEP / timedelta(days=1))
    return Readings(
        profile="load",
        assets=(METER,),
        asset_index=np.zeros(n_rows, dtype=np.int32),
        time=np.datetime64(START.replace(tzinfo=None), "us") + np.arange(n_rows) * step,
        signals=("power",),
        values=(20 + 8 * np.sin(2 * np.pi * day) + rng.normal(size=n_rows)).round(3)[:, None],
        quality=np.zeros((n_rows, 1), dtype=np.int32),
    )


def _chart_ms(workspace: Workspace, n_years: int) -> float:
    """Median processor time of a chart of all years [ms]."""
    query = SeriesQuery(1, ("power",), START, START + n_years * YEAR, POINTS)
    return round(median(_spent(lambda: workspace.series(query)) for _ in range(REPEATS)) * MS_PER_S, 1)


def _spent(work: Callable[[], object]) -> float:
    begun = process_time()
    work()
    return process_time() - begun


def _bytes_per_reading(folder: Path, n_rows: int) -> dict[str, float]:
    """Room of a reading, and of the figures of all, by reading."""
    with _copied(folder) as connection:
        named = "SELECT name, SUM(pgsize) FROM dbstat WHERE name IN ('reading_load', 'rollup') GROUP BY name"
        sizes = dict(connection.execute(named).fetchall())
        left = connection.execute("SELECT COUNT(*) FROM reading_load").fetchone()[0]
    return {
        "readings": round(sizes["reading_load"] / left, 1),
        "figures": round(sizes["rollup"] / n_rows, 2),
    }


@contextmanager
def _copied(folder: Path) -> Iterator[sqlite3.Connection]:
    """The store without the space of what was deleted."""
    with closing(sqlite3.connect(folder / "sereno.db")) as connection:
        connection.execute("VACUUM")
        yield connection


if __name__ == "__main__":
    main()
