"""Incidents: an append-only log and the columns it derives."""

import math
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from sereno.domain.errors import NotFound, StoreError
from sereno.domain.incidents import Condition, EventKind, HumanState, Incident, apply
from sereno.store import Store, open_store
from sereno.store.opening import migrate_store
from tests.store.builders import (
    NOW,
    PUMP,
    START,
    STEP,
    a_batch,
    a_detection,
    an_event,
    append,
    asset_id,
    query,
    take_back_to_first_version,
)

STORY = [
    an_event(),
    an_event(EventKind.UPDATED, after=1, detection=a_detection(end=None, impact=math.nan, score=math.inf)),
    an_event(EventKind.ACKNOWLEDGED, after=2, actor="ana"),
    an_event(EventKind.COMMENTED, after=3, actor="ana", facts={"text": "Fusible fundido, ñ"}),
    an_event(EventKind.ASSIGNED, after=4, facts={"owner": "luis"}),
    an_event(EventKind.SHELVED, after=5, facts={"until": (NOW + timedelta(days=1)).isoformat()}),
    an_event(EventKind.CLEARED, after=6, detection=a_detection(end=8)),
    an_event(EventKind.REOPENED, after=7, detection=a_detection(start=10, end=None)),
    an_event(EventKind.UPDATED, after=8, detection=a_detection(start=10, end=12)),
    an_event(EventKind.UNACKNOWLEDGED, after=8, facts={"reason": "timeout"}),
    an_event(EventKind.ESCALATED, after=8, facts={"step": "1"}),
    an_event(EventKind.SILENCED, after=8, facts={"mutes": "opened,escalated", "silence": "works"}),
    an_event(EventKind.INHIBITED, after=8, facts={"parent": "incident-0"}),
    an_event(EventKind.CLOSED, after=8, facts={"unattended": "true"}),
    an_event(EventKind.CLOSED, after=9, actor="luis", facts={"verdict": "real"}),
]


def opened(store: Store, incident_id: str = "incident-1", group: str = "roof/behaviour") -> Incident:
    which = asset_id(store)
    with store.begin() as tx:
        return tx.open_incident(incident_id, group, which, an_event())


def test_stored_columns_equal_the_fold_after_every_event(store: Store) -> None:
    folded = apply(None, STORY[0], incident_id="incident-1", group_key="roof/behaviour")
    opened(store)

    for event in STORY[1:]:
        folded = apply(folded, event)
        with store.begin() as tx:
            returned = tx.append_event("incident-1", event)
        with store.read() as tx:
            assert repr(tx.incident("incident-1")) == repr(folded) == repr(returned)

    with store.read() as tx:
        assert repr(tx.events("incident-1")) == repr(STORY)


def test_derived_columns_can_be_filtered_in_sql(store: Store, database_url: str) -> None:
    opened(store)
    for event in STORY[1:]:
        with store.begin() as tx:
            tx.append_event("incident-1", event)

    (row,) = query(database_url, "SELECT condition, state, verdict, owner, n_events, severity FROM incident")

    wanted = {"condition": "cleared", "state": "closed", "verdict": "real", "owner": "luis"}
    assert row == wanted | {"n_events": len(STORY), "severity": 3}


def test_second_active_incident_of_a_group_is_rejected_by_the_database(store: Store) -> None:
    opened(store)

    with pytest.raises(StoreError) as caught:
        opened(store, "incident-2")

    assert caught.value.code == "store.failed"
    with store.read() as tx:
        assert [one.id for one in tx.incidents()] == ["incident-1"]


def test_group_is_free_again_when_its_incident_cleared(store: Store) -> None:
    opened(store)
    with store.begin() as tx:
        tx.append_event("incident-1", an_event(EventKind.CLEARED, detection=a_detection(end=8)))

    assert opened(store, "incident-2").condition is Condition.ACTIVE


@pytest.mark.parametrize(
    "statement",
    ["UPDATE incident_event SET actor = 'nobody'", "DELETE FROM incident_event", "DELETE FROM incident"],
)
def test_log_never_changes(store: Store, database_url: str, statement: str) -> None:
    opened(store)

    with pytest.raises(DBAPIError):
        query(database_url, statement)

    with store.read() as tx:
        assert tx.events("incident-1") == [an_event()]


def test_request_is_heard_once(store: Store) -> None:
    opened(store)
    comment = an_event(EventKind.COMMENTED, facts={"text": "once"})

    for _ in range(3):
        with store.begin() as tx:
            after = tx.append_event("incident-1", comment, request_key="button-7")

    assert len(after.comments) == 1
    assert after.n_events == 2


@pytest.mark.parametrize("wanted", ["incident-alpha", "incident-a", "incide"])
def test_incident_is_found_by_the_beginning_of_its_id(store: Store, wanted: str) -> None:
    opened(store, "incident-alpha")

    with store.read() as tx:
        assert tx.incident(wanted).id == "incident-alpha"


@pytest.mark.parametrize("wanted", ["incid", "incident_a", "INCIDENT-a", "nothing", "", "%%%%%%%"])
def test_incident_is_not_found_by_anything_else(store: Store, wanted: str) -> None:
    opened(store, "incident-alpha")

    with store.begin() as tx:
        with pytest.raises(NotFound):
            tx.incident(wanted)
        with pytest.raises(NotFound):
            tx.append_event(wanted, an_event(EventKind.ACKNOWLEDGED))


def test_ambiguous_beginning_asks_for_more(store: Store) -> None:
    opened(store, "incident-1", "g1")
    opened(store, "incident-2", "g2")

    with store.read() as tx, pytest.raises(NotFound, match="more of its id"):
        tx.incident("incident")


def test_incidents_are_filtered(store: Store) -> None:
    roof, pump = asset_id(store), asset_id(store, PUMP)
    with store.begin() as tx:
        tx.open_incident("active", "g1", roof, an_event())
        tx.open_incident("cleared", "g2", roof, an_event(detection=a_detection(start=1, end=8)))
        tx.open_incident("withdrawn", "g3", pump, an_event(detection=a_detection(start=2, end=3)))
        tx.append_event("withdrawn", an_event(EventKind.WITHDRAWN, detection=a_detection(start=2, end=3)))

    def ids(**wanted: object) -> list[str]:
        with store.read() as tx:
            return [one.id for one in tx.incidents(**wanted)]  # type: ignore[arg-type]

    assert ids() == ["active", "cleared"]
    assert ids(include_withdrawn=True) == ["active", "cleared", "withdrawn"]
    assert ids(is_active=True) == ["active"]
    assert ids(is_active=False) == ["cleared"]
    assert ids(group_key="g2") == ["cleared"]
    assert ids(asset_id=pump, include_withdrawn=True) == ["withdrawn"]
    assert ids(since=NOW + timedelta(days=1)) == ["active"]
    assert ids(since=START + 8 * STEP) == ["active", "cleared"]


def test_times_found_wrong_are_those_of_faults_that_somebody_confirmed(store: Store) -> None:
    roof, pump = asset_id(store), asset_id(store, PUMP)
    verdicts = {"real": 1, "data_problem": 2, "expected": 3, "false_alarm": 4, "": 5}
    with store.begin() as tx:
        for verdict, hour in verdicts.items():
            detection = a_detection(start=hour, end=hour + 1)
            tx.open_incident(f"of-{verdict}", f"group-{verdict}", roof, an_event(detection=detection))
            if verdict:
                closing = an_event(EventKind.CLOSED, actor="ana", facts={"verdict": verdict})
                tx.append_event(f"of-{verdict}", closing)
        tx.open_incident("goes on", "g", pump, an_event())
        tx.append_event("goes on", an_event(EventKind.CLOSED, actor="ana", facts={"verdict": "real"}))

    with store.read() as tx:
        own, both = tx.times_found_wrong([roof]), tx.times_found_wrong([roof, pump])

    assert own == {roof: [(START + hour * STEP, START + (hour + 1) * STEP) for hour in (1, 2)]}
    assert both == own | {pump: [(an_event().detection.started_at, None)]}  # type: ignore[union-attr]


def test_human_states_survive(store: Store) -> None:
    opened(store)

    with store.begin() as tx:
        after = tx.append_event("incident-1", an_event(EventKind.ACKNOWLEDGED, actor="ana"))

    assert (after.state, after.owner) == (HumanState.ACKNOWLEDGED, "ana")


def test_log_of_a_simulated_asset_can_go_with_it(store: Store) -> None:
    append(store, a_batch([[1, 1]]), is_simulated=True)
    opened(store)

    with store.begin() as tx:
        tx.reset_simulated()

    with store.read() as tx, pytest.raises(NotFound):
        tx.events("incident-1")


def test_incidents_of_the_first_version_are_upgraded(database_url: str) -> None:
    with open_store(database_url) as store:
        before = opened(store)
    take_back_to_first_version(database_url)

    migrate_store(database_url)
    with open_store(database_url) as store, store.read() as tx:
        assert tx.incident("incident-1") == before
        assert tx.events("incident-1") == [an_event()]
