"""The secrets that settings hold or name, so that none of them is written anywhere."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from sereno.contracts.options import Place, resolve
from sereno.settings.tree import Settings

__all__ = ["known_secrets"]

_REFERENCES = ("env:", "file:")
_TELLING = ("password", "secret", "token", "key", "auth", "pass", "credential", "header")
"""Parts of the names of options that hold secrets as they are."""


def known_secrets(settings: Settings, folder: Path) -> frozenset[str]:
    """Every secret value: written in the settings, or in what `env:NAME` and `file:PATH` stand for."""
    place = Place(folder)
    return frozenset(one for one in _of_branch(settings, place) if one)


def _of_branch(branch: BaseModel, place: Place) -> Iterator[str]:
    for name, field in type(branch).model_fields.items():
        yield from _of(getattr(branch, name), place, is_hidden=not field.repr, name=name)


def _of(value: object, place: Place, *, is_hidden: bool, name: str) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield from _of_text(value.get_secret_value(), place, is_secret=True)
    elif isinstance(value, BaseModel):
        yield from _of_branch(value, place)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _of(inner, place, is_hidden=is_hidden, name=str(key) if is_hidden else name)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _of(inner, place, is_hidden=is_hidden, name=name)
    elif isinstance(value, str):
        is_secret = is_hidden and any(part in name.lower() for part in _TELLING)
        yield from _of_text(value, place, is_secret=is_secret)


def _of_text(text: str, place: Place, *, is_secret: bool) -> Iterator[str]:
    if text.startswith(_REFERENCES):
        with suppress(ValueError):  # what it names is not there: nothing to hide
            yield str(resolve(text, place))
        return
    if "://" in text:
        yield from _of_address(text)
    elif is_secret:
        yield text


def _of_address(address: str) -> Iterator[str]:
    """Password, path and query of an address: a hook is known by its path alone."""
    with suppress(ValueError):
        parts = urlsplit(address)
        if parts.password:
            yield from (parts.password, unquote(parts.password))
        if parts.scheme.startswith("http"):
            yield from (parts.path.lstrip("/"), parts.query)
