"""What a simulator wrote can be taken away; what was measured cannot."""

from sereno.store import Store, WatchState
from tests.store.builders import (
    NOW,
    PUMP,
    ROOF,
    a_batch,
    a_detection,
    an_event,
    append,
    asset_id,
    query,
    stored,
)


def test_trim_deletes_the_oldest_simulated_rows(store: Store) -> None:
    append(store, a_batch([[i, i] for i in range(10)]), is_simulated=True)
    append(store, a_batch([[i, i] for i in range(3)], key=PUMP))

    with store.begin() as tx:
        n_deleted = tx.trim("solar", keep_rows=4)

    assert n_deleted == 6
    assert stored(store, ROOF).values[:, 0].tolist() == [6, 7, 8, 9]
    assert len(stored(store, PUMP)) == 3


def test_trim_does_nothing_when_there_is_room(store: Store) -> None:
    append(store, a_batch([[1, 1]]), is_simulated=True)

    with store.begin() as tx:
        assert tx.trim("solar", keep_rows=5) == 0
        assert tx.trim("gas", keep_rows=0) == 0


def test_reset_deletes_what_was_simulated_and_nothing_else(store: Store, database_url: str) -> None:
    append(store, a_batch([[1, 1], [2, 2]]), is_simulated=True)
    append(store, a_batch([[9, 2]]), is_simulated=True)
    append(store, a_batch([[3, 3]], key=PUMP))
    for key, name in ((ROOF, "simulated"), (PUMP, "measured")):
        which = asset_id(store, key)
        with store.begin() as tx:
            tx.save_detection(which, a_detection())
            tx.open_incident(f"incident-{name}", f"group-{name}", which, an_event())
            tx.save_watch_state(which, "judge", WatchState(NOW, b"x", ""))
            tx.save_checkpoints(which, "judge", [WatchState(NOW, b"x", "")])

    with store.begin() as tx:
        assert tx.reset_simulated() == 2

    with store.read() as tx:
        assert [incident.id for incident in tx.incidents()] == ["incident-measured"]
        assert tx.n_rows() == 1
    for table in ("detection", "watch_state", "watch_checkpoint", "incident_event"):
        assert len(query(database_url, f"SELECT 1 AS one FROM {table}")) == 1
    assert query(database_url, "SELECT 1 AS one FROM superseded_reading") == []


def test_simulated_value_never_touches_a_measured_row(store: Store) -> None:
    append(store, a_batch([[1, 1]]))

    result = append(store, a_batch([[5, 5], [6, 6]]), is_simulated=True)

    assert (result.n_new, result.n_changed) == (2, 0)
    assert stored(store).values.tolist() == [[1, 1], [6, 6]]
    with store.begin() as tx:
        assert not tx.assets()[0].is_simulated
        assert tx.reset_simulated() == 1


def test_asset_is_simulated_until_something_is_measured(store: Store) -> None:
    append(store, a_batch([[1, 1]]), is_simulated=True)
    with store.read() as tx:
        assert tx.assets()[0].is_simulated

    append(store, a_batch([[2, 1]]))

    with store.begin() as tx:
        assert not tx.assets()[0].is_simulated
        assert tx.reset_simulated() == 0
