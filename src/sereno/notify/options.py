"""Options of senders: closed, frozen, and with secrets that never show."""

import logging
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo

from sereno.contracts.options import Place, resolve
from sereno.domain.time import parse_duration

__all__ = ["Folder", "Place", "SenderOptions", "Timeout", "certificates", "keep_quiet", "redact", "resolve"]

_MIN_REDACTED = 4
"""Shorter texts would blank out half of what is told."""
_HIDDEN = "***"


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
