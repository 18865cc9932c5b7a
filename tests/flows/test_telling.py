"""Who hears of what happens to an incident."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from sereno.domain.incidents import EventKind, IncidentEvent
from sereno.domain.judgement import IncidentKind, Severity
from sereno.domain.signals import AssetKey
from sereno.flows.telling import CLOSING, ESCALATING, TellingRules, escalations, tell_late
from sereno.i18n.catalogue import has
from sereno.store import Store
from tests.flows.outbox import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    a_failure,
    all_to,
    happen,
    open_in,
    open_one,
    outbox,
    receivers,
    settings_of,
    told,
    told_store,
)
from tests.support.builders import PROFILES, a_workspace


@pytest.fixture
def store(sqlite_url: str, tmp_path: Path) -> Iterator[Store]:
    """A store of which `ana` hears everything."""
    with told_store(sqlite_url, settings_of(tmp_path, all_to("ana"))) as found:
        yield found


def _told_with(url: str, folder: Path, routes: object, names: list[str]) -> Store:
    text = yaml.safe_dump({"receivers": receivers(*names), "routes": routes})
    return told_store(url, settings_of(folder, text))  # type: ignore[return-value]


def test_opened_is_queued_with_a_key_of_its_own(database_url: str, tmp_path: Path) -> None:
    with told_store(database_url, settings_of(tmp_path, all_to("ana", "luis"))) as store:
        open_one(store)
        found = outbox(store)

    assert [(one.receiver, one.event, one.dedup_key) for one in found] == [
        ("ana", "opened", "incident-1:1:ana:0"),
        ("luis", "opened", "incident-1:1:luis:0"),
    ]
    assert {(one.severity, one.status, one.created_at) for one in found} == {(2, "queued", NOW)}


def test_life_of_an_incident_is_told_in_four_messages(store: Store) -> None:
    open_one(store)
    happen(store, EventKind.UPDATED, detection=a_failure(n_rows=40))
    happen(store, EventKind.ACKNOWLEDGED)
    happen(store, EventKind.COMMENTED, text="mirado")
    happen(store, EventKind.UPDATED, detection=a_failure(severity=Severity.HIGH))
    happen(store, EventKind.CLEARED, detection=a_failure(severity=Severity.HIGH, hours=4))
    happen(store, EventKind.CLOSED, verdict="real")
    back = a_failure(last=NOW + 3 * DAY)
    happen(store, EventKind.REOPENED, detection=back, at=NOW + 3 * DAY)

    assert told(store) == ["opened", "updated", "resolved", "reopened"]
    assert outbox(store)[1].body == {"seq": 5, "severity_before": "medium", "resolved": True}


@pytest.mark.parametrize(
    ("after", "severity", "wanted"),
    [
        (2 * HOUR, Severity.MEDIUM, ["opened", "resolved"]),
        (2 * HOUR, Severity.HIGH, ["opened", "resolved", "reopened"]),
        (30 * HOUR, Severity.MEDIUM, ["opened", "resolved", "reopened"]),
    ],
    ids=["within the window", "worse", "after the window"],
)
def test_what_comes_back_is_told_when_it_is_news(
    store: Store, after: timedelta, severity: Severity, wanted: list[str]
) -> None:
    open_one(store)
    happen(store, EventKind.CLEARED, detection=a_failure(hours=3))
    start = NOW + after
    back = a_failure(started_at=start, last_at=start, severity=severity)
    happen(store, EventKind.REOPENED, detection=back, at=start)

    assert told(store) == wanted


def test_trouble_that_comes_and_goes_is_told_twice_at_most(store: Store) -> None:
    open_one(store, detection=a_failure(last=NOW, started_at=NOW))
    for second in range(20):
        start = NOW + second * MINUTE
        ended = a_failure(started_at=start, last_at=start, peak_at=start, ended_at=start + MINUTE / 2)
        happen(store, EventKind.CLEARED, detection=ended, at=start)
        again = a_failure(started_at=start + MINUTE, last_at=start + MINUTE)
        happen(store, EventKind.REOPENED, detection=again, at=start + MINUTE)

    assert told(store) == ["opened", "resolved"]


def test_what_came_back_and_is_over_is_no_first_opening(store: Store) -> None:
    open_one(store)
    happen(store, EventKind.CLEARED, detection=a_failure(hours=3))
    back = NOW + 30 * HOUR
    worse = a_failure(started_at=back, last_at=back, ended_at=back + HOUR, severity=Severity.HIGH)
    happen(store, EventKind.UPDATED, detection=worse, at=back)

    assert told(store) == ["opened", "resolved", "reopened_and_resolved"]


@pytest.mark.parametrize("event", sorted({"opened", "reopened", "updated", "digest", *CLOSING, *ESCALATING}))
def test_every_message_has_its_words_in_the_subject_and_in_the_proof(event: str) -> None:
    assert has(f"notify.tag.{event}")
    assert has(f"console.event.{event}")


def test_withdrawn_is_told_to_who_heard_of_it(store: Store) -> None:
    open_one(store)
    happen(store, EventKind.WITHDRAWN, detection=a_failure())

    assert told(store) == ["opened", "withdrawn"]


def test_what_is_over_already_is_one_message(store: Store) -> None:
    open_one(store, detection=a_failure(hours=3))

    assert told(store) == ["opened_and_resolved"]


@pytest.mark.parametrize(
    ("age", "step", "is_told"),
    [(23 * HOUR, HOUR, True), (26 * HOUR, HOUR, False), (47 * HOUR, DAY, True), (73 * HOUR, DAY, False)],
)
def test_history_opens_incidents_and_tells_nobody(
    store: Store, age: timedelta, step: timedelta, is_told: bool
) -> None:
    past = a_failure(last=NOW - age - step)
    with store.begin() as tx:
        which = tx.ensure_assets([past.asset], profile="solar", zone="UTC")[past.asset]
        tx.set_step(which, step)
        event = IncidentEvent(EventKind.OPENED, NOW, past.started_at, detection=past)
        tx.open_incident("incident-1", "g", which, event)

    assert told(store) == (["opened"] if is_told else [])


def test_horizon_of_the_settings_holds(sqlite_url: str, tmp_path: Path) -> None:
    text = f"{all_to('ana')}notify_horizon: 2h\n"
    with told_store(sqlite_url, settings_of(tmp_path, text)) as store:
        open_one(store, detection=a_failure(last=NOW - 4 * HOUR))

        assert told(store) == []


def test_end_of_what_nobody_heard_of_is_not_told(store: Store) -> None:
    open_one(store, detection=a_failure(last=NOW - 9 * DAY))
    happen(store, EventKind.CLEARED, detection=a_failure(last=NOW - 9 * DAY, hours=4))

    assert told(store) == []


@pytest.mark.parametrize("seen_to", [EventKind.ACKNOWLEDGED, EventKind.CLOSED, None])
def test_end_of_a_silence_is_news_of_what_nobody_has_seen_to(store: Store, seen_to: EventKind | None) -> None:
    with store.begin() as tx:
        open_in(tx)
        silenced = {"silence": "works", "mutes": "opened,reopened"}
        tx.append_event("incident-1", IncidentEvent(EventKind.SILENCED, NOW, NOW, facts=silenced))
    if seen_to is not None:
        happen(store, seen_to, verdict="expected")

    happen(store, EventKind.UNSILENCED, silence="works")

    assert told(store) == ([] if seen_to else ["opened"])


def test_end_is_told_however_late(store: Store) -> None:
    open_one(store)
    happen(store, EventKind.CLEARED, detection=a_failure(hours=3), at=NOW + 9 * DAY)

    assert told(store) == ["opened", "resolved"]


def test_history_that_reaches_today_is_told_when_it_does(store: Store) -> None:
    open_one(store, detection=a_failure(last=NOW - 9 * DAY))
    start = NOW - 9 * DAY - 3 * HOUR
    happen(store, EventKind.UPDATED, detection=a_failure(started_at=start, last_at=NOW, n_rows=200))

    assert told(store) == ["opened"]


def test_what_reaches_today_without_an_event_is_told_late(store: Store, tmp_path: Path) -> None:
    rules = TellingRules.of_settings(settings_of(tmp_path, all_to("ana")), PROFILES)
    open_one(store, detection=a_failure(last=NOW - 9 * DAY))
    with store.begin() as tx:
        incident = tx.incident("incident-1")
        for _ in range(2):
            tell_late(tx, incident, rules, NOW - 9 * DAY)

    assert told(store) == ["opened"]


def test_shelved_incident_is_silent_but_its_end_is_told(store: Store) -> None:
    open_one(store)
    happen(store, EventKind.SHELVED, until=(NOW + 8 * HOUR).isoformat())
    happen(store, EventKind.UPDATED, detection=a_failure(severity=Severity.CRITICAL), at=NOW + HOUR)
    happen(store, EventKind.CLEARED, detection=a_failure(hours=4), at=NOW + 2 * HOUR)

    assert told(store) == ["opened", "resolved"]


def test_what_is_muted_in_the_transaction_that_opens_it_is_not_told(store: Store) -> None:
    detection = a_failure()
    with store.begin() as tx:
        which = tx.ensure_assets([detection.asset], profile="solar", zone="UTC")[detection.asset]
        opening = IncidentEvent(EventKind.OPENED, NOW, detection.started_at, detection=detection)
        tx.open_incident("incident-1", "g", which, opening)
        until = (NOW + HOUR).isoformat()
        tx.append_event("incident-1", IncidentEvent(EventKind.SHELVED, NOW, NOW, facts={"until": until}))

    assert told(store) == []


MATCHES = {
    "site": ({"sites": ["Planta *"]}, True),
    "other site": ({"sites": ["Norte", "planta 1"]}, False),
    "asset": ({"assets": ["Planta 1/Inv*"]}, True),
    "asset alone": ({"assets": ["Inversor"]}, True),
    "other asset": ({"assets": ["Bomba"]}, False),
    "profile": ({"profiles": ["solar", "gas"]}, True),
    "other profile": ({"profiles": ["gas"]}, False),
    "severity": ({"severity": "medium"}, True),
    "higher severity": ({"severity": "high"}, False),
    "kind": ({"kinds": ["behaviour", "data"]}, True),
    "other kind": ({"kinds": ["physics"]}, False),
    "problem": ({"problems": ["generation_*"]}, True),
    "cause": ({"problems": ["behaviour.*"]}, True),
    "other problem": ({"problems": ["leak"]}, False),
    "two of two": ({"sites": ["Planta 1"], "kinds": ["behaviour"]}, True),
    "one of two": ({"sites": ["Planta 1"], "kinds": ["data"]}, False),
}


@pytest.mark.parametrize(("match", "is_told"), MATCHES.values(), ids=MATCHES)
def test_route_takes_what_it_matches(
    sqlite_url: str, tmp_path: Path, match: dict[str, object], is_told: bool
) -> None:
    with _told_with(sqlite_url, tmp_path, [{"match": match, "to": ["ana"]}], ["ana"]) as store:
        open_one(store, detection=a_failure(asset=AssetKey("Planta 1", "Inversor")))

        assert bool(told(store)) == is_told


def test_all_routes_that_match_tell_each_receiver_once(sqlite_url: str, tmp_path: Path) -> None:
    routes = [{"to": ["ana", "luis"], "resolved": False}, {"to": ["ana", "eva"]}]
    with _told_with(sqlite_url, tmp_path, routes, ["ana", "luis", "eva"]) as store:
        open_one(store)
        happen(store, EventKind.CLEARED, detection=a_failure(hours=3))
        found = [(one.receiver, one.event) for one in outbox(store)]

    assert found[:3] == [("ana", "opened"), ("luis", "opened"), ("eva", "opened")]
    assert sorted(found[3:]) == [("ana", "resolved"), ("eva", "resolved")]


def test_who_is_told_only_of_severe_ones_hears_of_it_when_it_becomes_one(
    sqlite_url: str, tmp_path: Path
) -> None:
    routes = [{"to": ["ana"]}, {"match": {"severity": "high"}, "to": ["jefa"]}]
    with _told_with(sqlite_url, tmp_path, routes, ["ana", "jefa"]) as store:
        open_one(store)
        happen(store, EventKind.UPDATED, detection=a_failure(severity=Severity.HIGH))
        happen(store, EventKind.CLEARED, detection=a_failure(severity=Severity.MEDIUM, hours=4))

        assert told(store, "ana") == ["opened", "updated", "resolved"]
        assert told(store, "jefa") == ["opened", "resolved"]


def test_steps_of_an_escalation_come_from_all_routes_that_match(sqlite_url: str, tmp_path: Path) -> None:
    names = ["ana", "luis", "jefa"]
    routes = [
        {"to": ["ana"], "escalate": [{"after": "1h", "to": ["jefa"]}, {"after": "30min", "to": ["luis"]}]},
        {"to": ["ana"], "escalate": [{"after": "60min", "to": ["luis", "jefa"]}]},
        {
            "match": {"kinds": ["data"]},
            "to": ["ana"],
            "escalate": [{"after": "1min", "to": ["jefa"]}],
        },
    ]
    settings = settings_of(tmp_path, yaml.safe_dump({"receivers": receivers(*names), "routes": routes}))
    with told_store(sqlite_url, settings) as store:
        incident = open_one(store)
        with store.read() as tx:
            asset = tx.asset_of(incident.id)

    found = escalations(TellingRules.of_settings(settings, PROFILES), incident, asset)

    assert [(one.after, one.receivers) for one in found] == [
        (30 * MINUTE, ("luis",)),
        (HOUR, ("jefa", "luis")),
    ]


def test_what_goes_to_nobody_costs_nothing_and_is_kept(sqlite_url: str, tmp_path: Path) -> None:
    with told_store(sqlite_url, settings_of(tmp_path, "language: en\n")) as store:
        open_one(store)
        with store.read() as tx:
            assert (len(tx.incidents()), tx.notifications()) == (1, [])


def test_data_problem_has_its_own_route(sqlite_url: str, tmp_path: Path) -> None:
    routes = [{"match": {"kinds": ["data"]}, "to": ["ana"]}]
    frozen = a_failure(check="quality.frozen", kind=IncidentKind.DATA, cause="quality.frozen")
    with _told_with(sqlite_url, tmp_path, routes, ["ana"]) as store:
        open_one(store, detection=frozen)

        assert told(store) == ["opened"]


def test_workspace_tells_what_it_records(tmp_path: Path) -> None:
    with a_workspace(tmp_path / "w", settings=all_to("ana")) as workspace:
        open_one(workspace.store)

        assert told(workspace.store) == ["opened"]
