"""Artefacts: whole, verified, never a pickle."""

import pickle
import shutil
from pathlib import Path

import pytest

from sereno.domain.errors import FileMissing, ModelCorrupt
from sereno.domain.readings import Window
from sereno.flows.models import load_model, save_model
from sereno.flows.workspace import Workspace
from tests.support.builders import NOW, PROFILES, a_workspace


def _artefact(workspace: Workspace) -> Path:
    return next((workspace.folder / "models").glob("*.sereno"))


def test_artefact_holds_all_that_scoring_needs(judged_daily: Workspace, daily_windows: list[Window]) -> None:
    model = load_model(_artefact(judged_daily), PROFILES)

    card = judged_daily.models()[0]
    assert model.card == card
    assert set(model.memories) == set(card.assets)
    assert model.calibrations["86400"] == card.calibration


def test_artefact_written_again_is_the_same_bytes(judged_daily: Workspace, tmp_path: Path) -> None:
    path = _artefact(judged_daily)

    digest = save_model(load_model(path, PROFILES), tmp_path / "again.sereno")

    assert (tmp_path / "again.sereno").read_bytes() == path.read_bytes()
    assert digest == judged_daily.models()[0].digest


@pytest.mark.parametrize("place", [0, 20, 200, -1], ids=["magic", "digest", "header", "last"])
def test_artefact_altered_by_one_byte_is_refused(judged_daily: Workspace, place: int) -> None:
    path = _artefact(judged_daily)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))

    with pytest.raises(ModelCorrupt) as caught:
        load_model(path, PROFILES)

    assert caught.value.facts["file"] == str(path)


@pytest.mark.parametrize(
    "data",
    [pickle.dumps({"model": 1}), b"", b"\x80\x04", b"sereno 1\n"],
    ids=["pickle", "empty", "two bytes", "magic only"],
)
def test_pickle_is_never_loaded(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "modelo_multi_empresa.pkl"
    path.write_bytes(data)

    with pytest.raises(ModelCorrupt):
        load_model(path, PROFILES)


def test_missing_artefact_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        load_model(tmp_path / "no.sereno", PROFILES)


def test_scoring_with_an_altered_artefact_is_refused(judged_daily: Workspace) -> None:
    path = _artefact(judged_daily)
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(ModelCorrupt):
        a_workspace(judged_daily.folder).score()


def test_artefact_of_another_training_under_this_name_is_refused(judged_daily: Workspace) -> None:
    path = _artefact(judged_daily)
    other = judged_daily.train()[0]
    shutil.copy(judged_daily.folder / "models" / f"{other.digest}.sereno", path.with_name("x"))
    first = judged_daily.folder / "models" / f"{other.digest}.sereno"
    shutil.copy(path, first)

    with pytest.raises(ModelCorrupt):
        a_workspace(judged_daily.folder, now=NOW).score()


def test_reading_a_model_of_an_unknown_profile_is_refused(judged_daily: Workspace) -> None:
    with pytest.raises(ModelCorrupt):
        load_model(_artefact(judged_daily), {})
