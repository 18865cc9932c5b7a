"""Settings are read once, by a door: `sereno.yaml`, `SERENO__A__B` over it, `.env` for the database."""

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from zoneinfo import available_timezones

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr, ValidationError

from sereno.domain.errors import SettingsError, SystemRefused
from sereno.settings.sources import SOURCES, source_branch
from sereno.settings.tree import Settings

__all__ = [
    "SETTINGS_FILE",
    "LoadedSettings",
    "describe_settings",
    "load_settings",
    "said_organization",
    "save_entry",
    "save_setting",
]

SETTINGS_FILE = "sereno.yaml"
_PREFIX = "SERENO__"
_RESERVED = ("SERENO__DATA",)
_MODEL_VERSION = "MODEL_VERSION"
_WITH_FILES = frozenset({"smtp"})
"""Kinds of receivers that take files."""
_WITH_SECRETS = ("store", "receivers", "sources")
"""Branches whose values are never repeated in an error."""
_REFERENCES = ("env:", "file:")
"""How a setting names a secret that stands elsewhere."""
_ORGANIZATION = "organization"
_OF_ROOT = ("store", "service")
_HIDDEN = "********"
_PLACE_OF_KIND = 2
"""Behind `sources` and a name, errors say by the options of which kind the source was read."""


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
    """The settings of a workspace folder; the environment speaks to its root, not to its organizations.

    Raises:
        SettingsError: Unknown key, wrong value or unreadable YAML; names file, line and the nearest valid
        key.
    """
    environment = os.environ if environment is None else environment
    path = folder / SETTINGS_FILE
    text = path.read_text("utf-8") if path.is_file() else ""
    data, lines = _parse(text, str(path))
    origins = {key: f"{path}:{line}" for key, line in lines.items()}
    if _ORGANIZATION in data:
        _refuse_root_branches(data, origins)
    else:
        _add_environment(data, origins, environment)
        _add_database_url(data, origins, folder, environment)
        _add_model_version(data, origins, environment)
    try:
        tree = Settings.model_validate(data)
    except ValidationError as error:
        raise _as_settings_error(error, origins, path) from error
    _check_zones(tree, origins, path)
    _check_receivers(tree, origins, path)
    return LoadedSettings(tree, origins)


def said_organization(folder: Path) -> str | None:
    """The organization that a folder's settings say it is; None for the root of a workspace.

    Raises:
        SettingsError: The settings cannot be read.
    """
    path = folder / SETTINGS_FILE
    if not path.is_file():
        return None
    data, _ = _parse(path.read_text("utf-8"), str(path))
    return str(data[_ORGANIZATION]) if data.get(_ORGANIZATION) is not None else None


def save_setting(folder: Path, key: str, value: str) -> None:
    """Add a top-level setting that a person did not write yet; existing text is kept as it stands."""
    path = folder / SETTINGS_FILE
    text = path.read_text("utf-8") if path.is_file() else ""
    separator = "" if not text or text.endswith("\n") else "\n"
    _replace(path, f"{text}{separator}{key}: {value}\n")


def save_entry(folder: Path, branch: str, name: str, entry: Mapping[str, object]) -> Path:
    """Add an entry to a top-level branch of `sereno.yaml`; existing text is kept as it stands.

    Raises:
        SettingsError: The branch is written in one line (`{…}`), or the file would no longer be valid.
        SystemRefused: The file cannot be written; it is as it was.
    """
    path = folder / SETTINGS_FILE
    text = path.read_text("utf-8") if path.is_file() else ""
    added = yaml.safe_dump(
        {name: entry}, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110
    )
    block = "".join(f"  {line}\n" for line in added.splitlines())
    changed = _with_block(text, branch, block, str(path))
    data, lines = _parse(changed, str(path))
    try:
        Settings.model_validate(data)
    except ValidationError as error:
        raise _as_settings_error(error, {k: f"{path}:{n}" for k, n in lines.items()}, path) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(path, changed)
    except OSError as error:
        raise SystemRefused(file=str(path), detail=error.strerror or str(error)) from error
    return path


def _with_block(text: str, branch: str, block: str, where: str) -> str:
    """The text with indented lines added at the end of a branch, which is begun where there is none."""
    _parse(text, where)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = next(((key, value) for key, value in pairs if key.value == branch), None)
    if found is None:
        separator = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{separator}{branch}:\n{block}"
    key, value = found
    line = key.start_mark.line
    lines = text.splitlines(keepends=True)
    if isinstance(value, yaml.MappingNode) and not value.flow_style:
        line = max(_last_line(inner) for pair in value.value for inner in pair)
        indent = value.value[0][0].start_mark.column
        block = "".join(f"{' ' * indent}{one[2:]}" for one in block.splitlines(keepends=True))
    elif not (isinstance(value, yaml.ScalarNode) and value.tag.endswith(":null") and not value.value):
        raise SettingsError(
            where=f"{where}:{line + 1}", detail=f"'{branch}' is not written as a block of lines", hint=""
        )
    if not lines[line].endswith("\n"):
        lines[line] += "\n"
    return "".join([*lines[: line + 1], block, *lines[line + 1 :]])


def _last_line(node: yaml.Node) -> int:
    """The last line that a node has text on; the end mark of a block is where the next one begins."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return max(_last_line(inner) for pair in node.value for inner in pair)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return max(_last_line(inner) for inner in node.value)
    is_block_text = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
    return node.end_mark.line - 1 if is_block_text else node.end_mark.line


def _replace(path: Path, text: str) -> None:
    partial = path.with_suffix(".yaml.part")
    partial.write_text(text, "utf-8")
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
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield f"{prefix}{number}", value.start_mark.line + 1
            yield from _key_lines(value, f"{prefix}{number}.")


def _add_environment(data: dict[str, Any], origins: dict[str, str], environment: Mapping[str, str]) -> None:
    for name, value in sorted(environment.items()):
        if name.startswith(_PREFIX) and name not in _RESERVED:
            key = name[len(_PREFIX) :].lower().split("__")
            _put(data, key, yaml.safe_load(value))
            origins[".".join(key)] = name


def _refuse_root_branches(data: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """What is of the whole workspace is said at its root alone."""
    for key in _OF_ROOT:
        if key in data:
            detail = f"'{key}' is said in the root of the workspace, not in an organization"
            raise SettingsError(where=origins.get(key, SETTINGS_FILE), detail=detail, hint="")


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


def _add_model_version(data: dict[str, Any], origins: dict[str, str], environment: Mapping[str, str]) -> None:
    said = [one.strip() for one in environment.get(_MODEL_VERSION, "").split(",")]
    if any(said):
        data["model_version"] = [one for one in said if one]
        origins["model_version"] = _MODEL_VERSION


def _dotenv_files(folder: Path) -> Iterator[tuple[str, Mapping[str, str | None]]]:
    for place in dict.fromkeys((folder / ".env", Path.cwd() / ".env")):
        if place.is_file():
            yield str(place), dotenv_values(place)


def _as_settings_error(error: ValidationError, origins: Mapping[str, str], path: Path) -> SettingsError:
    # A key that is misspelt is also missing under its right name: the misspelling says more.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    location, kind = _without_tag([str(part) for part in first["loc"]])
    key = ".".join(location)
    ends = range(len(location), 0, -1)
    where = next((origins[k] for end in ends if (k := ".".join(location[:end])) in origins), str(path))
    if first["type"] == "extra_forbidden":
        known = _known_keys(location[:-1], kind)
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"Known keys there: {', '.join(known)}."
        return SettingsError(where=where, detail=f"unknown key '{key}'", hint=hint)
    is_shown = not isinstance(first["input"], dict) and location[0] not in _WITH_SECRETS
    found = f" (found {first['input']!r})" if is_shown else ""
    return SettingsError(where=where, detail=f"'{key}': {first['msg']}{found}", hint="")


def _without_tag(location: list[str]) -> tuple[list[str], str]:
    """Where an error is, as it is written, and the kind of the source that it is in; empty elsewhere."""
    if location[0] != "sources" or len(location) <= _PLACE_OF_KIND:
        return location, ""
    return [*location[:_PLACE_OF_KIND], *location[_PLACE_OF_KIND + 1 :]], location[_PLACE_OF_KIND]


def _known_keys(branch: list[str], kind: str = "") -> list[str]:
    model: type[BaseModel] | None = source_branch(kind) if kind else Settings
    is_name = False
    for part in branch[_PLACE_OF_KIND if kind else 0 :]:
        if is_name or model is None:  # the name of an entry may be that of a field
            is_name = False
            continue
        named = {field.alias or name: field for name, field in model.model_fields.items()}
        field = named.get(part)
        if field is not None:
            model, is_name = _branch_model(field.annotation), get_origin(field.annotation) in (dict, list)
    return [field.alias or name for name, field in model.model_fields.items()] if model is not None else []


def _branch_model(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - whatever stands in a field
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, dict, list, Annotated):
        found = [_branch_model(part) for part in get_args(annotation)]
        return next((model for model in found if model), None)
    return None


def _check_zones(tree: Settings, origins: Mapping[str, str], path: Path) -> None:
    zones = {"timezone": tree.timezone}
    zones |= {f"mappings.{name}.timezone": one.timezone for name, one in tree.mappings.items()}
    zones |= {f"sources.{name}.timezone": one.timezone for name, one in tree.sources.items()}
    zones |= {f"receivers.{name}.timezone": one.timezone for name, one in tree.receivers.items()}
    for key, zone in zones.items():
        if zone is not None:
            _check_zone_name(zone, origins.get(key, str(path)))


def _check_zone_name(zone: str, where: str) -> None:
    if zone in available_timezones():
        return
    near = difflib.get_close_matches(zone, available_timezones(), n=1)
    hint = f"Did you mean '{near[0]}'?" if near else "Use an IANA name such as Europe/Madrid."
    raise SettingsError(where=where, detail=f"unknown time zone '{zone}'", hint=hint)


def _check_receivers(tree: Settings, origins: Mapping[str, str], path: Path) -> None:
    """That everybody who is to be told is there."""
    named = {"dead_man.to": tree.dead_man.to}
    if tree.dead_man.heartbeat is not None:
        named["dead_man.heartbeat.to"] = [tree.dead_man.heartbeat.to]
    for number, route in enumerate(tree.routes):
        named[f"routes.{number}.to"] = route.to
        named |= {f"routes.{number}.escalate.{n}.to": one.to for n, one in enumerate(route.escalate)}
    named |= {f"reports.{name}.to": one.to for name, one in tree.reports.items()}
    for key, names in named.items():
        unknown = next((name for name in names if name not in tree.receivers), None)
        if unknown is not None:
            near = difflib.get_close_matches(unknown, tree.receivers, n=1)
            known = f"Receivers are {', '.join(tree.receivers)}." if tree.receivers else ""
            hint = f"Did you mean '{near[0]}'?" if near else known or "Declare it under `receivers`."
            detail = f"'{key}': there is no receiver '{unknown}'"
            raise SettingsError(where=origins.get(key, str(path)), detail=detail, hint=hint)
    for name, one in tree.reports.items():
        fileless = next((to for to in one.to if tree.receivers[to].kind not in _WITH_FILES), None)
        if fileless is not None:
            key = f"reports.{name}.to"
            detail = f"'{key}': the receiver '{fileless}' is {tree.receivers[fileless].kind}"
            hint = f"A report needs a receiver that takes files: {', '.join(sorted(_WITH_FILES))}."
            raise SettingsError(where=origins.get(key, str(path)), detail=detail, hint=hint)


def _hidden(options: Mapping[str, object]) -> dict[str, object]:
    """What may be shown of options that may hold secrets: references to them, numbers and switches."""

    def is_open(value: object) -> bool:
        return value.startswith(_REFERENCES) if isinstance(value, str) else not isinstance(value, dict | list)

    return {key: value if is_open(value) else _HIDDEN for key, value in options.items()}


def _leaves(branch: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    for attribute, field in type(branch).model_fields.items():
        name, value = field.alias or attribute, getattr(branch, attribute)
        if not field.repr:
            yield f"{prefix}{name}", _hidden(value)
        elif isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, SecretStr):
            yield f"{prefix}{name}", _HIDDEN
        elif isinstance(value, dict) and any(isinstance(v, BaseModel | dict) for v in value.values()):
            yield from _leaves_of_map(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(one, BaseModel) for one in value):
            yield from _leaves_of_map({str(n): one for n, one in enumerate(value)}, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _leaves_of_map(branches: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for key, inner in branches.items():
        walk = _leaves if isinstance(inner, BaseModel) else _leaves_of_map
        yield from walk(inner, f"{prefix}{key}.")


def _described_sources() -> Iterator[tuple[str, str, str, str]]:
    """The options of each kind of source; those that every kind has once, with the first."""
    seen = set()
    for kind, branch in SOURCES.items():
        for key, *rest in _described(branch, "sources.<name>."):
            if (key, rest[-1]) not in seen:
                seen.add((key, rest[-1]))
                yield key, rest[0], rest[1], f"{rest[2].removesuffix('.')} (kind {kind})."


def _described(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        inner = _branch_model(field.annotation)
        shown = f"{prefix}{field.alias or name}"
        if shown == "sources":
            yield from _described_sources()
            continue
        if inner is not None:
            origin = get_origin(field.annotation)
            between = ".<name>" if origin is dict else ".<number>" if origin is list else ""
            yield from _described(inner, f"{shown}{between}.")
            continue
        default = "" if field.is_required() else str(field.get_default(call_default_factory=True))
        kind = getattr(field.annotation, "__name__", str(field.annotation)).replace("typing.", "")
        yield shown, kind, default, field.description or ""
