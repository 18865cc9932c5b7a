from dataclasses import replace
from datetime import timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.incidents import (
    Condition,
    EventKind,
    HumanState,
    Incident,
    IncidentEvent,
    Verdict,
    apply,
)
from sereno.domain.judgement import Severity
from tests.support.builders import DAY, NOW, a_detection, an_incident


def _machine(kind: EventKind, **of_detection: object) -> IncidentEvent:
    return IncidentEvent(kind, NOW, NOW, detection=a_detection(**of_detection))  # type: ignore[arg-type]


def _human(kind: EventKind, **facts: str) -> IncidentEvent:
    return IncidentEvent(kind, NOW, NOW, "ana", facts=facts)


EVENTS = [
    _machine(EventKind.UPDATED, days=None, severity=Severity.HIGH),
    _machine(EventKind.CLEARED, days=5),
    _machine(EventKind.REOPENED, day=8, days=None),
    _machine(EventKind.CLEARED, day=8, days=2),
    _machine(EventKind.WITHDRAWN, day=8),
    _machine(EventKind.WITHDRAWN),
    _human(EventKind.ACKNOWLEDGED),
    _human(EventKind.COMMENTED, text="visto"),
    _human(EventKind.ASSIGNED, owner="luis"),
    _human(EventKind.SHELVED, until="2025-06-02T12:00:00+00:00"),
    _human(EventKind.CLOSED, verdict="real"),
    _human(EventKind.CLOSED, unattended="true"),
    _human(EventKind.REOPENED),
    _human(EventKind.UNACKNOWLEDGED, reason="timeout"),
    _human(EventKind.UNSHELVED),
    _human(EventKind.ESCALATED, step="1"),
    _human(EventKind.ESCALATED, step="2"),
    _human(EventKind.SILENCED, silence="works", mutes="opened,escalated"),
    _human(EventKind.UNSILENCED, silence="works"),
    _human(EventKind.INHIBITED, parent="i9"),
    _human(EventKind.UNINHIBITED, parent="i9"),
    _human(EventKind.CALMED),
]
OF_VISIBILITY = {
    EventKind.SHELVED,
    EventKind.UNSHELVED,
    EventKind.SILENCED,
    EventKind.UNSILENCED,
    EventKind.INHIBITED,
    EventKind.UNINHIBITED,
}


def test_incident_opens_active_and_new() -> None:
    incident = an_incident(a_detection(days=None))

    assert (incident.condition, incident.state, incident.n_events) == (Condition.ACTIVE, HumanState.NEW, 1)
    assert incident.ended_at is None


def test_incident_opens_cleared_when_its_detection_has_ended() -> None:
    assert an_incident(a_detection(days=3)).condition is Condition.CLEARED


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_fold_is_pure_and_never_contradicts_itself(events: list[IncidentEvent]) -> None:
    first = an_incident(a_detection(days=None))

    folded = reduce(apply, events, first)

    assert reduce(apply, events, first) == folded
    assert first == an_incident(a_detection(days=None))
    assert folded.n_events == 1 + len(events)
    assert folded.evidence
    starts = [d.started_at for d in folded.evidence]
    assert starts == sorted(set(starts))
    is_active = folded.ended_at is None and not folded.is_withdrawn
    assert (folded.condition is Condition.ACTIVE) == is_active
    assert (folded.state is HumanState.CLOSED) == ((folded.verdict is not None) != folded.is_unattended)
    assert not (folded.verdict is not None and folded.is_unattended)
    assert (folded.state is HumanState.ACKNOWLEDGED) == (folded.acknowledged_severity is not None)


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_who_hears_of_it_changes_nothing_else(events: list[IncidentEvent]) -> None:
    first = an_incident(a_detection(days=None))
    heard = [event for event in events if event.kind not in OF_VISIBILITY]

    told, kept = reduce(apply, events, first), reduce(apply, heard, first)

    assert _beside_visibility(told) == _beside_visibility(kept)


def _beside_visibility(incident: Incident) -> Incident:
    return replace(incident, shelved_until=None, silences={}, inhibitors=(), n_events=0)


def test_newer_form_of_a_detection_replaces_the_older() -> None:
    incident = apply(an_incident(a_detection(days=None)), _machine(EventKind.CLEARED, days=4))

    assert [d.n_rows for d in incident.evidence] == [4]
    assert incident.condition is Condition.CLEARED
    assert incident.ended_at == a_detection().started_at + 4 * DAY


def test_incident_is_active_again_when_it_reopens() -> None:
    incident = apply(an_incident(a_detection(days=2)), _machine(EventKind.REOPENED, day=5, days=None))

    assert incident.condition is Condition.ACTIVE
    assert incident.ended_at is None
    assert len(incident.evidence) == 2


def test_one_detection_of_two_withdrawn_leaves_the_incident_standing() -> None:
    incident = apply(an_incident(a_detection(), a_detection(5)), _machine(EventKind.WITHDRAWN, day=5))

    assert not incident.is_withdrawn
    assert [d.started_at for d in incident.evidence] == [a_detection().started_at]


def test_incident_keeps_its_record_when_its_last_detection_is_withdrawn() -> None:
    incident = apply(an_incident(a_detection(days=None)), _machine(EventKind.WITHDRAWN, days=None))

    assert incident.is_withdrawn
    assert incident.condition is Condition.CLEARED
    assert len(incident.evidence) == 1


def test_withdrawn_incident_forgets_old_evidence_when_it_reopens() -> None:
    withdrawn = apply(an_incident(a_detection()), _machine(EventKind.WITHDRAWN))

    incident = apply(withdrawn, _machine(EventKind.REOPENED, day=1, days=2))

    assert not incident.is_withdrawn
    assert [d.started_at for d in incident.evidence] == [a_detection(1).started_at]


def test_severity_and_words_come_from_the_worst_detection() -> None:
    incident = an_incident(a_detection(), a_detection(9, severity=Severity.CRITICAL), a_detection(5))

    assert incident.severity is Severity.CRITICAL
    assert incident.worst.started_at == a_detection(9).started_at


def test_impact_sums_only_what_has_the_unit_of_the_worst() -> None:
    incident = an_incident(
        a_detection(n_rows=9), a_detection(5), a_detection(9, impact=5.0, impact_unit="m³")
    )

    assert incident.impact == pytest.approx(-67.5)


def test_human_state_does_not_touch_the_condition() -> None:
    incident = reduce(
        apply, [_human(EventKind.ACKNOWLEDGED), _human(EventKind.COMMENTED, text="hola")], _active()
    )

    assert (incident.state, incident.condition) == (HumanState.ACKNOWLEDGED, Condition.ACTIVE)
    assert incident.owner == "ana"
    assert incident.comments == ((NOW, "ana", "hola"),)


def test_acknowledging_leaves_an_assigned_owner() -> None:
    incident = reduce(
        apply, [_human(EventKind.ASSIGNED, owner="luis"), _human(EventKind.ACKNOWLEDGED)], _active()
    )

    assert incident.owner == "luis"


@pytest.mark.parametrize("verdict", list(Verdict), ids=str)
def test_closing_keeps_the_verdict(verdict: Verdict) -> None:
    incident = apply(_active(), _human(EventKind.CLOSED, verdict=verdict.value))

    assert (incident.state, incident.verdict) == (HumanState.CLOSED, verdict)


def test_shelved_incident_returns_by_itself() -> None:
    until = NOW + timedelta(hours=8)

    incident = apply(_active(), _human(EventKind.SHELVED, until=until.isoformat()))

    assert incident.visibility(until - timedelta(seconds=1)) == "shelved"
    assert incident.visibility(until) == "shown"


def test_nobody_came_is_no_verdict_and_a_verdict_may_follow() -> None:
    unattended = apply(_active(), _human(EventKind.CLOSED, unattended="true"))

    closed = apply(unattended, _human(EventKind.CLOSED, verdict="expected"))

    assert (unattended.state, unattended.verdict) == (HumanState.CLOSED, None)
    assert unattended.is_unattended
    assert (closed.verdict, closed.is_unattended) == (Verdict.EXPECTED, False)
    assert apply(closed, _human(EventKind.CLOSED, unattended="true")).verdict is Verdict.EXPECTED


def test_closed_incident_is_neither_acknowledged_nor_escalated() -> None:
    closed = apply(_active(), _human(EventKind.CLOSED, verdict="real"))

    after = reduce(apply, [_human(EventKind.ACKNOWLEDGED), _human(EventKind.ESCALATED, step="1")], closed)

    assert (after.state, after.verdict, after.escalated) == (HumanState.CLOSED, Verdict.REAL, 0)


def test_silence_mutes_only_what_it_says() -> None:
    silenced = apply(_active(), _human(EventKind.SILENCED, silence="works", mutes="opened,escalated"))

    assert silenced.visibility(NOW) == "silenced"
    assert [silenced.is_muted(kind, NOW) for kind in (EventKind.OPENED, EventKind.CLEARED)] == [True, False]
    assert not apply(silenced, _human(EventKind.UNSILENCED, silence="works")).is_muted(EventKind.OPENED, NOW)


def test_inhibited_incident_is_shown_again_when_its_last_parent_lets_go() -> None:
    both = reduce(
        apply, [_human(EventKind.INHIBITED, parent="i9"), _human(EventKind.INHIBITED, parent="i8")], _active()
    )

    one = apply(both, _human(EventKind.UNINHIBITED, parent="i9"))

    assert (both.inhibitors, one.inhibitors) == (("i8", "i9"), ("i8",))
    assert one.is_muted(EventKind.CLEARED, NOW)
    assert apply(one, _human(EventKind.UNINHIBITED, parent="i8")).visibility(NOW) == "shown"


def _active() -> Incident:
    return an_incident(a_detection(days=None))
