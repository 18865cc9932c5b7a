"""Every detector goes through the registry alike: candidate, compared, champion, taken back bit for bit."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from sereno.detect.beside import weigh_beside
from sereno.detect.registry import detector_names
from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.flows.fleet import BlockNeighbours
from sereno.flows.workspace import Workspace
from sereno.testing.forecasters import a_metered_history
from tests.flows.test_registry_peers import meters
from tests.support.builders import a_workspace, readings_of

HOURLY = a_metered_history("power", n_meters=3, n_days=43)
WORLDS: dict[str, tuple[list[Window], int]] = {"hours": (HOURLY, 24 * 35), "days": (meters(), 240)}
"""Meters, and how many of their rows are learnt."""
WORLD_OF = {"peers": "days"}
"""Months of days, for what follows levels of weeks; hours for all others."""
LEARNS_ELSEWHERE = {"lstm"}
"""It needs an extra, and has a test of its own."""


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Meters that a detector of the defaults has learnt; not to be changed."""
    folders = {}
    for name, (windows, n_learnt) in WORLDS.items():
        folders[name] = tmp_path_factory.mktemp("registry") / name
        with a_workspace(folders[name]) as workspace:
            workspace.add(readings_of(*(one.rows(0, n_learnt) for one in windows)), zone="UTC")
            workspace.train(detector="pca")
            workspace.add(readings_of(*windows), zone="UTC")
    return folders


def judged(workspace: Workspace, windows: Sequence[Window]) -> bytes:
    """What the judging model says of each meter beside its peers, bit for bit."""
    model = workspace.model("load")
    assert model is not None
    neighbours = BlockNeighbours({one.asset: one for one in windows})
    scores = [
        weigh_beside(model.detector, one, neighbours.reference(one.asset, model, one.time), Memory())[
            0
        ].values
        for one in windows
    ]
    return np.concatenate(scores).tobytes()


@pytest.mark.parametrize("detector", sorted({*detector_names()} - LEARNS_ELSEWHERE))
def test_a_version_takes_over_and_gives_back(
    templates: Mapping[str, Path], tmp_path: Path, detector: str
) -> None:
    world = WORLD_OF.get(detector, "hours")
    windows, _ = WORLDS[world]
    with a_workspace(Path(shutil.copytree(templates[world], tmp_path / "w"))) as workspace:
        first, before = workspace.active_models()["load"], judged(workspace, windows)
        (candidate,) = workspace.train(detector=detector, is_candidate=True, budget=0.5)
        measure = workspace.registrar.compare(candidate.id).measure
        workspace.promote_model(candidate.id, actor="ana", reason="trial", is_forced=True)
        during = judged(workspace, windows)
        workspace.roll_back_model(None, actor="ana", reason="noisy")
        after = judged(workspace, windows)
    with a_workspace(tmp_path / "w") as again:
        kept, card = judged(again, windows), again.model_card(candidate.id)
        history = [one["event"] for one in again.model_history(candidate.id)]

    assert candidate.id != first
    assert (card.detector, measure, after, kept) == (detector, "faults", before, before)
    assert during != before
    assert history.count("judges") == 3
