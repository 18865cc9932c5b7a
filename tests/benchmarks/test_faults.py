import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common import child_environment
from benchmarks.faults.injecting import FAULTS
from benchmarks.faults.placing import Planner
from benchmarks.faults.rounds import learn_history, run_round
from benchmarks.faults.series import find_series
from benchmarks.faults.simulated import write_simulated
from sereno.settings.profiles import load_profiles

DATA = Path(os.environ.get("SERENO_DATA", "/nonexistent"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_simulated(tmp_path_factory.mktemp("simulated"), 3)


def test_quick_run_measures_every_fault_on_a_folder_of_the_layout(folder, tmp_path):
    detail = tmp_path / "detail.json"
    command = [sys.executable, "-m", "benchmarks.faults", "--json", "--quick", "--seed", "2"]
    command += ["--data", str(folder), "--detail", str(detail)]

    done = subprocess.run(command, capture_output=True, text=True, env=child_environment(), check=False)

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document["by_fault"]) == set(FAULTS)
    assert document["is_faithful"]
    assert not document["refused"]
    assert document["n"] == sum(fault["n"] for fault in document["by_fault"].values())
    assert document["by_fault"]["missing_stretch"]["recall"] == 1.0
    assert document["by_fault"]["missing_stretch"]["kind_right"] == 1.0
    assert 0 < document["recall"] <= 1
    assert document["goals"]["recall"] == {
        "value": document["recall"],
        "at_least": 0.9,
        "met": document["recall"] >= 0.9,
    }
    events = json.loads(detail.read_text("utf-8"))["events"]
    assert len(events) == document["n"]
    assert sum(event["found"] for event in events) == document["found"]


def test_files_are_understood_by_what_is_in_them(folder):
    series, skips = find_series(folder)

    assert not skips
    assert {(one.folder, one.profile, one.is_daily, len(one.signals)) for one in series} == {
        ("solar_daily", "solar", True, 5),
        ("solar_home", "solar", False, 4),
        ("gas_home", "gas", False, 1),
    }
    (hourly,) = (one for one in series if one.folder == "solar_home")
    assert hourly.zone == "Europe/Amsterdam"


def test_missing_folder_is_skipped_with_its_reason(tmp_path):
    series, skips = find_series(tmp_path)

    assert series == []
    assert {skip.series for skip in skips} == {"solar_home", "gas_home", "solar_daily"}


def test_pieces_find_what_the_whole_finds_and_when(folder, tmp_path):
    series = [one for one in find_series(folder)[0] if one.is_daily]
    base = learn_history(tmp_path, series)
    copies, _ = Planner(series[0], load_profiles()["solar"], (), 1).plan(1)
    (event,) = next(copy for copy in copies if copy[0].fault == "missing_stretch")

    whole = run_round(base, 1, [event], in_pieces=False)
    pieces = run_round(base, 1, [event], in_pieces=True)

    assert whole.is_faithful
    assert pieces.is_faithful
    assert {one.id for one in whole.incidents} == {one.id for one in pieces.incidents}
    (gap,) = (one for one in pieces.incidents if one.cause == "quality.missing")
    assert event.start < pieces.read[gap.id] < whole.read[gap.id] == len(series[0].time)


@pytest.mark.skipif(not DATA.is_dir(), reason="SERENO_DATA names no folder with real files")
def test_real_series_are_all_read():
    series, _ = find_series(DATA)

    assert {"solar_home", "gas_home", "solar_daily"} == {one.folder for one in series}
    assert all(np.isfinite(one.values).any() for one in series)
