"""Who did what through which door: noted in the transaction that does it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

__all__ = [
    "Act",
    "AuditEntry",
    "Bringer",
    "BroughtEntry",
    "Door",
    "acting",
    "current_act",
    "redacted",
    "set_act",
]

HIDDEN = "********"
_SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "credential", "url", "options")
_OPEN = ("env:", "file:")
MAX_TEXT = 500
"""Characters of a value that are kept."""

MAX_DEPTH = 6


class Door:
    """Through what somebody came."""

    CLI = "cli"
    API = "api"
    CONSOLE = "console"
    SOURCE = "source"
    FILE = "file"
    ENGINE = "engine"


@dataclass(slots=True)
class Act:
    """What somebody is doing; the first transaction that it writes anything in notes it.

    Attributes:
        actor: The user, the name of the key, or the user of the machine.
        action: As `incidents ack` or `POST /api/v1/silences`.
        subject: What it is about, as far as the request says so.
        facts: What was asked for, without secrets.
        is_noted: Whether a transaction has noted it already.
    """

    actor: str
    address: str
    door: str
    action: str
    subject: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    is_noted: bool = False


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that was done, and by whom.

    Attributes:
        before, after: What changed, where that is known; what was asked for otherwise; without secrets.
    """

    id: int
    at: datetime
    actor: str
    address: str
    door: str
    action: str
    subject: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None

    def to_json(self) -> dict[str, object]:
        """For listings and exports."""
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "actor": self.actor,
            "address": self.address,
            "door": self.door,
            "action": self.action,
            "subject": self.subject,
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class Bringer:
    """Who brings readings, and how.

    Attributes:
        actor: The key, the user, or `sereno` where it fetches by itself.
        door: As `api`, `source` or `file`.
        subject: What it came through: a route, a source, a file.
    """

    actor: str
    door: str
    subject: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class BroughtEntry:
    """What one bringer brought within a minute.

    Attributes:
        at: Start of the minute.
        n_batches: Requests, portions of a file, or groups of messages.
        n_records: Rows or records that came.
        n_stored: Values, or records of a request, that were new or changed.
    """

    at: datetime
    bringer: Bringer
    n_batches: int
    n_records: int
    n_stored: int
    last_at: datetime

    def to_json(self) -> dict[str, object]:
        """For listings and exports."""
        return {
            "at": self.at.isoformat(),
            "last_at": self.last_at.isoformat(),
            "actor": self.bringer.actor,
            "address": self.bringer.address,
            "door": self.bringer.door,
            "subject": self.bringer.subject,
            "batches": self.n_batches,
            "records": self.n_records,
            "stored": self.n_stored,
        }


_ACT: ContextVar[Act | None] = ContextVar("act", default=None)


def current_act() -> Act | None:
    """What is being done in this context; None where sereno works by itself."""
    return _ACT.get()


def set_act(act: Act) -> None:
    """Let what follows in this context, and in what it starts, be part of an act."""
    _ACT.set(act)


@contextmanager
def acting(act: Act) -> Iterator[Act]:
    """Let what is done inside be part of an act."""
    token = _ACT.set(act)
    try:
        yield act
    finally:
        _ACT.reset(token)


def redacted(value: object, name: str = "", *, depth: int = 0) -> object:
    """A value without secrets: told by the names of keys; references to secrets stay, long text is cut.

    Example:
        >>> redacted({"site": "Planta", "password": "hunter2", "token": "env:TOKEN"})
        {'site': 'Planta', 'password': '********', 'token': 'env:TOKEN'}
    """
    is_secret = any(word in name.lower() for word in _SECRET_WORDS)
    if is_secret and not (isinstance(value, str) and value.startswith(_OPEN)) and value not in (None, ""):
        return HIDDEN
    if depth >= MAX_DEPTH and isinstance(value, Mapping | list | tuple):
        return "…"
    if isinstance(value, Mapping):
        return {str(key): redacted(inner, str(key), depth=depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner, name, depth=depth + 1) for inner in value[:MAX_TEXT]]
    if isinstance(value, str | int | float | bool | None):
        return value[:MAX_TEXT] if isinstance(value, str) else value
    return str(value)[:MAX_TEXT]
