"""Names leave as pseudonyms for who may not see them, and pseudonyms that come in are understood."""

import codecs
import gzip
import json
import re
import tempfile
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import IO, cast
from urllib.parse import quote, quote_plus

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sereno.api.security import SESSION_COOKIE, key_in
from sereno.domain.access import DEFAULT_ORGANIZATION, Principal
from sereno.domain.errors import StoreError
from sereno.domain.masking import Mask, MaskedStream
from sereno.domain.privacy import PSEUDONYM
from sereno.flows.access import Gate
from sereno.flows.service import Service
from sereno.flows.workspace import Workspace

__all__ = ["MaskNames"]

_TEXT = re.compile(r"text/|.*(?:json|xml|yaml|csv)", re.ASCII)
_ENDLESS = "text/event-stream"
_ARCHIVES = ("application/vnd.openxmlformats", "application/zip")
_OF_PAGES = ("text/css", "text/javascript")
_KEPT_HEADERS = frozenset({"set-cookie", "etag", "content-length", "content-type"})
_FORM = "application/x-www-form-urlencoded"
_AT_ONCE = 64 * 1024
"""Bytes that are masked on the event loop; more of them in a thread."""

_ENCODED_PSEUDONYM = re.compile(PSEUDONYM.pattern.encode())


class MaskNames:
    """A layer around the routes: none of them has to know who may see what.

    Texts of all kinds and workbooks are masked as they are written out, headers too; pictures hold no names.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked_of = None
        if _mentions_pseudonym(scope):
            asked_of = await to_thread.run_sync(_workspace_of, Request(scope), self._service)
            if asked_of is not None:
                scope = _understood(scope, await to_thread.run_sync(asked_of.names_behind))
        incoming = _Incoming(scope, receive, self._service)
        await self._app(scope, incoming.receive, _Answer(scope, send, self._service, asked_of).send)


def _workspace_of(request: Request, service: Service) -> Workspace | None:
    """Of who asks; None where nobody knows."""
    gate = cast("Gate", request.app.state.gate)
    key, cookie = key_in(request), request.cookies.get(SESSION_COOKIE)
    if key is not None:
        principal = gate.by_key(key)
        return None if principal is None else service.workspace(principal.organization)
    if cookie is not None and (inside := gate.by_session(cookie)) is not None:
        return service.workspace(inside.principal.organization)
    return None if gate.settings.auth else service.workspace(DEFAULT_ORGANIZATION)


def _mentions_pseudonym(scope: Scope) -> bool:
    return bool(PSEUDONYM.search(scope["path"]) or _ENCODED_PSEUDONYM.search(scope["query_string"]))


def _understood(scope: Scope, names: Mapping[str, str]) -> Scope:
    """The request with names where its address has pseudonyms."""
    path = PSEUDONYM.sub(lambda found: names.get(found[0], found[0]), scope["path"])
    query = _replaced(scope["query_string"], names, partial(quote, safe=""))
    return {**scope, "path": path, "raw_path": quote(path).encode(), "query_string": query}


def _replaced(text: bytes, names: Mapping[str, str], write: Callable[[str], str]) -> bytes:
    def put(found: re.Match[bytes]) -> bytes:
        name = names.get(found[0].decode())
        return found[0] if name is None else write(name).encode()

    return _ENCODED_PSEUDONYM.sub(put, text)


class _Incoming:
    """The body of a request with names where it has pseudonyms; one of another kind is passed on as it is."""

    def __init__(self, scope: Scope, receive: Receive, service: Service) -> None:
        self._scope, self._receive, self._service = scope, receive, service
        kind = Headers(scope=scope).get("content-type", "")
        self._write: Callable[[str], str] | None = None
        if "json" in kind:
            self._write = _in_json
        elif kind.startswith(_FORM):
            self._write = quote_plus

    async def receive(self) -> Message:
        message = await self._receive()
        if self._write is None or message["type"] != "http.request":
            return message
        parts = [message.get("body", b"")]
        while message.get("more_body", False):
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            parts.append(message.get("body", b""))
        write, self._write = self._write, None
        body = b"".join(parts)
        return {"type": "http.request", "body": await self._understood(body, write), "more_body": False}

    async def _understood(self, body: bytes, write: Callable[[str], str]) -> bytes:
        if b"p-" not in body or not _ENCODED_PSEUDONYM.search(body):
            return body
        workspace = await to_thread.run_sync(_workspace_of, Request(self._scope), self._service)
        if workspace is None:
            return body
        return _replaced(body, await to_thread.run_sync(workspace.names_behind), write)


def _in_json(name: str) -> str:
    return json.dumps(name)[1:-1]


class _Answer:
    """What is sent to somebody, masked where they may not see names."""

    def __init__(self, scope: Scope, send: Send, service: Service, asked_of: Workspace | None) -> None:
        self._scope, self._send, self._service, self._asked_of = scope, send, service, asked_of
        self._pass: Callable[[Message], Awaitable[None]] = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            workspace = await self._masked_for(message["status"])
            if workspace is not None:
                mask = (
                    await to_thread.run_sync(workspace.mask) if workspace.has_personal else workspace.mask()
                )
                self._pass = _passing(message, self._send, mask)
        await self._pass(message)

    async def _masked_for(self, status: int) -> Workspace | None:
        """Whose names are to be masked; None where nothing is.

        Who is not known yet is told nothing but pages that everybody may see, and what was wrong.
        """
        principal = cast("Principal | None", self._scope.get("state", {}).get("principal"))
        if principal is not None:
            return None if principal.sees_personal else self._service.workspace(principal.organization)
        if self._asked_of is None and status >= HTTPStatus.BAD_REQUEST:
            found = None
            with suppress(StoreError):  # what is told may be just that
                found = await to_thread.run_sync(_workspace_of, Request(self._scope), self._service)
            return found or self._service.workspace(DEFAULT_ORGANIZATION)
        return self._asked_of


def _passing(start: Message, send: Send, mask: Mask) -> Callable[[Message], Awaitable[None]]:
    """How an answer that begins like this is passed on."""
    headers = MutableHeaders(scope=start)
    for name, value in headers.items():
        if name not in _KEPT_HEADERS:
            headers[name] = mask.text(value)
    kind = headers.get("content-type", "")
    if kind.startswith(_ARCHIVES):
        return _Whole(send, partial(_masked_archive, mask)).send
    if not _TEXT.match(kind) or kind.startswith(_OF_PAGES):
        return send
    if headers.get("content-encoding") == "gzip":
        return _Whole(send, partial(_masked_packed, mask)).send
    return _Text(send, mask, is_endless=kind.startswith(_ENDLESS)).send


class _Text:
    """A text in pieces; one that comes whole keeps a length."""

    def __init__(self, send: Send, mask: Mask, *, is_endless: bool) -> None:
        self._send, self._is_endless = send, is_endless
        self._stream = MaskedStream(mask)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, is_last = message.get("body", b""), not message.get("more_body", False)
        masked = await _aside(len(body), partial(self._masked, body, is_last=is_last))
        if self._start is not None:
            await self._send(_begun(self._start, len(masked) if is_last else None))
            self._start = None
        await self._send({"type": "http.response.body", "body": masked, "more_body": not is_last})

    def _masked(self, body: bytes, *, is_last: bool) -> bytes:
        text = self._decoder.decode(body, final=is_last)
        # An event is told when it comes; none is cut in two.
        masked = self._stream.feed(text, is_last=is_last or self._is_endless)
        return masked.encode("utf-8", "surrogateescape")


class _Whole:
    """A file that can only be masked as a whole: kept on disk until it is complete."""

    def __init__(self, send: Send, mask: Callable[[IO[bytes], IO[bytes]], None]) -> None:
        self._send, self._mask = send, mask
        self._start: Message = {}
        self._file = tempfile.SpooledTemporaryFile(_AT_ONCE)  # noqa: SIM115 - closed with the last piece

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        self._file.write(message.get("body", b""))
        if message.get("more_body", False):
            return
        with self._file, tempfile.SpooledTemporaryFile(_AT_ONCE) as masked:
            n_bytes = await to_thread.run_sync(self._made, masked)
            await self._send(_begun(self._start, n_bytes))
            while piece := masked.read(_AT_ONCE):
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _made(self, masked: IO[bytes]) -> int:
        if not self._file.tell():
            return 0
        self._file.seek(0)
        self._mask(cast("IO[bytes]", self._file), masked)
        n_bytes = masked.tell()
        masked.seek(0)
        return n_bytes


def _begun(start: Message, n_bytes: int | None) -> Message:
    """The beginning of an answer with its new length, or without one where that is not known yet."""
    headers = MutableHeaders(scope=start)
    if "content-length" in headers:
        del headers["content-length"]
        if n_bytes is not None:
            headers["content-length"] = str(n_bytes)
    return start


async def _aside(size: int, work: Callable[[], bytes]) -> bytes:
    return await to_thread.run_sync(work) if size > _AT_ONCE else work()


def _masked_packed(mask: Mask, source: IO[bytes], target: IO[bytes]) -> None:
    text = gzip.decompress(source.read()).decode("utf-8", "surrogateescape")
    target.write(gzip.compress(mask.text(text).encode("utf-8", "surrogateescape"), mtime=0))


def _masked_archive(mask: Mask, source: IO[bytes], target: IO[bytes]) -> None:
    """A workbook, or another archive of texts, with each of its parts masked."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as after:
        for part in before.infolist():
            stream = MaskedStream(mask)
            decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
            with before.open(part) as reading, after.open(mask.text(part.filename), "w") as writing:
                while piece := reading.read(_AT_ONCE):
                    writing.write(stream.feed(decoder.decode(piece)).encode("utf-8", "surrogateescape"))
                rest = stream.feed(decoder.decode(b"", final=True), is_last=True)
                writing.write(rest.encode("utf-8", "surrogateescape"))
