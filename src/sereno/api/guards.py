"""What every request passes before any route sees it: names, sizes, rates; and what every answer carries."""

import math
import re
import socket
from collections.abc import Sequence
from functools import cache, lru_cache

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sereno.api.buckets import Buckets
from sereno.api.origin import client_address, is_secure
from sereno.api.problems import PROBLEM, Problem, language_of
from sereno.domain.errors import (
    AccessError,
    HeadersTooLarge,
    HostUnknown,
    LoginFailed,
    NotAuthenticated,
    RequestTooDeep,
    RequestTooLarge,
    SerenoError,
    TooManyRequests,
)
from sereno.flows.access import Gate
from sereno.flows.service import Service
from sereno.i18n.catalogue import error_sentence
from sereno.settings.access import ServiceSettings

__all__ = ["access_status", "add_guards", "is_too_deep", "too_many"]

CONTENT_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
_ALWAYS = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        "content-security-policy": CONTENT_POLICY,
        "cache-control": "private, no-cache",
    }.items()
)
"""What answers carry unless they say otherwise.

`no-referrer` would also take the origin from a form's request, by which we know that it is ours.
"""
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
_STATUS: dict[type[SerenoError], int] = {
    NotAuthenticated: 401,
    LoginFailed: 401,
    HostUnknown: 400,
    TooManyRequests: 429,
    RequestTooLarge: 413,
    RequestTooDeep: 422,
    HeadersTooLarge: 431,
}
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_SQUARE = bytes.maketrans(b"{}", b"[]")


def add_guards(app: FastAPI, service: Service) -> Gate:
    """Let every request pass the limits of the settings, and errors of access be answered as such."""
    gate = Gate(service)
    app.state.gate = gate
    limits = gate.settings.limits
    app.state.key_buckets = Buckets(limits.key_rate, 2 * limits.key_rate)
    app.state.login_buckets = Buckets(limits.login_rate / 60, limits.login_rate)
    app.add_exception_handler(AccessError, _on_access_error)
    app.add_middleware(_Guard, settings=gate.settings)
    return gate


def access_status(kind: type[AccessError]) -> int:
    """What an error of access of that class is answered with."""
    return next((code for known, code in _STATUS.items() if issubclass(kind, known)), 403)


async def _on_access_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AccessError)
    return _answer(error, language_of(request))


def _answer(error: AccessError, language: str) -> JSONResponse:
    status = access_status(type(error))
    headers = {}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="sereno"'
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(error.facts["retry_after"])
    problem = Problem(
        title=_title(status), status=status, detail=error_sentence(error, language), code=error.code
    )
    return JSONResponse(problem.model_dump(), status, headers, media_type=PROBLEM)


def _title(status: int) -> str:
    from http import HTTPStatus

    return HTTPStatus(status).phrase


def too_many(seconds: float) -> TooManyRequests:
    """The refusal of who has to wait."""
    return TooManyRequests(retry_after=max(1, math.ceil(seconds)))


def is_too_deep(body: bytes, most: int) -> bool:
    """Whether JSON is nested deeper than so many levels, told without parsing it.

    Brackets that have no partner count as levels.
    """
    if body.count(b"[") + body.count(b"{") <= most:
        return False
    left = _STRINGS.sub(b"", body).translate(_SQUARE, _NOT_BRACKETS)
    for _ in range(most):
        shorter = left.replace(b"[]", b"")
        if len(shorter) == len(left):
            break
        left = shorter
    return left.count(b"[") > 0 if b"[]" in left else left.count(b"[") > most


class _Guard:
    """The limits, as a layer around the application."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app = app
        self._settings = settings
        self._buckets = Buckets(settings.limits.address_rate, 2 * settings.limits.address_rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = _with_headers(scope, send, self._settings)
        try:
            self._check_request(scope)
            receive = await self._checked_body(scope, receive)
        except ClientDisconnect:
            return  # who sent half of a body is gone, and has said nothing
        except AccessError as error:
            await _answer(error, language_of(Request(scope)))(scope, receive, answered)
            return
        await self._app(scope, receive, answered)

    def _check_request(self, scope: Scope) -> None:
        limits = self._settings.limits
        if sum(len(name) + len(value) for name, value in scope["headers"]) > limits.header_bytes:
            raise HeadersTooLarge(most=limits.header_bytes)
        host = Headers(scope=scope).get("host", "")
        if not _is_known_host(host, self._settings.allowed_hosts):
            raise HostUnknown(host=host[:100])
        address = client_address(scope, self._settings.trusted_proxies)
        scope.setdefault("state", {})["address"] = address
        wait = self._buckets.take(address)
        if wait:
            raise too_many(wait)

    async def _checked_body(self, scope: Scope, receive: Receive) -> Receive:
        """The body, read before where it has to be looked at as a whole."""
        limits, headers = self._settings.limits, Headers(scope=scope)
        length = headers.get("content-length")
        if length is not None and length.isdecimal() and int(length) > limits.body_bytes:
            raise RequestTooLarge(most=limits.body_bytes)
        is_json = "json" in headers.get("content-type", "application/json" if length else "")
        if not is_json and "transfer-encoding" not in headers:
            return receive
        body = await _read(receive, limits.body_bytes)
        if is_json and is_too_deep(body, limits.json_depth):
            raise RequestTooDeep(most=limits.json_depth)
        return _replayed(body, receive)


async def _read(receive: Receive, most: int) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise RequestTooLarge(most=most)
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(scope: Scope, send: Send, settings: ServiceSettings) -> Send:
    secure = is_secure(scope, settings.trusted_proxies)

    async def answered(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = [*message.get("headers", ())]
            names = {name.lower() for name, _ in said}
            said += [one for one in _ALWAYS if one[0] not in names]
            if secure and _STRICT_TRANSPORT[0] not in names:
                said.append(_STRICT_TRANSPORT)
            message = {**message, "headers": said}
        await send(message)

    return answered


def _is_known_host(said: str, allowed: Sequence[str]) -> bool:
    """Whether a Host header names this service: a page whose name leads here must not act for its reader."""
    host = said.rpartition(":")[0] if said.rpartition(":")[2].isdecimal() else said
    return _is_known_name(host.strip("[]").rstrip(".").lower(), tuple(allowed))


@cache
def _own_names() -> frozenset[str]:
    return frozenset({"localhost", socket.gethostname().lower()})


@lru_cache(maxsize=1_024)
def _is_known_name(host: str, allowed: tuple[str, ...]) -> bool:
    from ipaddress import ip_address

    if host in _own_names() or not host:
        return bool(host)
    try:
        ip_address(host)
    except ValueError:
        names = [name.lower() for name in allowed]
        return host in names or any(
            name.startswith("*.") and host.endswith(name[1:]) and host != name[2:] for name in names
        )
    return True
