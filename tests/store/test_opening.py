"""Opening a store: created, brought up to date, refused, unreachable."""

import gc
import hashlib
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url
from sqlalchemy.pool import QueuePool

from sereno.domain.errors import DiskFull, StoreError, StoreNewer, StoreUnreachable
from sereno.store import migrate as migrate_module
from sereno.store import open_store
from sereno.store.failures import FailureTranslator
from sereno.store.migrate import SCHEMA
from sereno.store.schema import metadata
from tests.store.builders import a_batch, append, query, stored


def test_store_is_created_where_there_is_none(empty_database_url: str) -> None:
    with open_store(empty_database_url) as store:
        append(store, a_batch([[1, 2]]))

    with open_store(empty_database_url) as store:
        assert len(stored(store)) == 1


def test_migrations_make_the_tables_that_the_code_uses(database_url: str) -> None:
    with open_store(database_url) as store, store.begin() as tx:
        found = compare_metadata(MigrationContext.configure(tx._connection), metadata)

    assert found == []


def test_last_migration_is_the_one_the_code_knows() -> None:
    scripts = ScriptDirectory(str(Path(migrate_module.__file__).parent / "migrations"))

    assert scripts.get_current_head() == f"{SCHEMA:04d}"


def test_stores_opened_at_once_are_created_once(empty_database_url: str) -> None:
    def add(number: int) -> None:
        with open_store(empty_database_url) as store:
            append(store, a_batch([[number, number]], rows=[number]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))

    with open_store(empty_database_url) as store:
        assert len(stored(store)) == 4


def test_closed_store_refuses_what_comes_late(database_url: str) -> None:
    store = open_store(database_url)
    store.close()

    for use in (store.begin, store.read):
        with pytest.raises(StoreError) as refused, use():
            pytest.fail("a closed store was opened again")
        assert refused.value.facts["detail"] == "it has been closed"
    with pytest.raises(StoreError):
        store.find_key("0123456789abcdef")


def test_store_that_nobody_closes_is_closed_with_its_last_reference(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'sereno.db'}")
    with store.read():
        pool = store._engine.pool

    assert isinstance(pool, QueuePool)
    assert pool.checkedin() == 1
    del store
    gc.collect()

    assert (pool.checkedin(), pool.checkedout()) == (0, 0)


def test_store_whose_mode_somebody_else_is_changing_is_waited_for(tmp_path: Path) -> None:
    """SQLite itself does not wait there, whatever its busy timeout."""
    path = tmp_path / "sereno.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.rollback)
    release.start()

    with open_store(f"sqlite:///{path}") as store:
        append(store, a_batch([[1, 2]]))

    release.join()
    other.close()


@pytest.mark.parametrize("version", [f"{SCHEMA + 1:04d}", "9999", "from_the_future"])
def test_newer_store_is_refused_and_stays_byte_identical(tmp_path: Path, version: str) -> None:
    path = tmp_path / "sereno.db"
    open_store(f"sqlite:///{path}").close()
    query(f"sqlite:///{path}", f"UPDATE alembic_version SET version_num = '{version}'")
    before = hashlib.sha256(path.read_bytes()).hexdigest()

    with pytest.raises(StoreNewer) as caught:
        open_store(f"sqlite:///{path}")

    assert caught.value.facts["found"] == version
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_newer_store_is_refused_on_a_server(database_url: str) -> None:
    query(database_url, "UPDATE alembic_version SET version_num = '0999'")

    with pytest.raises(StoreNewer):
        open_store(database_url)


def test_file_that_is_no_store_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "sereno.db"
    path.write_bytes(b"Fecha;Consumo\n" * 200)

    with pytest.raises(StoreError):
        open_store(f"sqlite:///{path}")

    assert path.read_bytes() == b"Fecha;Consumo\n" * 200


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana:s3cret@127.0.0.1:1/sereno",
        "postgres://ana:s3cret@127.0.0.1:1/sereno?connect_timeout=2",
        "sqlite:////proc/no/such/folder/sereno.db",
    ],
)
def test_unreachable_store_says_so_without_its_password(url: str) -> None:
    with pytest.raises(StoreUnreachable) as caught:
        open_store(url)

    assert caught.value.is_retriable
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mysql://root:s3cret@host/db", "sereno.db", "", "postgresql://a:s3cret@h:port/x"]
)
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(url)

    assert "s3cret" not in str(caught.value)


def test_missing_driver_says_what_to_install() -> None:
    failures = FailureTranslator(make_url("postgresql://ana:s3cret@host/sereno"))

    with pytest.raises(StoreError, match=r"sereno\[postgres\]"), failures.guard(ModuleNotFoundError):
        raise ModuleNotFoundError("No module named 'psycopg'")


@pytest.mark.parametrize(
    ("sqlstate", "wanted"), [("53100", DiskFull), ("57P01", StoreUnreachable), ("08006", StoreUnreachable)]
)
def test_server_s_failure_is_named_by_its_state(sqlstate: str, wanted: type[StoreError]) -> None:
    error = RuntimeError("the password s3cret is wrong")
    error.sqlstate = sqlstate  # type: ignore[attr-defined]

    found = FailureTranslator(make_url("postgresql://ana:s3cret@host/sereno")).translate(error)

    assert type(found) is wanted
    assert "s3cret" not in str(found)


def test_password_is_hidden(database_url: str) -> None:
    with open_store(database_url.replace("sereno@", "sereno:s3cret@")) as store:
        assert "s3cret" not in repr(store) + store.url


def test_driver_of_the_server_is_not_loaded_when_embedded(tmp_path: Path) -> None:
    code = (
        "import sys; from sereno.store import open_store; open_store(sys.argv[1]).close();"
        "open_store(sys.argv[1]).close(); print('psycopg' in sys.modules)"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'sereno.db'}"]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
