"""What options of sources are made of."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from sereno.contracts.options import Place

__all__ = ["WorkspacePath"]


def _from_folder(given: object, info: ValidationInfo) -> object:
    place = info.context if isinstance(info.context, Place) else Place()
    return place.folder / given if isinstance(given, str | Path) else given


WorkspacePath = Annotated[Path, BeforeValidator(_from_folder)]
"""A path, relative to the workspace or absolute."""
