"""Users, keys, links and sessions as they are kept: nothing in them opens anything."""

from dataclasses import dataclass
from datetime import datetime

from sereno.domain.access import Role

__all__ = ["ApiKey", "LoginSession", "OneTimeLink", "User"]


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in.

    Attributes:
        name: Unique in the organization.
        password_hash: Argon2id, PHC form; empty before a password was chosen.
        sees_personal: Whether supply-point numbers are shown as they are.
    """

    id: str
    name: str
    role: Role
    sees_personal: bool
    created_at: datetime
    password_hash: str = ""
    disabled_at: datetime | None = None

    def to_json(self) -> dict[str, object]:
        """What anybody may see of it."""
        return {
            "name": self.name,
            "role": self.role.name.lower(),
            "sees_personal": self.sees_personal,
            "created_at": self.created_at.isoformat(),
            "has_password": bool(self.password_hash),
            "disabled_at": None if self.disabled_at is None else self.disabled_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class OneTimeLink:
    """The right to choose a password once.

    Attributes:
        token_hash: SHA-256 of what stands in the link.
        user_name: Whose password; empty for the first administrator, who chooses a name, too.
    """

    token_hash: str
    user_name: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoginSession:
    """Somebody who is logged in.

    Attributes:
        token_hash: SHA-256 of what the cookie holds.
        seen_at: When a request last came with it, to a minute.
        expires_at: When it ends, whatever happens.
    """

    token_hash: str
    user_id: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key for programs.

    Attributes:
        prefix: Its first part, which is no secret and by which it is found.
        name: Shared by the two keys that live while one replaces the other.
        secret_hash: SHA-256 of the whole key.
        sites: The only sites whose readings it may write; None for all.
        last_used_at: To a minute.
    """

    prefix: str
    name: str
    secret_hash: str
    role: Role
    sites: tuple[str, ...] | None
    sees_personal: bool
    author: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def to_json(self) -> dict[str, object]:
        """What anybody may see of it."""
        instants = ("created_at", "expires_at", "revoked_at", "last_used_at")
        times = {name: getattr(self, name) for name in instants}
        return {
            "prefix": self.prefix,
            "name": self.name,
            "role": self.role.name.lower(),
            "sites": None if self.sites is None else list(self.sites),
            "sees_personal": self.sees_personal,
            "author": self.author,
            **{name: None if at is None else at.isoformat() for name, at in times.items()},
        }
