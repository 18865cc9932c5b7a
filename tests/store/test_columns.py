"""Reading tables grow with the names that files bring."""

import numpy as np
import pytest

from sereno.domain.errors import StoreError
from sereno.store import Store, open_store
from sereno.store.columns import MAX_SIGNALS
from tests.store.builders import NAN, PROCESS, a_batch, append, query, stored

HOSTILE = [
    'a"; DROP TABLE asset; --',
    "x" * 200,
    "x" * 199 + "y",
    "Temperatura (°C)",
    "Temperatura [C]",
    "asset_id",
    "ts",
    "simulated",
    "select",
    "1st",
    "ñandú",
    "nandu",
    "流量",
    "__q",
    "",
    "a b",
    "a_b",
    "%s ? :name {0}",
]


def test_unknown_columns_widen_the_table(store: Store) -> None:
    append(store, a_batch([[1], [2]], signals=["flow"]), PROCESS)

    append(store, a_batch([[5, 6]], rows=[1], signals=["level", "flow"]), PROCESS)

    found = stored(store, profile="process")
    assert found.signals == ("flow", "level")
    np.testing.assert_array_equal(found.values, [[1, NAN], [6, 5]])


def test_any_name_becomes_a_column_of_its_own(store: Store, database_url: str) -> None:
    values = [[float(i) for i in range(len(HOSTILE))]]

    append(store, a_batch(values, signals=HOSTILE), PROCESS)
    append(store, a_batch(values, signals=HOSTILE), PROCESS)

    found = stored(store, profile="process")
    assert found.signals == tuple(HOSTILE)
    assert found.values.tolist() == values
    columns = query(database_url, "SELECT column_name FROM signal_column")
    assert all(str(row["column_name"]).isascii() and len(str(row["column_name"])) <= 60 for row in columns)


def test_name_with_nul_and_surrogates_is_found_again(store: Store) -> None:
    batch = a_batch([[1.0, 2.0]], signals=["a\0b", "bad\udce9"])

    append(store, batch, PROCESS)

    assert append(store, batch, PROCESS).n_new == 0
    assert len(stored(store, profile="process").signals) == 2


def test_wide_table_is_stored_when_it_has_hundreds_of_signals(store: Store) -> None:
    names = [f"sensor {i}" for i in range(600)]
    batch = a_batch(np.arange(1200.0).reshape(2, 600).tolist(), signals=names)

    append(store, batch, PROCESS)

    np.testing.assert_array_equal(stored(store, profile="process").values, batch.values)


def test_too_many_signals_are_refused_and_nothing_is_left(store: Store) -> None:
    names = [f"s{i}" for i in range(MAX_SIGNALS + 1)]

    with pytest.raises(StoreError, match="Split the file"):
        append(store, a_batch([[1.0] * len(names)], signals=names), PROCESS)

    with store.read() as tx:
        assert tx.assets() == []


def test_organizations_name_their_signals_apart(store: Store, database_url: str) -> None:
    append(store, a_batch([[1.0]], signals=["Caudal 1"]), PROCESS)

    with open_store(database_url, organization="other") as other:
        append(other, a_batch([[2.0, 3.0]], signals=["caudal-1", "own"]), PROCESS)
        assert stored(other, profile="process").signals == ("caudal-1", "own")
        assert stored(other, profile="process").values.tolist() == [[2.0, 3.0]]

    assert stored(store, profile="process").signals == ("Caudal 1",)
    assert stored(store, profile="process").values.tolist() == [[1.0]]
