"""Workspaces that the tests of the command line share; who changes one works on a copy."""

import shutil
from pathlib import Path

import pytest

from sereno.flows.workspace import Workspace
from tests.journeys.worlds import declare, roofs, write_rows


@pytest.fixture(scope="package")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two rooftops, a model and incidents; the files stand beside it."""
    folder = tmp_path_factory.mktemp("judged")
    workspace = declare(folder / "w")
    with Workspace.open(workspace) as opened:
        for roof in roofs(months=3, sites=2):
            list(opened.ingest(write_rows(folder / f"{roof.asset.site.replace(' ', '_')}.csv", roof)))
        opened.train()
        opened.score()
    return workspace


@pytest.fixture
def copied(judged: Path, tmp_path: Path) -> Path:
    """A copy of that workspace, with its files in `files` beside it."""
    shutil.copytree(judged, tmp_path / "w")
    (tmp_path / "files").mkdir()
    for file in judged.parent.glob("*.csv"):
        shutil.copyfile(file, tmp_path / "files" / file.name)
    return tmp_path / "w"
