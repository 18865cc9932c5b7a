"""Who asks: keys and sessions become principals, fast for those who ask often."""

import logging
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sereno.domain.access import DEFAULT_ORGANIZATION, Principal, Role
from sereno.domain.accounts import ApiKey, User
from sereno.domain.errors import NotFound, StoreError
from sereno.flows.secrets import digest, fits, prefix_of
from sereno.flows.service import Service
from sereno.flows.workspace import Workspace
from sereno.settings.access import ServiceSettings

__all__ = ["LOCAL", "Gate", "LoggedIn", "from_address"]

log = logging.getLogger(__name__)

KEY_KNOWN_FOR_S = 2.0
"""How long a key that was looked up is believed: revoking it takes effect within this in every process."""

MAX_KNOWN = 10_000
NOTED_EVERY_S = 30.0
SEEN_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session that lets somebody in.

    Attributes:
        token: What the cookie holds; what a page of ours must show is made of it.
    """

    principal: Principal
    user: User
    token: str


@dataclass(frozen=True, slots=True)
class _Known:
    key: ApiKey
    organization: str
    until: float


class Gate:
    """The keys and sessions of a service; safe to share between threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._seen: dict[tuple[str, str, str], datetime] = {}
        self._lock = threading.Lock()
        self._noting: threading.Thread | None = None

    @property
    def settings(self) -> ServiceSettings:
        """What the root of the workspace says of the service."""
        return self._service.workspaces[DEFAULT_ORGANIZATION].settings.service

    def remembered(self, key: str) -> Principal | None:
        """The principal of a key that was looked up a moment ago, without asking the store."""
        with self._lock:
            known = self._known.get(digest(key))
        if known is None or time.monotonic() > known.until:
            return None
        return self._let_in(known)

    def by_key(self, key: str) -> Principal | None:
        """The principal of a key; None for one that opens nothing.

        Raises:
            StoreError: The store does not answer.
        """
        remembered = self.remembered(key)
        if remembered is not None:
            return remembered
        prefix = prefix_of(key)
        found = None if prefix is None else self._root.store.find_key(prefix)
        if found is None or not fits(key, found[1].secret_hash):
            return None
        known = _Known(found[1], found[0], time.monotonic() + KEY_KNOWN_FOR_S)
        with self._lock:
            self._known[found[1].secret_hash] = known
            while len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return self._let_in(known)

    def by_session(self, cookie: str) -> LoggedIn | None:
        """Who is logged in with a cookie `<organization>.<token>`; None for one that opens nothing.

        Raises:
            StoreError: The store does not answer.
        """
        organization, _, token = cookie.partition(".")
        try:
            store = self._service.workspace(organization).store
        except NotFound:
            return None
        hashed, now = digest(token), self._root.now()
        with store.read() as tx:
            found = tx.session_of(hashed)
        if found is None:
            return None
        session, user = found
        seen = self._seen.get((organization, "session", hashed), session.seen_at)
        is_over = now >= session.expires_at or now - max(seen, session.seen_at) > self.settings.sessions.idle
        if is_over or user.disabled_at is not None:
            return None
        if now - seen > SEEN_WITHIN:
            self._note(organization, "session", hashed, now)
        principal = Principal(organization, user.name, user.role, sees_personal=user.sees_personal)
        return LoggedIn(principal, user, token)

    def forget(self) -> None:
        """Look every key up again: one has been changed."""
        with self._lock:
            self._known.clear()

    def note_seen(self) -> None:
        """Write down when keys and sessions were last used."""
        with self._lock:
            seen, self._seen = self._seen, {}
        for (organization, kind, which), at in seen.items():
            with suppress(NotFound), self._service.workspace(organization).store.begin() as tx:
                if kind == "key":
                    tx.touch_key(which, at=at)
                else:
                    tx.touch_session(which, at=at)

    @property
    def _root(self) -> Workspace:
        return self._service.workspaces[DEFAULT_ORGANIZATION]

    def _let_in(self, known: _Known) -> Principal | None:
        key, now = known.key, self._root.now()
        if not key.is_live(now):
            return None
        if key.last_used_at is None or now - key.last_used_at > SEEN_WITHIN:
            self._note(known.organization, "key", key.prefix, now)
        sites = None if key.sites is None else frozenset(key.sites)
        name = f"key:{key.name}"
        return Principal(known.organization, name, key.role, sees_personal=key.sees_personal, sites=sites)

    def _note(self, organization: str, kind: str, which: str, at: datetime) -> None:
        """Written later: a request never waits for the store because of it."""
        with self._lock:
            self._seen[organization, kind, which] = at
            if self._noting is None and not self._service.stop.is_set():
                self._noting = threading.Thread(target=self._keep_noting, name="last-used", daemon=True)
                self._noting.start()

    def _keep_noting(self) -> None:
        while not self._service.stop.wait(NOTED_EVERY_S):
            try:
                self.note_seen()
            except StoreError as error:
                log.warning("last use of keys not noted", extra={"error": str(error)})


LOCAL = Principal(DEFAULT_ORGANIZATION, "local", Role.ADMIN, sees_personal=True)
"""Who asks a service that knows nobody."""


def from_address(principal: Principal, address: str) -> Principal:
    """The principal with where it comes from."""
    return replace(principal, address=address)
