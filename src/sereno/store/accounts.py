"""Users, one-time links, sessions and keys of an organization."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from sereno.domain.access import Role
from sereno.domain.accounts import ApiKey, LoginSession, OneTimeLink, User
from sereno.domain.errors import NotFound, UserExists
from sereno.store.schema import api_key, login_session, one_time_link, user_account
from sereno.store.session import Session

__all__ = ["AccountSession", "key_of_row"]

_USER = [user_account.c[one.name] for one in fields(User)]
_LINK = [one_time_link.c[one.name] for one in fields(OneTimeLink)]
_SESSION = [login_session.c[one.name] for one in fields(LoginSession)]
_KEY = [api_key.c[one.name] for one in fields(ApiKey)]


class AccountSession(Session):
    """The part of a transaction that knows who may log in and with which keys programs come."""

    def add_user(self, user: User) -> None:
        """Keep a new user.

        Raises:
            UserExists: There is one of that name.
        """
        if self.find_user(user.name) is not None:
            raise UserExists(name=user.name)
        row = {one.name: getattr(user, one.name) for one in fields(User)}
        mine = {"organization_id": self._organization_id, "role": int(user.role)}
        self._connection.execute(insert(user_account), row | mine)
        self.audit_change(f"user {user.name}", None, user.to_json())

    def users(self) -> list[User]:
        """All users, by name."""
        query = select(*_USER).where(user_account.c.organization_id == self._organization_id)
        found = self._connection.execute(query.order_by(user_account.c.name)).mappings()
        return [_user_of(dict(row)) for row in found]

    def find_user(self, name: str) -> User | None:
        """The user of a name; None where there is none."""
        mine = user_account.c.organization_id == self._organization_id
        query = select(*_USER).where(mine, user_account.c.name == name)
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else _user_of(dict(row))

    def user(self, name: str) -> User:
        """The user of a name.

        Raises:
            NotFound: There is none.
        """
        found = self.find_user(name)
        if found is None:
            raise NotFound(what="user", id=name, hint="")
        return found

    def change_user(
        self,
        name: str,
        *,
        role: Role | None = None,
        sees_personal: bool | None = None,
        disabled_at: datetime | None = None,
        password_hash: str | None = None,
    ) -> User:
        """The user after a change; what is None stays.

        Raises:
            NotFound: There is none.
        """
        before = self.user(name)
        said: dict[str, object] = {
            "role": None if role is None else int(role),
            "sees_personal": sees_personal,
            "disabled_at": disabled_at,
            "password_hash": password_hash,
        }
        values = {key: value for key, value in said.items() if value is not None}
        change = update(user_account).where(
            user_account.c.organization_id == self._organization_id, user_account.c.id == before.id
        )
        if values:
            self._connection.execute(change.values(values))
        after = self.user(name)
        self.audit_change(f"user {name}", before.to_json(), after.to_json())
        return after

    def enable_user(self, name: str) -> User:
        """Let a user log in again."""
        before = self.user(name)
        change = update(user_account).where(
            user_account.c.organization_id == self._organization_id, user_account.c.id == before.id
        )
        self._connection.execute(change.values(disabled_at=None))
        after = self.user(name)
        self.audit_change(f"user {name}", before.to_json(), after.to_json())
        return after

    def has_admin(self) -> bool:
        """Whether somebody with a password is administrator."""
        return any(
            one.role is Role.ADMIN and one.disabled_at is None and one.password_hash for one in self.users()
        )

    def add_link(self, link: OneTimeLink) -> None:
        """Keep a new one-time link; earlier ones for the same user are void."""
        self.void_links(link.user_name, at=link.created_at)
        row = {one.name: getattr(link, one.name) for one in fields(OneTimeLink)}
        self._connection.execute(insert(one_time_link), row | {"organization_id": self._organization_id})

    def void_links(self, user_name: str, *, at: datetime) -> None:
        """Let no link for a user open anything any more; the first administrator's stay for each start."""
        if not user_name:
            return
        table = one_time_link.c
        mine = (table.organization_id == self._organization_id, table.user_name == user_name)
        change = update(one_time_link).where(*mine, table.used_at.is_(None))
        self._connection.execute(change.values(used_at=at))

    def link(self, token_hash: str, *, now: datetime) -> OneTimeLink | None:
        """A link that may still be used; None for any other."""
        table = one_time_link.c
        query = select(*_LINK).where(
            table.organization_id == self._organization_id,
            table.token_hash == token_hash,
            table.used_at.is_(None),
            table.expires_at > now,
        )
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else OneTimeLink(**row)

    def use_link(self, token_hash: str, *, now: datetime) -> bool:
        """Use up a link; False where somebody has, or its time is over."""
        table = one_time_link.c
        change = update(one_time_link).where(
            table.organization_id == self._organization_id,
            table.token_hash == token_hash,
            table.used_at.is_(None),
            table.expires_at > now,
        )
        return self._connection.execute(change.values(used_at=now)).rowcount == 1

    def add_session(self, session: LoginSession) -> None:
        """Keep a new session; those whose time is over go."""
        table = login_session.c
        mine = table.organization_id == self._organization_id
        self._connection.execute(delete(login_session).where(mine, table.expires_at <= session.created_at))
        row = {one.name: getattr(session, one.name) for one in fields(LoginSession)}
        self._connection.execute(insert(login_session), row | {"organization_id": self._organization_id})

    def session_of(self, token_hash: str) -> tuple[LoginSession, User] | None:
        """A session and its user, whether or not its time is over; None where there is none."""
        table = login_session.c
        query = select(*_SESSION).where(
            table.organization_id == self._organization_id, table.token_hash == token_hash
        )
        row = self._connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        found = LoginSession(**row)
        mine = user_account.c.organization_id == self._organization_id
        of_user = select(*_USER).where(mine, user_account.c.id == found.user_id)
        return found, _user_of(dict(self._connection.execute(of_user).mappings().one()))

    def touch_session(self, token_hash: str, *, at: datetime) -> None:
        """Note that a request came with a session."""
        table = login_session.c
        mine = (table.organization_id == self._organization_id, table.token_hash == token_hash)
        self._connection.execute(update(login_session).where(*mine).values(seen_at=at))

    def drop_session(self, token_hash: str) -> None:
        """End a session."""
        table = login_session.c
        mine = (table.organization_id == self._organization_id, table.token_hash == token_hash)
        self._connection.execute(delete(login_session).where(*mine))

    def drop_sessions_of(self, user_id: str) -> int:
        """End every session of a user; returns how many there were."""
        table = login_session.c
        mine = (table.organization_id == self._organization_id, table.user_id == user_id)
        return self._connection.execute(delete(login_session).where(*mine)).rowcount

    def add_key(self, key: ApiKey) -> None:
        """Keep a new key."""
        row = {one.name: getattr(key, one.name) for one in fields(ApiKey)}
        row |= {"role": int(key.role), "sites": None if key.sites is None else list(key.sites)}
        self._connection.execute(insert(api_key), row | {"organization_id": self._organization_id})
        self.audit_change(f"key {key.prefix}", None, key.to_json())

    def keys(self) -> list[ApiKey]:
        """All keys, dead ones too, by name and age."""
        query = select(*_KEY).where(api_key.c.organization_id == self._organization_id)
        found = self._connection.execute(query.order_by(api_key.c.name, api_key.c.created_at)).mappings()
        return [key_of_row(dict(row)) for row in found]

    def end_key(self, prefix: str, *, at: datetime, is_revoked: bool) -> ApiKey:
        """End a key at an instant: revoked, or replaced by another; never later than it would have ended.

        Raises:
            NotFound: There is none.
        """
        mine = (api_key.c.organization_id == self._organization_id, api_key.c.prefix == prefix)
        before = next((one for one in self.keys() if one.prefix == prefix), None)
        if before is None:
            raise NotFound(what="key", id=prefix, hint="")
        ends = at if before.expires_at is None else min(at, before.expires_at)
        values: dict[str, object] = {"revoked_at": at} if is_revoked else {"expires_at": ends}
        self._connection.execute(update(api_key).where(*mine).values(values))
        after = next(one for one in self.keys() if one.prefix == prefix)
        self.audit_change(f"key {prefix}", before.to_json(), after.to_json())
        return after

    def touch_key(self, prefix: str, *, at: datetime) -> None:
        """Note that a request came with a key."""
        mine = (api_key.c.organization_id == self._organization_id, api_key.c.prefix == prefix)
        self._connection.execute(update(api_key).where(*mine).values(last_used_at=at))


def key_of_row(row: Mapping[str, Any]) -> ApiKey:
    """The key whose columns these are."""
    known = {one.name: row[one.name] for one in fields(ApiKey)}
    sites = known["sites"]
    known |= {"role": Role(known["role"]), "sites": None if sites is None else tuple(sites)}
    return ApiKey(**known)


def _user_of(row: Mapping[str, Any]) -> User:
    return User(**{**row, "role": Role(row["role"])})
