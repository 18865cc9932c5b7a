"""Keys for programs: shown once, kept as a digest, replaced with both alive for a while."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sereno.domain.access import Role
from sereno.domain.accounts import ApiKey
from sereno.domain.errors import NotFound
from sereno.flows.secrets import digest, new_key
from sereno.store import Store

__all__ = ["OVERLAP", "add_key", "find_keys", "revoke_key", "rotate_key"]

OVERLAP = timedelta(days=7)
"""How long a key that was replaced goes on, so that devices can be given the new one."""


def add_key(
    store: Store,
    name: str,
    *,
    role: Role,
    author: str,
    now: datetime,
    sites: Sequence[str] | None = None,
    lasts: timedelta | None = None,
    sees_personal: bool = False,
) -> tuple[str, ApiKey]:
    """A new key, which is told here and never again, and what is kept of it.

    Args:
        sites: The only sites whose readings it may write; all without them.
        lasts: Until it expires; for ever without it.
    """
    secret, prefix = new_key()
    key = ApiKey(
        prefix=prefix,
        name=name,
        secret_hash=digest(secret),
        role=role,
        sites=None if sites is None else tuple(sites),
        sees_personal=sees_personal,
        author=author,
        created_at=now,
        expires_at=None if lasts is None else now + lasts,
    )
    with store.begin() as tx:
        tx.add_key(key)
    return secret, key


def find_keys(store: Store) -> list[ApiKey]:
    """All keys of an organization, dead ones too."""
    with store.read() as tx:
        return tx.keys()


def revoke_key(store: Store, which: str, *, now: datetime) -> list[ApiKey]:
    """End a key at once, by its prefix, or all live ones of a name.

    Raises:
        NotFound: There is no live one.
    """
    with store.begin() as tx:
        return [tx.end_key(one.prefix, at=now, is_revoked=True) for one in _live(tx.keys(), which, now)]


def rotate_key(
    store: Store, which: str, *, author: str, now: datetime, overlap: timedelta = OVERLAP
) -> tuple[str, ApiKey]:
    """A new key with the rights of the live ones of a name, which end after the overlap.

    Raises:
        NotFound: There is no live one.
    """
    secret, prefix = new_key()
    with store.begin() as tx:
        old = _live(tx.keys(), which, now)
        newest = old[-1]
        lasts = None if newest.expires_at is None else newest.expires_at - newest.created_at
        key = ApiKey(
            prefix=prefix,
            name=newest.name,
            secret_hash=digest(secret),
            role=newest.role,
            sites=newest.sites,
            sees_personal=newest.sees_personal,
            author=author,
            created_at=now,
            expires_at=None if lasts is None else now + lasts,
        )
        tx.add_key(key)
        for one in old:
            tx.end_key(one.prefix, at=now + overlap, is_revoked=False)
    return secret, key


def _live(keys: Sequence[ApiKey], which: str, now: datetime) -> list[ApiKey]:
    found = [one for one in keys if which in {one.prefix, one.name} and one.is_live(now)]
    if not found:
        raise NotFound(what="key", id=which, hint="`sereno keys list` shows them.")
    return found
