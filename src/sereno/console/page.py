"""What every page stands on: language, theme, the date range, the header, and how an error looks."""

import gzip
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined

from sereno.api.context import Call
from sereno.api.problems import language_of
from sereno.api.security import UPLOAD_FIELD
from sereno.console.assets import asset_url
from sereno.console.ranges import PRESETS, DateRange
from sereno.console.wording import Wording
from sereno.domain.access import Role
from sereno.domain.errors import DataError, NotFound, PromotionRefused, SerenoError, UnknownAsset, UsageError
from sereno.flows.overview import ModelState, model_state
from sereno.flows.pulse import pulse_of
from sereno.flows.secrets import upload_token_of
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import LANGUAGES, error_sentence

__all__ = [
    "LANGUAGE_COOKIE",
    "MORE",
    "NAVIGATION",
    "ROW_LIMITS",
    "THEMES",
    "THEME_COOKIE",
    "USUAL_ROWS",
    "ConsoleRoute",
    "Page",
    "csrf_of",
    "n_readings",
]

NAVIGATION = (("fleet", "/console/"), ("incidents", "/console/incidents"), ("assets", "/console/assets"))
"""Key of the name and address of each screen that the header leads to."""
MORE = (
    ("timeline", "/console/timeline"),
    ("quality", "/console/quality"),
    ("models", "/console/models"),
    ("drift", "/console/drift"),
    ("jobs", "/console/jobs"),
    ("health", "/console/health"),
    ("cost", "/console/cost"),
    ("reports", "/console/reports"),
    ("wizard", "/console/wizard"),
    ("settings", "/console/settings"),
)
"""The same of the screens that are not looked at on a bad night."""
ROW_LIMITS = (100, 500, 1_000, 5_000, 20_000)
"""Rows of a table, and of the file that is made of it."""
USUAL_ROWS = 1_000
LANGUAGE_COOKIE, THEME_COOKIE = "sereno_language", "sereno_theme"
THEMES = ("auto", "light", "dark")
_NOBODY, _LOGIN = "access.not_authenticated", "/login"
"""What is raised where nobody is logged in, and the page to do so."""
_LEAST_PACKED = 1_000
_GZIP_LEVEL = 5
_FACTS_FOR_S = 20.0
_COUNT_SHARE = 50.0
"""Counting readings takes at most one part in so many of the time."""

Filter = TypeVar("Filter")


class ConsoleRoute(APIRoute):
    """Answers errors of ours with a page that says what to do, and packs what is large."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[object, object, Response]]:
        """The handler of the route within both."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                found = await handle(request)
            except RequestValidationError as malformed:
                found = _error_page(request, _as_usage_error(malformed))
            except SerenoError as error:
                found = _login(request) if error.code == _NOBODY else _error_page(request, error)
            return _packed(request, found)

        return answer


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What the header says of the workspace.

    Attributes:
        wanting: Profiles that a model does not judge, or not all of.
    """

    until: datetime | None
    is_simulated: bool
    model: ModelState
    wanting: str


@dataclass(frozen=True, slots=True)
class Page:
    """One request for a screen."""

    request: Request
    call: Call
    words: Wording
    facts: HeaderFacts
    range: DateRange

    @classmethod
    def of(cls, request: Request, call: Call) -> "Page":
        """The page that a request asks for.

        Raises:
            UsageError: Its date range is none.
        """
        workspace = call.workspace
        facts = _facts(workspace)
        until = facts.until or workspace.now()
        found = DateRange.of(request.query_params, until=until, zone=workspace.zone)
        return cls(request, call, Wording(_language(request, workspace)), facts, found)

    @property
    def workspace(self) -> Workspace:
        """Of the organization of who asks."""
        return self.call.workspace

    @property
    def language(self) -> str:
        """`es` or `en`."""
        return self.words.language

    @property
    def is_part(self) -> bool:
        """Whether a script asks for a part of the page."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def may_act(self) -> bool:
        """Whether who looks may also do something about it."""
        return self.call.principal.role >= Role.OPERATOR

    @property
    def may_manage(self) -> bool:
        """Whether who looks may also change what judges."""
        return self.call.principal.role >= Role.ENGINEER

    @property
    def row_limit(self) -> int | None:
        """Most rows of a table that the query asks for; None where it does not.

        Raises:
            UsageError: It is no number of rows.
        """
        text = self.request.query_params.get("limit", "")
        if not text:
            return None
        if not text.isdecimal() or not ROW_LIMITS[0] <= int(text) <= ROW_LIMITS[-1]:
            detail = f"'{text}' is no number of rows between {ROW_LIMITS[0]} and {ROW_LIMITS[-1]}"
            raise UsageError(detail=detail, command="console")
        return int(text)

    def url(self, path: str, **query: object) -> str:
        """An address of this console that keeps the date range; empty parts of the query are left out."""
        kept = {
            **self.range.query,
            **{name: value for name, value in query.items() if value not in ("", None, ())},
        }
        return quote(path) + (f"?{urlencode(kept, doseq=True)}" if kept else "")

    def upload_url(self, path: str) -> str:
        """The address of a form with a file, with what confirms it where no script does."""
        confirmation = csrf_of(self.request)
        return path if not confirmation else f"{path}?{UPLOAD_FIELD}={upload_token_of(confirmation, path)}"

    def with_query(self, **changes: object) -> str:
        """The address of this page with parts of its query changed; None takes one away."""
        known = self.request.query_params
        query: dict[str, object] = {name: known.getlist(name) for name in known}
        merged = {name: value for name, value in {**query, **changes}.items() if value not in ("", None)}
        path = quote(self.request.url.path)
        return path + (f"?{urlencode(merged, doseq=True)}" if merged else "")

    def filled(self, kind: type[Filter]) -> Filter:
        """A filter with the fields that the query names; a field that holds several takes them all."""
        known = self.request.query_params
        given: dict[str, object] = {}
        for one in fields(kind):  # type: ignore[arg-type]  # every filter is a dataclass
            if one.name in known:
                is_many = isinstance(one.default, tuple)
                given[one.name] = tuple(filter(None, known.getlist(one.name))) if is_many else known[one.name]
        return kind(**given)

    def asked(self, wanted: object) -> dict[str, object]:
        """The fields of a filter that are not as usual, for links."""
        usual = type(wanted)()
        names = [one.name for one in fields(wanted)]  # type: ignore[arg-type]  # every filter is a dataclass
        return {
            name: getattr(wanted, name) for name in names if getattr(wanted, name) != getattr(usual, name)
        }

    def answer(self, template: str, *, status: int = 200, **facts: object) -> HTMLResponse:
        """The page of a template; parts of pages are not kept by browsers, nor is anything of people's."""
        return HTMLResponse(
            self.render(template, **facts), status, {"Cache-Control": "no-store", "Vary": "HX-Request"}
        )

    def render(self, template: str, **facts: object) -> str:
        """The text of a template."""
        return _environment().get_template(template).render(**self._context(), **facts)

    def _context(self) -> dict[str, object]:
        words = self.words
        return {
            "page": self,
            "t": words.t,
            "word": words.word,
            "w": words,
            "language": self.language,
            "theme": _theme(self.request),
            "asset_url": asset_url,
            "csrf": csrf_of(self.request),
            "new_key": lambda: uuid.uuid4().hex,
            "navigation": NAVIGATION,
            "more_screens": MORE,
            "row_limits": ROW_LIMITS,
            "presets": tuple(PRESETS),
            "now": self.workspace.now(),
            "pulse": lambda: pulse_of(self.workspace),
            "models": ModelState,
        }


def csrf_of(request: Request) -> str:
    """The token that writes of this session must carry; empty where there is no session."""
    return str(getattr(request.state, "csrf", ""))


class _Kept:
    """The last answer to a question that is dear, for a while that follows from what it took."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[tuple[Path, str], tuple[float, object]] = {}

    def get(self, workspace: Workspace, name: str, ask: Callable[[], object]) -> object:
        """What was answered lately, or is answered now."""
        key = (workspace.folder, name)
        until, known = self._kept.get(key, (0.0, None))
        began = time.monotonic()
        if began < until:
            return known
        found = ask()
        took = time.monotonic() - began
        self._kept[key] = (time.monotonic() + max(self._seconds, _COUNT_SHARE * took), found)
        return found


_kept = _Kept(0.0)
_kept_count = _Kept(_FACTS_FOR_S)


def n_readings(workspace: Workspace) -> int:
    """Readings stored, as counted lately."""

    def count() -> int:
        with workspace.store.read() as tx:
            return tx.n_values()

    found = _kept_count.get(workspace, "readings", count)
    assert isinstance(found, int)
    return found


def _facts(workspace: Workspace) -> HeaderFacts:
    found = _kept.get(workspace, "header", lambda: _asked_facts(workspace))
    assert isinstance(found, HeaderFacts)
    return found


def _asked_facts(workspace: Workspace) -> HeaderFacts:
    with workspace.store.read() as tx:
        last, assets, models = tx.last_readings(), tx.assets(), tx.models()
    state, wanting = model_state(assets, last, models)
    until = max(last.values(), default=None)
    return HeaderFacts(
        until=None if until is None else min(until, workspace.now()),
        is_simulated=any(one.is_simulated for one in assets),
        model=state,
        wanting=wanting,
    )


def _language(request: Request, workspace: Workspace) -> str:
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    accepted = request.headers.get("accept-language", "").lower()
    return next((one for one in LANGUAGES if accepted.startswith(one)), workspace.language)


def _theme(request: Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"


def _error_page(request: Request, error: SerenoError) -> Response:
    language = request.cookies.get(LANGUAGE_COOKIE, "")
    language = language if language in LANGUAGES else language_of(request)
    is_part = request.headers.get("hx-request") == "true"
    text = (
        _environment()
        .get_template("error_part.html" if is_part else "error.html")
        .render(
            t=Wording(language).t,
            language=language,
            theme=_theme(request),
            asset_url=asset_url,
            detail=error_sentence(error, language),
            code=error.code,
        )
    )
    return HTMLResponse(text, _status(error), {"Cache-Control": "no-store"})


def _login(request: Request) -> Response:
    """The way in, and back to where somebody wanted to go."""
    if request.headers.get("hx-request") == "true":
        here = urlsplit(request.headers.get("hx-current-url", ""))
        wanted = here.path + (f"?{here.query}" if here.query else "")
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": _to_login(wanted)})
    if "text/html" not in request.headers.get("accept", "") or request.method != "GET":
        return Response(status_code=HTTPStatus.UNAUTHORIZED)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(_to_login(wanted), HTTPStatus.SEE_OTHER)


def _to_login(wanted: str) -> str:
    return f"{_LOGIN}?{urlencode({'next': wanted or '/console/'})}"


def _as_usage_error(malformed: RequestValidationError) -> UsageError:
    said = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in malformed.errors()]
    return UsageError(detail="; ".join(said), command="console")


def _status(error: SerenoError) -> int:
    if error.code.startswith("access."):
        return HTTPStatus.FORBIDDEN
    if isinstance(error, NotFound | UnknownAsset):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, PromotionRefused):
        return HTTPStatus.CONFLICT
    is_asked_wrongly = isinstance(error, UsageError | DataError)
    return HTTPStatus.UNPROCESSABLE_ENTITY if is_asked_wrongly else HTTPStatus.SERVICE_UNAVAILABLE


def _packed(request: Request, found: Response) -> Response:
    body = getattr(found, "body", b"")
    is_wanted = "gzip" in request.headers.get("accept-encoding", "")
    if not is_wanted or len(body) < _LEAST_PACKED or "content-encoding" in found.headers:
        return found
    if not found.headers.get("content-type", "").startswith(("text/", "application/json", "image/svg")):
        return found
    found.body = gzip.compress(bytes(body), _GZIP_LEVEL, mtime=0)
    found.headers["Content-Encoding"] = "gzip"
    found.headers["Content-Length"] = str(len(found.body))
    found.headers["Vary"] = ", ".join(filter(None, (found.headers.get("vary"), "Accept-Encoding")))
    return found


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sereno.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["quoted"] = quote
    return environment
