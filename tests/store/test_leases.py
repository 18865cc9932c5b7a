"""Leases of a PostgreSQL store: one owner, taken over when its time is up, checked with the work."""

import threading
from datetime import timedelta

import pytest

from sereno.domain.errors import LeaseLost
from sereno.store import Store, open_store
from sereno.store.leases import Lease
from sereno.store.opening import lease_holders
from tests.store.builders import NOW

MINUTE, OVER = timedelta(minutes=1), timedelta(seconds=-1)


def _take(store: Store, owner: str, length: timedelta = MINUTE, dead: tuple[str, ...] = ()) -> Lease | None:
    with store.begin() as tx:
        return tx.take_lease("file/x", owner, length=length, dead=dead)


def _work(store: Store, lease: Lease) -> None:
    with store.begin() as tx:
        tx.hold_lease(lease, length=MINUTE)
        tx.add_metric(1, 0, 0.0, "Normal", NOW)


def _n_done(store: Store) -> int:
    with store.read() as tx:
        return len(tx.metrics())


def test_lease_has_one_owner(shared: Store) -> None:
    assert _take(shared, "a") == Lease("file/x", "a", 1)
    assert _take(shared, "b") is None
    assert _take(shared, "a") is None


def test_lease_whose_time_is_up_goes_to_another_with_a_higher_token(shared: Store) -> None:
    _take(shared, "a", OVER)

    assert _take(shared, "b") == Lease("file/x", "b", 2)


def test_lease_of_the_dead_need_not_be_waited_for(shared: Store) -> None:
    _take(shared, "a")

    assert _take(shared, "b", dead=("c",)) is None
    assert _take(shared, "b", dead=("a",)) == Lease("file/x", "b", 2)


def test_work_of_an_owner_that_lost_its_lease_is_not_committed(shared: Store) -> None:
    old = _take(shared, "a", OVER)
    new = _take(shared, "b")
    assert old is not None
    assert new is not None

    with pytest.raises(LeaseLost):
        _work(shared, old)
    _work(shared, new)

    assert _n_done(shared) == 1


def test_lease_that_ran_out_but_was_not_taken_still_holds(shared: Store) -> None:
    lease = _take(shared, "a", OVER)
    assert lease is not None

    _work(shared, lease)

    assert _take(shared, "b") is None
    assert _n_done(shared) == 1


def test_nobody_takes_a_lease_between_the_check_and_the_commit(shared: Store) -> None:
    lease = _take(shared, "a", OVER)
    assert lease is not None
    taken: list[Lease | None] = []
    rival = threading.Thread(target=lambda: taken.append(_take(shared, "b")))

    with shared.begin() as tx:
        tx.hold_lease(lease, length=OVER)
        rival.start()
        rival.join(0.5)
        assert rival.is_alive()
        tx.hold_lease(lease, length=MINUTE)
    rival.join()

    assert taken == [None]


def test_dropped_lease_is_free_and_a_lost_one_is_not_dropped(shared: Store) -> None:
    old = _take(shared, "a", OVER)
    new = _take(shared, "b")
    assert old is not None
    assert new is not None

    with shared.begin() as tx:
        tx.drop_lease(old)
    assert _take(shared, "c") is None
    with shared.begin() as tx:
        tx.drop_lease(new)
    assert _take(shared, "c") == Lease("file/x", "c", 1)


def test_leases_of_organizations_are_apart(url: str, shared: Store) -> None:
    with open_store(url, organization="other") as other:
        assert _take(shared, "a") is not None
        assert _take(other, "b") is not None

    assert sorted(lease_holders(url, "file/")) == ["a", "b"]
    assert lease_holders(url, "engine/") == []


def test_one_of_many_gets_it(shared: Store) -> None:
    taken: list[Lease | None] = []
    threads = [threading.Thread(target=lambda n=n: taken.append(_take(shared, str(n)))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len([lease for lease in taken if lease is not None]) == 1
