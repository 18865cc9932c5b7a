"""`sereno regimes`: when a line started, stopped or came to another set-point."""

from pathlib import Path

import pytest

from tests.flows.test_regimes import LINE, TRAINED_ROWS
from tests.support.builders import MADRID, a_workspace, readings_of
from tests.support.processes import sereno


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plant")
    with a_workspace(folder) as workspace:
        workspace.add(readings_of(LINE.rows(0, TRAINED_ROWS)), zone=MADRID)
        workspace.train()
        workspace.add(readings_of(LINE), zone=MADRID)
        workspace.score()
    return folder


def test_changes_are_one_document_newest_first(plant: Path) -> None:
    found = sereno("regimes", "--json", workspace=plant).document

    assert [one["kind"] for one in found] == ["start", "stop", "start", "stop"]
    assert set(found[0]) == {"site", "asset", "at", "kind", "signals", "sentence", "sentence_es"}
    assert set(found[0]["signals"][0]) == {"signal", "before", "after", "unit"}


def test_asset_and_instant_choose(plant: Path) -> None:
    options = ("--asset", "Planta 1", "--since", "2024-01-02", "--json")

    assert len(sereno("regimes", *options, workspace=plant).document) == 2


def test_sentences_are_in_the_language_that_is_asked_for(plant: Path) -> None:
    assert "se puso en marcha" in sereno("--lang", "es", "regimes", workspace=plant).out
    assert "started" in sereno("--lang", "en", "regimes", workspace=plant).out


def test_nothing_to_tell_is_said(plant: Path) -> None:
    done = sereno("--lang", "es", "regimes", "--since", "2025-01-01", workspace=plant)

    assert (done.code, done.out.strip()) == (0, "No hay cambios de régimen.")


def test_unknown_asset_is_refused(plant: Path) -> None:
    done = sereno("regimes", "--asset", "Planta 9", "--json", workspace=plant)

    assert done.code != 0
    assert "Planta 9" in done.error["message"]
