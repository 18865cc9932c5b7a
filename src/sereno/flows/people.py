"""What people do to incidents: said once, however often the request arrives."""

from datetime import datetime, timedelta

from sereno.domain.errors import IncidentChanged, ReasonMissing, ShelvingTooLong, UsageError
from sereno.domain.incidents import EventKind, HumanState, Incident, IncidentEvent
from sereno.domain.time import isoformat
from sereno.flows.life import LifePolicy, Recorder
from sereno.store import Transaction

__all__ = ["MAX_SHELVED", "act", "shelve"]

MAX_SHELVED = timedelta(hours=24)
_HOUR = timedelta(hours=1)
_OF_CLOSED_ONES = frozenset({EventKind.COMMENTED, EventKind.REOPENED})


def act(
    tx: Transaction,
    policy: LifePolicy,
    incident_id: str,
    event: IncidentEvent,
    *,
    request_key: str | None = None,
    version: int | None = None,
) -> Incident:
    """The incident after what somebody did; a request that was heard before changes nothing.

    Args:
        version: Number of its events when whoever acts last saw it.

    Raises:
        NotFound: There is no such incident.
        IncidentChanged: It has had more events since.
        UsageError: It is closed, or is not and should be.
    """
    incident = tx.locked_incident(incident_id)
    if request_key is not None and tx.was_heard(incident.id, request_key):
        return incident
    if version is not None and version != incident.n_events:
        raise IncidentChanged(id=incident.id)
    is_closed = incident.state is HumanState.CLOSED
    may_be_judged = event.kind is EventKind.CLOSED and incident.is_unattended
    if is_closed and event.kind not in _OF_CLOSED_ONES and not may_be_judged:
        raise UsageError(detail=f"the incident {incident.id} is closed", command="incidents")
    if not is_closed and event.kind is EventKind.REOPENED:
        raise UsageError(detail=f"the incident {incident.id} is not closed", command="incidents reopen")
    if event.kind is EventKind.UNACKNOWLEDGED and incident.state is not HumanState.ACKNOWLEDGED:
        raise UsageError(detail=f"the incident {incident.id} is not acknowledged", command="incidents unack")
    recorder = Recorder(tx, policy, now=event.at)
    after = recorder.append(incident.id, event, request_key=request_key)
    recorder.settle()
    return after


def shelve(incident_id: str, length: timedelta, reason: str, *, now: datetime) -> dict[str, str]:
    """The facts of a shelving.

    Raises:
        ShelvingTooLong: Nothing is put aside for longer than a day.
        ReasonMissing: Nobody says why.
    """
    if length > MAX_SHELVED:
        raise ShelvingTooLong(most=round(MAX_SHELVED / _HOUR), asked=round(length / _HOUR, 2))
    if length <= timedelta(0):
        detail = "an incident is shelved for some time, as --hours 8"
        raise UsageError(detail=detail, command="incidents shelve")
    if not reason.strip():
        raise ReasonMissing(incident=incident_id)
    return {"until": isoformat(now + length) or "", "reason": reason}
