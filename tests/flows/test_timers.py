"""What happens by itself: once, when it is due, and never against what a person did first."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sereno.domain.incidents import EventKind, HumanState, IncidentEvent
from sereno.domain.timers import TimerKind
from sereno.flows.people import act
from sereno.flows.timers import Tender, fire_due
from sereno.store import Store, open_store
from tests.flows.lives import START, STEP, Lives, lives_in, spell
from tests.support.builders import DAY, HOUR

WAITS = (HOUR, 3 * HOUR)
SECOND = timedelta(seconds=1)


@pytest.fixture
def lives(database_url: str) -> Iterator[Lives]:
    with lives_in(database_url) as found:
        found.policy = replace(found.policy, escalation=lambda *_: WAITS)
        yield found


def fire(lives: Lives, after: timedelta = timedelta(0)) -> int:
    lives.wait(after)
    return fire_due(lives.store, lives.policy, now=lives.now)


def person(lives: Lives, kind: EventKind, **facts: str) -> None:
    event = IncidentEvent(kind, lives.now, lives.now, "ana", facts=facts)
    with lives.store.begin() as tx:
        act(tx, lives.policy, lives.only().id, event)


def due(lives: Lives) -> list[tuple[TimerKind, int, datetime]]:
    with lives.store.read() as tx:
        return [(one.kind, one.step, one.due_at) for one in tx.timers()]


def test_trouble_that_nobody_acknowledges_is_escalated_step_by_step(lives: Lives) -> None:
    lives.judge(spell())
    lives.told()

    fired = [fire(lives, after) for after in (HOUR - STEP, STEP, HOUR, HOUR, 9 * HOUR)]

    assert fired == [0, 1, 0, 1, 0]
    assert [kind for _, kind, _ in lives.told()] == [EventKind.ESCALATED] * 2
    assert lives.only().escalated == 2


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"], ids=["23 hours", "25 hours"])
def test_wait_on_a_day_of_a_changed_hour_is_as_long_as_any(lives: Lives, day: str) -> None:
    lives.now = datetime.fromisoformat(
        f"{day}T00:30:00+00:00"
    )  # half past one or two in Madrid; changes at 01:00
    lives.judge(spell(lives.now))

    fired = [fire(lives, after) for after in (HOUR - SECOND, SECOND, 2 * HOUR - SECOND, SECOND, DAY)]

    assert fired == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("kind", [EventKind.ACKNOWLEDGED, EventKind.CLOSED], ids=str)
def test_nothing_escalates_after_somebody_came(lives: Lives, kind: EventKind) -> None:
    lives.judge(spell())
    person(lives, kind, verdict="real")

    assert fire(lives, DAY) == 0


def test_trouble_that_is_over_is_not_escalated(lives: Lives) -> None:
    lives.judge(spell())
    lives.judge(spell(until=START + STEP))

    assert fire(lives, DAY) == 0


def test_shelved_trouble_returns_and_waits_anew(lives: Lives) -> None:
    lives.judge(spell())
    person(lives, EventKind.SHELVED, until=(START + 8 * HOUR).isoformat(), reason="obra")
    lives.told()

    fired = [fire(lives, after) for after in (7 * HOUR, HOUR, HOUR)]

    assert fired == [0, 1, 1]
    assert [kind for _, kind, _ in lives.told()] == [EventKind.UNSHELVED, EventKind.ESCALATED]
    assert lives.only().shelved_until is None


def test_acknowledgement_ends_while_the_trouble_goes_on(lives: Lives) -> None:
    lives.judge(spell())
    person(lives, EventKind.ACKNOWLEDGED)

    assert [fire(lives, after) for after in (6 * DAY, DAY)] == [0, 1]
    assert lives.only().state is HumanState.NEW


def test_what_nobody_came_for_is_closed_without_a_verdict(lives: Lives) -> None:
    lives.judge(spell(until=START + HOUR))
    person_at = START + 10 * DAY
    lives.now = person_at
    person(lives, EventKind.COMMENTED, text="mañana lo miro")

    fired = [fire(lives, after) for after in (13 * DAY, DAY)]

    assert fired == [0, 1]
    incident = lives.only()
    assert (incident.state, incident.verdict, incident.is_unattended) == (HumanState.CLOSED, None, True)


def test_trouble_that_returns_is_not_closed(lives: Lives) -> None:
    lives.judge(spell(until=START + HOUR))
    lives.judge(spell(START + 2 * HOUR))

    assert fire(lives, HOUR / 2) == 0
    assert TimerKind.CLOSE not in {kind for kind, _, _ in due(lives)}


class Clocks:
    """A wall clock that can be set and a steady one that cannot."""

    def __init__(self) -> None:
        self.wall, self.steady = START, 0.0

    def wait(self, length: timedelta) -> None:
        self.wall += length
        self.steady += length.total_seconds()


@pytest.mark.parametrize("jump", [HOUR, -HOUR, DAY], ids=["forward", "back", "a day forward"])
def test_nothing_fires_early_or_twice_when_the_clock_is_set(lives: Lives, jump: timedelta) -> None:
    clocks = Clocks()
    lives.judge(spell())
    tender = Tender(lives.store, lives.policy, lambda: clocks.wall, steady=lambda: clocks.steady)
    fired = []

    for minute in range(0, 240, 10):
        if minute == 30:
            clocks.wall += jump
        if minute == 120:
            clocks.wall -= jump
        if tender.look():
            fired.append(minute)
        clocks.wait(timedelta(minutes=10))

    assert fired == [60, 180]
    assert lives.kinds(lives.only().id) == ["opened", "escalated", "escalated"]


def _order(kinds: Sequence[str]) -> list[str]:
    return [kind for kind in kinds if kind in {"acknowledged", "escalated"}]


@pytest.mark.parametrize("repetitions", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_acknowledging_and_escalating_at_once_never_escalates_after_the_acknowledgement(
    lives: Lives, database_url: str, repetitions: int
) -> None:
    """Two writers with connections of their own."""
    with open_store(database_url) as other:
        for number in range(repetitions):
            start = START + number * DAY
            lives.now = start
            lives.judge(spell(start))
            name = _newest(lives)
            together = threading.Barrier(2, timeout=60)
            writers = [
                threading.Thread(target=_acknowledge, args=(lives, name, together)),
                threading.Thread(target=_escalate, args=(other, lives, start + 2 * HOUR, together)),
            ]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
            order = _order(lives.kinds(name))
            assert order in (["acknowledged"], ["escalated", "acknowledged"])
            lives.judge(spell(start, start + HOUR))

    assert fire_due(lives.store, lives.policy, now=start + 9 * HOUR) == 0


def _newest(lives: Lives) -> str:
    with lives.store.read() as tx:
        return tx.incidents()[-1].id


def _acknowledge(lives: Lives, name: str, together: threading.Barrier) -> None:
    event = IncidentEvent(EventKind.ACKNOWLEDGED, lives.now, lives.now, "ana")
    together.wait()
    with lives.store.begin() as tx:
        act(tx, lives.policy, name, event)


def _escalate(store: Store, lives: Lives, now: datetime, together: threading.Barrier) -> None:
    together.wait()
    fire_due(store, lives.policy, now=now)


def test_two_engines_fire_each_timer_once(lives: Lives, database_url: str) -> None:
    lives.judge(spell())
    counts: list[int] = []
    together = threading.Barrier(4, timeout=60)

    def run() -> None:
        with open_store(database_url) as own:
            together.wait()
            counts.append(fire_due(own, lives.policy, now=START + 2 * HOUR))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == 1
    assert lives.kinds(lives.only().id) == ["opened", "escalated"]
