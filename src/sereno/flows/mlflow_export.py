"""Models for MLflow: a version as a pyfunc that MLflow loads, and trainings told to a tracking server.

Our registry stays the source of truth: nothing is ever read back from MLflow.
"""

import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sereno.domain.errors import ExportTargetTaken, ExtraMissing
from sereno.domain.judgement import ModelCard
from sereno.domain.registry import ForecasterCard
from sereno.domain.version import VERSION
from sereno.flows.places import PROFILES_FOLDER

if TYPE_CHECKING:
    from types import ModuleType

    from sereno.flows.build import Setup
    from sereno.store import StoredForecaster, StoredModel

__all__ = ["ABOUT", "ARTEFACT", "LOADER", "export_mlflow", "log_training"]

log = logging.getLogger(__name__)

LOADER = "sereno.flows.mlflow_model"
ABOUT, ARTEFACT = "version.json", "model.sereno"
_DEEPEST = 6_000
"""Characters that MLflow keeps of a parameter."""
_EXTRA = "mlflow"


def export_mlflow(setup: "Setup", stored: "StoredModel | StoredForecaster", folder: Path) -> Path:
    """Write a version as a pyfunc: its artefact and a loader of ours, no pickle.

    Args:
        folder: That does not exist yet, or is empty.

    Raises:
        ExportTargetTaken: There is something in the folder.
        ExtraMissing: MLflow is not installed.
        ModelCorrupt: The artefact is gone.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportTargetTaken(folder=str(folder))
    pyfunc = _mlflow("mlflow.pyfunc")
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "sereno"
        _write_data(setup, stored, data)
        pyfunc.save_model(
            path=str(folder),
            loader_module=LOADER,
            data_path=str(data),
            pip_requirements=[f"sereno[mlflow]=={VERSION}"],
            metadata={"sereno": stored.card.id, "digest": stored.card.digest},
        )
    return folder


def log_training(setup: "Setup", card: ModelCard | ForecasterCard, artefact: Path) -> str | None:
    """Tell a training to MLflow, where settings name its address; gives the id of the run.

    A training is worth more than its record: what goes wrong here is a line in our log.
    """
    settings = setup.settings.mlflow
    if settings.url is None:
        return None
    try:
        mlflow = _mlflow("mlflow")
        mlflow.set_tracking_uri(settings.url)
        mlflow.set_experiment(settings.experiment)
        with mlflow.start_run(run_name=card.id) as run:
            mlflow.log_params(_parameters(card))
            mlflow.log_metrics({name: one for name, one in card.metrics.items() if one == one})  # noqa: PLR0124
            mlflow.set_tags({"digest": card.digest, "profile": card.profile, "sereno": card.code_version})
            mlflow.log_artifact(str(artefact))
            run_id: str = run.info.run_id
    except ExtraMissing as error:
        log.warning("training not told to MLflow", extra={"model": card.id, "error": str(error)})
    except Exception as error:  # noqa: BLE001 - whatever a tracking server or its client comes up with
        log.warning("training not told to MLflow", extra={"model": card.id, "error": str(error)})
    else:
        return run_id
    return None


def _parameters(card: ModelCard | ForecasterCard) -> Mapping[str, str]:
    said = {"id": card.id, "kind": card.detector, "fingerprint": card.fingerprint, **dict(card.settings)}
    return {
        name: (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_DEEPEST]
        for name, value in said.items()
    }


def _write_data(setup: "Setup", stored: "StoredModel | StoredForecaster", data: Path) -> None:
    from sereno.domain.errors import ModelCorrupt

    data.mkdir()
    source = setup.folder / stored.path
    if not source.is_file():
        raise ModelCorrupt(file=str(source), detail="the file is gone")
    shutil.copyfile(source, data / ARTEFACT)
    profiles = setup.folder / PROFILES_FOLDER
    if profiles.is_dir():
        shutil.copytree(profiles, data / PROFILES_FOLDER)
    family = "detector" if isinstance(stored.card, ModelCard) else "forecaster"
    about = {"family": family, "card": stored.card.to_json()}
    (data / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=2), "utf-8")


def _mlflow(module: str) -> "ModuleType":
    from importlib import import_module

    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ExtraMissing(feature="MLflow", extra=_EXTRA) from error
