"""`reproduce`: a training done again in fresh processes, with one thread and with two."""

import json
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import ModelMissing
from sereno.flows.reproducing import REPORT_FILE, Verdict
from sereno.testing.forecasters import a_metered_history
from tests.flows.test_promotion import learnt, lines
from tests.support.builders import a_workspace, readings_of

SMALL = {"n_days": 20, "n_assets": 1}


@pytest.mark.slow  # the command's own test does it for one detector
@pytest.mark.parametrize("detector", ["pca", "forest"])
def test_a_detector_is_learnt_again_bit_for_bit(tmp_path: Path, detector: str) -> None:
    settings = f"detector: {{kind: {detector}, trees: 20, seed: 7}}\n"
    with learnt(tmp_path / "w", lines(**SMALL), days=18, settings=settings) as workspace:
        (found,) = workspace.reproduce()
        report = json.loads((workspace.folder / REPORT_FILE).read_text("utf-8"))

    one, two = found.runs
    assert found.verdict is Verdict.REPRODUCIBLE, found.to_json()
    assert (one["threads"], two["threads"]) == (1, 2)
    assert one["model"] == two["model"] == found.stored_digest
    assert one["predictions"] == two["predictions"]
    assert {"rmse", "r2", "realised_budget"} <= set(one["metrics"])  # type: ignore[call-overload]
    assert report["reproductions"] == [json.loads(json.dumps(found.to_json()))]
    assert found.seed == (7 if detector == "forest" else None)


def test_a_forecaster_is_learnt_again_bit_for_bit(tmp_path: Path) -> None:
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(*a_metered_history("power", n_meters=2, n_days=45)), zone="UTC")
        workspace.forecast()
        (found,) = workspace.reproduce(str(workspace.versions()[0]["id"])[:-2])

    assert found.verdict is Verdict.REPRODUCIBLE, found.to_json()
    assert found.runs[0]["metrics"]["r2"] > 0.9  # type: ignore[index]


@pytest.mark.slow
def test_readings_that_changed_are_told(tmp_path: Path) -> None:
    windows = lines(**SMALL)
    with learnt(tmp_path / "w", windows, days=18) as workspace:
        changed = windows[0].rows(100, 103)
        changed.values[:] += np.array([0.25, 0.5])
        workspace.add(readings_of(changed), zone="UTC")
        (found,) = workspace.reproduce()

    assert found.equal["model"]
    assert not found.equal["data"]
    assert found.verdict is Verdict.DATA_CHANGED


def test_nothing_can_be_done_again_where_nothing_was_learnt(tmp_path: Path) -> None:
    with a_workspace(tmp_path / "w") as workspace, pytest.raises(ModelMissing):
        workspace.reproduce()
