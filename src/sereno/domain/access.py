"""Who somebody is to an organization, and what that lets them do."""

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["DEFAULT_ORGANIZATION", "Principal", "Role"]

DEFAULT_ORGANIZATION = "default"
"""The organization of the root of a workspace."""


class Role(IntEnum):
    """What somebody may do; each may do what those below may, except that a source only writes readings."""

    SOURCE = 0
    VIEWER = 1
    OPERATOR = 2
    ENGINEER = 3
    ADMIN = 4

    def may(self, wanted: "Role") -> bool:
        """Whether this role suffices where another is asked for.

        Readings (`SOURCE`) are written by sources and by those who answer for them, engineers and admins.

        Example:
            >>> Role.VIEWER.may(Role.SOURCE), Role.SOURCE.may(Role.VIEWER), Role.ADMIN.may(Role.OPERATOR)
            (False, False, True)
        """
        if wanted is Role.SOURCE:
            return self is Role.SOURCE or self >= Role.ENGINEER
        return self >= wanted


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was let in.

    Attributes:
        name: The user, or the name of the key: who stands in the log of what was done.
        sees_personal: Whether supply-point numbers are shown as they are.
        sites: The only sites whose readings may be written; None for all.
        address: Where the request came from.
    """

    organization: str
    name: str
    role: Role
    sees_personal: bool = False
    sites: frozenset[str] | None = None
    address: str = ""

    def may_write(self, site: str) -> bool:
        """Whether readings of a site may be written."""
        return self.sites is None or site in self.sites
