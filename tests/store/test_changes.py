"""What changed is told in the order in which it became true, once, and to nobody else."""

import threading

import pytest

from sereno.domain.changes import Change, ChangeKind
from sereno.store import Store, open_store
from sereno.store import changes as change_module
from tests.store.builders import PUMP, ROOF, a_batch, a_detection, an_event, append


def told(store: Store, after: int = 0) -> list[Change]:
    """What changed after a change."""
    with store.read() as tx:
        return tx.changes(after, limit=1000)


def test_readings_tell_their_site_and_how_far_they_go(store: Store) -> None:
    append(store, a_batch([[1, 2], [3, 4]]))

    (one,) = told(store)

    assert (one.kind, one.subject) == (ChangeKind.READINGS, "Planta_10")
    assert one.facts == {"site": "Planta_10", "until": "2025-01-01T00:15:00Z"}


def test_readings_that_are_there_tell_nothing(store: Store) -> None:
    append(store, a_batch([[1, 2]]))
    before = told(store)

    append(store, a_batch([[1, 2]]))

    assert told(store) == before


def test_only_the_last_news_of_readings_is_kept(store: Store) -> None:
    for row in range(3):
        append(store, a_batch([[row, row]], rows=[row]))

    (one,) = told(store)

    assert one.facts["until"] == "2025-01-01T00:30:00Z"


def test_each_event_of_an_incident_is_told(store: Store) -> None:
    with store.begin() as tx:
        ids = tx.ensure_assets([ROOF], profile="solar", zone="UTC")
        tx.open_incident("abcdef01", "g", ids[ROOF], an_event())

    (one,) = told(store)

    assert (one.kind, one.subject) == (ChangeKind.INCIDENT, "abcdef01")
    assert (one.facts["event"], one.facts["state"]) == ("opened", "new")


def test_what_is_undone_is_not_told(store: Store) -> None:
    def fail() -> None:
        with store.begin() as tx:
            tx.note(ChangeKind.SILENCE, "x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert told(store) == []


def test_another_organization_hears_nothing(database_url: str) -> None:
    with open_store(database_url) as mine, open_store(database_url, organization="other") as other:
        append(mine, a_batch([[1, 2]]))

        assert told(other) == []
        with other.read() as tx:
            assert tx.last_change() == 0


def test_who_goes_on_after_the_last_id_misses_none_of_many_writers(store: Store) -> None:
    writers, each = 6, 15
    seen: list[Change] = []

    def write(number: int) -> None:
        for count in range(each):
            with store.begin() as tx:
                tx.note(ChangeKind.SILENCE, f"{number}/{count}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen += told(store, seen[-1].id if seen else 0)
    seen += told(store, seen[-1].id if seen else 0)

    assert len({one.subject for one in seen}) == len(seen) == writers * each


def test_what_was_forgotten_cannot_be_gone_on_after(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_module, "KEPT", 10)
    monkeypatch.setattr(change_module, "PRUNED_EVERY", 5)
    for number in range(30):
        with store.begin() as tx:
            tx.note(ChangeKind.SILENCE, str(number))

    left = told(store)

    assert len(left) <= 15
    with store.read() as tx:
        assert tx.is_change_known(left[-1].id)
        assert not tx.is_change_known(left[0].id - 10)
        assert not tx.is_change_known(left[-1].id + 1)


def test_judging_tells_the_site(store: Store) -> None:
    with store.begin() as tx:
        ids = tx.ensure_assets([PUMP], profile="motor", zone="UTC")
        tx.save_detection(ids[PUMP], a_detection(asset=PUMP))

    assert [(one.kind, one.subject) for one in told(store)] == [(ChangeKind.DETECTIONS, "Bombeo")]
