"""Where a request comes from, and under which name it asked: proxies are believed only where it is said."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

__all__ = ["client_address", "is_local", "is_same_origin", "is_secure"]

Network = IPv4Network | IPv6Network

FORWARDING = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
)
"""What proxies add: a request that has one of them was not made on this machine."""


def client_address(scope: Scope, trusted: Sequence[Network]) -> str:
    """The address of who asks; what proxies say counts only as far as each one before is trusted."""
    client = scope.get("client")
    address = "" if client is None else str(client[0])
    if not trusted or not _is_in(address, trusted):
        return address
    said = Headers(scope=scope).getlist("x-forwarded-for")
    hops = [hop.strip() for line in said for hop in line.split(",")]
    for hop in reversed(hops):
        if _parsed(hop) is None:
            return address
        address = hop
        if not _is_in(hop, trusted):
            break
    return address


def is_secure(scope: Scope, trusted: Sequence[Network]) -> bool:
    """Whether the browser speaks TLS, with us or with a trusted proxy."""
    if scope.get("scheme") in {"https", "wss"}:
        return True
    client = scope.get("client")
    if client is None or not _is_in(str(client[0]), trusted):
        return False
    said = Headers(scope=scope).get("x-forwarded-proto", "")
    return said.rpartition(",")[2].strip().lower() == "https"


def is_local(scope: Scope) -> bool:
    """Whether a request was made on this machine, by a program rather than by a page of somebody else."""
    client = scope.get("client")
    address = None if client is None else _parsed(str(client[0]))
    if address is None or not address.is_loopback:
        return False
    headers = Headers(scope=scope)
    if any(name in headers for name in FORWARDING):
        return False
    return headers.get("sec-fetch-site", "none") in {"none", "same-origin"} and is_same_origin(scope)


def is_same_origin(scope: Scope) -> bool:
    """Whether the page that made a request, where one did, is of this service."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()


def _is_in(address: str, networks: Iterable[Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks)


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
