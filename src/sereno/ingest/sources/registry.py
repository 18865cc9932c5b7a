"""Sources by kind: those of this package, and those that other packages declare as `sereno.sources`."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import get_args, get_type_hints

from pydantic import SecretStr, TypeAdapter, ValidationError

from sereno.contracts.options import Place, resolve
from sereno.contracts.plugins import PluginBroken, Plugins, nearest_first
from sereno.contracts.source import PolledSource, PushedSource
from sereno.domain.errors import SourceMisconfigured, SourceOptionUnknown, SourceUnknown
from sereno.domain.time import parse_duration

__all__ = ["ENTRY_POINTS", "FOLDER", "build_source", "source_kinds"]

ENTRY_POINTS = "sereno.sources"
"""Group of entry points: the kind of a source, and the class that it is."""
FOLDER = "folder"
"""Files are known by their content and keep a ledger of their own."""
_PLUGINS = Plugins(
    ENTRY_POINTS,
    {
        "sql": "sereno.ingest.sources.sql:SqlSource",
        "mqtt": "sereno.ingest.sources.mqtt:MqttSource",
        "opcua": "sereno.ingest.sources.opcua:OpcuaSource",
        "modbus": "sereno.ingest.sources.modbus:ModbusSource",
    },
)
_IDENTITY = "identity"
"""Field of a source that wants a name by which others know it again."""


def source_kinds() -> list[str]:
    """Kinds that a source may have, the package's own first."""
    return [FOLDER, *_PLUGINS.built_in, *(name for name in _PLUGINS.declared() if name != FOLDER)]


def build_source(
    name: str, kind: str, options: Mapping[str, object], *, place: Place, identity: str
) -> PolledSource | PushedSource:
    """A source; nothing is connected to yet.

    Args:
        name: Of the source in the settings.
        options: Values of the fields of its kind, in which `env:NAME` and `file:PATH` stand for secrets.
        place: The workspace, where paths are relative.
        identity: By which the other side may know this source of this store again.

    Raises:
        SourceUnknown: There is no such kind.
        SourceOptionUnknown: The kind has no such option.
        SourceMisconfigured: An option is missing or has no such value.
    """
    where = f"sources.{name}"
    cls = _class_of(kind, where)
    known = [one.name for one in fields(cls) if one.init]
    for key in options:
        if key not in known or key == _IDENTITY:
            near = nearest_first(key, [one for one in known if one != _IDENTITY])
            raise SourceOptionUnknown(where=f"{where}.{key}", kind=kind, option=key, known=near)
    given = {key: _resolved(value, place, f"{where}.{key}") for key, value in options.items()}
    for key in _durations(cls) & given.keys():
        given[key] = _duration(given[key], f"{where}.{key}")
    if _IDENTITY in known:
        given[_IDENTITY] = identity
    try:
        source: PolledSource | PushedSource = TypeAdapter(cls).validate_python(given, context=place)
    except ValidationError as error:
        raise _as_settings_error(error, where) from None  # its text has values
    except (TypeError, ValueError) as error:
        raise SourceMisconfigured(where=where, detail=str(error)) from error
    return source


def _class_of(kind: str, where: str) -> type:
    try:
        found = _PLUGINS.load(kind)
    except PluginBroken as error:
        raise SourceMisconfigured(where=f"{where}.kind", detail=str(error)) from error
    if found is None:
        raise SourceUnknown(where=f"{where}.kind", kind=kind, known=nearest_first(kind, source_kinds()))
    has_verb = callable(getattr(found, "connect", None)) or callable(getattr(found, "listen", None))
    if not isinstance(found, type) or not is_dataclass(found) or not has_verb:
        detail = "what its package declares is no dataclass with a method `connect` or `listen`"
        raise SourceMisconfigured(where=f"{where}.kind", detail=detail)
    return found


def _durations(cls: type) -> set[str]:
    """The options that are written as people write durations."""
    hints = get_type_hints(cls)
    return {name for name, hint in hints.items() if hint is timedelta or timedelta in get_args(hint)}


def _duration(value: object, where: str) -> object:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise SourceMisconfigured(where=where, detail=str(error)) from error


def _resolved(value: object, place: Place, where: str) -> object:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    try:
        return resolve(plain, place)
    except ValueError as error:
        raise SourceMisconfigured(where=where, detail=str(error)) from error


def _as_settings_error(error: ValidationError, where: str) -> SourceMisconfigured:
    """What the first error says, without the value of anything: it may be a secret."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    location = [str(part) for part in first["loc"]]
    message = first["msg"].removeprefix("Value error, ")
    detail = f"'{location[-1]}': {message}" if location else message
    return SourceMisconfigured(where=".".join([where, *location]), detail=detail)
