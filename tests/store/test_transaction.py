"""What was acknowledged is stored; what was not leaves no trace."""

import subprocess
import sys
import threading

import pytest

from sereno.domain.errors import DiskFull, StoreError
from sereno.store import Store, open_store
from tests.store.builders import NOW, PROCESS, ROOF, SOLAR, a_batch, append, query, stored

TABLES = {"sqlite": "SELECT name FROM sqlite_master", "postgresql": "SELECT tablename AS name FROM pg_tables"}


def test_nothing_is_left_when_an_exception_leaves_the_transaction(store: Store, database_url: str) -> None:
    def fail_half_way() -> None:
        with store.begin() as tx:
            ids = tx.ensure_assets([ROOF], profile="solar", zone="UTC")
            tx.append(a_batch([[1, 2]]), SOLAR, ids, at=NOW)
            tx.add_metric(1, 0, 0.0, "Normal", NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()

    with store.read() as tx:
        assert (tx.assets(), tx.metrics(), tx.n_rows()) == ([], [], 0)
    tables = query(database_url, TABLES[database_url.partition(":")[0]])
    assert "reading_solar" not in {row["name"] for row in tables}
    assert append(store, a_batch([[1, 2]])).n_new == 2


@pytest.mark.parametrize("error", [FileNotFoundError("no.csv"), KeyboardInterrupt(), KeyError("x")])
def test_failures_of_others_are_not_the_store_s(store: Store, error: BaseException) -> None:
    def fail() -> None:
        with store.begin():
            raise error

    with pytest.raises(type(error)):
        fail()


def test_reading_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError), store.read() as tx:
        tx.add_metric(1, 0, 0.0, "Normal", NOW)

    with store.begin() as tx:
        tx.add_metric(1, 0, 0.0, "Normal", NOW)


def test_reader_sees_a_snapshot_while_others_write(store: Store) -> None:
    append(store, a_batch([[1, 1]]))

    with store.read() as tx:
        before = tx.n_rows()
        append(store, a_batch([[2, 2]], rows=[1]))
        assert tx.n_rows() == before == 1

    with store.read() as tx:
        assert tx.n_rows() == 2


def test_writers_wait_for_each_other(store: Store) -> None:
    def add() -> None:
        for _ in range(5):
            with store.begin() as tx:
                tx.add_metric(len(tx.metrics()), 0, 0.0, "Normal", NOW)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with store.read() as tx:
        assert len(tx.metrics()) == 15


def test_disk_full_leaves_nothing_half_written(sqlite_url: str) -> None:
    big = a_batch([[i, i] for i in range(20_000)], rows=range(10, 20_010))
    with open_store(sqlite_url) as store:
        append(store, a_batch([[1, 2]]))
        with store.begin() as tx:
            tx._connection.exec_driver_sql("PRAGMA max_page_count=80")

        with pytest.raises(DiskFull) as caught:
            append(store, big)

        assert caught.value.exit_code == 5
        assert stored(store).values.tolist() == [[1, 2]]
    assert query(sqlite_url, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    with open_store(sqlite_url) as store:
        assert append(store, big).n_new == 40_000


CHILD = """
import sys, time
from sereno.store import open_store
from tests.store.builders import *
store = open_store(sys.argv[1])
with store.begin() as tx:
    ids = tx.ensure_assets([ROOF], profile="solar", zone="UTC")
    tx.append(a_batch([[9, 9]] * 30_000), SOLAR, ids, at=NOW)
    ids = tx.ensure_assets([ROOF], profile="process", zone="UTC")
    tx.append(a_batch([[9]], signals=["new"]), PROCESS, ids, at=NOW)
    print("written", flush=True)
    time.sleep(60)
"""


def test_killed_writer_leaves_a_consistent_store(database_url: str) -> None:
    with open_store(database_url) as before:
        append(before, a_batch([[1, 2]]))
    command = [sys.executable, "-c", CHILD, database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        child.kill()

    with open_store(database_url) as after:
        assert stored(after).values.tolist() == [[1, 2]]
        assert append(after, a_batch([[1, 2], [3, 4]])).n_new == 2
        assert append(after, a_batch([[1]], signals=["new"]), PROCESS).n_new == 1


def test_store_is_durable_when_embedded(sqlite_url: str) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}

    with open_store(sqlite_url) as store, store.begin() as tx:
        found = {name: tx._connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}

    assert found == wanted
