"""Readings on PostgreSQL lie in parts by month."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.readings import Readings
from sereno.store import Store, open_store
from sereno.store.months import months_of, part_name
from sereno.store.opening import migrate_store
from sereno.store.snapshot import fill_store, take_snapshot
from tests.store.builders import NOW, a_batch, append, query, stored
from tests.support.older import write_older_store
from tests.support.postgres import fresh_database

BEFORE_PARTS = 17
PARTS = (
    "SELECT relname, pg_get_expr(relpartbound, pg_class.oid) AS bounds FROM pg_inherits "
    "JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'reading_solar'::regclass ORDER BY relname"
)


def _at(*instants: str) -> Readings:
    """A row at each instant, whose value is its place."""
    batch = a_batch([[float(place), 0.0] for place in range(len(instants))])
    return Readings(
        profile=batch.profile,
        assets=batch.assets,
        asset_index=batch.asset_index,
        time=np.array(instants, dtype="datetime64[us]"),
        signals=batch.signals,
        values=batch.values,
        quality=batch.quality,
    )


def _parts(url: str) -> list[str]:
    return [str(row["relname"]).removeprefix("reading_solar_") for row in query(url, PARTS)]


def _values(store: Store) -> list[float]:
    return stored(store).values[:, 0].tolist()


def test_each_month_has_a_part_and_time_outside_the_calendar_shares_two(url: str, shared: Store) -> None:
    append(
        shared,
        _at("1970-01-01", "1999-12-31T23:59", "2025-01-31T23:59", "2025-02-01", "2025-02-28", "2199-01-01"),
    )

    assert _parts(url) == ["2025_01", "2025_02", "2100_01", "early"]
    assert _values(shared) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("instants", "months"),
    [
        (["2024-12-31T23:59:59.999999", "2025-01-01"], [(2024, 12), (2025, 1)]),
        (["1600-01-01", "1999-12-31"], [(1999, 12)]),
        (["2100-01-01", "2262-01-01"], [(2100, 1)]),
        ([], []),
    ],
)
def test_months_of_instants(instants: Sequence[str], months: list[tuple[int, int]]) -> None:
    found = months_of(np.array(instants, dtype="datetime64[us]"))

    assert [(one.year, one.month) for one in found] == months


def test_what_is_too_old_goes_by_the_part_and_the_rest_by_the_row(url: str, shared: Store) -> None:
    append(shared, _at("2024-11-05", "2024-12-05", "2025-01-05", "2025-01-20", "2025-02-01"))
    with shared.begin() as tx:
        counts = tx.retain({"readings": datetime(2025, 1, 10, tzinfo=UTC)}, {}, at=NOW, actor="x")

    assert counts["reading_solar"] == 3
    assert _parts(url) == ["2025_01", "2025_02"]
    assert _values(shared) == [3, 4]


def test_what_is_too_old_goes_by_the_row_while_somebody_reads(url: str, shared: Store) -> None:
    append(shared, _at("2024-11-05", "2025-01-20"))
    with shared.read() as reading, open_store(url) as other:
        assert reading.n_rows() == 2
        with other.begin() as tx:
            counts = tx.retain({"readings": datetime(2025, 1, 10, tzinfo=UTC)}, {}, at=NOW, actor="x")

    assert counts["reading_solar"] == 1
    assert _parts(url) == ["2024_11", "2025_01"]
    assert _values(shared) == [1]


@pytest.mark.parametrize("wild", ["1970-01-01", "2150-01-01"])
def test_a_store_of_before_with_a_wrong_clock_comes_back_whole(
    url: str, shared: Store, postgres_server: str, tmp_path: Path, wild: str
) -> None:
    append(shared, _at(wild, "2024-11-05", "2025-01-05"))
    with fresh_database(postgres_server) as old, fresh_database(postgres_server) as again:
        write_older_store(url, old, BEFORE_PARTS)
        migrate_store(old)
        fill_store(again, tmp_path, take_snapshot(old, tmp_path))
        with open_store(again) as store:
            assert sorted(_values(store)) == [0, 1, 2]


def test_a_reader_that_takes_long_keeps_nobody_from_a_new_month(url: str, shared: Store) -> None:
    append(shared, _at("2025-01-05"))
    with shared.read() as tx, open_store(url) as other:
        assert tx.n_rows() == 1
        query(url, "SET lock_timeout = '5s'")
        append(other, _at("2025-02-05"))

        assert _values(other) == [0, 0]


def test_two_writers_of_a_new_month_make_one_part(url: str, shared: Store) -> None:
    append(shared, _at("2025-01-05"))
    both = threading.Barrier(2, timeout=60)

    def write(day: int) -> None:
        with open_store(url) as store:
            both.wait(30)
            append(store, _at(f"2025-03-{day:02d}"))

    with ThreadPoolExecutor(2) as writers:
        list(writers.map(write, (3, 4)))

    assert _parts(url) == ["2025_01", "2025_03"]
    assert len(_values(shared)) == 3


def test_a_copy_comes_back_in_the_same_parts(
    url: str, shared: Store, postgres_server: str, tmp_path: Path
) -> None:
    append(shared, _at("1980-01-05", "2024-12-05", "2025-02-05"))
    snapshot = take_snapshot(url, tmp_path)
    with fresh_database(postgres_server) as again:
        fill_store(again, tmp_path, type(snapshot).from_json(snapshot.to_json()))
        with open_store(again) as store:
            append(store, _at("2025-03-05"))

            assert _values(store) == [0, 1, 2, 0]
        assert _parts(again) == ["2024_12", "2025_02", "2025_03", "early"]


def test_a_store_of_before_keeps_its_rows_in_one_part_and_goes_on(
    url: str, shared: Store, postgres_server: str, tmp_path: Path
) -> None:
    append(shared, _at("2024-11-05", "2025-01-05"))
    with fresh_database(postgres_server) as old:
        write_older_store(url, old, BEFORE_PARTS)
        copied = take_snapshot(old, tmp_path)
        migrate_store(old)
        with open_store(old) as store:
            append(store, _at("2024-10-05", "2024-12-05", "2025-02-05"))

            assert _values(store) == [0, 0, 1, 1, 2]
        assert _parts(old) == ["2024_10", "2025_02", "before"]
        (before,) = (row["bounds"] for row in query(old, PARTS) if row["relname"] == "reading_solar_before")
        assert "2024-11-01" in str(before)
        assert "2025-02-01" in str(before)
    with fresh_database(postgres_server) as again:
        said = {name: value for name, value in copied.to_json().items() if name != "months"}
        fill_store(again, tmp_path, type(copied).from_json(said))
        with open_store(again) as store:
            assert _values(store) == [0, 1]
        assert _parts(again) == ["before"]


def test_an_empty_table_of_before_is_divided_too(url: str, shared: Store, postgres_server: str) -> None:
    append(shared, _at("2025-01-05"))
    query(url, "DELETE FROM reading_solar")
    with fresh_database(postgres_server) as old:
        write_older_store(url, old, BEFORE_PARTS)
        migrate_store(old)
        with open_store(old) as store:
            append(store, _at("2025-01-05"))

            assert _values(store) == [0]
        assert _parts(old) == ["2025_01"]


def test_long_names_of_tables_have_parts_of_their_own() -> None:
    month = datetime(2025, 1, 1, tzinfo=UTC)
    names = {part_name(f"reading_{'x' * 60}{tail}", month) for tail in ("a", "b")}

    assert len(names) == 2
    assert all(len(name) <= 63 for name in names)
