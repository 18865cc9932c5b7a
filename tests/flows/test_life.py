"""What follows from an event: who hears of it, and when it is news again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from sereno.domain.incidents import EventKind, HumanState, IncidentEvent
from sereno.domain.judgement import IncidentKind, Severity
from sereno.domain.signals import AssetKey
from sereno.domain.silences import Matcher, Silence
from sereno.flows.people import act
from sereno.flows.timers import fire_due, review_visibility
from sereno.store import Store
from tests.flows.lives import ROOF, START, STEP, Lives, lives_in, spell
from tests.support.builders import DAY, HOUR

NO_DATA = {"kind": IncidentKind.DATA, "check": "quality.missing", "cause": "quality.missing"}


@pytest.fixture
def lives(database_url: str) -> Iterator[Lives]:
    with lives_in(database_url) as found:
        yield found


def silence(
    lives: Lives, *, length: timedelta = 2 * HOUR, matcher: Matcher | None = None, name: str = "works"
) -> None:
    one = Silence(
        name, lives.now, lives.now + length, matcher or Matcher(site="Norte"), "ana", "obra", lives.now
    )
    with lives.store.begin() as tx:
        tx.add_silence(one)


def person(lives: Lives, kind: EventKind, **facts: str) -> None:
    event = IncidentEvent(kind, lives.now, lives.now, "ana", facts=facts)
    with lives.store.begin() as tx:
        act(tx, lives.policy, lives.only().id, event)


def test_silenced_trouble_is_recorded_and_told_when_the_silence_ends(lives: Lives) -> None:
    silence(lives)
    lives.judge(spell())

    assert lives.told() == []
    assert lives.only().visibility(lives.now) == "silenced"
    lives.wait(HOUR)
    assert review_visibility(lives.store, lives.policy, now=lives.now) == 0
    lives.wait(HOUR)
    assert review_visibility(lives.store, lives.policy, now=lives.now) == 1
    assert lives.told() == [("Tejado 1", EventKind.UNSILENCED, "shown")]
    assert lives.kinds(lives.only().id) == ["opened", "silenced", "unsilenced"]


def test_end_of_what_was_told_is_told_in_a_silence_too(lives: Lives) -> None:
    lives.judge(spell())
    silence(lives)
    review_visibility(lives.store, lives.policy, now=lives.now)
    lives.told()

    lives.judge(spell(until=START + STEP))

    assert [kind for _, kind, _ in lives.told()] == [EventKind.CLEARED]


def test_worse_trouble_than_the_silence_speaks_of_is_told(lives: Lives) -> None:
    silence(lives, matcher=Matcher(severity_at_most=Severity.MEDIUM))
    lives.judge(spell())
    assert lives.told() == []

    lives.judge(spell(severity=Severity.CRITICAL))

    assert EventKind.UNSILENCED in [kind for _, kind, _ in lives.told()]


def test_trouble_of_a_maintenance_that_is_known_afterwards_is_silenced(lives: Lives) -> None:
    silence(lives, length=HOUR)
    lives.wait(10 * HOUR)

    lives.judge(spell(START, START + HOUR), spell(START, asset=AssetKey("Sur", "Tejado 9")))

    assert [asset for asset, _, _ in lives.told()] == ["Tejado 9"]
    assert lives.only(asset=ROOF).visibility(lives.now) == "silenced"


def test_no_data_keeps_what_began_with_it_quiet_until_it_is_over(lives: Lives) -> None:
    lives.judge(spell(), spell(**NO_DATA))

    assert [(asset, kind) for asset, kind, _ in lives.told()] == [("Tejado 1", EventKind.OPENED)]
    lives.judge(spell(START, START + HOUR, **NO_DATA))
    lives.told()
    lives.wait(3 * HOUR)
    review_visibility(lives.store, lives.policy, now=lives.now)
    assert lives.told() == [("Tejado 1", EventKind.UNINHIBITED, "shown")]


def test_many_assets_with_the_same_trouble_are_told_as_one(lives: Lives) -> None:
    fleet = [AssetKey("Norte", f"Tejado {n}") for n in range(40)]

    lives.judge(*(spell(START + n * timedelta(seconds=1), asset=key) for n, key in enumerate(fleet)))

    assert lives.told() == [("Tejado 0", EventKind.OPENED, "shown")]
    with lives.store.read() as tx:
        children = [one for one in tx.incidents() if one.inhibitors]
    assert len(children) == 39
    assert {one.inhibitors for one in children} == {(lives.only(asset=fleet[0]).id,)}


def test_each_child_of_a_common_cause_keeps_its_own_life(lives: Lives) -> None:
    fleet = [AssetKey("Norte", f"Tejado {n}") for n in range(4)]
    starts = [START + n * timedelta(seconds=1) for n in range(4)]
    lives.judge(*(spell(start, asset=key) for start, key in zip(starts, fleet, strict=True)))
    lives.told()

    lives.judge(*(spell(starts[n], START + HOUR, asset=fleet[n]) for n in range(3)))
    lives.wait(4 * HOUR)
    review_visibility(lives.store, lives.policy, now=lives.now)

    told = [(asset, kind) for asset, kind, _ in lives.told()]
    assert ("Tejado 3", EventKind.UNINHIBITED) in told
    assert {asset for asset, kind in told if kind is EventKind.UNINHIBITED} == {"Tejado 3"}


def test_acknowledged_trouble_that_grows_worse_is_news_again(lives: Lives) -> None:
    lives.judge(spell())
    person(lives, EventKind.ACKNOWLEDGED)

    lives.judge(spell(n_rows=9))
    assert lives.only().state is HumanState.ACKNOWLEDGED
    lives.judge(spell(n_rows=9, severity=Severity.CRITICAL))

    assert lives.only().state is HumanState.NEW
    assert lives.kinds(lives.only().id) == [
        "opened",
        "acknowledged",
        "updated",
        "updated",
        "unacknowledged",
    ]


def test_trouble_that_turns_out_milder_is_not_news(lives: Lives) -> None:
    lives.judge(spell(severity=Severity.HIGH))
    person(lives, EventKind.ACKNOWLEDGED)

    lives.judge(spell(n_rows=2, severity=Severity.MEDIUM))
    lives.judge(spell(n_rows=4, severity=Severity.HIGH))

    assert lives.only().state is HumanState.ACKNOWLEDGED


def test_twenty_cycles_in_twenty_seconds_are_told_three_times_and_once_when_quiet(lives: Lives) -> None:
    second = timedelta(seconds=1)
    for n in range(20):
        start = START + n * second
        lives.now = start
        lives.judge(spell(start))
        lives.judge(spell(start, start + second / 2))

    told = [kind for _, kind, _ in lives.told()]
    assert told == [EventKind.OPENED, EventKind.CLEARED, EventKind.REOPENED]
    with lives.store.read() as tx:
        assert len(tx.incidents()) == 1
    fire_due(lives.store, lives.policy, now=START + DAY)
    assert [kind for _, kind, _ in lives.told()] == [EventKind.CALMED]


def test_chattering_is_over_when_it_has_been_quiet(lives: Lives) -> None:
    second = timedelta(seconds=1)
    for n in range(5):
        lives.judge(spell(START + 2 * n * second, START + (2 * n + 1) * second))
    assert lives.only().is_chattering

    lives.wait(HOUR)
    fire_due(lives.store, lives.policy, now=lives.now)
    assert lives.only().is_chattering
    lives.wait(4 * HOUR)
    fire_due(lives.store, lives.policy, now=lives.now)

    assert not lives.only().is_chattering


def test_history_is_neither_silenced_nor_inhibited_nor_escalated(store: Store) -> None:
    policy = Lives(store).policy
    lives = Lives(store, replace(policy, escalation=lambda *_: [HOUR]), now=START + 90 * DAY)
    silence(lives, length=90 * DAY)

    lives.judge(spell(), spell(**NO_DATA))

    with store.read() as tx:
        assert [(one.silences, one.inhibitors) for one in tx.incidents()] == [({}, ())] * 2
        assert tx.timers() == []


def test_request_that_arrives_twice_changes_nothing(lives: Lives) -> None:
    lives.judge(spell())
    name = lives.only().id
    said = IncidentEvent(EventKind.COMMENTED, lives.now, lives.now, "ana", facts={"text": "visto"})

    for _ in range(3):
        with lives.store.begin() as tx:
            act(tx, lives.policy, name, said, request_key="r1")

    assert lives.kinds(name) == ["opened", "commented"]
