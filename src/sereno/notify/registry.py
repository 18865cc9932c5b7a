"""Senders by kind: those of this package, and those that other packages declare as `sereno.senders`."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from pydantic import BaseModel, TypeAdapter, ValidationError

from sereno.contracts.notification import Sender
from sereno.contracts.plugins import PluginBroken, Plugins, nearest_first
from sereno.domain.errors import SenderMisconfigured, SenderOptionUnknown, SenderUnknown
from sereno.notify.options import Place, resolve

__all__ = ["ENTRY_POINTS", "build_sender", "sender_kinds"]

ENTRY_POINTS = "sereno.senders"
"""Group of entry points: the kind of a sender, and the class that it is."""
_PLUGINS = Plugins(
    ENTRY_POINTS,
    {
        "webhook": "sereno.notify.webhook:WebhookSender",
        "smtp": "sereno.notify.smtp:SmtpSender",
        "alertmanager": "sereno.notify.alertmanager:AlertmanagerSender",
        "ticket": "sereno.notify.ticket:TicketSender",
        "apprise": "sereno.notify.services:AppriseSender",
        "files": "sereno.notify.files:FilesSender",
    },
)
_HERE = Place()


def sender_kinds() -> list[str]:
    """Kinds that a receiver may have, the package's own first."""
    return [*_PLUGINS.built_in, *_PLUGINS.declared()]


def build_sender(name: str, kind: str, options: Mapping[str, object], *, place: Place = _HERE) -> Sender:
    """The sender of a receiver; nothing is connected to yet.

    Args:
        name: Of the receiver in the settings.
        options: Values of the fields of its kind, in which `env:NAME` and `file:PATH` stand for secrets.
        place: The workspace, where paths are relative.

    Raises:
        SenderUnknown: There is no such kind.
        SenderOptionUnknown: The kind has no such option.
        SenderMisconfigured: An option is missing or has no such value.
    """
    where = f"receivers.{name}"
    cls = _class_of(kind, where)
    known = _options_of(cls)
    for key in options:
        if key not in known:
            near = nearest_first(key, known)
            raise SenderOptionUnknown(where=f"{where}.options.{key}", kind=kind, option=key, known=near)
    resolved = {key: _resolved(value, place, f"{where}.options.{key}") for key, value in options.items()}
    try:
        sender: Sender = TypeAdapter(cls).validate_python(resolved, context=place)
    except ValidationError as error:
        raise _as_settings_error(error, f"{where}.options", options, known) from None  # its text has values
    except (TypeError, ValueError) as error:
        raise SenderMisconfigured(where=f"{where}.options", detail=str(error)) from error
    return sender


def _class_of(kind: str, where: str) -> type:
    try:
        found = _PLUGINS.load(kind)
    except PluginBroken as error:
        raise SenderMisconfigured(where=f"{where}.kind", detail=str(error)) from error
    if found is None:
        raise SenderUnknown(where=f"{where}.kind", kind=kind, known=nearest_first(kind, sender_kinds()))
    is_class = isinstance(found, type) and (is_dataclass(found) or issubclass(found, BaseModel))
    if not isinstance(found, type) or not is_class or not callable(getattr(found, "send", None)):
        detail = "what its package declares is no dataclass with a method `send`"
        raise SenderMisconfigured(where=f"{where}.kind", detail=detail)
    return found


def _options_of(cls: type) -> dict[str, str]:
    """The options of a class, each with its type in words."""
    if issubclass(cls, BaseModel):
        return {field.alias or name: str(field.annotation) for name, field in cls.model_fields.items()}
    return {one.name: str(one.type) for one in fields(cls) if one.init}  # type: ignore[arg-type]


def _resolved(value: object, place: Place, where: str) -> object:
    try:
        return resolve(value, place)
    except ValueError as error:
        raise SenderMisconfigured(where=where, detail=str(error)) from error


def _as_settings_error(
    error: ValidationError, where: str, options: Mapping[str, object], known: Mapping[str, str]
) -> SenderMisconfigured:
    """What the first error says, without the value of anything that may be a secret."""
    first = error.errors(include_url=False, include_context=False)[0]
    location = [str(part) for part in first["loc"]]
    key = location[0] if location else ""
    message = first["msg"].removeprefix("Value error, ")
    given = options.get(key)
    is_shown = isinstance(given, bool | int | float | str) and "Secret" not in known.get(key, "Secret")
    found = f" (found {given!r})" if is_shown and first["type"] != "value_error" else ""
    detail = f"'{location[-1]}': {message}{found}" if location else message
    return SenderMisconfigured(where=".".join([where, *location]), detail=detail)
