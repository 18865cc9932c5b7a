"""MLflow loads what we write, and hears of trainings; it is never asked for anything."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import ExportTargetTaken, ExtraMissing
from sereno.flows.workspace import Workspace
from sereno.testing.forecasters import a_metered_history
from tests.flows.test_promotion import learnt, lines
from tests.support.builders import a_workspace, readings_of

# MLflow uses what its own libraries call deprecated.
pytestmark = pytest.mark.filterwarnings("ignore")

HAS_MLFLOW = find_spec("mlflow") is not None
with_mlflow = pytest.mark.skipif(not HAS_MLFLOW, reason="MLflow is not installed (extra mlflow)")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return learnt(tmp_path / "w", lines(n_days=20, n_assets=2), days=18)


@with_mlflow
def test_a_detector_scores_in_mlflow_as_it_does_here(workspace: Workspace, tmp_path: Path) -> None:
    import pandas as pd
    from mlflow.pyfunc import load_model

    version = workspace.active_models()["process"]
    folder = workspace.export_mlflow(version, tmp_path / "pyfunc")
    (window, _) = lines(n_days=20, n_assets=2)
    frame = pd.DataFrame({"time": window.time, "flow": window.values[:, 0], "pressure": window.values[:, 1]})

    said = load_model(str(folder)).predict(frame)

    workspace.export_results(tmp_path / "here.csv")
    here = pd.read_csv(tmp_path / "here.csv")
    own = here[here["asset"] == window.asset.asset]["reconstruction_error"].to_numpy()
    assert np.allclose(said["score"].to_numpy(), own, rtol=1e-9, equal_nan=True)
    assert not list(folder.rglob("*.pkl"))


@with_mlflow
def test_a_forecaster_forecasts_in_mlflow_as_it_does_here(tmp_path: Path) -> None:
    import pandas as pd
    from mlflow.pyfunc import load_model

    windows = a_metered_history("power", n_meters=2, n_days=45)
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(*windows), zone="UTC")
        made = workspace.forecast().forecasts
        folder = workspace.export_mlflow(str(workspace.versions()[0]["id"]), tmp_path / "pyfunc")
    frame = pd.concat(
        [
            pd.DataFrame(
                {
                    "site": one.asset.site,
                    "asset": one.asset.asset,
                    "time": one.time,
                    "power": one.values[:, 0],
                }
            )
            for one in windows
        ]
    )

    said = load_model(str(folder)).predict(frame)

    assert said["p50"].tolist() == [value for one in made for value in one.median.tolist()]
    assert list(said["asset"].unique()) == ["Meter 0", "Meter 1"]


@with_mlflow
def test_trainings_are_told_where_settings_name_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)  # a server without a store of its own for artefacts keeps them in `mlruns`
    url = f"sqlite:///{tmp_path}/mlflow.db"
    settings = f"detector: {{kind: pca}}\nmlflow: {{url: '{url}', experiment: plant}}\n"
    with learnt(tmp_path / "w", lines(n_days=20, n_assets=1), days=18, settings=settings) as workspace:
        card = workspace.models()[0]

    client = MlflowClient(url)
    experiment = client.get_experiment_by_name("plant")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params["fingerprint"] == card.fingerprint
    assert run.data.metrics["realised_budget"] == pytest.approx(card.metrics["realised_budget"])
    assert run.data.tags["digest"] == card.digest
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == [f"{card.digest}.sereno"]


def test_a_tracking_server_that_is_away_stops_no_training(tmp_path: Path) -> None:
    settings = "detector: {kind: pca}\nmlflow: {url: 'sqlite:////nowhere/at/all.db'}\n"
    with learnt(tmp_path / "w", lines(n_days=20, n_assets=1), days=18, settings=settings) as workspace:
        assert len(workspace.models()) == 1


@pytest.mark.skipif(HAS_MLFLOW, reason="MLflow is installed")
def test_what_is_missing_is_named(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ExtraMissing) as missing:
        workspace.export_mlflow(workspace.active_models()["process"], tmp_path / "pyfunc")

    assert missing.value.facts["extra"] == "mlflow"
    assert not (tmp_path / "pyfunc").exists()


def test_nothing_is_written_over(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine", "utf-8")

    with pytest.raises(ExportTargetTaken):
        workspace.export_mlflow(workspace.active_models()["process"], tmp_path)
