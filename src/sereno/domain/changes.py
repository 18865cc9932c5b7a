"""That something changed: what a screen needs to know to look again."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Change", "ChangeKind"]


class ChangeKind(StrEnum):
    """What can change."""

    INCIDENT = "incident"
    """Something happened to an incident; each event is a change of its own."""
    READINGS = "readings"
    """A site has new readings."""
    DETECTIONS = "detections"
    """Judging a site said something new."""
    NOTIFICATION = "notification"
    """What a receiver is to be told, or was told."""
    JOB = "job"
    SILENCE = "silence"
    MODEL = "model"
    """Another model judges a profile, or there is a new one."""
    CORRECTION = "correction"
    DRIFT = "drift"
    """The watch for drift has looked."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes:
        id: Greater than that of every change before.
        subject: What changed: an incident, a site, a receiver, a job…
        facts: What happened, JSON.
    """

    id: int
    kind: ChangeKind
    subject: str
    facts: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """As the events of the API show it."""
        return {"id": self.id, "kind": self.kind.value, "subject": self.subject, **self.facts}
