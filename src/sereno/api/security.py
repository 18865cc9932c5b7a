"""Who asks, and whether they may."""

import re
from dataclasses import dataclass
from functools import partial
from typing import cast
from urllib.parse import unquote

from fastapi import Request
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from starlette.concurrency import run_in_threadpool

from sereno.api.buckets import Buckets
from sereno.api.guards import too_many
from sereno.api.origin import is_local, is_same_origin
from sereno.domain.access import DEFAULT_ORGANIZATION, Principal, Role
from sereno.domain.audit import Act, Door, redacted, set_act
from sereno.domain.errors import NotAuthenticated, NotPermitted, WriteNotConfirmed
from sereno.domain.masking import Mask, set_reader
from sereno.flows.access import LOCAL, Gate, LoggedIn, from_address
from sereno.flows.secrets import confirmation_of, digest, fits, upload_token_of
from sereno.flows.service import Service

__all__ = [
    "CONFIRMATION_HEADER",
    "SESSION_COOKIE",
    "UPLOAD_FIELD",
    "WAYS_IN",
    "Requirement",
    "check_confirmed",
    "check_same_origin",
    "key_in",
    "who_is_in",
]

SESSION_COOKIE = "sereno_session"
CONFIRMATION_HEADER = "x-csrf-token"
FORM_FIELD = "csrf_token"
UPLOAD_FIELD = "upload_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_NOTED_BODY = 64 * 1024
"""Bytes of a body that the log of what was done repeats."""

_HEADER = "X-API-Key"
WAYS_IN = (
    HTTPBearer(scheme_name="key", description="A key, as `sereno keys add` shows it once."),
    APIKeyHeader(name=_HEADER, scheme_name="key_header", description="The same."),
    APIKeyCookie(name=SESSION_COOKIE, scheme_name="session", description="A login at /login."),
)
"""How one shows who one is, as the description of the API tells it."""


@dataclass(frozen=True)
class Requirement:
    """What a route asks of who calls it.

    Attributes:
        role: Least role.
        is_open_locally: Programs of this machine need no key, unless settings say so, and have the role.
    """

    role: Role
    is_open_locally: bool = False

    async def principal_of(self, request: Request) -> Principal:
        """Who asks.

        Raises:
            NotAuthenticated: Nobody knows.
            NotPermitted: Their role is too small.
            WriteNotConfirmed: A browser sent a write that no page of ours asked for.
            TooManyRequests: They ask too often.
        """
        key = key_in(request)
        principal = from_address(await self._principal(request, key), request.state.address)
        request.state.principal = principal
        set_reader(None if principal.sees_personal else partial(_mask_of, request, principal))
        if not principal.role.may(self.role):
            raise NotPermitted(
                name=principal.name,
                role=principal.role.name.lower(),
                needed=self.role.name.lower(),
                organization=principal.organization,
            )
        buckets = cast("Buckets", request.app.state.key_buckets)
        if wait := buckets.take(f"{principal.organization}/{principal.name}"):
            raise too_many(wait)
        if request.method not in SAFE_METHODS and self.role is not Role.SOURCE:
            await _note(request, principal, Door.API if key is not None else Door.CONSOLE)
        return principal

    async def _principal(self, request: Request, key: str | None) -> Principal:
        gate = cast("Gate", request.app.state.gate)
        if key is not None:
            found = gate.remembered(key) or await run_in_threadpool(gate.by_key, key)
            if found is None:
                raise NotAuthenticated
            return found
        if (inside := await who_is_in(request)) is not None:
            check_confirmed(request, inside, await _form_token(request))
            request.state.csrf = confirmation_of(inside.token)
            return inside.principal
        if not gate.settings.auth:
            return LOCAL
        if self.is_open_locally and gate.settings.open_on_loopback and is_local(request.scope):
            return Principal(DEFAULT_ORGANIZATION, "loopback", self.role)
        raise NotAuthenticated


def _mask_of(request: Request, principal: Principal) -> Mask:
    service = cast("Service", request.app.state.service)
    return service.workspace(principal.organization).mask()


def key_in(request: Request) -> str | None:
    """The key that a request comes with; None without one."""
    scheme, _, said = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and said.strip():
        return said.strip()
    return request.headers.get(_HEADER) or None


async def _form_token(request: Request) -> str | None:
    """What a plain form repeats of the page that it stands on; None where a header does."""
    is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if request.method in SAFE_METHODS or CONFIRMATION_HEADER in request.headers or not is_form:
        return None
    return str((await request.form()).get(FORM_FIELD, ""))


async def who_is_in(request: Request) -> LoggedIn | None:
    """Who is logged in with the cookie of a request; None for nobody."""
    gate = cast("Gate", request.app.state.gate)
    cookie = request.cookies.get(SESSION_COOKIE)
    return await run_in_threadpool(gate.by_session, cookie) if cookie else None


def check_confirmed(request: Request, inside: LoggedIn, said: str | None = None) -> None:
    """Make sure that a page of ours asked for a write.

    Args:
        said: What the form of the page repeats; otherwise the header does.

    Raises:
        WriteNotConfirmed: None did.
    """
    if request.method in SAFE_METHODS:
        return
    check_same_origin(request)
    given = request.headers.get(CONFIRMATION_HEADER, "") if said is None else said
    confirmation = confirmation_of(inside.token)
    if not fits(given, digest(confirmation)) and not _is_upload(request, confirmation):
        raise WriteNotConfirmed(detail=f"{CONFIRMATION_HEADER} is missing or of another session")


def _is_upload(request: Request, confirmation: str) -> bool:
    """Whether a page of ours sends a file: its form is confirmed in the address, for a file is read last."""
    given = request.query_params.get(UPLOAD_FIELD, "")
    is_file = request.headers.get("content-type", "").startswith("multipart/form-data")
    return is_file and fits(given, digest(upload_token_of(confirmation, request.url.path)))


def check_same_origin(request: Request) -> None:
    """Refuse what a page of another origin sends.

    Raises:
        WriteNotConfirmed: It does.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in {"same-origin", "none"} or not is_same_origin(request.scope):
        raise WriteNotConfirmed(detail="it was sent by another page")


async def _note(request: Request, principal: Principal, door: str) -> None:
    """Let what the route does be noted as what this principal does."""
    facts: dict[str, object] = {**request.path_params, **request.query_params}
    length = request.headers.get("content-length", "")
    if (
        "json" in request.headers.get("content-type", "")
        and length.isdecimal()
        and int(length) < MAX_NOTED_BODY
    ):
        body = await _json(request)
        facts |= body if isinstance(body, dict) else {"body": body}
    subject = "/".join(unquote(str(value)) for value in request.path_params.values())
    noted = cast("dict[str, object]", redacted(facts))
    set_act(
        Act(principal.name, principal.address, door, f"{request.method} {_template(request)}", subject, noted)
    )


def _template(request: Request) -> str:
    """The path of the route, with the names of its parameters for their values."""
    asked = str(request.scope["path"])
    own = str(getattr(request.scope.get("route"), "path", asked))
    params = request.path_params
    filled = re.sub(r"{(\w+)(?::\w+)?}", lambda found: str(params.get(found[1], found[0])), own)
    # A route knows its path below the routers that it is in, or all of it.
    return asked[: -len(filled)] + own if asked.endswith(filled) else own


async def _json(request: Request) -> object:
    try:
        return await request.json()
    except ValueError:
        return None  # the route says what is wrong with it
