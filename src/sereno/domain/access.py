"""Who somebody is to an organization, and what that lets them do."""

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Principal", "Role"]


class Role(IntEnum):
    """What somebody may do; each may do what those below may, except that a source only writes readings."""

    SOURCE = 0
    VIEWER = 1
    OPERATOR = 2
    ENGINEER = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was let in.

    Attributes:
        name: The user, or the name of the key: who stands in the log of what was done.
        sees_personal: Whether supply-point numbers are shown as they are.
    """

    organization: str
    name: str
    role: Role
    sees_personal: bool = False
