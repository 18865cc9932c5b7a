"""The outbox: lanes, leases, keys, and events that are told in their own transaction."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from sereno.contracts.notification import Answer, Outcome
from sereno.domain.errors import NotFound
from sereno.domain.incidents import EventKind
from sereno.store import NewNotification, Store, StoredAttempt, StoredNotification, Transaction, open_store
from sereno.store.outbox import HELD, LEASED, QUEUED, SENT
from tests.store.builders import NOW, a_batch, an_event, append, asset_id

MINUTE = timedelta(minutes=1)


def _queue(store: Store, *receivers: str, incident: str | None = None, severity: int = 2) -> None:
    with store.begin() as tx:
        start = len(tx.notifications())
        tx.add_notifications(
            [
                NewNotification(f"key-{start + n}", name, "opened", NOW, incident, severity, {"seq": n})
                for n, name in enumerate(receivers)
            ]
        )


def _lease(store: Store, receiver: str, *, owner: str = "me", at: timedelta = timedelta()) -> object:
    with store.begin() as tx:
        if tx.lock_receiver(receiver, NOW) is None:
            return None
        return tx.lease_head(receiver, NOW + at, until=NOW + at + MINUTE, owner=owner)


def _answered(store: Store, leased: object, outcome: Outcome, **changes: object) -> bool:
    assert isinstance(leased, StoredNotification)
    attempt = StoredAttempt(leased.id, leased.attempts, NOW, 12.5, Answer(outcome, "503", "busy"))
    with store.begin() as tx:
        return tx.record_attempt(leased, attempt, changes=changes)


def test_key_that_is_known_is_not_queued_again(store: Store) -> None:
    one = NewNotification("i:1:ana:0", "ana", "opened", NOW, body={"seq": 1})

    for _ in range(2):
        with store.begin() as tx:
            tx.add_notifications([one, one])

    with store.read() as tx:
        (found,) = tx.notifications()
    assert (found.dedup_key, found.status, found.body, found.created_at) == (
        "i:1:ana:0",
        QUEUED,
        {"seq": 1},
        NOW,
    )


def test_only_the_head_of_a_lane_can_be_leased(store: Store) -> None:
    _queue(store, "ana", "ana", "luis")

    first, behind, other = _lease(store, "ana"), _lease(store, "ana"), _lease(store, "luis")

    assert isinstance(first, StoredNotification)
    assert isinstance(other, StoredNotification)
    assert (first.dedup_key, behind, other.dedup_key) == ("key-0", None, "key-2")
    assert (first.status, first.attempts, first.is_uncertain) == (LEASED, 1, True)


def test_head_that_waits_keeps_the_others_waiting(store: Store) -> None:
    _queue(store, "ana", "ana")
    _answered(
        store,
        _lease(store, "ana"),
        Outcome.RETRY,
        status=QUEUED,
        next_at=NOW + 5 * MINUTE,
        is_uncertain=False,
    )

    early, late = _lease(store, "ana", at=4 * MINUTE), _lease(store, "ana", at=5 * MINUTE)

    assert early is None
    assert isinstance(late, StoredNotification)
    assert (late.dedup_key, late.attempts) == ("key-0", 2)


def test_next_one_moves_up_when_the_head_is_done(store: Store) -> None:
    _queue(store, "ana", "ana")
    was_ours = _answered(store, _lease(store, "ana"), Outcome.ACCEPTED, status=SENT, sent_at=NOW)

    then = _lease(store, "ana")

    assert was_ours
    assert isinstance(then, StoredNotification)
    assert then.dedup_key == "key-1"


def test_answer_of_a_lease_that_was_lost_changes_nothing(store: Store) -> None:
    _queue(store, "ana")
    lost = _lease(store, "ana", owner="first")
    assert isinstance(lost, StoredNotification)
    with store.begin() as tx:
        tx.release([lost.id], NOW)
    again = _lease(store, "ana", owner="second")

    was_ours = _answered(store, lost, Outcome.RETRY, status=QUEUED)

    with store.read() as tx:
        found = tx.notification(lost.id)
        attempts = tx.delivery_attempts([lost.id])
    assert isinstance(again, StoredNotification)
    assert (was_ours, found.lease_owner, found.attempts) == (False, "second", 2)
    assert [(one.number, one.answer.code, one.latency_ms) for one in attempts] == [(1, "503", 12.5)]


def test_notifiers_that_race_take_each_notification_once(store: Store) -> None:
    names = [f"r{n}" for n in range(5)]
    _queue(store, *(names * 4))

    def work(owner: int) -> list[str]:
        taken = []
        for name in names * 6:
            leased = _lease(store, name, owner=str(owner))
            if isinstance(leased, StoredNotification):
                taken.append(leased.dedup_key)
                _answered(store, leased, Outcome.ACCEPTED, status=SENT, sent_at=NOW)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [key for keys in pool.map(work, range(4)) for key in keys]

    while any(_answered_next(store, name, taken) for name in names):
        pass
    assert sorted(taken) == sorted(f"key-{n}" for n in range(20))
    for n in range(5):
        lane = [int(key.removeprefix("key-")) for key in taken if int(key.removeprefix("key-")) % 5 == n]
        assert len(lane) == 4


def _answered_next(store: Store, name: str, taken: list[str]) -> bool:
    """What the racers left because another one held the lane at that moment."""
    leased = _lease(store, name)
    if not isinstance(leased, StoredNotification):
        return False
    taken.append(leased.dedup_key)
    return _answered(store, leased, Outcome.ACCEPTED, status=SENT, sent_at=NOW)


def test_due_are_those_whose_time_has_come_and_who_are_not_left_alone(store: Store) -> None:
    _queue(store, "ana", "luis", "eva")
    with store.begin() as tx:
        state = tx.lock_receiver("eva", NOW)
        assert state is not None
        tx.save_receiver_state(type(state)("eva", NOW, blocked_until=NOW + MINUTE))
        held = next(one for one in tx.notifications() if one.receiver == "luis")
        tx.fold([], held.id, event="opened", body={})
    _lease(store, "ana")

    with store.read() as tx:
        now, later = tx.receivers_due(NOW), tx.receivers_due(NOW + 2 * MINUTE)

    assert now == ["ana", "luis"]  # whether somebody still has what is ana's in hand must be looked at
    assert later == ["ana", "eva", "luis"]


def test_held_are_those_below_a_severity_and_about_incidents(store: Store) -> None:
    which = asset_id(store)
    with store.begin() as tx:
        tx.open_incident("i1", "g", which, an_event())
    _queue(store, "ana", incident="i1", severity=2)
    _queue(store, "ana", incident="i1", severity=4)
    _queue(store, "ana")

    with store.begin() as tx:
        tx.hold("ana", NOW + MINUTE, below=4, reason="quiet")
        kept = [(one.status, one.severity) for one in tx.notifications()]

    assert sorted(kept) == [(HELD, 2), (QUEUED, 2), (QUEUED, 4)]


def test_folded_are_carried_by_the_last_one_that_took_them(store: Store) -> None:
    _queue(store, "ana", "ana", "ana")
    with store.begin() as tx:
        third, second, first = (one.id for one in tx.notifications())
        tx.fold([first], second, event="opened_and_resolved", body={"seq": 2})
        tx.fold([second], third, event="digest", body={})
        carried = tx.carried_by(third)
        (head,) = tx.lane("ana")

    assert [one.id for one in carried] == [first, second]
    assert (head.id, head.event) == (third, "digest")


def test_reset_of_simulated_readings_takes_what_was_told_of_them_along(store: Store) -> None:
    append(store, a_batch([[1, 2]]), is_simulated=True)
    which = asset_id(store)
    with store.begin() as tx:
        tx.open_incident("i1", "g", which, an_event())
    _queue(store, "ana", "ana", incident="i1")
    _queue(store, "ana")
    _answered(store, _lease(store, "ana"), Outcome.ACCEPTED, status=SENT, sent_at=NOW)
    with store.begin() as tx:
        third, second, _ = (one.id for one in tx.notifications())
        tx.fold([second], third, event="digest", body={})
        tx.reset_simulated()
        left = tx.notifications()

    assert [one.id for one in left] == [third]


def test_organizations_do_not_see_each_other(database_url: str) -> None:
    with open_store(database_url) as mine, open_store(database_url, organization="other") as theirs:
        _queue(mine, "ana")
        _queue(theirs, "ana")  # the same key is another's
        with theirs.begin() as tx:
            (own,) = tx.notifications()
        with mine.read() as tx, pytest.raises(NotFound):
            tx.notification(own.id)


def test_events_are_heard_in_the_transaction_that_records_them(database_url: str) -> None:
    heard: list[tuple[EventKind, bool]] = []

    def listen(tx: Transaction) -> None:
        heard.extend((one.event.kind, one.before is None) for one in tx.recorded)
        tx.add_notifications([NewNotification(f"k{len(heard)}", "ana", "opened", NOW, "i1", 2)])

    with open_store(database_url, before_commit=listen) as store:
        append(store, a_batch([[1, 2]]))
        which = asset_id(store)
        with store.begin() as tx:
            tx.open_incident("i1", "g", which, an_event())
            tx.append_event("i1", an_event(EventKind.UPDATED, after=1))
        with suppress(ZeroDivisionError), store.begin() as tx:
            tx.append_event("i1", an_event(EventKind.ACKNOWLEDGED, actor="ana"))
            assert 1 / 0  # the batch fails
        with store.read() as tx:
            told = tx.notifications()

    assert heard == [(EventKind.OPENED, True), (EventKind.UPDATED, False)]
    assert [one.incident_id for one in told] == ["i1"]


def test_listener_that_fails_undoes_the_event(database_url: str) -> None:
    def fail(_: Transaction) -> None:
        raise RuntimeError("no outbox")

    with open_store(database_url, before_commit=fail) as store:
        which = asset_id(store)
        with pytest.raises(RuntimeError), store.begin() as tx:
            tx.open_incident("i1", "g", which, an_event())
        with store.read() as tx:
            assert tx.incidents() == []


def test_last_ones_sent_are_counted_from_the_newest(store: Store) -> None:
    _queue(store, *["ana"] * 4)
    for n in range(3):
        leased = _lease(store, "ana", at=n * MINUTE)
        _answered(store, leased, Outcome.ACCEPTED, status=SENT, sent_at=NOW + n * MINUTE)

    with store.read() as tx:
        found = [tx.nth_sent("ana", n, after=NOW - MINUTE, now=NOW + 10 * MINUTE) for n in (1, 3, 4)]
        recent = tx.nth_sent("ana", 3, after=NOW, now=NOW + 10 * MINUTE)
        before_a_jump = tx.nth_sent("ana", 1, after=NOW - MINUTE, now=NOW)

    assert found == [NOW + 2 * MINUTE, NOW, None]
    assert (recent, before_a_jump) == (None, NOW)
