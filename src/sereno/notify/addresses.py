"""Which addresses a message may go to: those of the public internet, unless the receiver says otherwise."""

import socket
import threading
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["NameUnknown", "addresses_of", "is_allowed", "literal_address"]

Address = IPv4Address | IPv6Address

_NAT64 = IPv6Network("64:ff9b::/96")
_SHARED = IPv4Network("100.64.0.0/10")
_METADATA = frozenset(
    {
        IPv4Address("169.254.169.254"),
        IPv4Address("168.63.129.16"),  # Azure, a public address that only the host answers
        IPv4Address("100.100.100.200"),  # Alibaba
        IPv6Address("fd00:ec2::254"),  # Amazon
    }
)
_MAX_ADDRESSES = 4


class NameUnknown(Exception):
    """A name that leads to no address, or to none in time."""


def addresses_of(host: str, port: int, *, within_s: float) -> list[Address]:
    """The addresses of a host, in the order in which the system prefers them; the name is asked for once.

    Raises:
        NameUnknown: There are none, or the answer took longer than `within_s`.
    """
    literal = literal_address(host)
    if literal is not None:
        return [literal]
    found: list[Address] = []
    asking = threading.Thread(target=_ask, args=(host, port, found), daemon=True)
    asking.start()
    asking.join(within_s)
    if not found:
        raise NameUnknown(host)
    return list(dict.fromkeys(found))[:_MAX_ADDRESSES]


def literal_address(host: str) -> Address | None:
    """The address that a host is written as; None for a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_allowed(address: Address, *, allow_private: bool) -> bool:
    """Whether a message may go there.

    Private networks and this machine may be opened by the receiver; what only the neighbouring machine or
    the cloud's own services answer (link-local, metadata, multicast, unspecified) never is.
    """
    inner = _embedded(address)
    if inner in _METADATA or inner.is_link_local or inner.is_multicast or inner.is_unspecified:
        return False
    is_private = not inner.is_global or (isinstance(inner, IPv4Address) and inner in _SHARED)
    return allow_private or not is_private


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def _ask(host: str, port: int, found: list[Address]) -> None:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    found.extend(ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers)
