"""Changes of regime: kept in time order, forgotten from an instant on."""

import pytest

from sereno.domain.errors import NotFound
from sereno.domain.judgement import RegimeChange
from sereno.store import Store, open_store
from tests.store.builders import PUMP, ROOF, START, STEP, a_batch, append, asset_id

CHANGES = [
    RegimeChange(ROOF, signal, START + row * STEP, 30.0, 0.5)
    for row, signal in ((1, "consumption"), (1, "generation"), (4, "generation"))
]


def _told(store: Store) -> list[RegimeChange]:
    which = asset_id(store)
    with store.read() as tx:
        return tx.regime_changes(which)


@pytest.fixture
def which(store: Store) -> int:
    which = asset_id(store)
    with store.begin() as tx:
        tx.add_regime_changes({which: CHANGES[::-1]})
    return which


def test_changes_come_back_in_time_order(store: Store, which: int) -> None:
    assert _told(store) == CHANGES
    with store.read() as tx:
        assert tx.regime_changes(which, since=START + 4 * STEP) == CHANGES[2:]


def test_changes_after_an_instant_are_forgotten(store: Store, which: int) -> None:
    with store.begin() as tx:
        tx.drop_regime_changes({which: START + STEP})
    assert _told(store) == CHANGES[:2]

    with store.begin() as tx:
        tx.drop_regime_changes({which: None})
    assert _told(store) == []


def test_changes_of_another_organization_are_not_seen(database_url: str, store: Store, which: int) -> None:
    with open_store(database_url, organization="other") as other, other.begin() as tx:
        with pytest.raises(NotFound):
            tx.regime_changes(which)
        with pytest.raises(NotFound):
            tx.drop_regime_changes({which: None})


def test_reset_of_simulated_readings_takes_their_changes_along(store: Store, which: int) -> None:
    append(store, a_batch([[1, 1]]), is_simulated=True)
    append(store, a_batch([[3, 3]], key=PUMP))
    pump = asset_id(store, PUMP)
    with store.begin() as tx:
        tx.add_regime_changes({pump: CHANGES[:1]})
        tx.reset_simulated()

    with store.read() as tx:
        assert tx.regime_changes(which) == []
        assert [one.asset for one in tx.regime_changes(pump)] == [PUMP]
