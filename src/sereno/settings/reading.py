"""Settings are read once, by a door: `sereno.yaml`, `SERENO__A__B` over it, `.env` for the database."""

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin
from zoneinfo import available_timezones

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr, ValidationError

from sereno.domain.errors import SettingsError
from sereno.settings.tree import Settings

__all__ = ["SETTINGS_FILE", "LoadedSettings", "describe_settings", "load_settings", "save_setting"]

SETTINGS_FILE = "sereno.yaml"
_PREFIX = "SERENO__"
_RESERVED = ("SERENO__DATA",)
_WITH_SECRETS = "store"
"""Branch whose values are never repeated in an error."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The tree, and where each value that is not a default came from (`a.b` → origin)."""

    tree: Settings
    origins: Mapping[str, str]

    def effective(self) -> Iterator[tuple[str, object, str]]:
        """Every leaf as (key, value, origin); secrets stay hidden."""
        for key, value in _leaves(self.tree):
            yield key, value, self.origins.get(key, "default")


def load_settings(folder: Path, environment: Mapping[str, str] | None = None) -> LoadedSettings:
    """The settings of a workspace folder.

    Raises:
        SettingsError: Unknown key, wrong value or unreadable YAML; names file, line and the nearest valid
        key.
    """
    environment = os.environ if environment is None else environment
    path = folder / SETTINGS_FILE
    text = path.read_text("utf-8") if path.is_file() else ""
    data, lines = _parse(text, str(path))
    origins = {key: f"{path}:{line}" for key, line in lines.items()}
    for name, value in sorted(environment.items()):
        if name.startswith(_PREFIX) and name not in _RESERVED:
            key = name[len(_PREFIX) :].lower().split("__")
            _put(data, key, yaml.safe_load(value))
            origins[".".join(key)] = name
    _add_database_url(data, origins, folder, environment)
    try:
        tree = Settings.model_validate(data)
    except ValidationError as error:
        raise _as_settings_error(error, origins, path) from error
    _check_zone(tree, origins, path)
    return LoadedSettings(tree, origins)


def save_setting(folder: Path, key: str, value: str) -> None:
    """Add a top-level setting that a person did not write yet; existing text is kept as it stands."""
    path = folder / SETTINGS_FILE
    text = path.read_text("utf-8") if path.is_file() else ""
    separator = "" if not text or text.endswith("\n") else "\n"
    partial = path.with_suffix(".yaml.part")
    partial.write_text(f"{text}{separator}{key}: {value}\n", "utf-8")
    partial.replace(path)


def describe_settings() -> list[tuple[str, str, str, str]]:
    """Every key with its type, default and sentence: the manual and `config explain` are made of it."""
    return list(_described(Settings, ""))


def _parse(text: str, where: str) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        detail = f"not valid YAML, {getattr(error, 'problem', error)}"
        raise SettingsError(where=f"{where}{line}", detail=detail, hint="") from error
    if data is None:
        return {}, {}
    if not isinstance(data, dict):
        raise SettingsError(where=f"{where}:1", detail="expected `key: value` lines", hint="")
    return data, dict(_key_lines(node, ""))


def _key_lines(node: yaml.Node | None, prefix: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            yield name, key.start_mark.line + 1
            yield from _key_lines(value, f"{name}.")


def _put(data: dict[str, Any], key: list[str], value: object) -> None:
    for part in key[:-1]:
        if not isinstance(data.get(part), dict):
            data[part] = {}
        data = data[part]
    data[key[-1]] = value


def _add_database_url(
    data: dict[str, Any], origins: dict[str, str], folder: Path, environment: Mapping[str, str]
) -> None:
    store = data.get("store") or {}
    if not isinstance(store, dict) or store.get("url"):
        return
    for origin, values in (("DATABASE_URL", environment), *_dotenv_files(folder)):
        if url := values.get("DATABASE_URL"):
            data["store"] = {**store, "url": url}
            origins["store.url"] = origin
            return


def _dotenv_files(folder: Path) -> Iterator[tuple[str, Mapping[str, str | None]]]:
    for place in dict.fromkeys((folder / ".env", Path.cwd() / ".env")):
        if place.is_file():
            yield str(place), dotenv_values(place)


def _as_settings_error(error: ValidationError, origins: Mapping[str, str], path: Path) -> SettingsError:
    # A key that is misspelt is also missing under its right name: the misspelling says more.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    location = [str(part) for part in first["loc"]]
    key = ".".join(location)
    ends = range(len(location), 0, -1)
    where = next((origins[k] for end in ends if (k := ".".join(location[:end])) in origins), str(path))
    if first["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"Known keys there: {', '.join(known)}."
        return SettingsError(where=where, detail=f"unknown key '{key}'", hint=hint)
    is_shown = not isinstance(first["input"], dict) and location[0] != _WITH_SECRETS
    found = f" (found {first['input']!r})" if is_shown else ""
    return SettingsError(where=where, detail=f"'{key}': {first['msg']}{found}", hint="")


def _known_keys(branch: list[str]) -> list[str]:
    model: type[BaseModel] | None = Settings
    for part in branch:
        if model is not None and part in model.model_fields:
            model = _branch_model(model.model_fields[part].annotation)
    return list(model.model_fields) if model is not None else []


def _branch_model(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - whatever stands in a field
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, dict):
        found = [_branch_model(part) for part in get_args(annotation)]
        return next((model for model in found if model), None)
    return None


def _check_zone(tree: Settings, origins: Mapping[str, str], path: Path) -> None:
    zone = tree.timezone
    if zone is None or zone in available_timezones():
        return
    near = difflib.get_close_matches(zone, available_timezones(), n=1)
    hint = f"Did you mean '{near[0]}'?" if near else "Use an IANA name such as Europe/Madrid."
    where = origins.get("timezone", str(path))
    raise SettingsError(where=where, detail=f"unknown time zone '{zone}'", hint=hint)


def _leaves(branch: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name in type(branch).model_fields:
        value = getattr(branch, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, SecretStr):
            yield f"{prefix}{name}", "********"
        elif isinstance(value, dict) and any(isinstance(v, BaseModel | dict) for v in value.values()):
            yield from _leaves_of_map(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _leaves_of_map(branches: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for key, inner in branches.items():
        walk = _leaves if isinstance(inner, BaseModel) else _leaves_of_map
        yield from walk(inner, f"{prefix}{key}.")


def _described(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        inner = _branch_model(field.annotation)
        is_map = get_origin(field.annotation) is dict
        if inner is not None:
            yield from _described(inner, f"{prefix}{name}.{'<name>.' if is_map else ''}")
            continue
        default = "" if field.is_required() else str(field.get_default(call_default_factory=True))
        kind = getattr(field.annotation, "__name__", str(field.annotation)).replace("typing.", "")
        yield f"{prefix}{name}", kind, default, field.description or ""
