"""Errors as problem documents (RFC 9457), in the language of who asks."""

import errno
import logging
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from sereno.domain.errors import (
    BodyTooLarge,
    Busy,
    DataError,
    DiskFull,
    EngineRunning,
    FileTooLarge,
    ForecasterMissing,
    ForecastMissing,
    IncidentChanged,
    InternalFault,
    JobOver,
    LeaseTaken,
    MethodRefused,
    ModelError,
    ModelMissing,
    NotFound,
    PathUnknown,
    QueueFull,
    RequestMalformed,
    RequestRefused,
    RequestUnsupported,
    SerenoError,
    SettingsError,
    StoreUnreachable,
    TooManyJobs,
    UnknownAsset,
    UsageError,
)
from sereno.i18n.catalogue import error_sentence

__all__ = ["PROBLEM", "Fault", "Problem", "add_problem_handlers", "language_of", "problems", "status_of"]

log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
RETRY_AFTER_S = 5

_STATUS: tuple[tuple[type[SerenoError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (PathUnknown, HTTPStatus.NOT_FOUND),
    (UnknownAsset, HTTPStatus.NOT_FOUND),
    (MethodRefused, HTTPStatus.METHOD_NOT_ALLOWED),
    (JobOver, HTTPStatus.CONFLICT),
    (IncidentChanged, HTTPStatus.PRECONDITION_FAILED),
    (FileTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (TooManyJobs, HTTPStatus.TOO_MANY_REQUESTS),
    (BodyTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (RequestUnsupported, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (QueueFull, HTTPStatus.TOO_MANY_REQUESTS),
    (Busy, HTTPStatus.SERVICE_UNAVAILABLE),
    (ModelMissing, HTTPStatus.SERVICE_UNAVAILABLE),
    (ForecasterMissing, HTTPStatus.SERVICE_UNAVAILABLE),
    (ForecastMissing, HTTPStatus.NOT_FOUND),
    (DiskFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (StoreUnreachable, HTTPStatus.SERVICE_UNAVAILABLE),
    (EngineRunning, HTTPStatus.SERVICE_UNAVAILABLE),
    (LeaseTaken, HTTPStatus.SERVICE_UNAVAILABLE),
    (ModelError, HTTPStatus.CONFLICT),
    (SettingsError, HTTPStatus.CONFLICT),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY),
)

_MEANING = {
    400: "The request cannot be read at all.",
    401: "Nobody is known by what the request says of who asks.",
    403: "Who asks may not do this.",
    404: "There is no such thing here.",
    409: "It cannot be done as things stand.",
    412: "Somebody else has changed it since it was last seen.",
    413: "It is more than is taken at once.",
    422: "The request does not fit its description.",
    429: "Too much at once; `Retry-After` says when to come back.",
    500: "A fault of ours; the log knows more under the id in `detail`.",
    503: "What is needed for an answer is not there now.",
    507: "The disk is full.",
}
_ALWAYS = (401, 403, 422, 429, 500, 503)


class Fault(BaseModel):
    """One thing that is not as it should be."""

    where: str = Field(description="Part and name, as `query.limit` or `body.comment`.")
    detail: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """What went wrong, in one sentence, and a code that programs can go by."""

    type: str = Field("about:blank", description="A page about this kind of problem.")
    title: str = Field(description="The kind of problem.", examples=["Not Found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(description="What was found, where, and what to do.")
    code: str = Field(description="Stable code.", examples=["store.not_found"])
    errors: list[Fault] = Field(default_factory=list, description="Of a malformed request, each thing.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its description: these, and those that every route may give."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _MEANING[status], "content": {PROBLEM: {"schema": schema}}}
        for status in sorted({*statuses, *_ALWAYS})
    }


def language_of(request: Request) -> str:
    """Spanish for who prefers it, otherwise English."""
    wanted = request.headers.get("accept-language", "").lower()
    weighed = []
    for place, part in enumerate(wanted.split(",")):
        name, _, weight = part.strip().partition(";q=")
        if name[:2] in ("es", "en"):
            weighed.append((-_weight(weight), place, name[:2]))
    return min(weighed)[2] if weighed else "en"


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


def status_of(kind: type[SerenoError]) -> HTTPStatus:
    """What an error of that class is answered with; those of access have their own, in the guards."""
    return next((s for known, s in _STATUS if issubclass(kind, known)), HTTPStatus.INTERNAL_SERVER_ERROR)


def add_problem_handlers(app: FastAPI) -> None:
    """Let every error be answered as a problem document."""
    app.add_exception_handler(SerenoError, _on_sereno_error)
    app.add_exception_handler(RequestValidationError, _on_malformed)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(OSError, _on_system_error)
    app.add_exception_handler(Exception, _on_fault)


def _on_sereno_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SerenoError)
    status = status_of(type(error))
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return _on_fault(request, error)
    if type(error) is UsageError:  # whose sentence names a command
        error = RequestRefused(detail=error.facts["detail"])
    return _answer(request, error, status)


def _on_malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [
        Fault(where=".".join(str(part) for part in one["loc"]), detail=str(one["msg"]))
        for one in error.errors()
    ]
    malformed = RequestMalformed(count=len(faults))
    return _answer(request, malformed, HTTPStatus.UNPROCESSABLE_ENTITY, faults=faults)


def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses."""
    assert isinstance(error, HTTPException)
    status, path = HTTPStatus(error.status_code), request.url.path
    known: dict[HTTPStatus, SerenoError] = {
        HTTPStatus.NOT_FOUND: PathUnknown(path=path),
        HTTPStatus.METHOD_NOT_ALLOWED: MethodRefused(path=path, method=request.method),
    }
    told = known.get(status, RequestRefused(detail=str(error.detail)))
    return _answer(request, told, status, headers=error.headers)


def _on_system_error(request: Request, error: Exception) -> JSONResponse:
    """A full disk is told as such wherever it was met, also where tables are written to be sent."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or tempfile.gettempdir()
        return _answer(request, DiskFull(store=str(where)), HTTPStatus.INSUFFICIENT_STORAGE)
    return _on_fault(request, error)


def _on_fault(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours: the log gets all of it, the answer nothing but where to look."""
    number = secrets.token_hex(6)
    facts = {"fault": number, "method": request.method, "path": request.url.path}
    log.error("request failed", extra=facts, exc_info=error)
    return _answer(request, InternalFault(id=number), HTTPStatus.INTERNAL_SERVER_ERROR)


def _answer(
    request: Request,
    error: SerenoError,
    status: HTTPStatus,
    *,
    faults: Iterable[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    problem = Problem(
        title=status.phrase,
        status=status.value,
        detail=error_sentence(error, language_of(request)),
        code=error.code,
        errors=list(faults),
    )
    own = {"Vary": "Accept-Language", "Cache-Control": "no-store", **(headers or {})}
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE) and error.is_retriable:
        own["Retry-After"] = str(error.facts.get("retry_after_s", RETRY_AFTER_S))
    return JSONResponse(problem.model_dump(), status.value, own, media_type=PROBLEM)
