"""Keys, users and the log of what was done: for administrators of an organization."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from sereno.api.context import AdminCall, ViewerCall
from sereno.api.documents import Time
from sereno.api.parameters import Instant
from sereno.api.problems import problems
from sereno.api.security import SESSION_COOKIE
from sereno.domain.access import Role
from sereno.flows.keys import add_key, find_keys, revoke_key, rotate_key
from sereno.flows.secrets import confirmation_of
from sereno.flows.users import add_user, change_user, disable_user, find_users, reset_user

__all__ = ["router"]

router = APIRouter(tags=["access"])

RoleName = Literal["viewer", "operator", "engineer", "admin"]
KeyRole = Literal["source", "viewer", "operator", "engineer", "admin"]
Name = Annotated[str, Field(min_length=1, max_length=120)]
KeyName = Annotated[str, Path(description="The prefix of a key, or its name.")]
UserName = Annotated[str, Path(description="The name of a user.")]
MAX_ENTRIES = 1000


class Me(BaseModel):
    """Who asks, and what they may do."""

    organization: str
    name: str
    role: str
    sees_personal: bool
    csrf_token: str | None = Field(
        description="What writes of a session repeat in X-CSRF-Token; null for a key."
    )


class NewKey(BaseModel):
    """A key for a program."""

    name: Name
    role: KeyRole = Field("source", description="A source only writes readings.")
    sites: list[str] | None = Field(None, description="The only sites whose readings it may write.")
    days: float | None = Field(None, gt=0, le=3650, description="Days until it expires; never without.")
    sees_personal: bool = Field(
        default=False, description="Whether supply-point numbers are shown as they are."
    )


class NewUser(BaseModel):
    """Somebody who shall be able to log in."""

    name: Name
    role: RoleName = "viewer"
    sees_personal: bool = Field(
        default=False, description="Whether supply-point numbers are shown as they are."
    )


class UserChange(BaseModel):
    """What changes of a user; what is not said stays."""

    role: RoleName | None = None
    sees_personal: bool | None = None


@router.get("/me", responses=problems())
def show_me(call: ViewerCall, request: Request) -> Me:
    """Who asks, and what they may do."""
    who = call.principal
    cookie = request.cookies.get(SESSION_COOKIE, "")
    is_session = cookie and "authorization" not in request.headers and "x-api-key" not in request.headers
    return Me(
        organization=who.organization,
        name=who.name,
        role=who.role.name.lower(),
        sees_personal=who.sees_personal,
        csrf_token=confirmation_of(cookie.partition(".")[2]) if is_session else None,
    )


@router.get("/keys", responses=problems())
def list_keys(call: AdminCall) -> list[dict[str, object]]:
    """All keys, dead ones too; what opens anything is shown nowhere."""
    return [one.to_json() for one in find_keys(call.workspace.store)]


@router.post("/keys", status_code=201, responses=problems(404, 409))
def create_key(call: AdminCall, new: NewKey) -> dict[str, object]:
    """A new key; it is shown in this answer and never again."""
    secret, key = add_key(
        call.workspace.store,
        new.name,
        role=Role[new.role.upper()],
        author=call.principal.name,
        now=call.workspace.now(),
        sites=new.sites,
        lasts=None if new.days is None else timedelta(days=new.days),
        sees_personal=new.sees_personal,
    )
    return {"key": secret, **key.to_json()}


@router.post("/keys/{key}/rotate", status_code=201, responses=problems(404, 409))
def replace_key(call: AdminCall, key: KeyName) -> dict[str, object]:
    """A new key with the rights of another one, by name or prefix, which goes on for seven days."""
    secret, new = rotate_key(call.workspace.store, key, author=call.principal.name, now=call.workspace.now())
    return {"key": secret, **new.to_json()}


@router.delete("/keys/{key}", responses=problems(404, 409))
def end_key(call: AdminCall, request: Request, key: KeyName) -> list[dict[str, object]]:
    """End a key at once, by its prefix, or all of a name."""
    ended = revoke_key(call.workspace.store, key, now=call.workspace.now())
    request.app.state.gate.forget()
    return [one.to_json() for one in ended]


@router.get("/users", responses=problems())
def list_users(call: AdminCall) -> list[dict[str, object]]:
    """All users."""
    return [one.to_json() for one in find_users(call.workspace.store)]


@router.post("/users", status_code=201, responses=problems(404, 409))
def create_user(call: AdminCall, request: Request, new: NewUser) -> dict[str, object]:
    """A new user; the answer holds the link by which they choose a password."""
    token, user = add_user(
        call.workspace.store,
        new.name,
        role=Role[new.role.upper()],
        now=call.workspace.now(),
        sees_personal=new.sees_personal,
    )
    return {"link": _link(request, call, token), **user.to_json()}


@router.patch("/users/{user}", responses=problems(404, 409))
def edit_user(call: AdminCall, user: UserName, change: UserChange) -> dict[str, object]:
    """A user with another role or right."""
    role = None if change.role is None else Role[change.role.upper()]
    return change_user(call.workspace.store, user, role=role, sees_personal=change.sees_personal).to_json()


@router.post("/users/{user}/reset", responses=problems(404, 409))
def invite_user_again(call: AdminCall, request: Request, user: UserName) -> dict[str, object]:
    """A link by which a user chooses a new password; the old one works no more."""
    token = reset_user(call.workspace.store, user, now=call.workspace.now())
    return {"link": _link(request, call, token)}


@router.delete("/users/{user}", responses=problems(404, 409))
def end_user(call: AdminCall, user: UserName) -> dict[str, object]:
    """Let a user in no more; what they did stays in the log under their name."""
    return disable_user(call.workspace.store, user, now=call.workspace.now()).to_json()


@router.get("/audit", responses=problems())
def list_audit(
    call: AdminCall,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Only entries with a higher id.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES, description="How many at most.")] = 100,
) -> list[dict[str, object]]:
    """What was done, by whom and from where, oldest first; go on after the last id."""
    with call.workspace.store.read() as tx:
        return [one.to_json() for one in tx.audit(after=after, limit=limit)]


class BroughtDocument(BaseModel):
    """What somebody brought within a minute."""

    at: Time = Field(description="Start of the minute.")
    last_at: Time = Field(description="When the last batch of it was stored.")
    actor: str = Field(description="The key or user, or `sereno` where it fetches.", examples=["key:gateway"])
    address: str = Field(description="Where it came from.")
    door: str = Field(examples=["api"])
    subject: str = Field(description="The route, source or file.", examples=["POST /api/v1/readings"])
    batches: int
    records: int = Field(description="Rows or records that came.")
    stored: int = Field(description="Values, or records of a request, that were new or changed.")


@router.get("/audit/readings", responses=problems(), response_model=list[BroughtDocument])
def list_brought(
    call: AdminCall,
    until: Annotated[Instant | None, Query(description="Only minutes that began before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES, description="How many at most.")] = 100,
) -> list[dict[str, object]]:
    """Who brought readings, when and how many, newest first; go on before the last minute."""
    with call.workspace.store.read() as tx:
        return [one.to_json() for one in tx.brought(until=until, limit=limit)]


def _link(request: Request, call: AdminCall, token: str) -> str:
    return str(
        request.url_for("welcome_page").include_query_params(
            token=token, organization=call.principal.organization
        )
    )
