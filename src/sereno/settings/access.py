"""Branch of `sereno.yaml` for the service: who may ask it, through what, and how much."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, IPvAnyNetwork

from sereno.settings.branch import Branch, Duration

__all__ = ["RequestLimits", "ServiceSettings", "SessionSettings"]

Rate = Annotated[float, Field(gt=0)]


class RequestLimits(Branch):
    """What requests may cost before they are refused."""

    key_rate: Rate = Field(
        default=1000.0, description="Requests of one key or user at most [1/s]; twice as many at once."
    )
    address_rate: Rate = Field(
        default=2000.0, description="Requests from one address at most [1/s]; twice as many at once."
    )
    login_rate: Rate = Field(
        default=10.0, description="Attempts to log in from one address, or for one user, at most [1/min]."
    )
    body_bytes: int = Field(default=16 * 2**20, gt=0, description="Size of the body of a request [bytes].")
    header_bytes: int = Field(default=32 * 2**10, gt=0, description="Size of all its headers [bytes].")
    json_depth: int = Field(default=32, gt=0, description="How deep JSON may be nested.")


class SessionSettings(Branch):
    """How long somebody stays logged in."""

    idle: Duration = Field(
        default=timedelta(hours=8), description="Time without a request after which a session ends, as 8h."
    )
    absolute: Duration = Field(
        default=timedelta(days=7), description="Time after which every session ends, as 7d."
    )


class ServiceSettings(Branch):
    """Who may ask the service, and how much."""

    auth: bool = Field(
        default=True,
        description="Whether requests need a key or a login; without, everybody who reaches it is admin.",
    )
    open_on_loopback: bool = Field(
        default=True,
        description="Whether the doors of the earlier scripts need no key from this machine itself.",
    )
    trusted_proxies: list[IPvAnyNetwork] = Field(
        default_factory=list,
        description="Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed.",
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Names under which it is reached, as sereno.example.org or *.example.org; addresses, "
        "localhost and the name of this machine always count.",
    )
    tls_certificate: str | None = Field(default=None, description="File of the certificate chain, PEM.")
    tls_key: str | None = Field(default=None, description="File of its private key, PEM.")
    limits: RequestLimits = Field(
        default_factory=RequestLimits, description="What requests may cost before they are refused."
    )
    sessions: SessionSettings = Field(
        default_factory=SessionSettings, description="How long somebody stays logged in."
    )
