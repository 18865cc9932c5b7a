"""Errors as problem documents (RFC 9457), in the language of who asks."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from sereno.domain.errors import (
    Busy,
    DataError,
    DiskFull,
    EngineRunning,
    FileTooLarge,
    LeaseTaken,
    ModelMissing,
    NotFound,
    NotYet,
    QueueFull,
    RequestTooLarge,
    RequestUnsupported,
    SerenoError,
    StoreUnreachable,
    UsageError,
)
from sereno.i18n.catalogue import error_sentence

__all__ = ["PROBLEM", "Problem", "add_problem_handlers", "language_of"]

PROBLEM = "application/problem+json"

_STATUS: tuple[tuple[type[SerenoError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (FileTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (RequestTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (RequestUnsupported, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (QueueFull, HTTPStatus.TOO_MANY_REQUESTS),
    (Busy, HTTPStatus.SERVICE_UNAVAILABLE),
    (NotYet, HTTPStatus.SERVICE_UNAVAILABLE),
    (ModelMissing, HTTPStatus.SERVICE_UNAVAILABLE),
    (DiskFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (StoreUnreachable, HTTPStatus.SERVICE_UNAVAILABLE),
    (EngineRunning, HTTPStatus.SERVICE_UNAVAILABLE),
    (LeaseTaken, HTTPStatus.SERVICE_UNAVAILABLE),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


class Problem(BaseModel):
    """What went wrong, in one sentence, and a code that programs can go by."""

    type: str = Field("about:blank", description="A page about this kind of problem.")
    title: str = Field(description="The kind of problem.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was found, where, and what to do.")
    code: str = Field(description="Stable code, as `store.not_found`.")


def language_of(request: Request) -> str:
    """Spanish for who prefers it, otherwise English."""
    wanted = request.headers.get("accept-language", "").lower()
    return "es" if wanted.startswith("es") else "en"


def add_problem_handlers(app: FastAPI) -> None:
    """Let every error of ours be answered as a problem document."""
    app.add_exception_handler(SerenoError, _on_sereno_error)


async def _on_sereno_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, SerenoError):
        raise error
    status = next((s for kind, s in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    problem = Problem(
        title=status.phrase,
        status=status.value,
        detail=error_sentence(error, language_of(request)),
        code=error.code,
    )
    wait = error.facts.get("retry_after_s")
    headers = {"Retry-After": str(wait)} if wait is not None else None
    return JSONResponse(problem.model_dump(), status.value, media_type=PROBLEM, headers=headers)
