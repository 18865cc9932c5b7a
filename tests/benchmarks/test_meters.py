import json
import subprocess
import sys
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.common import Options, child_environment
from benchmarks.meters.placing import FAULTS, find_places
from benchmarks.meters.reading import read_meters

ROWS = 3_000


def _write_meter(folder: Path, name: str = "AEP") -> None:
    hours = np.arange(ROWS)
    rng = np.random.default_rng(7)
    load = 100.0 - 40.0 * np.cos(2 * np.pi * hours / 24) + 4.0 * rng.normal(size=ROWS)
    load[(hours // 24) % 7 == 6] -= 20.0
    start = datetime(2024, 1, 1)  # noqa: DTZ001 (the files hold naive local time)
    table = pl.DataFrame({"Datetime": [start + timedelta(hours=int(h)) for h in hours], f"{name}_MW": load})
    (folder / "pjm").mkdir(exist_ok=True)
    table.reverse().write_parquet(folder / f"pjm/{name}_hourly.parquet")


def _options(folder: Path) -> Options:
    return Options(is_json=True, is_quick=True, data=folder, n_rows=None)


def test_meters_are_read_onto_a_grid_in_time_order(tmp_path: Path) -> None:
    _write_meter(tmp_path)

    (meter,) = read_meters(_options(tmp_path))

    assert meter.asset.site == "pjm/AEP_MW"
    assert meter.step == timedelta(hours=1)
    assert len(meter) == ROWS
    assert (np.diff(meter.time) == np.timedelta64(1, "h")).all()


def test_faults_are_half_days_that_change_the_values(tmp_path: Path) -> None:
    _write_meter(tmp_path)
    (meter,) = read_meters(_options(tmp_path))
    history, rest = meter.rows(0, ROWS // 2), meter.rows(ROWS // 2, ROWS)

    places = find_places(history, rest, seed=1)

    assert len(places) == 8
    assert all(place.stop - place.start == 12 for place in places)
    assert all(later.start >= place.stop for place, later in pairwise(places))
    assert {fault for place in places for fault in place.wrong} == set(FAULTS)
    shifted = next(place for place in places if "shifted" in place.wrong)
    assert np.array_equal(shifted.wrong["shifted"], rest.values[shifted.start - 12 : shifted.start, 0])


def test_other_seed_gives_other_places(tmp_path: Path) -> None:
    _write_meter(tmp_path)
    (meter,) = read_meters(_options(tmp_path))

    first, second = (find_places(meter, meter, seed) for seed in (1, 2))

    assert [one.start for one in first] != [one.start for one in second]


def _run(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = child_environment()
    environment.pop("SERENO_DATA", None)
    command = [sys.executable, "-m", "benchmarks.meters", "--data", str(folder), "--json", "--quick"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_benchmark_shows_what_the_calendar_is_worth(tmp_path: Path) -> None:
    _write_meter(tmp_path)

    done = _run(tmp_path)

    by_detector = json.loads(done.stdout)["by_detector"]
    assert set(by_detector) == {"seasonal", "robust", "level"}
    equal = {name: figures["equal_false"] for name, figures in by_detector.items()}
    assert all(figures["false_per_week"] <= 0.25 for figures in equal.values())
    assert equal["seasonal"]["shifted"] > 0.9
    assert equal["level"]["shifted"] < 0.2


def test_benchmark_without_meters_says_what_it_needs(tmp_path: Path) -> None:
    done = _run(tmp_path)

    assert done.returncode != 0
    assert "--data" in done.stderr
