"""Options as people write them: where paths start, and `env:NAME` and `file:PATH` in place of secrets."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Place", "resolve"]

_ENVIRONMENT = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_FILE = re.compile(r"file:(\S.*)")
_MAX_SECRET_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Place:
    """Where options were written: the folder that paths start from, and the environment of `env:NAME`."""

    folder: Path = field(default_factory=Path)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def resolve(value: object, place: Place) -> object:
    """A value in which `env:NAME` and `file:PATH` stand for what the environment or the file holds.

    Raises:
        ValueError: There is no such variable or file.
    """
    if isinstance(value, Mapping):
        return {key: resolve(inner, place) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolve(inner, place) for inner in value]
    if not isinstance(value, str):
        return value
    if found := _ENVIRONMENT.fullmatch(value):
        return _variable(found[1], place.environment)
    if found := _FILE.fullmatch(value):
        return _content(place.folder / found[1])
    return value


def _variable(name: str, environment: Mapping[str, str]) -> str:
    if not environment.get(name):
        raise ValueError(f"the environment has no variable {name}")
    return environment[name]


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SECRET_BYTES).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        detail = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ValueError(f"'{path}' cannot be read: {detail}") from error
