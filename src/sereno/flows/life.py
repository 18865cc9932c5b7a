"""Recording what happens to incidents, with all that follows from it, and telling it when it is known.

One event may bring others: trouble that grew worse than what somebody acknowledged is news again, a silence
in force takes hold, an incident that explains others keeps them quiet. `Recorder` writes them in one
transaction and keeps the timers in line; who is told is decided when the transaction ends.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sereno.domain.incidents import Condition, EventKind, HumanState, Incident, IncidentEvent
from sereno.domain.judgement import IncidentKind
from sereno.domain.kin import Kin
from sereno.domain.signals import Profile
from sereno.domain.silences import Silence, Subject
from sereno.domain.time import EPOCH
from sereno.domain.timers import Timer, TimerKind
from sereno.incidents.chatter import calm_after
from sereno.incidents.inhibition import MIN_ASSETS, common_leads, same_time, silent_parents
from sereno.report.problems import problem_of
from sereno.store import StoredAsset, Transaction

__all__ = ["HORIZON", "LifePolicy", "Recorder"]

_DAY = timedelta(days=1)
HORIZON = _DAY
"""Older trouble is history, unless its step is longer or the settings say so."""
_EVIDENCE = frozenset({EventKind.OPENED, EventKind.REOPENED, EventKind.UPDATED})
_TOUCHES = frozenset({EventKind.COMMENTED, EventKind.ASSIGNED, EventKind.UNSHELVED, EventKind.CLEARED})
"""What begins the wait for somebody to come anew."""


@dataclass(frozen=True, slots=True)
class LifePolicy:
    """What follows from events.

    Attributes:
        profiles: By name.
        silences: Declared in the settings, beside those of the store.
        escalation: Waits until each step of an incident's escalation, ascending.
        acknowledge_for: How long an acknowledgement lasts while the trouble goes on; for ever when None.
        unattended_after: How long a cleared incident waits for somebody; for ever when None.
        horizon: Trouble that ended longer ago is history: nothing is silenced, inhibited or escalated. What
            may be told may not be older.
    """

    profiles: Mapping[str, Profile]
    silences: Sequence[Silence] = ()
    escalation: Callable[[Incident, StoredAsset], Sequence[timedelta]] = lambda _incident, _asset: ()
    acknowledge_for: timedelta | None = 7 * _DAY
    unattended_after: timedelta | None = 14 * _DAY
    horizon: timedelta = HORIZON


class Recorder:
    """Records the events of one transaction; `settle` before it ends.

    Attributes:
        now: Instant of recording.
    """

    def __init__(self, tx: Transaction, policy: LifePolicy, *, now: datetime) -> None:
        self._tx = tx
        self._policy = policy
        self.now = now
        self._latest: dict[str, Incident] = {}
        self._touched: dict[str, StoredAsset] = {}
        self._kin_of: dict[tuple[str, str, datetime, timedelta], list[Kin]] = {}
        self._silences: Sequence[Silence] | None = None
        self._own_of: dict[int, list[Incident]] = {}
        self._n_in_fleet: dict[str, int] = {}
        self._assets_of: dict[str, list[StoredAsset]] = {}

    def open(self, incident_id: str, group_key: str, asset: StoredAsset, event: IncidentEvent) -> Incident:
        """Begin an incident."""
        after = self._tx.open_incident(incident_id, group_key, asset.id, event)
        return self._noted(None, after, event, asset)

    def append(
        self,
        incident_id: str,
        event: IncidentEvent,
        asset: StoredAsset | None = None,
        *,
        request_key: str | None = None,
    ) -> Incident:
        """One more event of an incident, and what follows from it; a request heard before changes nothing."""
        before = self._tx.locked_incident(incident_id)
        after = self._tx.append_event(before.id, event, request_key=request_key)
        if after.n_events == before.n_events:
            return before
        after = self._noted(before, after, event, asset or self._asset_of(after))
        known = before.acknowledged_severity
        is_worse = known is not None and after.severity > known and event.kind in _EVIDENCE
        if is_worse and after.state is HumanState.ACKNOWLEDGED:
            return self.append(after.id, self._event(EventKind.UNACKNOWLEDGED, reason="severity"), asset)
        return after

    def settle(self) -> None:
        """Decide who may hear of what was recorded; once, at the end of the transaction."""
        current = {
            name: asset
            for name, asset in self._touched.items()
            if self._is_current(self._latest[name], asset)
        }
        if not current:
            self._touched.clear()
            return
        # Two engines that open incidents of one cause decide one after the other.
        self._tx.lock_causes({self._latest[name].worst.cause for name in current})
        active = self._tx.active_incidents({asset.id for asset in current.values()})
        waiting: dict[str, StoredAsset | None] = {}
        for name, asset in current.items():
            waiting |= self._neighbours(self._latest[name], asset, active[asset.id])
        # Who has one now settles next and looks at it then.
        free = self._tx.lock_incidents(waiting, waits=False)
        looked_at = {
            name: waiting[name] or self._touched.get(name) or self._asset_of(free[name])
            for name in sorted(free)
        }
        self._know_own({name: (free[name], asset) for name, asset in looked_at.items()})
        for name, asset in looked_at.items():
            self.review(free[name], asset)
        self._touched.clear()
        self._own_of.clear()

    def _know_own(self, looked_at: Mapping[str, tuple[Incident, StoredAsset]]) -> None:
        """Ask at once for what may explain incidents on their own assets: a review changes none of it."""
        since: dict[int, datetime] = {}
        for incident, asset in looked_at.values():
            if incident.kind is not IncidentKind.DATA:
                first = incident.started_at - same_time(asset.step)
                since[asset.id] = min(first, since.get(asset.id, first))
        self._own_of = self._tx.incidents_since(since)

    def review(self, incident: Incident, asset: StoredAsset) -> None:
        """Let silences and incidents that explain an incident take hold of it, or let go."""
        for event in self.changes_of_visibility(incident, asset):
            self.append(incident.id, event, asset)

    def changes_of_visibility(self, incident: Incident, asset: StoredAsset) -> list[IncidentEvent]:
        """What silences and parents that began or ended do to an incident."""
        wanted = {one.id: one for one in self._in_force(incident, asset)}
        parents = self._parents(incident, asset)
        silenced, inhibited = set(incident.silences), set(incident.inhibitors)
        events = [self._event(EventKind.UNSILENCED, silence=name) for name in sorted(silenced - set(wanted))]
        events += [
            self._event(EventKind.SILENCED, silence=name, mutes=",".join(wanted[name].mutes))
            for name in sorted(set(wanted) - silenced)
        ]
        events += [self._event(EventKind.UNINHIBITED, parent=name) for name in sorted(inhibited - parents)]
        return events + [self._event(EventKind.INHIBITED, parent=one) for one in sorted(parents - inhibited)]

    @property
    def has_silences(self) -> bool:
        """Whether any silence is in force."""
        return any(one.covers(self.now) for one in self._known_silences())

    def _event(self, kind: EventKind, **facts: str) -> IncidentEvent:
        return IncidentEvent(kind, self.now, self.now, facts=facts)

    def _noted(
        self, before: Incident | None, after: Incident, event: IncidentEvent, asset: StoredAsset
    ) -> Incident:
        self._latest[after.id] = after
        if event.detection is not None:
            self._touched[after.id] = asset
        self._keep_timers(before, after, event, asset)
        return after

    def _asset_of(self, incident: Incident) -> StoredAsset:
        site = incident.asset.site
        if site not in self._assets_of:
            self._assets_of[site] = self._tx.assets(sites=[site], with_sources=True)
        return next(one for one in self._assets_of[site] if one.key == incident.asset)

    def _is_current(self, incident: Incident, asset: StoredAsset) -> bool:
        step = asset.step or timedelta(0)
        horizon = max(self._policy.horizon, 2 * step)
        return max(d.ended_at or d.last_at + step for d in incident.evidence) >= self.now - horizon

    def _neighbours(
        self, incident: Incident, asset: StoredAsset, own: Sequence[str]
    ) -> dict[str, StoredAsset | None]:
        """The incident, and those whose parent it may be and who are not known to have one.

        Args:
            own: Ids of the active incidents of its asset.
        """
        names: dict[str, StoredAsset | None] = dict.fromkeys(own, asset)
        kin = self._kin(incident, asset)
        first = min(kin, key=lambda one: one.order, default=None)
        waiting = [one.id for one in kin if not one.is_inhibited and one is not first]
        return names | {name: None for name in waiting if name not in names} | {incident.id: asset}

    def _kin(self, incident: Incident, asset: StoredAsset) -> list[Kin]:
        slack = same_time(asset.step)
        # In blocks, so that many that begin one after the other share a look.
        block = EPOCH + (incident.started_at - EPOCH) // slack * slack
        key = (incident.worst.cause, asset.key.site, block, slack)
        if key not in self._kin_of:
            self._kin_of[key] = self._tx.kin(*key[:2], first=block - slack, last=block + 2 * slack)
        return self._kin_of[key]

    def _in_force(self, incident: Incident, asset: StoredAsset) -> list[Silence]:
        subject = subject_of(incident, asset, self._policy.profiles[asset.profile])
        fitting = (one for one in self._known_silences() if one.matcher.fits(subject))
        return [one for one in fitting if self._covers(one, incident)]

    def _known_silences(self) -> Sequence[Silence]:
        if self._silences is None:
            self._silences = [*self._tx.silences(not_over=self.now - 2 * _DAY), *self._policy.silences]
        return self._silences

    def _covers(self, silence: Silence, incident: Incident) -> bool:
        """In force now; or it was all the time of trouble that is known afterwards, as late as it came."""
        if silence.covers(self.now):
            return True
        lag = max(incident.opened_at - incident.started_at, timedelta(0))
        is_active = incident.condition is Condition.ACTIVE
        last = self.now - lag if is_active else max(d.last_at for d in incident.evidence)
        return silence.covers_all(incident.started_at, max(last, incident.started_at))

    def _parents(self, incident: Incident, asset: StoredAsset) -> set[str]:
        found = silent_parents(incident, self._own(incident, asset), step=asset.step, now=self.now)
        kin = self._kin(incident, asset)
        if len(kin) < MIN_ASSETS:
            return found
        if asset.profile not in self._n_in_fleet:
            self._n_in_fleet[asset.profile] = self._tx.count_assets(asset.profile)
        n_in_fleet = self._n_in_fleet[asset.profile]
        return found | common_leads(incident, kin, n_in_fleet=n_in_fleet, step=asset.step, now=self.now)

    def _own(self, incident: Incident, asset: StoredAsset) -> Sequence[Incident]:
        """The incidents of an asset that may say that its data stopped, and so explain one of it."""
        if incident.kind is IncidentKind.DATA or incident.is_withdrawn:
            return ()
        since = incident.started_at - same_time(asset.step)
        if asset.id not in self._own_of:
            return self._tx.incidents(asset_id=asset.id, since=since)
        return [one for one in self._own_of[asset.id] if _is_since(one, since)]

    def _keep_timers(
        self, before: Incident | None, after: Incident, event: IncidentEvent, asset: StoredAsset
    ) -> None:
        had = frozenset[TimerKind]() if before is None else self._wanted(before)
        wants = self._wanted(after)
        again = _restarted(before, after, event)
        gone = (had - wants) | (wants & again & had)
        if gone:
            self._tx.drop_timers(after.id, gone)
        for kind in (wants - had) | (wants & again):
            for timer in self._timers(kind, after, asset):
                self._tx.set_timer(timer)

    def _wanted(self, incident: Incident) -> frozenset[TimerKind]:
        """The timers that an incident in this state has."""
        is_active = incident.condition is Condition.ACTIVE
        is_closed = incident.state is HumanState.CLOSED
        wanted = {
            TimerKind.ESCALATE: is_active
            and incident.state is HumanState.NEW
            and incident.shelved_until is None
            and not incident.is_muted(EventKind.ESCALATED, self.now),
            TimerKind.UNACKNOWLEDGE: is_active and incident.state is HumanState.ACKNOWLEDGED,
            TimerKind.UNSHELVE: incident.shelved_until is not None,
            TimerKind.CLOSE: not is_active and not is_closed and not incident.is_withdrawn,
            TimerKind.CALM: incident.is_chattering,
        }
        return frozenset(kind for kind, is_wanted in wanted.items() if is_wanted)

    def _timers(self, kind: TimerKind, incident: Incident, asset: StoredAsset) -> list[Timer]:
        policy = self._policy
        waits: Sequence[timedelta | None]
        match kind:
            case TimerKind.ESCALATE:
                waits = policy.escalation(incident, asset) if self._is_current(incident, asset) else ()
            case TimerKind.UNACKNOWLEDGE:
                waits = [policy.acknowledge_for]
            case TimerKind.CLOSE:
                waits = [policy.unattended_after]
            case TimerKind.CALM:
                waits = [calm_after(incident, asset.step)]
            case TimerKind.UNSHELVE:
                waits = [(incident.shelved_until or self.now) - self.now]
        first = 1 if kind is TimerKind.ESCALATE else 0
        return [
            Timer(incident.id, kind, self.now + wait, step)
            for step, wait in enumerate(waits, start=first)
            if wait is not None and (kind is not TimerKind.ESCALATE or step > incident.escalated)
        ]


def subject_of(incident: Incident, asset: StoredAsset, profile: Profile) -> Subject:
    """What a silence looks at."""
    worst = incident.worst
    return Subject(
        site=asset.key.site,
        asset=asset.key.asset,
        profile=asset.profile,
        cause=worst.cause,
        problem=problem_of(worst, profile),
        severity=incident.severity,
    )


def _is_since(incident: Incident, since: datetime) -> bool:
    ended = incident.ended_at
    is_late = (ended is not None and ended >= since) or incident.started_at >= since
    return incident.condition is Condition.ACTIVE or is_late


def _restarted(before: Incident | None, after: Incident, event: IncidentEvent) -> frozenset[TimerKind]:
    """The timers that begin anew with an event."""
    kinds = set()
    if event.kind in _TOUCHES:
        kinds.add(TimerKind.CLOSE)
    if event.kind is EventKind.SHELVED:
        kinds.add(TimerKind.UNSHELVE)
    if event.kind is EventKind.ACKNOWLEDGED:
        kinds.add(TimerKind.UNACKNOWLEDGE)
    if before is not None and after.turns != before.turns:
        kinds.add(TimerKind.CALM)
    return frozenset(kinds)
