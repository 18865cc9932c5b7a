"""The benchmarks of process data: on runs made up here, and on the real ones where they are."""

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import boiler, skab
from benchmarks.skab import THRESHOLD, Run, read_runs
from sereno.settings.profiles import load_profiles

DATA = Path(os.environ.get("SERENO_DATA", ""))
FIGURES = {
    "f1",
    "far",
    "mar",
    "events_found",
    "events",
    "false_episodes_before_fault",
    "vus_pr",
    "quiet_run_alarm_rows",
}


def _needs(folder):
    return pytest.mark.skipif(
        not os.environ.get("SERENO_DATA") or not (DATA / folder).is_dir(),
        reason="SERENO_DATA does not name the folder of the real data sets",
    )


def _write_run(file, *, seed, fault=(500, 600), as_csv=False):
    rng = np.random.default_rng(seed)
    columns = {"flow": 30 + 0.2 * rng.normal(size=700), "pressure": 5 + 0.1 * rng.normal(size=700)}
    start = np.datetime64("2024-01-01T00:00:00", "us")
    frame = {"datetime": start + np.arange(700) * np.timedelta64(1, "s"), **columns}
    if fault is not None:
        frame["flow"][slice(*fault)] -= 2.0
        marked = (np.arange(700) >= fault[0]) & (np.arange(700) < fault[1])
        frame |= {"anomaly": marked.astype(float), "changepoint": np.zeros(700)}
    file.parent.mkdir(parents=True, exist_ok=True)
    if as_csv:
        pl.DataFrame(frame).write_csv(file, separator=";", datetime_format="%Y-%m-%d %H:%M:%S")
    else:
        pl.DataFrame(frame).write_parquet(file)


@pytest.fixture
def rig(tmp_path):
    _write_run(tmp_path / "skab" / "quiet" / "0.parquet", seed=9, fault=None)
    for seed in range(3):
        _write_run(tmp_path / "skab" / "valve" / f"{seed}.parquet", seed=seed)
        _write_run(tmp_path / "skab" / "rotor" / f"{seed}.csv", seed=10 + seed, as_csv=True)
    return tmp_path


def test_runs_are_read_whichever_way_they_are_written(rig):
    runs = read_runs(rig / "skab")

    assert [run.name for run in runs] == [
        "quiet/0",
        "rotor/0",
        "rotor/1",
        "rotor/2",
        "valve/0",
        "valve/1",
        "valve/2",
    ]
    assert all(run.window.signals == ("flow", "pressure") for run in runs)
    assert [run.labels is None for run in runs] == [True] + [False] * 6
    assert all(run.labels.sum() == 100 for run in runs[1:])
    assert np.array_equal(runs[1].window.time, runs[4].window.time)


def test_skab_says_what_was_found_beside_detectors_that_look_at_nothing(rig, capsys):
    skab.main(["--json", "--quick", "--data", str(rig)])

    document = json.loads(capsys.readouterr().out)
    assert set(document) >= FIGURES | {"by_detector", "trivial", "leave_group_out", "by_run", "goals"}
    assert document["f1"] > 0.9
    assert document["far"] < 10
    assert (document["events_found"], document["events"]) == (6, 6)
    assert document["quiet_run_alarm_rows"] < 5
    assert document["trivial"]["always_on"]["far"] == 100
    assert set(document["trivial"]) == {"always_on", "clock", "fixed_window", "random"}
    assert all(set(figures) >= FIGURES for figures in document["by_detector"].values())
    assert set(document["leave_group_out"]["by_group"]) == {"rotor", "valve"}


def test_what_is_judged_teaches_nothing(rig):
    runs = read_runs(rig / "skab")
    score = skab._detectors(load_profiles()["process"], 1)["ewma"][0]
    altered = [_with_end(run, 99.0) for run in runs]

    before, after = score(runs), score(altered)

    assert all(np.array_equal(a[:690], b[:690], equal_nan=True) for a, b in zip(before, after, strict=True))


def _with_end(run, value):
    values = run.window.values.copy()
    values[690:] = value
    window = run.window
    changed = type(window)(
        window.asset, window.profile, window.signals, window.time, values, window.quality, window.step
    )
    return Run(run.group, run.name, changed, run.labels)


def test_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no run with labels"):
        skab.main(["--json", "--data", str(tmp_path)])


@_needs("skab")
def test_one_setting_finds_real_faults_and_is_quiet_on_the_real_quiet_run():
    score, threshold = skab._detectors(load_profiles()["process"], 1)["ewma"]

    figures = skab._judge_all(read_runs(DATA / "skab"), score, threshold)

    assert threshold == THRESHOLD
    assert figures["f1"] >= 0.85
    assert figures["far"] <= 10
    assert figures["quiet_run_alarm_rows"] <= 5


@_needs("ubc_cec")
def test_spikes_of_a_real_boiler_are_found(capsys):
    boiler.main(["--json", "--data", str(DATA)])

    document = json.loads(capsys.readouterr().out)
    assert document["gas_pressure_strict_f1"] >= 0.50
    assert set(document) >= {"gas_pressure_wide_f1", "o2_f1", "trivial", "other_boiler"}
    strict = document["tasks"]["gas_pressure_strict"]
    assert strict["events_found"] >= 0.9 * strict["events"]


def test_boiler_without_data_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="ubc_cec"):
        boiler.main(["--json", "--data", str(tmp_path)])
