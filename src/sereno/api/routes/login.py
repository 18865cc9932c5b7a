"""Pages to log in and out: plain HTML, no script."""

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from sereno.api.buckets import Buckets
from sereno.api.guards import too_many
from sereno.api.origin import is_secure
from sereno.api.problems import language_of
from sereno.api.security import SESSION_COOKIE, check_confirmed, check_same_origin, who_is_in
from sereno.domain.access import DEFAULT_ORGANIZATION
from sereno.domain.audit import Act, Door, set_act
from sereno.domain.errors import (
    LinkInvalid,
    LoginFailed,
    NotFound,
    SerenoError,
    TooManyRequests,
    WriteNotConfirmed,
)
from sereno.flows.access import Gate
from sereno.flows.secrets import (
    MAX_PASSWORD,
    MIN_PASSWORD,
    confirmation_of,
    digest,
    fits,
    new_token,
    verify_password,
)
from sereno.flows.service import Service
from sereno.flows.users import choose_password, find_link, log_in, log_out_everywhere
from sereno.i18n.catalogue import error_sentence, sentence

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

FORM_COOKIE = "sereno_form"
PAGES = "pages"
Text = Annotated[str, Form(max_length=1000)]


@router.get("/login", response_class=HTMLResponse)
def login_page(request: Request, next: str = "/", organization: str = "") -> Response:  # noqa: A002 - the name of the parameter
    """The form to log in."""
    return _login_form(request, local_path(next), organization=organization)


@router.post("/login")
async def log_in_here(
    request: Request,
    name: Text = "",
    password: Text = "",
    form: Text = "",
    organization: Text = "",
    next: Text = "/",  # noqa: A002 - the name of the field
) -> Response:
    """Begin a session, or show the form again with what is wrong."""
    _check_form(request, form)
    try:
        _check_rate(request, f"{organization}/{name}")
        cookie = await run_in_threadpool(_new_session, request, organization, name, password)
    except (LoginFailed, TooManyRequests) as error:
        return _login_form(request, local_path(next), name=name, organization=organization, problem=error)
    return _entered(request, cookie, local_path(next))


@router.get("/welcome", response_class=HTMLResponse)
def welcome_page(request: Request, token: str = "", organization: str = DEFAULT_ORGANIZATION) -> Response:
    """The form behind a one-time link; opening it uses nothing up, because mail scanners do."""
    return _welcome_form(request, token, organization)


@router.post("/welcome")
async def choose_here(
    request: Request,
    token: Text = "",
    name: Text = "",
    password: Text = "",
    again: Text = "",
    organization: Text = DEFAULT_ORGANIZATION,
    form: Text = "",
) -> Response:
    """Keep a password and begin a session, or show the form again with what is wrong."""
    _check_form(request, form)
    _check_rate(request, "welcome")
    if password != again:
        said = sentence("login.differ", language_of(request))
        return await run_in_threadpool(_welcome_form, request, token, organization, said)
    try:
        cookie = await run_in_threadpool(_first_session, request, organization, token, name, password)
    except SerenoError as error:
        said = error_sentence(error, language_of(request))
        return await run_in_threadpool(_welcome_form, request, token, organization, said)
    return _entered(request, cookie, "/")


@router.get("/account", response_class=HTMLResponse)
async def account_page(request: Request) -> Response:
    """Who is logged in, and the ways out."""
    inside = await who_is_in(request)
    if inside is None:
        return RedirectResponse("/login?next=/account", 303)
    facts: dict[str, object] = {
        "name": inside.user.name,
        "role": inside.user.role.name.lower(),
        "organization": inside.principal.organization,
        "confirmation": confirmation_of(inside.token),
    }
    return _page(request, "account.html", "login.account_title", facts)


@router.post("/logout")
async def log_out_here(request: Request, csrf_token: Text = "", everywhere: Text = "") -> Response:
    """End the session, or all of the user."""
    inside = await who_is_in(request)
    if inside is not None:
        check_confirmed(request, inside, csrf_token)
        store = _service(request).workspace(inside.principal.organization).store

        def end() -> None:
            if everywhere:
                set_act(_act(request, inside.user.name, "log out everywhere"))
                log_out_everywhere(store, inside.user)
            with store.begin() as tx:
                tx.drop_session(digest(inside.token))

        await run_in_threadpool(end)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION_COOKIE, path="/")
    return answer


@router.get("/favicon.ico", status_code=204)
def no_icon() -> Response:
    """What every browser asks for once; the console has an icon of its own."""
    return Response(status_code=204, headers={"cache-control": "max-age=86400"})


@router.get("/login/pages.css")
def style_sheet() -> Response:
    """How the pages look."""
    return Response(_file("pages.css"), media_type="text/css", headers={"cache-control": "max-age=3600"})


def local_path(wanted: str) -> str:
    """A path of this service to go to; the root for anything that could lead elsewhere."""
    is_local = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted
    return wanted if is_local and wanted.isprintable() else "/"


def _new_session(request: Request, organization: str, name: str, password: str) -> str:
    service = _service(request)
    where = organization.strip() or DEFAULT_ORGANIZATION
    try:
        workspace = service.workspace(where)
    except NotFound:
        verify_password(password, "")  # as long as a wrong password takes
        raise LoginFailed from None
    gate = cast("Gate", request.app.state.gate)
    set_act(_act(request, name, "log in"))
    token, _ = log_in(
        workspace.store,
        name,
        password,
        address=request.state.address,
        now=workspace.now(),
        lasts=gate.settings.sessions.absolute,
    )
    return f"{where}.{token}"


def _first_session(request: Request, organization: str, token: str, name: str, password: str) -> str:
    try:
        workspace = _service(request).workspace(organization)
    except NotFound:
        raise LinkInvalid from None
    set_act(_act(request, name, "choose a password"))
    user = choose_password(workspace.store, token, name=name, password=password, now=workspace.now())
    return _new_session(request, organization, user.name, password)


def _act(request: Request, name: str, action: str) -> Act:
    return Act(name, request.state.address, Door.CONSOLE, action, f"user {name}")


def _check_form(request: Request, said: str) -> None:
    """That the form is one that this browser got from us."""
    check_same_origin(request)
    cookie = request.cookies.get(FORM_COOKIE, "")
    if not cookie or not fits(said, digest(confirmation_of(cookie))):
        raise WriteNotConfirmed(detail="its form was opened too long ago, or cookies are off")


def _check_rate(request: Request, name: str) -> None:
    buckets = cast("Buckets", request.app.state.login_buckets)
    address = request.state.address
    wait = max(buckets.take(f"from {address}"), buckets.take(f"for {name} {address}"))
    if wait:
        raise too_many(wait)


def _login_form(
    request: Request,
    path: str,
    *,
    name: str = "",
    organization: str = "",
    problem: SerenoError | None = None,
) -> Response:
    facts: dict[str, object] = {
        "next": path,
        "name": name,
        "organization": organization,
        "asks_organization": len(_service(request).workspaces) > 1 or bool(organization),
    }
    said = "" if problem is None else error_sentence(problem, language_of(request))
    answer = _page(request, "login.html", "login.title", facts, problem=said)
    answer.status_code = 200 if problem is None else 429 if isinstance(problem, TooManyRequests) else 401
    if isinstance(problem, TooManyRequests):
        answer.headers["retry-after"] = str(problem.facts["retry_after"])
    return answer


def _welcome_form(request: Request, token: str, organization: str, problem: str = "") -> Response:
    facts: dict[str, object] = {"token": token, "organization": organization}
    facts |= {"least": MIN_PASSWORD, "most": MAX_PASSWORD, "is_usable": True}
    status = 422 if problem else 200
    try:
        workspace = _service(request).workspace(organization)
        link = find_link(workspace.store, token, now=workspace.now())
        facts |= {"name": link.user_name, "is_first": not link.user_name}
    except (LinkInvalid, NotFound):
        problem, status = error_sentence(LinkInvalid(), language_of(request)), 410
        facts["is_usable"] = False
    answer = _page(request, "welcome.html", "login.welcome_title", facts, problem=problem)
    answer.status_code = status
    return answer


def _entered(request: Request, cookie: str, path: str) -> Response:
    answer = RedirectResponse(path, 303)
    _set_cookie(request, answer, SESSION_COOKIE, cookie, same_site="lax")
    answer.delete_cookie(FORM_COOKIE, path="/")
    return answer


def _page(
    request: Request, template: str, title: str, facts: dict[str, object], *, problem: str = ""
) -> Response:
    language = language_of(request)

    def say(key: str, **named: object) -> str:
        return sentence(key, language, **named)

    token = request.cookies.get(FORM_COOKIE) or new_token()
    given = {**facts, "title": say(title), "problem": problem, "language": language, "say": say}
    body = _templates().get_template(template).render(given, form=confirmation_of(token))
    answer = HTMLResponse(body, headers={"cache-control": "no-store"})
    if FORM_COOKIE not in request.cookies:
        _set_cookie(request, answer, FORM_COOKIE, token, same_site="strict")
    return answer


def _set_cookie(request: Request, answer: Response, name: str, value: str, *, same_site: str) -> None:
    gate = cast("Gate", request.app.state.gate)
    answer.set_cookie(
        name,
        value,
        path="/",
        httponly=True,
        samesite="strict" if same_site == "strict" else "lax",
        secure=is_secure(request.scope, gate.settings.trusted_proxies),
    )


def _service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("sereno.api", PAGES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


@cache
def _file(name: str) -> str:
    return resources.files("sereno.api").joinpath(PAGES, name).read_text("utf-8")
