"""The files that pages load: read once, packed once, named by their content so that browsers keep them."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import Request
from fastapi.responses import Response

__all__ = ["answer", "asset_url", "content_of"]

_PREFIX = "/console/static/"
_HASH_LENGTH = 10
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"
_PACKED = (".css", ".js", ".svg", ".txt")


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    packed: bytes | None
    digest: str
    media_type: str


def asset_url(name: str) -> str:
    """The address of a file, with the digest of its content."""
    return f"{_PREFIX}{name}?v={_files()[name].digest}"


def content_of(name: str) -> bytes:
    """What is in a file."""
    return _files()[name].content


def answer(name: str, request: Request) -> Response:
    """A file: kept for ever under the address that has its digest, asked for again under any other."""
    file = _files().get(name)
    if file is None:
        return Response(status_code=404)
    etag = f'"{file.digest}"'
    kept = _FOR_EVER if request.query_params.get("v") == file.digest else _ASK_FIRST
    headers = {"Cache-Control": kept, "ETag": etag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(file.packed, media_type=file.media_type, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


@cache
def _files() -> dict[str, _File]:
    found: dict[str, _File] = {}
    root = resources.files("sereno.console") / "static"
    folders = [(root, "")]
    while folders:
        folder, prefix = folders.pop()
        for one in folder.iterdir():
            if one.is_dir():
                folders.append((one, f"{prefix}{one.name}/"))
            else:
                found[prefix + one.name] = _read(one.name, one.read_bytes())
    return found


def _read(name: str, content: bytes) -> _File:
    digest = hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    packed = gzip.compress(content, 9, mtime=0) if name.endswith(_PACKED) else None
    return _File(content, packed, digest, media_type)
