"""The workspace behind the guide's class: its model, and files without units taken as Wh."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from sereno.compat.table import with_units
from sereno.domain.errors import FileMissing, ModelError, ModelMissing
from sereno.flows.ingest import FileResult
from sereno.flows.models import load_model
from sereno.flows.workspace import Workspace
from sereno.settings.profiles import load_profiles

__all__ = ["PROFILE", "open_with_model"]

PROFILE = "solar"
_TRACES = ("sereno.yaml", "sereno.db", ".env")
"""Files that tell a workspace from any other folder."""


class GuideWorkspace(Workspace):
    """A workspace that takes energies without a unit as Wh, which is what the guide's files hold."""

    def ingest(self, *paths: str | Path, **options: Any) -> list[FileResult]:  # noqa: ANN401
        """As `Workspace.ingest`; the results name the files as given."""
        results = []
        for path in paths:
            with tempfile.TemporaryDirectory(prefix="sereno-") as folder:
                read = with_units(self, Path(path), Path(folder)) if Path(path).is_file() else Path(path)
                for result in super().ingest(read, **options):
                    named = replace(result, entry={**result.entry, "file": str(path)})
                    results.append(result if read == Path(path) else named)
        return results


def open_with_model(path: Path) -> Workspace:
    """The workspace of the model's folder, judging with that model, or its own where there is no file.

    Nothing is created unless there is a model.

    Raises:
        ModelError: The file is no sereno model, is of another profile, or there is none at all.
        OSError: The file cannot be read.
    """
    folder = path.parent
    try:
        model = load_model(path, load_profiles(folder / "profiles"))
    except FileMissing:
        return _trained_beside(path)
    if model.card.profile != PROFILE:
        raise ModelError(model=path.name, detail=f"profile {model.card.profile}, not {PROFILE}")
    workspace = GuideWorkspace.open(folder)
    workspace.use_model(model)
    return workspace


def _trained_beside(path: Path) -> Workspace:
    if not any((path.parent / name).exists() for name in _TRACES):
        raise ModelMissing(workspace=str(path.parent))
    workspace = GuideWorkspace.open(path.parent)
    if not any(card.profile == PROFILE for card in workspace.models()):
        workspace.close()
        raise ModelMissing(workspace=str(path.parent))
    return workspace
