"""The inbox: kept once, drained in order, pruned; cursors beside it."""

from sereno.contracts.source import Item
from sereno.store import SourceState, Store
from tests.store.builders import NOW


def _keep(store: Store, *keys: str, source: str = "mqtt", is_fresh: bool = False, reason: str = "") -> None:
    items = [Item(key, f"{key}!".encode(), is_fresh=is_fresh, reason=reason) for key in keys]
    with store.begin() as tx:
        tx.add_items(source, items, at=NOW)


def _waiting(store: Store, source: str = "mqtt") -> list[str]:
    with store.read() as tx:
        return [item.payload.decode() for item in tx.waiting_items(source, limit=100)]


def test_items_are_kept_once_in_their_order_and_by_source(store: Store) -> None:
    _keep(store, "b", "a")
    _keep(store, "a", "c")
    _keep(store, "a", source="other")

    assert _waiting(store) == ["b!", "a!", "c!"]
    assert _waiting(store, "other") == ["a!"]


def test_what_is_new_under_a_known_key_is_kept_beside_the_old(store: Store) -> None:
    _keep(store, "a")
    _keep(store, "a", is_fresh=True)
    _keep(store, "a")

    assert _waiting(store) == ["a!", "a!"]


def test_settled_items_wait_no_more(store: Store) -> None:
    _keep(store, "a", "b", "c")
    _keep(store, "d", reason="too large")
    with store.begin() as tx:
        first, second, _ = tx.waiting_items("mqtt", limit=9)
        assert [tx.note_attempt("mqtt", second.id) for _ in range(2)] == [1, 2]
        tx.settle_items("mqtt", [first.id], {second.id: "why " * 1_000})

    with store.read() as tx:
        (waiting,) = tx.waiting_items("mqtt", limit=9)
        aside = tx.quarantined_items("mqtt", limit=9)
        assert tx.count_items("mqtt") == {"new": 1, "done": 1, "quarantined": 2}
    assert waiting.key == "c"
    assert [one.error[:9] for one in aside] == ["why why w", "too large"]
    assert aside[0].attempts == 2


def test_pruning_keeps_the_newest_and_all_that_is_not_judged(store: Store) -> None:
    _keep(store, *"abcdefgh")
    with store.begin() as tx:
        ids = [item.id for item in tx.waiting_items("mqtt", limit=9)]
        tx.settle_items("mqtt", ids[1:], {ids[1]: "poison"})
        tx.settle_items("mqtt", ids[2:], {})

        assert tx.prune_items("mqtt", keep=3) == 3
        assert tx.prune_items("mqtt", keep=3) == 0
        assert tx.count_items("mqtt") == {"new": 1, "done": 3, "quarantined": 1}


def test_state_of_a_source_keeps_what_is_not_said(store: Store) -> None:
    with store.begin() as tx:
        assert tx.source_state("mqtt") == SourceState()
        tx.save_source_state("mqtt")
        assert tx.source_state("mqtt") == SourceState()
        tx.save_source_state("mqtt", position="7")
        tx.save_source_state("mqtt", heard_at=NOW)
        tx.save_source_state("other", position="8")

        assert tx.source_state("mqtt") == SourceState("7", NOW)
