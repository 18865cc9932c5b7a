"""A workspace trained once, and systems opened on copies of it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sereno.flows.workspace import Workspace
from tests.compat.fleet import PLANTS, Recorder, write_plant

MODEL = "modelo_multi_empresa.pkl"


@pytest.fixture(scope="package")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a year of three plants, judged, and its model under the guide's name."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "sereno.yaml").write_text("timezone: Europe/Madrid\n", "utf-8")
    source = tmp_path_factory.mktemp("fleet")
    for seed, name in enumerate(PLANTS):
        write_plant(source, name, seed=seed)
    with Workspace.open(folder) as workspace:
        list(workspace.ingest(source))
        card = workspace.train()[0]
        workspace.score()
    shutil.copy(folder / "models" / f"{card.digest}.sereno", folder / MODEL)
    return folder


@pytest.fixture
def beside(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the trained workspace, which is also the current folder."""
    folder = tmp_path / "planta"
    shutil.copytree(trained, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def open_system() -> Iterator[Callable[[Path], Recorder]]:
    """Opens systems and gives them back at the end."""
    opened: list[Recorder] = []

    def open_one(folder: Path) -> Recorder:
        opened.append(Recorder(folder / MODEL))
        assert opened[-1].iniciar()
        return opened[-1]

    yield open_one
    for system in opened:
        system.cerrar()


@pytest.fixture
def system(beside: Path, open_system: Callable[[Path], Recorder]) -> Recorder:
    """A started system beside the trained workspace."""
    return open_system(beside)
