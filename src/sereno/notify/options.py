"""Options of senders: closed, frozen, and with secrets that never show."""

import logging
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo

from sereno.domain.time import parse_duration

__all__ = ["Folder", "Place", "SenderOptions", "Timeout", "certificates", "keep_quiet", "redact", "resolve"]

_ENVIRONMENT = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_FILE = re.compile(r"file:(\S.*)")
_MAX_SECRET_BYTES = 65_536
_MIN_REDACTED = 4
"""Shorter texts would blank out half of what is told."""
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Place:
    """Where options were written: the folder that paths start from, and the environment of `env:NAME`."""

    folder: Path = field(default_factory=Path)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def _from_folder(given: object, info: ValidationInfo) -> object:
    place = info.context if isinstance(info.context, Place) else Place()
    return place.folder / given if isinstance(given, str | Path) else given


Timeout = Annotated[
    timedelta, BeforeValidator(parse_duration), Field(gt=timedelta(0), le=timedelta(minutes=10))
]
"""How long something may take, written as `10s`."""
Folder = Annotated[Path, BeforeValidator(_from_folder)]
"""A path, relative to the workspace or absolute."""


class SenderOptions(BaseModel):
    """What senders are made of: fields that are the options, and a method `send`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


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


def certificates(path: Path | None) -> Path | None:
    """A file of certificates (PEM) that can be read.

    Raises:
        ValueError: It cannot, or holds none.
    """
    if path is not None:
        try:
            ssl.create_default_context(cafile=str(path))
        except OSError as error:
            raise ValueError(f"'{path}' holds no certificates that can be read") from error
    return path


def keep_quiet(*loggers: str) -> None:
    """Let libraries speak of failures only: what they tell of each request holds URLs and headers."""
    for name in loggers:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def redact(text: str, secrets: tuple[SecretStr, ...]) -> str:
    """A text of somebody else in one line, without secrets that it may repeat."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    hidden = (one.get_secret_value() for one in secrets)
    for secret in sorted(hidden, key=len, reverse=True):
        if len(secret) >= _MIN_REDACTED:
            shown = shown.replace(secret, _HIDDEN)
    return shown


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
