"""Answers: pages that stay stable while rows are added, and what did not change is not sent again."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from sereno.api.context import Call
from sereno.domain.errors import InvalidQuery

__all__ = [
    "Cursor",
    "Page",
    "cursor_of",
    "file_answer",
    "fresh_or",
    "is_known",
    "page_answer",
    "position_of",
    "version_of",
]

Item = TypeVar("Item")
Document = TypeVar("Document")

Cursor = Annotated[
    str | None,
    Query(max_length=4_000, description="Where the page begins: `next` of the page before; opaque."),
]
CHUNK_BYTES = 64 * 1024
_CACHING = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Authorization, Cookie"}


class Page(BaseModel, Generic[Document]):
    """Some of a list."""

    items: list[Document] = Field(description="In the order of the list.")
    next: str | None = Field(description="Cursor of the next page; null on the last one. Also as `Link`.")


def cursor_of(key: Sequence[object]) -> str:
    """The place after a row, by the values that its list is sorted by."""
    text = json.dumps([one.isoformat() if isinstance(one, datetime) else one for one in key])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(cursor: str | None, *kinds: type) -> list[Any] | None:
    """The values that a cursor stands for; None without one.

    Raises:
        InvalidQuery: It is none of this list.
    """
    if cursor is None:
        return None
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(found, list) or len(found) != len(kinds):
            raise ValueError
        return [_value(one, kind) for one, kind in zip(found, kinds, strict=True)]
    except (ValueError, binascii.Error, UnicodeError, RecursionError):
        raise InvalidQuery(
            where="query.cursor", detail="it is none of this list: begin again without one"
        ) from None


def _value(said: object, kind: type) -> object:
    if kind is datetime and isinstance(said, str):
        found = datetime.fromisoformat(said)
        if found.tzinfo is None:
            raise ValueError
        return found
    if kind is float and type(said) in (int, float):
        return said
    if type(said) is not kind:
        raise ValueError
    if isinstance(said, int) and abs(said) >= 2**31:
        raise ValueError
    return said


def page_answer(
    request: Request,
    found: Sequence[Item],
    *,
    limit: int,
    key: Callable[[Item], Sequence[object]],
    document: Callable[[Item], object],
) -> Response:
    """A page of what was found, which is one more than the page holds where there is a next one."""
    shown = found[:limit]
    after = cursor_of(key(shown[-1])) if len(found) > limit else None
    headers = {}
    if after is not None:
        headers["Link"] = f'<{request.url.include_query_params(cursor=after)}>; rel="next"'
    return JSONResponse({"items": [document(one) for one in shown], "next": after}, headers=headers)


def fresh_or(request: Request, call: Call, make: Callable[[], object], *, by: object = "") -> Response:
    """304 where who asks has it already, as nothing changed since; otherwise what `make` gives.

    Args:
        make: The answer, or its document.
        by: What else it depends on, as the minute where it tells what is in force now.
    """
    asked = f"{request.url.path}?{request.url.query}|{call.principal.sees_personal}|{by}"
    digest = hashlib.sha256(asked.encode()).hexdigest()[:12]
    etag = f'W/"{call.workspace.changes.last()}-{digest}"'
    headers = {**_CACHING, "ETag": etag}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    made = make()
    answer = made if isinstance(made, Response) else JSONResponse(made)
    answer.headers.update(headers)
    return answer


def version_of(document: Mapping[str, object], n_events: int) -> str:
    """The tag of an incident: how much has happened to it, and what it looks like."""
    text = json.dumps(document, sort_keys=True, default=str)
    return f'"{n_events}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"'


def is_known(request: Request, etag: str) -> bool:
    """Whether who asks has what has this tag."""
    tags = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    return etag.removeprefix("W/") in tags or tags == ["*"]


def file_answer(path: Path, name: str, media_type: str, *, done: Callable[[], object]) -> StreamingResponse:
    """A file in portions; `done` is called when it was sent, or nobody wants it any more."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(_portions(path, done), media_type=media_type, headers=headers)


def _portions(path: Path, done: Callable[[], object]) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from iter(partial(file.read, CHUNK_BYTES), b"")
    finally:
        done()
