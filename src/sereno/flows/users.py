"""Users: invited by a link that works once, let in by name and password."""

from datetime import datetime, timedelta
from uuid import uuid4

from sereno.domain.access import Role
from sereno.domain.accounts import LoginSession, OneTimeLink, User
from sereno.domain.errors import LinkInvalid, LoginFailed, UsageError, UserExists
from sereno.flows.secrets import digest, hash_password, new_token, verify_password
from sereno.store import Store, Transaction

__all__ = [
    "LINK_LASTS",
    "add_user",
    "change_user",
    "choose_password",
    "disable_user",
    "find_link",
    "find_users",
    "first_link",
    "log_in",
    "log_out_everywhere",
    "reset_user",
]

LINK_LASTS = timedelta(hours=24)
MAX_NAME = 120


def add_user(
    store: Store, name: str, *, role: Role, now: datetime, sees_personal: bool = False
) -> tuple[str, User]:
    """A new user, and the token of the link by which they choose a password.

    Raises:
        UserExists: There is one of that name.
    """
    user = _new_user(name, role, sees_personal=sees_personal, now=now)
    with store.begin() as tx:
        tx.add_user(user)
        return _invite(tx, user.name, now), user


def find_users(store: Store) -> list[User]:
    """All users of an organization."""
    with store.read() as tx:
        return tx.users()


def change_user(
    store: Store, name: str, *, role: Role | None = None, sees_personal: bool | None = None
) -> User:
    """A user with another role or right.

    Raises:
        NotFound: There is none of that name.
        UsageError: Nobody would be administrator any more.
    """
    with store.begin() as tx:
        changed = tx.change_user(name, role=role, sees_personal=sees_personal)
        if role is not None and role is not Role.ADMIN:
            _keep_an_admin(tx)
        return changed


def disable_user(store: Store, name: str, *, now: datetime) -> User:
    """A user who is let in no more; their sessions and links end at once.

    Raises:
        NotFound, UsageError: See `change_user`.
    """
    with store.begin() as tx:
        user = tx.change_user(name, disabled_at=now)
        tx.drop_sessions_of(user.id)
        tx.void_links(name, at=now)
        _keep_an_admin(tx)
        return user


def reset_user(store: Store, name: str, *, now: datetime) -> str:
    """The token of a link by which a user chooses a new password; they are let in again.

    Their sessions end, and the old password works no more.

    Raises:
        NotFound: There is none of that name.
    """
    with store.begin() as tx:
        user = tx.user(name)
        if user.disabled_at is not None:
            tx.enable_user(name)
        tx.change_user(name, password_hash="")
        tx.drop_sessions_of(user.id)
        return _invite(tx, name, now)


def first_link(store: Store, *, now: datetime) -> str | None:
    """The token of a link for the first administrator; None where there is one.

    Links of earlier starts go on working until somebody is administrator or their time is over.
    """
    with store.read() as tx:
        if tx.has_admin():
            return None
    with store.begin() as tx:
        return _invite(tx, "", now)


def find_link(store: Store, token: str, *, now: datetime) -> OneTimeLink:
    """What a link is for; looking uses nothing up.

    Raises:
        LinkInvalid: It cannot be used.
    """
    with store.read() as tx:
        return _usable(tx, token, now)


def choose_password(store: Store, token: str, *, name: str, password: str, now: datetime) -> User:
    """Use a link up: the user with their new password.

    Args:
        name: Of the first administrator; of others the link says it.

    Raises:
        LinkInvalid: It cannot be used.
        PasswordRefused: The password is too short.
        UserExists: The first administrator chose the name of somebody else.
    """
    hashed = hash_password(password)
    with store.begin() as tx:
        link = _usable(tx, token, now)
        if not tx.use_link(link.token_hash, now=now):
            raise LinkInvalid
        if not link.user_name:
            user = _new_user(name, Role.ADMIN, sees_personal=True, now=now)
            known = tx.find_user(user.name)
            if known is not None and (known.password_hash or known.role is not Role.ADMIN):
                raise UserExists(name=user.name)
            if known is None:
                tx.add_user(user)
            name = user.name
        else:
            name = link.user_name
        user = tx.change_user(name, password_hash=hashed)
        tx.drop_sessions_of(user.id)
        return user


def log_in(
    store: Store, name: str, password: str, *, address: str, now: datetime, lasts: timedelta
) -> tuple[str, User]:
    """The token of a new session, and whose it is.

    A name that is unknown, disabled or without a password takes as long to refuse as a wrong password.

    Raises:
        LoginFailed: Name and password do not fit.
    """
    with store.read() as tx:
        user = tx.find_user(name.strip()[:MAX_NAME])
    known = "" if user is None or user.disabled_at is not None else user.password_hash
    if not verify_password(password, known) or user is None:
        raise LoginFailed
    token = new_token()
    with store.begin() as tx:
        tx.add_session(LoginSession(digest(token), user.id, now, now, now + lasts, address))
    return token, user


def log_out_everywhere(store: Store, user: User) -> int:
    """End every session of a user; returns how many there were."""
    with store.begin() as tx:
        return tx.drop_sessions_of(user.id)


def _new_user(name: str, role: Role, *, sees_personal: bool, now: datetime) -> User:
    kept = " ".join(name.split())
    if not 1 <= len(kept) <= MAX_NAME or not kept.isprintable():
        detail = f"a user needs a name of 1 to {MAX_NAME} characters"
        raise UsageError(detail=detail, command="users")
    return User(uuid4().hex, kept, role, sees_personal, now)


def _invite(tx: Transaction, name: str, now: datetime) -> str:
    token = new_token()
    tx.add_link(OneTimeLink(digest(token), name, now, now + LINK_LASTS))
    return token


def _usable(tx: Transaction, token: str, now: datetime) -> OneTimeLink:
    link = tx.link(digest(token), now=now)
    if link is None or (not link.user_name and tx.has_admin()):
        raise LinkInvalid
    user = tx.find_user(link.user_name) if link.user_name else None
    if link.user_name and (user is None or user.disabled_at is not None):
        raise LinkInvalid
    return link


def _keep_an_admin(tx: Transaction) -> None:
    if any(one.password_hash for one in tx.users()) and not tx.has_admin():
        detail = "nobody would be administrator any more; make somebody else one first"
        raise UsageError(detail=detail, command="users")
