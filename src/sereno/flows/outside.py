"""What somebody at a distance may say of addresses: nothing that leads into the network of this machine.

Whoever writes `sereno.yaml` sees this network anyway. Who comes through the API may see nothing of it, and
must not look around through us (server-side request forgery), nor read our variables and files.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from sereno.domain.errors import AddressRefused, SecretReferenceRefused
from sereno.notify.addresses import NameUnknown, addresses_of, is_allowed

__all__ = ["check_outside"]

REFERENCES = ("env:", "file:")
_HOSTS = frozenset({"host", "hostname", "server", "broker", "smarthost", "address", "endpoint"})
_OPENINGS = frozenset({"allow_private"})
WITHIN_S = 5.0
_PORTS = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883, "opc.tcp": 4840, "postgresql": 5432}


def check_outside(options: Mapping[str, object]) -> None:
    """Refuse options of a receiver or source that lead inside, when they come through the API.

    Senders look again at each address when they connect, so that a name cannot change its mind.

    Raises:
        AddressRefused: A host or URL among them leads into this network, to this machine or nowhere.
        SecretReferenceRefused: A value is a reference to a variable or file of this machine.
    """
    for name, value in _leaves(options, ""):
        last = name.rpartition(".")[2].lower()
        if last in _OPENINGS and value:
            raise AddressRefused(host=name)
        if not isinstance(value, str):
            continue
        if value.startswith(REFERENCES):
            raise SecretReferenceRefused(option=name)
        target = _target(last, value)
        if target is not None:
            _check_host(*target)


def _target(name: str, value: str) -> tuple[str, int] | None:
    """Host and port that an option names; None for one that names none."""
    if "://" in value:
        try:
            parts = urlsplit(value)
            return parts.hostname or "", parts.port or _PORTS.get(parts.scheme.lower(), 443)
        except ValueError:
            return "", 0
    if name not in _HOSTS:
        return None
    host, _, port = value.rpartition(":") if value.count(":") == 1 else (value, "", "")
    return host, int(port) if port.isdecimal() else 443


def _check_host(host: str, port: int) -> None:
    try:
        found = addresses_of(host, port, within_s=WITHIN_S) if host else []
    except NameUnknown:
        found = []
    if not found or not all(is_allowed(one, allow_private=False) for one in found):
        raise AddressRefused(host=host)


def _leaves(value: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value
