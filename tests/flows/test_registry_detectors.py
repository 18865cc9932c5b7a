"""Every detector goes through the registry alike: candidate, compared, champion, taken back bit for bit."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from sereno.detect.registry import detector_names
from sereno.flows.workspace import Workspace
from sereno.testing.forecasters import a_metered_history
from tests.support.builders import a_workspace, readings_of

DAYS, ALL = 35, 43
WINDOWS = a_metered_history("power", n_meters=3, n_days=ALL)
LEARNS_ELSEWHERE = {"lstm", "peers"}
"""The one needs an extra, and has a test of its own; the other is a part of every version."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Meters that a detector of the defaults has learnt; not to be changed."""
    folder = tmp_path_factory.mktemp("registry") / "w"
    with a_workspace(folder) as workspace:
        workspace.add(readings_of(*(one.rows(0, 24 * DAYS) for one in WINDOWS)), zone="UTC")
        workspace.train(detector="pca")
        workspace.add(readings_of(*WINDOWS), zone="UTC")
    return folder


def judged(workspace: Workspace) -> bytes:
    """What the judging model says of each meter, bit for bit."""
    model = workspace.model("load")
    assert model is not None
    return np.concatenate([model.detector.score(one)[0].values for one in WINDOWS]).tobytes()


@pytest.mark.parametrize("detector", sorted({*detector_names()} - LEARNS_ELSEWHERE))
def test_a_version_takes_over_and_gives_back(template: Path, tmp_path: Path, detector: str) -> None:
    with a_workspace(Path(shutil.copytree(template, tmp_path / "w"))) as workspace:
        first, before = workspace.active_models()["load"], judged(workspace)
        (candidate,) = workspace.train(detector=detector, is_candidate=True, budget=0.5)
        measure = workspace.registrar.compare(candidate.id).measure
        workspace.promote_model(candidate.id, actor="ana", reason="trial", is_forced=True)
        during = judged(workspace)
        workspace.roll_back_model(None, actor="ana", reason="noisy")
        after = judged(workspace)
    with a_workspace(tmp_path / "w") as again:
        kept, card = judged(again), again.model_card(candidate.id)
        history = [one["event"] for one in again.model_history(candidate.id)]

    assert candidate.id != first
    assert (card.detector, measure, after, kept) == (detector, "faults", before, before)
    assert during != before
    assert history.count("judges") == 3
