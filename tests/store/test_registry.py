"""The log of versions is only ever added to."""

import pytest

from sereno.domain.registry import RegistryEntry, RegistryEvent
from sereno.store import Store
from tests.store.builders import NOW, a_card, query

LINE = RegistryEntry("solar", "solar-1", RegistryEvent.SHADOW, NOW, "ana", "why not", {"days": 3})


def test_what_became_of_models_is_kept_in_order(store: Store) -> None:
    with store.begin() as tx:
        tx.save_model(a_card(), "models/a")
        tx.add_registry_entry(LINE)
    with store.read() as tx:
        told, others = tx.registry("solar"), tx.registry("gas")

    assert [one.event for one in told] == [RegistryEvent.LEARNT, RegistryEvent.SHADOW]
    assert told[-1] == LINE
    assert told[0].facts["digest"] == a_card().digest
    assert others == []


@pytest.mark.parametrize(
    "statement", ["DELETE FROM registry_entry", "UPDATE registry_entry SET event = 'rejected'"]
)
def test_nobody_takes_an_entry_back(store: Store, database_url: str, statement: str) -> None:
    with store.begin() as tx:
        tx.add_registry_entry(LINE)

    with pytest.raises(Exception, match="append-only"):
        query(database_url, statement)

    with store.read() as tx:
        assert tx.registry() == [LINE]
