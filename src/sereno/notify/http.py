"""One HTTP request that ends in time, goes to the address that was checked, and follows nobody elsewhere."""

import asyncio
import contextlib
import ssl
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Annotated

import httpx
from pydantic import AfterValidator, Field, SecretStr

from sereno.contracts.notification import Answer, Outcome
from sereno.domain.version import VERSION
from sereno.notify.addresses import NameUnknown, addresses_of, is_allowed
from sereno.notify.options import Folder, SenderOptions, Timeout, certificates, keep_quiet

__all__ = ["HttpOptions", "Reply", "Request", "check_url", "exchange"]

keep_quiet("httpx", "httpcore")

_MAX_REPLY_BYTES = 262_144
_PORTS = {"http": 80, "https": 443}
_ENVIRONMENT_PROXY = "environment"
_AGENT = f"sereno/{VERSION}"


class HttpOptions(SenderOptions):
    """How a receiver is reached over HTTP."""

    connect_timeout: Timeout = Field(
        default=timedelta(seconds=5), description="To find and open the way, as 5s."
    )
    read_timeout: Timeout = Field(
        default=timedelta(seconds=15), description="Between two bytes of the answer."
    )
    total_timeout: Timeout = Field(default=timedelta(seconds=30), description="For the whole attempt.")
    allow_private: bool = Field(
        default=False, description="Whether the address may be of a private network or of this machine."
    )
    ca_file: Annotated[Folder | None, AfterValidator(certificates)] = Field(
        default=None, description="Certificates (PEM) of the only authorities that are trusted."
    )
    proxy: SecretStr | None = Field(
        default=None, description="Proxy to go through, or `environment` for that of the environment."
    )


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a receiver."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""


@dataclass(slots=True)
class Reply:
    """What came back; the body may be cut where it was too long or too slow."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def check_url(url: SecretStr) -> SecretStr:
    """A URL that can be asked.

    Raises:
        ValueError: It is none of http or https, or has no host.
    """
    try:
        found = httpx.URL(url.get_secret_value())
    except httpx.InvalidURL as error:
        raise ValueError("it is no URL") from error
    if found.scheme not in _PORTS or not found.host:
        raise ValueError("a URL begins with https:// or http:// and names a host")
    return url


def exchange(request: Request, way: HttpOptions) -> Reply | Answer:
    """Ask once: the reply, whatever its status, or what stood in the way.

    The name is resolved once and the connection goes to the very address that was judged; redirects are
    not followed; proxies of the environment are used only where the options say so.
    """
    began = monotonic()
    url = httpx.URL(request.url)
    targets: list[httpx.URL] = [url]
    if way.proxy is None:
        found = _targets(url, way)
        if isinstance(found, Answer):
            return found
        targets = found
    reply = Reply()
    left = way.total_timeout.total_seconds() - (monotonic() - began)
    try:
        _run(asyncio.wait_for(_ask(request, targets, way, reply), max(left, 0.0)))
    except (TimeoutError, httpx.TimeoutException):
        return reply if reply.status else Answer(Outcome.RETRY, "timeout", "no answer in time")
    except (httpx.HTTPError, OSError) as error:
        return reply if reply.status else _failure(error)
    return reply


def _run(asking: Coroutine[None, None, None]) -> None:
    """Run to the end, in a thread of its own where this one has a loop already (a notebook, say)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(asking)
        return
    with ThreadPoolExecutor(max_workers=1) as apart:
        apart.submit(asyncio.run, asking).result()


def _targets(url: httpx.URL, way: HttpOptions) -> list[httpx.URL] | Answer:
    port = url.port or _PORTS[url.scheme]
    try:
        found = addresses_of(url.raw_host.decode("ascii"), port, within_s=way.connect_timeout.total_seconds())
    except NameUnknown:
        return Answer(Outcome.RETRY, "dns", f"the name {url.host} leads to no address")
    refused = [one for one in found if not is_allowed(one, allow_private=way.allow_private)]
    if refused:
        detail = f"{url.host} is {refused[0]}, an address that is not allowed: see allow_private"
        return Answer(Outcome.REFUSED, "address", detail)
    return [url.copy_with(host=str(one)) for one in found]


async def _ask(request: Request, targets: list[httpx.URL], way: HttpOptions, reply: Reply) -> None:
    read = way.read_timeout.total_seconds()
    timeout = httpx.Timeout(read, connect=way.connect_timeout.total_seconds())
    proxy = way.proxy.get_secret_value() if way.proxy else None
    is_environment = proxy == _ENVIRONMENT_PROXY
    async with httpx.AsyncClient(
        verify=_trust(way.ca_file),
        trust_env=is_environment,
        proxy=None if is_environment else proxy,
        follow_redirects=False,
        timeout=timeout,
    ) as client:
        for place, target in enumerate(targets):
            try:
                await _ask_at(client, target, request, reply)
            except httpx.ConnectError as error:
                if place == len(targets) - 1 or _is_tls(error):
                    raise
            else:
                return


async def _ask_at(client: httpx.AsyncClient, target: httpx.URL, request: Request, reply: Reply) -> None:
    url = httpx.URL(request.url)
    headers = {
        "User-Agent": _AGENT,
        "Accept-Encoding": "identity",
        **request.headers,
        "Host": url.netloc.decode("ascii"),
    }
    asked = client.build_request(
        request.method,
        target,
        headers=headers,
        content=request.body,
        extensions={"sni_hostname": url.raw_host.decode("ascii")},
    )
    answer = await client.send(asked, stream=True)
    reply.headers = dict(answer.headers)
    reply.status = answer.status_code
    try:
        async for chunk in answer.aiter_raw():
            reply.body += chunk
            if len(reply.body) >= _MAX_REPLY_BYTES:
                break
    finally:
        with contextlib.suppress(httpx.HTTPError, OSError):
            await answer.aclose()


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    return _context(ca_file, None if ca_file is None else ca_file.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _context(ca_file: Path | None, changed_at: int | None) -> ssl.SSLContext:  # noqa: ARG001 - part of the key
    """The authorities of a file, or those of httpx and of this machine."""
    if ca_file is not None:
        return ssl.create_default_context(cafile=str(ca_file))
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def _failure(error: Exception) -> Answer:
    if _is_tls(error):
        return Answer(Outcome.RETRY, "tls", _tls_reason(error))
    if isinstance(error, httpx.ConnectError):
        return Answer(Outcome.RETRY, "refused", "no connection")
    return Answer(Outcome.RETRY, "network", f"the connection broke ({type(error).__name__})")


def _is_tls(error: Exception) -> bool:
    return _tls_error(error) is not None


def _tls_reason(error: Exception) -> str:
    found = _tls_error(error)
    reason = getattr(found, "verify_message", "") or getattr(found, "reason", "") or "no secure connection"
    return f"TLS: {reason}"


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None
