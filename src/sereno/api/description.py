"""The description of the API (OpenAPI), and the two pages that show it; they need nothing from elsewhere."""

import gzip
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, Response

from sereno.api.problems import PROBLEM, Problem, problems
from sereno.api.security import WAYS_IN
from sereno.domain.errors import PathUnknown

__all__ = ["describe", "router"]

router = APIRouter(include_in_schema=False)

_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_FILES = {
    "docs.js": "docs.js",
    "redoc.js": "redoc.js",
    "swagger-ui-bundle.js": "swagger-ui-bundle.js.gz",
    "swagger-ui.css": "swagger-ui.css.gz",
    "redoc.standalone.js": "redoc.standalone.js.gz",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; worker-src blob:; font-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sereno API</title>
{style}</head>
<body>
<div id="page"></div>
<script src="static/{library}"></script>
<script src="static/{start}"></script>
</body>
</html>
"""
_TAGS = {
    "sites": "Places, what is watched there, how good the data is.",
    "readings": "Series for charts, corrections, regimes.",
    "incidents": "What happened, worst first, and what people do about it.",
    "silences": "Who is not told for a while.",
    "notifications": "Who is told, how that goes, what was given up.",
    "models": "What judges, and what it promises.",
    "overview": "Figures of all.",
    "reports": "Tables and reports to take away.",
    "jobs": "Long work behind a request.",
    "events": "What changes, as it changes.",
}
_DESCRIPTION = """Night watch for energy and process data.

* **Times** are UTC, ISO 8601 with `Z`; a time without a zone is refused.
* **Errors** are `application/problem+json` with a stable `code`; `detail` is in Spanish for
  `Accept-Language: es`, in English otherwise.
* **Lists** have `items` and `next`: give `next` as `cursor` to go on. Pages are stable while rows are added.
* **Retries**: give what you do an `Idempotency-Key`; a key that was heard before does nothing again.
* **Two people**: give the `ETag` of an incident as `If-Match`; when somebody was faster the answer is 412.
* **Caching**: give an `ETag` as `If-None-Match`; what did not change is answered with 304.
"""


def describe(app: FastAPI) -> None:
    """Let the application describe itself, errors included."""

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]  # as FastAPI asks for it


def _described(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title="sereno",
        version=app.version,
        description=_DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    components = found.setdefault("components", {})
    components["securitySchemes"] = {
        one.scheme_name: jsonable_encoder(one.model, by_alias=True, exclude_none=True) for one in WAYS_IN
    }
    schemas = components.setdefault("schemas", {})
    document = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= document.pop("$defs", {})
    schemas["Problem"] = document
    for item in found["paths"].values():
        for operation in item.values():
            _complete(operation)
    return found


def _complete(operation: dict[str, Any]) -> None:
    """The ways in, what guards and the framework may answer in a route's place, and 304 where that may be."""
    if "security" in operation:
        operation["security"] = [{one.scheme_name: []} for one in WAYS_IN]
    answers: dict[str, Any] = operation.get("responses", {})
    wanted = {400, 422, 429, 500}
    wanted |= {401, 403} if "security" in operation else set()
    wanted |= {413} if "requestBody" in operation else set()
    told = problems(*wanted)
    for status in sorted(wanted):
        known = answers.get(str(status), {})
        if PROBLEM not in known.get("content", {}):  # also where the framework describes its own
            answers[str(status)] = told[status] | {
                name: one for name, one in known.items() if name == "description"
            }
    if operation.get("operationId", "").endswith("_get") and "200" in answers:
        answers.setdefault("304", {"description": "Who asks has it already."})


@router.get("/docs")
def show_docs() -> HTMLResponse:
    """Try the API in the browser."""
    style = '<link rel="stylesheet" href="static/swagger-ui.css">\n'
    page = _PAGE.format(style=style, library="swagger-ui-bundle.js", start="docs.js")
    return HTMLResponse(page, headers=_HEADERS)


@router.get("/redoc")
def show_redoc() -> HTMLResponse:
    """Read about the API."""
    return HTMLResponse(
        _PAGE.format(style="", library="redoc.standalone.js", start="redoc.js"), headers=_HEADERS
    )


@router.get("/static/{name}")
def show_file(request: Request, name: str) -> Response:
    """A file of the pages, compressed where the browser takes it so."""
    if name not in _FILES:
        raise PathUnknown(path=request.url.path)
    content, is_compressed = _content(name), _FILES[name].endswith(".gz")
    headers: Mapping[str, str] = {"Cache-Control": "max-age=86400", "Vary": "Accept-Encoding", **_HEADERS}
    if is_compressed and "gzip" in request.headers.get("accept-encoding", ""):
        headers = {**headers, "Content-Encoding": "gzip"}
    elif is_compressed:
        content = gzip.decompress(content)
    return Response(content, media_type=_TYPES[name[name.rindex(".") :]], headers=dict(headers))


@cache
def _content(name: str) -> bytes:
    return resources.files("sereno.api.static").joinpath(_FILES[name]).read_bytes()
