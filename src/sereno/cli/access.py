"""`sereno organizations`, `keys`, `users` and `audit`: who may what, and who did what."""

import getpass
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sereno.cli.output import Request, say, show_json, show_table

if TYPE_CHECKING:
    from sereno.domain.access import Role
    from sereno.domain.accounts import ApiKey
    from sereno.flows.workspace import Workspace

__all__ = ["audit_app", "keys_app", "organizations_app", "users_app", "welcome_link"]

RoleName = Literal["viewer", "operator", "engineer", "admin"]
KeyRole = Literal["source", "viewer", "operator", "engineer", "admin"]
Personal = Annotated[
    bool | None,
    typer.Option("--personal/--no-personal", help="Whether supply-point numbers are shown as they are."),
]
UserName = Annotated[str, typer.Argument(help="Name of the user.")]
KeyName = Annotated[str, typer.Argument(help="Its name, or its prefix.")]
Address = Annotated[
    str, typer.Option("--address", help="Address of the service, for the link, as https://sereno.example.")
]
DEFAULT_ADDRESS = "http://127.0.0.1:8420"

organizations_app = typer.Typer(help="Companies that share a store and see nothing of each other.")
keys_app = typer.Typer(help="Keys by which programs come in.")
users_app = typer.Typer(help="People who may log in.")
audit_app = typer.Typer(help="Who did what, when and from where.")


@organizations_app.command("add")
def add_organization(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Lower-case letters, digits, - and _.")]
) -> None:
    """Make a new organization, with settings, receivers and models of its own."""
    from sereno.flows.organizations import add_organization as add
    from sereno.flows.organizations import place_of
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    root, _ = place_of(request.root)
    with Workspace.open(root, language=request.language) as workspace:
        language = workspace.language
    folder = add(root, name)
    Workspace.open(folder, language=request.language).close()
    if request.as_json:
        show_json({"name": name, "folder": str(folder)})
    else:
        _say("cli.access.organization_added", language, name=name, folder=folder)


@organizations_app.command("list")
def list_organizations(context: typer.Context) -> None:
    """The organizations of the workspace."""
    from sereno.flows.organizations import find_organizations, organization_folder, place_of

    request: Request = context.obj
    root, _ = place_of(request.root)
    names = find_organizations(root)
    rows = [{"name": name, "folder": str(organization_folder(root, name))} for name in names]
    _show(request, rows, ["name", "folder"])


@keys_app.command("add")
def add_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for, as `gateway-3`.")],
    role: Annotated[KeyRole, typer.Option(help="A source only writes readings.")] = "source",
    site: Annotated[list[str] | None, typer.Option(help="Only readings of this site; several times.")] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, help="Days until it expires; never without.")
    ] = None,
    personal: Personal = None,
) -> None:
    """Make a key; it is shown once."""
    from sereno.flows import keys

    request: Request = context.obj
    with _opened(request) as workspace:
        secret, key = keys.add_key(
            workspace.store,
            name,
            role=_role(role),
            author=getpass.getuser(),
            now=workspace.now(),
            sites=site,
            lasts=None if days is None else timedelta(days=days),
            sees_personal=bool(personal),
        )
        _show_secret(request, secret, key, workspace.language)


@keys_app.command("list")
def list_keys(context: typer.Context) -> None:
    """All keys, dead ones too; what opens anything is shown nowhere."""
    from sereno.flows.keys import find_keys

    request: Request = context.obj
    with _opened(request) as workspace:
        rows = [one.to_json() for one in find_keys(workspace.store)]
    _show(request, rows, ["prefix", "name", "role", "expires_at", "revoked_at", "last_used_at"])


@keys_app.command("revoke")
def revoke_key(context: typer.Context, key: KeyName) -> None:
    """End a key at once; by its name all of that name."""
    from sereno.flows import keys

    request: Request = context.obj
    with _opened(request) as workspace:
        rows = [one.to_json() for one in keys.revoke_key(workspace.store, key, now=workspace.now())]
    _show(request, rows, ["prefix", "name", "revoked_at"])


@keys_app.command("rotate")
def rotate_key(
    context: typer.Context,
    key: KeyName,
    overlap: Annotated[float, typer.Option(min=0, help="Days for which the old one goes on.")] = 7.0,
) -> None:
    """Make a key with the same rights; the old one goes on for a while."""
    from sereno.flows import keys

    request: Request = context.obj
    lasts = timedelta(days=overlap)
    with _opened(request) as workspace:
        now = workspace.now()
        secret, new = keys.rotate_key(workspace.store, key, author=getpass.getuser(), now=now, overlap=lasts)
        _show_secret(request, secret, new, workspace.language)
        if not request.as_json:
            _say("cli.access.key_replaced", workspace.language, until=(now + lasts).isoformat())


@users_app.command("add")
def add_user(
    context: typer.Context,
    name: UserName,
    role: Annotated[RoleName, typer.Option(help="What they may do.")] = "viewer",
    personal: Personal = None,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Make a user, and a link by which they choose a password."""
    from sereno.flows import users

    request: Request = context.obj
    with _opened(request) as workspace:
        token, user = users.add_user(
            workspace.store, name, role=_role(role), now=workspace.now(), sees_personal=bool(personal)
        )
        _show_link(request, workspace, token, user.name, address)


@users_app.command("list")
def list_users(context: typer.Context) -> None:
    """All users."""
    from sereno.flows.users import find_users

    request: Request = context.obj
    with _opened(request) as workspace:
        rows = [one.to_json() for one in find_users(workspace.store)]
    _show(request, rows, ["name", "role", "sees_personal", "has_password", "disabled_at"])


@users_app.command("role")
def change_role(
    context: typer.Context,
    name: UserName,
    role: Annotated[RoleName, typer.Argument(help="viewer, operator, engineer or admin.")],
    personal: Personal = None,
) -> None:
    """Give a user another role."""
    from sereno.flows import users

    request: Request = context.obj
    with _opened(request) as workspace:
        user = users.change_user(workspace.store, name, role=_role(role), sees_personal=personal)
    _show(request, [user.to_json()], ["name", "role", "sees_personal"])


@users_app.command("disable")
def disable_user(context: typer.Context, name: UserName) -> None:
    """Let a user in no more; their sessions end at once."""
    from sereno.flows import users

    request: Request = context.obj
    with _opened(request) as workspace:
        user = users.disable_user(workspace.store, name, now=workspace.now())
    _show(request, [user.to_json()], ["name", "role", "disabled_at"])


@users_app.command("reset")
def reset_user(context: typer.Context, name: UserName, address: Address = DEFAULT_ADDRESS) -> None:
    """Make a link by which a user chooses a new password; the old one works no more."""
    from sereno.flows import users

    request: Request = context.obj
    with _opened(request) as workspace:
        token = users.reset_user(workspace.store, name, now=workspace.now())
        _show_link(request, workspace, token, name, address)


@audit_app.command("list")
def list_audit(
    context: typer.Context, limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50
) -> None:
    """What was done last, newest first."""
    request: Request = context.obj
    with _opened(request) as workspace, workspace.store.read() as tx:
        rows = [one.to_json() for one in tx.audit(newest_first=True, limit=limit)]
    _show(request, rows, ["at", "actor", "address", "door", "action", "subject"])


@audit_app.command("readings")
def list_brought(
    context: typer.Context, limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50
) -> None:
    """Who brought readings, when and how many, newest first: an entry per minute."""
    request: Request = context.obj
    with _opened(request) as workspace, workspace.store.read() as tx:
        rows = [one.to_json() for one in tx.brought(limit=limit)]
    _show(request, rows, ["at", "actor", "address", "door", "subject", "batches", "records", "stored"])


@audit_app.command("export")
def export_audit(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="File to write, one JSON document per line.")],
) -> None:
    """Write all that was done, oldest first, one JSON document per line."""
    import json

    request: Request = context.obj
    count = 0
    with _opened(request) as workspace:
        partial = output.with_name(f"{output.name}.part")
        with workspace.store.read() as tx, partial.open("w", encoding="utf-8") as file:
            for one in tx.audit():
                file.write(json.dumps(one.to_json(), ensure_ascii=False) + "\n")
                count += 1
        partial.replace(output)
        language = workspace.language
    if request.as_json:
        show_json({"file": str(output), "entries": count})
    else:
        _say("cli.access.audit_exported", language, file=output, count=count)


def welcome_link(address: str, token: str, organization: str) -> str:
    """Where somebody chooses a password."""
    from urllib.parse import urlencode

    return f"{address.rstrip('/')}/welcome?{urlencode({'token': token, 'organization': organization})}"


def _opened(request: Request) -> "Workspace":
    from sereno.flows.workspace import Workspace

    return Workspace.open(request.workspace, language=request.language)


def _role(name: str) -> "Role":
    from sereno.domain.access import Role

    return Role[name.upper()]


def _show(request: Request, rows: Sequence[Mapping[str, object]], columns: list[str]) -> None:
    from sereno.i18n.catalogue import machine_language

    if request.as_json:
        show_json(list(rows))
    elif rows:
        show_table(rows, columns)
    else:
        _say("cli.access.none", request.language or machine_language())


def _show_secret(request: Request, secret: str, key: "ApiKey", language: str) -> None:
    if request.as_json:
        show_json({"key": secret, **key.to_json()})
    else:
        _say("cli.access.key_once", language, key=secret)


def _show_link(request: Request, workspace: "Workspace", token: str, name: str, address: str) -> None:
    link = welcome_link(address, token, workspace.organization)
    if request.as_json:
        show_json({"name": name, "link": link})
    else:
        _say("cli.access.link_once", workspace.language, name=name, link=link)


def _say(key: str, language: str, /, **facts: object) -> None:
    from sereno.i18n.catalogue import sentence

    say(sentence(key, language, **facts))
