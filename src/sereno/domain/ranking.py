"""What lists of incidents are sorted and grouped by, as figures that a database can hold."""

from dataclasses import dataclass
from datetime import timedelta
from math import isfinite

from sereno.domain.incidents import Incident
from sereno.domain.judgement import IncidentKind

__all__ = ["Lost", "days_lasted", "lost_of", "trouble_of"]

_LOSS_WHEN_LOW = frozenset({"generation", "self_consumption", "export"})
"""Signals that cost money when they are low; all others cost money when they are high."""
_LOST_FLOW = "physics.night_flow"
"""The one cause of physics that is about the plant: what flows is really lost."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lost:
    """What an incident lost, to be multiplied by a price.

    Attributes:
        amount: In the unit of the impact, not negative: what was saved or gained is no loss.
        is_export: It was not sold, and has the price of that.
    """

    amount: float
    unit: str
    is_export: bool = False


def lost_of(incident: Incident) -> Lost | None:
    """What it lost; None where nothing that has a price was.

    Only behaviour and flow that never rests cost money: a meter that is wrong has an impact on the books, not
    on the plant.
    """
    worst = incident.worst
    is_loss = incident.kind is IncidentKind.BEHAVIOUR or worst.cause == _LOST_FLOW
    if not is_loss or not isfinite(incident.impact):
        return None
    signal = worst.signals[0]
    lost = -incident.impact if signal in _LOSS_WHEN_LOW else incident.impact
    return Lost(max(lost, 0.0), worst.impact_unit, signal == "export")


def days_lasted(duration: timedelta) -> float:
    """Days that a loss is spread over; one at least."""
    return max(duration / _DAY, 1.0)


def trouble_of(incident: Incident) -> str:
    """What incidents of an asset have in common that are of the same trouble: cause, signal and direction."""
    worst = incident.worst
    direction = "high" if worst.observed > worst.expected else "low"
    return "|".join([worst.cause, worst.signals[0] if worst.signals else "", direction])
