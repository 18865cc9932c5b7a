"""Which incident a detection belongs to, and what happens to it: pure decisions, no storage.

An incident continues while the same check finds the same cause on the same signal of the same asset again
within the reopen window; otherwise a new one begins. What a mistake of the meter explains (a balance that two
exchanged channels break) is evidence of the mistake's incident, not an incident of its own. An incident's id
is a digest of whose, who and when, so that judging the same readings again, in any order and on any machine,
names the same incident.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from sereno.domain.incidents import (
    NEW_LEVEL,
    EventKind,
    Explains,
    Incident,
    IncidentEvent,
    apply,
    explains,
    is_of_a_state,
    leading_check,
)
from sereno.domain.judgement import Detection, IncidentKind
from sereno.incidents.chatter import is_chattering
from sereno.incidents.reopening import SPELLS, explaining_slack, reopen_window

__all__ = ["IncidentStep", "group_key", "own_name", "plan_steps"]

_AT_ONCE = timedelta(0)
_ID_LENGTH = 12
_GROWTH = 1.5
"""An open incident is told again when it has lasted this many times longer than when it was last told."""

_CLOCK, _NIGHT = "quality.clock_shift", "physics.night_generation"
"""A wrong clock explains what is judged by the time of day, and no more."""

_DRIFT = "behaviour.drift"
_FOLLOWS = {Explains.EPISODE: frozenset({_DRIFT, *SPELLS}), Explains.SPELL: frozenset({_DRIFT})}

_Place = tuple[str, datetime]
"""Check and start: no asset has two detections of both."""


@dataclass(frozen=True, slots=True)
class IncidentStep:
    """One event for one incident, known by its id; an opening carries the group key."""

    incident_id: str
    group_key: str
    event: IncidentEvent


def group_key(detection: Detection) -> str:
    """Asset, check, cause and leading signal, in one line."""
    lead = "" if detection.kind is IncidentKind.PHYSICS else detection.signals[0]
    asset = detection.asset
    return f"{asset.site}|{asset.asset}|{detection.check}|{detection.cause}|{lead}"


def plan_steps(
    found: Sequence[Detection],
    gone: Sequence[Detection],
    incidents: Iterable[Incident],
    *,
    step: timedelta | None,
    now: datetime,
    namespace: str = "",
) -> list[IncidentStep]:
    """The events that bring an asset's incidents in line with its detections.

    Args:
        found: New and changed detections, in time order.
        gone: Detections that late or corrected readings took away.
        incidents: The asset's incidents so far.
        step: Length of the asset's steps.
        now: Instant of recording.
        namespace: What keeps the ids of one organization from those of others.
    """
    plan = _Plan(incidents, step, now, namespace)
    current = dict(plan.evidence)
    for detection in gone:
        current.pop(_place(detection), None)
    current |= {_place(detection): detection for detection in found}
    ordered = sorted(current.values(), key=lambda d: (d.started_at, d.check))
    groups = _explained(_grouped(ordered, step), step)
    homes = plan.homes(groups)
    plan.correct(homes)
    plan.withdraw({place: home for place, (home, _) in homes.items()})
    for home, detection in homes.values():
        plan.tell(home, detection)
    return plan.steps


def _place(detection: Detection) -> _Place:
    return detection.check, detection.started_at


def _grouped(detections: Iterable[Detection], step: timedelta | None) -> list[list[Detection]]:
    """Detections that belong to one incident each, in time order."""
    groups: list[list[Detection]] = []
    latest: dict[str, list[Detection]] = {}
    for detection in detections:
        key = group_key(detection)
        group = latest.get(key)
        if group is None or not _continues(group, detection, reopen_window(detection, step)):
            group = latest[key] = []
            groups.append(group)
        group.append(detection)
    return groups


def _explained(groups: Sequence[list[Detection]], step: timedelta | None) -> list[list[Detection]]:
    """The groups, in which each mistake has what it explains behind its own evidence."""
    slack = explaining_slack(step)
    kept: list[_Mistake] = []
    for rank, alike in groupby(sorted(groups, key=_rank), key=_rank):
        mistakes = list(kept)
        for group in alike:
            rest: list[Detection] = []
            for detection in group:
                home = next((one.group for one in mistakes if one.explains(detection)), rest)
                home.append(detection)
            if rest:
                kept.append(_Mistake(rest, rank, slack))
                mistakes += kept[-1:] if rank is Explains.BALANCE else []
    joined = _with_levels([one.group for one in kept], slack)
    return sorted(joined, key=lambda group: (group[0].started_at, group[0].check))


class _Mistake:
    """A group, and which other detections it explains: those of the time, and of a signal, that it spoils."""

    def __init__(self, group: list[Detection], rank: Explains, slack: timedelta) -> None:
        self.group = group
        self._own = [one for one in group if one.check == group[0].check]
        self._rank = rank
        self._slack = slack
        self._begins = group[0].started_at - slack
        ends = [one.ended_at for one in self._own if one.ended_at is not None]
        self._is_over = len(ends) == len(self._own)
        self._ends = max(ends, default=self._begins) + slack

    def explains(self, detection: Detection) -> bool:
        """Whether it explains a detection."""
        if detection.started_at + SPELLS.get(detection.check, _AT_ONCE) < self._begins:
            return False
        until = detection.started_at if self._rank in _FOLLOWS else detection.last_at
        if self._is_over and self._ends < until:
            return False
        return any(_spoils(one, detection, self._rank, self._slack) for one in self._own)


def _with_levels(groups: Sequence[list[Detection]], slack: timedelta) -> list[list[Detection]]:
    """The groups, in which a state that came to another level at once is told as what it does there."""
    levels = [group for group in groups if group[0].check == NEW_LEVEL]
    others = [group for group in groups if group[0].check != NEW_LEVEL]
    for level in levels:
        home = next((one for one in others if _is_at(level[0], one[0], slack)), None)
        if home is not None:
            home += level
        else:
            lead = leading_check(level)
            others.append(sorted(level, key=lambda one: one.check != lead))
    return others


def _is_at(level: Detection, detection: Detection, slack: timedelta) -> bool:
    """Whether behaviour is that of a state which has come to this level."""
    is_close = abs(detection.started_at - level.started_at) <= slack
    return is_of_a_state(detection) and is_close and detection.signals[0] in level.signals


def _rank(group: Sequence[Detection]) -> Explains:
    return explains(group[0])


def _spoils(mistake: Detection, detection: Detection, rank: Explains, slack: timedelta) -> bool:
    match rank:
        case Explains.ALL:
            is_timing = mistake.check == _CLOCK
            return not is_timing or detection.kind is IncidentKind.BEHAVIOUR or detection.check == _NIGHT
        case Explains.NEW_LEVEL | Explains.BAD_VALUES:
            return not set(mistake.signals).isdisjoint(detection.signals)
        case Explains.EPISODE | Explains.SPELL:
            is_shared = not set(mistake.signals).isdisjoint(detection.signals)
            return detection.check in _FOLLOWS[rank] and (is_shared or detection.check in SPELLS)
        case _ if detection.check == mistake.check or abs(detection.started_at - mistake.started_at) > slack:
            return False
        case _ if detection.kind is IncidentKind.PHYSICS:
            return detection.signals[0] == mistake.signals[0]
        case _:
            return detection.signals[0] in mistake.signals


def _continues(group: Sequence[Detection], detection: Detection, window: timedelta) -> bool:
    ended = group[-1].ended_at
    return ended is not None and detection.started_at - ended < window


class _Plan:
    """The incidents as the steps so far leave them."""

    def __init__(
        self, incidents: Iterable[Incident], step: timedelta | None, now: datetime, namespace: str
    ) -> None:
        self.steps: list[IncidentStep] = []
        self._namespace = namespace
        self._step = step
        self._known = {incident.id: incident for incident in incidents}
        self._holders: dict[_Place, str] = {}
        self.evidence: dict[_Place, Detection] = {}
        """What the incidents stood on before the first step."""
        for incident in self._known.values():
            if not incident.is_withdrawn:
                places = {_place(detection): detection for detection in incident.evidence}
                self.evidence |= places
                self._holders |= dict.fromkeys(places, incident.id)
        self._now = now

    def homes(self, groups: Sequence[Sequence[Detection]]) -> dict[_Place, tuple[str, Detection]]:
        """The incident of each detection, by id: the one that has it or had an earlier form, or a new one."""
        taken: set[str] = set()
        found = {}
        for group in groups:
            check = group[0].check
            own = (detection for detection in group if detection.check == check)
            held = (self._holders.get(_place(detection)) for detection in own)
            held = (one for one in held if one is not None and self._known[one].leading[0].check == check)
            home = next((one for one in held if one is not None and one not in taken), None)
            found[_place(group[0])] = home
            taken |= set() if home is None else {home}
        homes: dict[_Place, tuple[str, Detection]] = {}
        for group in groups:
            home = found[_place(group[0])] or self._fresh(group[0], taken)
            taken.add(home)
            homes |= {_place(detection): (home, detection) for detection in group}
        return homes

    def correct(self, homes: Mapping[_Place, tuple[str, Detection]]) -> None:
        """Give incidents their trouble with another start, before what they said so far is taken away.

        So nobody hears that it is over and back, and what a person closed stays closed.
        """
        shifted = [
            (place, home, detection)
            for place, (home, detection) in homes.items()
            if place not in self._holders and self._had_other_start(home, detection)
        ]
        for place, home, detection in shifted:
            self._add(home, EventKind.UPDATED, detection, detection.started_at)
            self._holders[place] = home
            self.evidence[place] = detection

    def _had_other_start(self, home: str, detection: Detection) -> bool:
        own = (old for place, old in self.evidence.items() if self._holders[place] == home)
        return any(_is_same_time(old, detection) for old in own)

    def withdraw(self, homes: Mapping[_Place, str]) -> None:
        """Take from each incident what is no longer its own."""
        for place, detection in self.evidence.items():
            holder = self._holders[place]
            if homes.get(place) != holder:
                self._add(holder, EventKind.WITHDRAWN, detection, detection.started_at)
                del self._holders[place]

    def tell(self, home: str, detection: Detection) -> None:
        """Give an incident a detection that is new to it or has changed."""
        place = _place(detection)
        if self._holders.get(place) == home:
            kind = _change(self.evidence[place], detection)
            if kind is not None:
                self._add(home, kind, detection, detection.ended_at or detection.last_at)
            return
        if home not in self._known:
            kind = EventKind.OPENED
        else:
            is_own = detection.check == self._known[home].leading[0].check
            kind = EventKind.REOPENED if is_own else EventKind.UPDATED
        self._add(home, kind, detection, detection.started_at)

    def _fresh(self, detection: Detection, taken: Collection[str]) -> str:
        """An incident that lost this trouble with a start since corrected keeps its life; else a new id."""
        losing = (incident for incident in self._known.values() if incident.id not in taken)
        kept = next((incident.id for incident in losing if _is_same_trouble(incident, detection)), None)
        if kept is not None:
            return kept
        name = own_name(detection, self._namespace)
        while name in taken:
            name = _digest(name)
        return name

    def _add(self, home: str, kind: EventKind, detection: Detection, event_time: datetime) -> None:
        before = self._known.get(home)
        key = group_key(detection) if before is None else before.group_key
        event = IncidentEvent(kind, self._now, event_time, detection=detection)
        after = apply(before, event, incident_id=home, group_key=key)
        has_turned = before is None or after.turns != before.turns
        chatters = is_chattering(after, self._step) if has_turned else after.is_chattering
        if chatters is not after.is_chattering:
            event = replace(event, facts={"chattering": str(chatters).lower()})
            after = replace(after, is_chattering=chatters)
        self._known[home] = after
        self.steps.append(IncidentStep(home, key, event))


def own_name(detection: Detection, namespace: str = "") -> str:
    """The id of the incident that this trouble opens; another one if an older life bears it already."""
    asset, start = detection.asset, detection.started_at.isoformat()
    own = f"{asset.site}|{asset.asset}|{detection.check}|{start}"
    return _digest(f"{namespace}\n{own}" if namespace else own)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]


def _is_same_trouble(incident: Incident, detection: Detection) -> bool:
    """Whether an incident spoke of the same check and cause at the same time."""
    last = incident.leading[-1]
    # What is left of a withdrawn incident may be what it explained: its group is that of the trouble itself.
    is_alike = last.cause == detection.cause and incident.group_key == group_key(detection)
    begins_before = detection.ended_at is None or incident.started_at < detection.ended_at
    return is_alike and begins_before and detection.started_at <= last.last_at


def _is_same_time(old: Detection, new: Detection) -> bool:
    """Whether one check found the same cause at the same time, though with another start."""
    is_alike = (old.check, old.cause) == (new.check, new.cause)
    begins_before = new.ended_at is None or old.started_at < new.ended_at
    return is_alike and begins_before and new.started_at <= old.last_at


def _change(old: Detection, new: Detection) -> EventKind | None:
    """What a detection's new form means for its incident; None when nobody needs to know yet."""
    if new is old or new == old:
        return None
    if new.ended_at is not None:
        return EventKind.CLEARED
    if old.ended_at is not None:
        return EventKind.REOPENED
    is_news = new.severity > old.severity or new.signals != old.signals or new.cause != old.cause
    return EventKind.UPDATED if is_news or new.n_rows >= _GROWTH * old.n_rows else None
