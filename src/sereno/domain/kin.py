"""What one incident needs to know of another to tell whether they are the same trouble in many places."""

from dataclasses import dataclass
from datetime import datetime

from sereno.domain.incidents import Incident
from sereno.domain.signals import AssetKey

__all__ = ["Kin"]


@dataclass(frozen=True, slots=True)
class Kin:
    """An incident in a few figures, all of the same cause.

    Attributes:
        trouble: What its cause is about: the leading signal, empty for a balance.
        ended_at: None while it goes on.
        inhibitors: Ids of the incidents that explain it.
    """

    id: str
    asset: AssetKey
    trouble: str
    started_at: datetime
    ended_at: datetime | None
    opened_at: datetime
    inhibitors: tuple[str, ...] = ()

    @property
    def is_inhibited(self) -> bool:
        """Whether another incident speaks for it."""
        return bool(self.inhibitors)

    @property
    def order(self) -> tuple[datetime, datetime, str]:
        """By when it began; the first speaks for the others."""
        return self.started_at, self.opened_at, self.id

    @classmethod
    def of(cls, incident: Incident) -> "Kin":
        """The figures of an incident."""
        return cls(
            incident.id,
            incident.asset,
            incident.group_key.rpartition("|")[2],
            incident.started_at,
            incident.ended_at,
            incident.opened_at,
            incident.inhibitors,
        )
