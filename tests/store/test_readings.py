"""Readings: stored once, compared for ever, never overwritten without a trace."""

import threading
from functools import partial
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sereno.domain.errors import NotFound
from sereno.domain.readings import Quality, Readings
from sereno.domain.signals import AssetKey
from sereno.domain.time import to_numpy
from sereno.store import FoundFlags, Store, open_store
from tests.store.builders import (
    NAN,
    PUMP,
    ROOF,
    SOLAR,
    START,
    STEP,
    a_batch,
    append,
    asset_id,
    query,
    stored,
)


def test_rows_come_back_as_they_were_when_stored(store: Store) -> None:
    batch = a_batch(
        [[1.0, 2.5], [NAN, 1e-300], [float("inf"), 0.1 + 0.2]], quality=[[0, 2], [1, 0], [4, 128]]
    )

    append(store, batch)

    found = stored(store)
    assert found.signals == SOLAR.signal_names
    np.testing.assert_array_equal(found.time, batch.time)
    np.testing.assert_array_equal(found.values, batch.values)
    np.testing.assert_array_equal(found.quality, batch.quality)
    assert found.time.dtype == np.dtype("datetime64[us]")
    assert found.quality.dtype == np.int32


def test_append_counts_new_values_when_first_seen(store: Store) -> None:
    result = append(store, a_batch([[1, 2], [3, NAN]]))

    assert (result.n_new, result.n_changed) == (3, 0)
    assert result.first_touched == {ROOF: to_numpy(START)}


def test_append_changes_nothing_when_repeated(store: Store, database_url: str) -> None:
    batch = a_batch([[1, 2], [3, NAN]], quality=[[0, 0], [0, 1]])
    append(store, batch)
    before = query(database_url, "SELECT * FROM reading_solar ORDER BY asset_id, ts")

    result = append(store, batch)

    assert (result.n_new, result.n_changed, dict(result.first_touched)) == (0, 0, {})
    assert query(database_url, "SELECT * FROM reading_solar ORDER BY asset_id, ts") == before


def test_changed_value_raises_revision_and_keeps_the_old_one(store: Store, database_url: str) -> None:
    append(store, a_batch([[1, 2], [3, 4]], quality=[[0, 0], [0, 8]]))

    result = append(store, a_batch([[1, 2], [3, 5]]))

    assert (result.n_new, result.n_changed) == (0, 1)
    assert result.first_touched == {ROOF: to_numpy(START + STEP)}
    assert stored(store).values.tolist() == [[1, 2], [3, 5]]
    assert [
        row["revision"] for row in query(database_url, "SELECT revision FROM reading_solar ORDER BY ts")
    ] == [1, 2]
    (old,) = query(database_url, "SELECT profile, revision FROM superseded_reading")
    assert old == {"profile": "solar", "revision": 1}
    (kept,) = query(
        database_url, 'SELECT CAST("values" AS text) AS v, CAST(quality AS text) AS q FROM superseded_reading'
    )
    assert "4.0" in str(kept["v"]) or '"consumption": 4' in str(kept["v"])
    assert "8" in str(kept["q"])


def test_absent_value_does_not_erase_a_stored_one(store: Store) -> None:
    append(store, a_batch([[1, 2]]))

    result = append(store, a_batch([[NAN, NAN]]))

    assert result.n_changed == 0
    assert stored(store).values.tolist() == [[1, 2]]


def test_quality_flags_add_up_and_missing_goes_when_the_value_comes(store: Store) -> None:
    append(store, a_batch([[NAN, 2]], quality=[[1, 2]]))

    append(store, a_batch([[5, 2]], quality=[[0, 8]]))

    assert stored(store).quality.tolist() == [[0, 10]]


def test_last_value_wins_when_a_batch_repeats_an_instant(store: Store) -> None:
    result = append(
        store, a_batch([[1, 9], [2, NAN], [3, 3]], rows=[0, 0, 1], quality=[[2, 0], [4, 0], [0, 0]])
    )

    assert result.n_new == 4
    found = stored(store)
    assert found.values.tolist() == [[2, 9], [3, 3]]
    assert found.quality.tolist() == [[6, 0], [0, 0]]


def test_append_splits_a_batch_of_many_assets(store: Store) -> None:
    keys = tuple(AssetKey(f"S{i}", "meter") for i in range(5))
    index = np.array([4, 0, 2, 2, 0], dtype=np.int32)
    batch = Readings(
        profile="solar",
        assets=keys,
        asset_index=index,
        time=to_numpy(START) + np.array([3, 1, 2, 0, 0]) * np.timedelta64(1, "h"),
        signals=("generation",),
        values=np.arange(5.0)[:, None],
        quality=np.zeros((5, 1), np.int32),
    )

    result = append(store, batch)

    assert set(result.first_touched) == {keys[0], keys[2], keys[4]}
    assert stored(store, keys[2]).values[:, 0].tolist() == [3.0, 2.0]
    assert np.isnan(stored(store, keys[2]).values[:, 1]).all()


def test_rows_are_half_open_when_bounded(store: Store) -> None:
    append(store, a_batch([[1, 1], [2, 2], [3, 3], [4, 4]]))
    which = asset_id(store)

    with store.read() as tx:
        found = tx.rows(which, "solar", start=START + STEP, end=START + 3 * STEP)

    assert found.values[:, 0].tolist() == [2, 3]


def test_store_is_empty_when_nothing_was_appended(store: Store) -> None:
    which = asset_id(store)

    with store.read() as tx:
        assert (tx.n_rows(), tx.n_values(), tx.span(which), len(tx.rows(which, "solar"))) == (0, 0, None, 0)


def test_counts_and_span_follow_the_readings(store: Store) -> None:
    append(store, a_batch([[1, 1], [NAN, 2], [NAN, NAN]]))
    which = asset_id(store)

    with store.read() as tx:
        assert (tx.n_rows(), tx.n_values()) == (3, 3)
        assert tx.span(which) == (START, START + 2 * STEP)


def test_empty_batch_is_accepted(store: Store) -> None:
    result = append(store, a_batch([]))

    assert (result.n_new, result.n_changed, dict(result.first_touched)) == (0, 0, {})


def test_wrong_date_does_not_hide_its_neighbours(store: Store) -> None:
    far = [-8_000_000, 0, 1, 3_000_000]
    append(store, a_batch([[i, i] for i in range(4)], rows=far))

    result = append(store, a_batch([[i, i] for i in range(4)], rows=far))

    assert (result.n_new, result.n_changed) == (0, 0)
    assert len(stored(store)) == 4


def test_flags_are_added_to_rows_that_are_there_only(store: Store) -> None:
    append(store, a_batch([[1, 1], [2, 2]]), is_simulated=True)
    which = asset_id(store)
    time = to_numpy(START) + np.array([1, 2]) * np.timedelta64(15, "m")
    flags = np.array([[int(Quality.FROZEN), 0], [int(Quality.FROZEN), 0]], dtype=np.int32)

    with store.begin() as tx:
        n_rows = tx.set_flags("solar", [FoundFlags(which, time, ("generation", "unknown"), flags)])

    assert n_rows == 1
    assert stored(store).quality.tolist() == [[0, 0], [8, 0]]
    with store.read() as tx:
        assert tx.assets()[0].is_simulated


def test_other_organizations_see_nothing(store: Store, database_url: str) -> None:
    append(store, a_batch([[1, 2]], signals=("secret recipe", "b")))
    which = asset_id(store)

    with open_store(database_url, organization="other") as other, other.read() as tx:
        assert (tx.assets(), tx.n_rows(), tx.n_values()) == ([], 0, 0)
        with pytest.raises(NotFound):
            tx.rows(which, "solar")

    with open_store(database_url, organization="other") as other:
        append(other, a_batch([[7, 8]]))
        found = stored(other)
        assert found.signals == SOLAR.signal_names
        assert found.values.tolist() == [[7, 8]]
    assert len(stored(store)) == 1


def test_concurrent_writers_give_the_same_as_one(database_url: str) -> None:
    parts = [a_batch([[i, i] for i in range(40)], rows=range(40)) for _ in range(4)]
    results = []

    def write(batch: Readings) -> None:
        with open_store(database_url) as own:
            for key in (ROOF, PUMP):
                keyed = Readings(
                    **{name: getattr(batch, name) for name in batch.__slots__} | {"assets": (key,)}
                )
                results.append(append(own, keyed))

    threads = [threading.Thread(target=partial(write, part)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(result.n_new for result in results) == 160
    assert sum(result.n_changed for result in results) == 0
    with open_store(database_url) as own:
        assert len(stored(own)) == len(stored(own, PUMP)) == 40


cells = st.one_of(st.just(NAN), st.floats(allow_nan=False, width=64))
tables = st.lists(st.tuples(cells, cells, st.sampled_from([0, 2, 4, 6])), min_size=1, max_size=12)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables, data=st.data())
def test_any_split_and_order_of_batches_gives_the_same_table(
    store: Store, table: list[tuple[float, float, int]], data: st.DataObject
) -> None:
    key = AssetKey("property", uuid4().hex)
    order = data.draw(st.permutations(range(len(table)))) + data.draw(
        st.lists(st.integers(0, len(table) - 1), max_size=5)
    )
    cut = data.draw(st.integers(0, len(order)))

    n_new = 0
    for rows in (order[:cut], order[cut:], order):
        values = [[table[row][0], NAN if row % 2 else table[row][1]] for row in rows]
        batch = a_batch(values, rows=rows, key=key, quality=[[table[row][2], 0] for row in rows])
        n_new += append(store, batch).n_new

    found = stored(store, key)
    wanted = np.array([[a, NAN if row % 2 else b] for row, (a, b, _) in enumerate(table)])
    np.testing.assert_array_equal(found.values, wanted)
    assert found.quality[:, 0].tolist() == [row[2] for row in table]
    assert n_new == np.count_nonzero(~np.isnan(wanted))


def test_instants_beyond_float_precision_survive(store: Store) -> None:
    batch = a_batch([[1, 1]])
    odd = Readings(
        **{name: getattr(batch, name) for name in batch.__slots__}
        | {"time": np.array(["2299-12-31T23:59:59.999999"], dtype="datetime64[us]")}
    )

    append(store, odd)
    append(store, odd)

    assert stored(store).time.tolist() == odd.time.tolist()


def test_every_old_value_is_kept_when_replaced_twice(store: Store, database_url: str) -> None:
    append(store, a_batch([[1, 2]]))
    append(store, a_batch([[2, 2]]))
    append(store, a_batch([[3, 2]]))

    found = query(database_url, "SELECT revision FROM superseded_reading ORDER BY revision")

    assert [row["revision"] for row in found] == [1, 2]
