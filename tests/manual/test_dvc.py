"""The pipeline for DVC: its commands run as they stand, make what they declare, and make it again alike."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.processes import ROOT, environment

PIPELINE = ROOT / "docs" / "dvc" / "dvc.yaml"
SETTINGS = "timezone: Europe/Madrid\nlanguage: en\ndetector: {kind: pca}\n"
WITH_TIMES = {
    "model.sereno": "its card says when it was trained",
    "reproduced.json": "it says when it was done, and the digests of models hold the time of their training",
}
"""Outputs that hold the clock of the machine; workspaces hold it everywhere."""

HOW_LONG = ("judging_seconds", "acceptance")
"""Figures of an evaluation that say, or rest on, how long it took."""

if not PIPELINE.is_file():
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def stages() -> Mapping[str, Any]:
    """By name, in their order."""
    found: Mapping[str, Any] = yaml.safe_load(PIPELINE.read_text("utf-8"))["stages"]
    return found


def declared(stage: Mapping[str, Any]) -> list[str]:
    """Paths that a stage makes."""
    listed = [*stage.get("outs", []), *stage.get("metrics", [])]
    return [one if isinstance(one, str) else next(iter(one)) for one in listed]


def run(folder: Path, stage: Mapping[str, Any]) -> None:
    """As DVC does: what it makes is taken away first, then its commands run one after the other."""
    for name in declared(stage):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    said = stage["cmd"] if isinstance(stage["cmd"], list) else [stage["cmd"]]
    own = environment(PATH=f"{folder / 'bin'}:/usr/bin:/bin")
    for command in said:
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=folder, env=own, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def content(path: Path) -> bytes:
    """What a file says, without how long it took to find out."""
    if path.name != "evaluation.json":
        return path.read_bytes()
    said = json.loads(path.read_text("utf-8"))
    return json.dumps({name: one for name, one in said.items() if name not in HOW_LONG}).encode()


def digests(folder: Path, stage: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of each file that a stage makes, workspaces left out."""
    files: list[Path] = []
    for name in declared(stage):
        assert (folder / name).exists(), f"{name} was declared and is not there"
        if not name.startswith("work/"):
            files += [one for one in sorted([folder / name, *(folder / name).rglob("*")]) if one.is_file()]
    return {str(one.relative_to(folder)): hashlib.sha256(content(one)).hexdigest() for one in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], dict[str, str]]:
    """The folder, what each stage made, and what it made when it ran again."""
    folder = tmp_path_factory.mktemp("dvc")
    (folder / "bin").mkdir()
    script = folder / "bin" / "sereno"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m sereno "$@"\n', "utf-8")
    script.chmod(0o755)
    (folder / "sereno.yaml").write_text(SETTINGS, "utf-8")
    first: dict[str, str] = {}
    again: dict[str, str] = {}
    for stage in stages().values():
        run(folder, stage)
        files = digests(folder, stage)
        first |= files
        if not set(files) <= set(WITH_TIMES):
            run(folder, stage)
            again |= digests(folder, stage)
    return folder, first, again


def test_each_stage_rests_on_what_stages_before_it_make() -> None:
    known = {"sereno.yaml"}
    for stage in stages().values():
        assert set(stage.get("deps", [])) <= known
        known |= set(declared(stage))


@pytest.mark.slow
def test_outputs_are_the_same_when_a_stage_runs_again(
    made: tuple[Path, dict[str, str], dict[str, str]],
) -> None:
    _, first, again = made

    assert {"forecast.json", "evaluation.json", "results.csv", "world/truth/load.csv"} <= set(again)
    assert set(first) - set(again) == set(WITH_TIMES)
    assert {name for name in again if first[name] != again[name]} == set()


@pytest.mark.slow
def test_figures_are_of_the_model_that_was_trained(
    made: tuple[Path, dict[str, str], dict[str, str]],
) -> None:
    folder, _, _ = made
    evaluated = json.loads((folder / "evaluation.json").read_text("utf-8"))
    (again,) = json.loads((folder / "reproduced.json").read_text("utf-8"))["reproductions"]
    forecasts = json.loads((folder / "forecast.json").read_text("utf-8"))["forecasts"]

    assert evaluated["models"] == {"load": again["model"]}
    assert (again["verdict"], again["equal"]["stored"]) == ("reproducible", True)
    assert [len(one["steps"]) for one in forecasts] == [24, 24]
