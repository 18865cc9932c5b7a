"""Organizations see nothing of each other: by every statement, and once more by PostgreSQL itself."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import MetaData, create_engine, inspect, make_url, text

from sereno.domain.errors import SerenoError
from sereno.store import Store, open_store
from sereno.store.schema import metadata
from tests.store.builders import NOW, ROOF, SOLAR, a_batch, append, asset_id, query, stored
from tests.store.neighbours import FIGURE, SECRET, fill, methods, rows_of
from tests.support.postgres import plain_database


def test_no_method_shows_or_changes_anything_of_a_neighbour(store: Store, database_url: str) -> None:
    things = fill(store)
    with open_store(database_url, organization="other") as other:
        append(other, a_batch([[1.0, 2.0]]))
        before = rows_of(database_url, "default")

        seen = []
        for name, method in methods().items():
            positional, named = things.arguments(method)
            try:
                with other.begin() as tx:
                    result = method(tx, *positional, **named)
                    shown = repr(list(result) if isinstance(result, Iterator) else result)
            except SerenoError as error:
                shown = str(error)
            if SECRET in shown or str(FIGURE) in shown:
                seen.append((name, shown[:300]))

        after = rows_of(database_url, "default")

    assert seen == []
    assert {table for table in before if after[table] != before[table]} == set()


def test_the_same_calls_show_and_change_what_is_one_s_own(store: Store, database_url: str) -> None:
    """Otherwise the test above could ask for nothing at all."""
    things = fill(store)
    asked, seen = methods(), set()
    for name, method in asked.items():
        positional, named = things.arguments(method)
        shown = ""
        with suppress(_Undo, SerenoError), store.begin() as tx:
            result = method(tx, *positional, **named)
            shown = repr(list(result) if isinstance(result, Iterator) else result)
            raise _Undo
        if SECRET in shown or str(FIGURE) in shown:
            seen.add(name)

    assert {"rows", "incident", "events", "metrics", "quarantine", "corrections", "keys", "audit"} <= seen
    assert {"delivery_attempts", "notifications", "watch_state", "regime_changes", "silences"} <= seen


class _Undo(Exception):
    pass


def test_incidents_of_the_same_trouble_have_names_of_their_own(store: Store, database_url: str) -> None:
    with open_store(database_url, organization="other") as other, other.read() as theirs, store.read() as tx:
        assert tx.namespace == ""
        assert theirs.namespace != ""


def test_each_organization_has_reading_tables_of_its_own(store: Store, database_url: str) -> None:
    append(store, a_batch([[1.0, 2.0]]))
    with open_store(database_url, organization="other") as other:
        append(other, a_batch([[3.0, 4.0]]))

        assert stored(other).values.tolist() == [[3.0, 4.0]]
    names = [row["table_name"] for row in query(database_url, "SELECT table_name FROM reading_table")]
    assert len(set(names)) == 2


@pytest.fixture
def plain(postgres_server: str) -> Iterator[str]:
    """The address of an empty database whose owner is no superuser."""
    with plain_database(postgres_server) as url:
        yield url


def _counts(url: str, setting: str | None = None) -> dict[str, int]:
    """Rows of each table that plain SQL sees, as the owner of the tables."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            if setting is not None:
                connection.execute(text(f"SET LOCAL sereno.organization = '{setting}'"))
            names = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
            return {
                name: int(connection.execute(text(f'SELECT COUNT(*) FROM "{name}"')).scalar_one())
                for name in names
            }
    finally:
        engine.dispose()


def test_postgres_shows_nothing_without_an_organization(plain: str) -> None:
    with open_store(plain) as store:
        fill(store)

        assert set(_counts(plain).values()) == {0}
        assert set(_counts(plain, "").values()) == {0}
        assert set(_counts(plain, "99").values()) == {0}


def test_postgres_shows_an_organization_its_own_without_any_condition(
    plain: str, postgres_server: str
) -> None:
    with open_store(plain) as store, open_store(plain, organization="other") as other:
        fill(store)
        append(other, a_batch([[1.0, 2.0]]))
        mine, theirs = _counts(plain, "1"), _counts(plain, "2")

    filled = {table for table in metadata.tables if table != "lease"}
    assert {table for table in filled if not mine[table]} == set()
    assert mine["organization"] == theirs["organization"] == 1
    assert (mine["reading_solar"], mine["reading_2_solar"]) == (2, 0)
    assert (theirs["reading_solar"], theirs["reading_2_solar"]) == (0, 1)
    assert {table for table in filled if theirs[table]} == {
        "organization",
        "site",
        "asset",
        "reading_table",
        "signal_column",
        "change",
    }


def test_postgres_refuses_to_write_for_a_neighbour(plain: str) -> None:
    with open_store(plain) as store, open_store(plain, organization="other") as other:
        append(store, a_batch([[1.0, 2.0]]))
        which = asset_id(store)
        with pytest.raises(SerenoError, match="row-level security"), other.begin() as tx:
            tx._connection.execute(
                metadata.tables["metric"].insert(),
                {"organization_id": 1, "total": 1, "abnormal": 0, "status": "x", "at": NOW},
            )
        with pytest.raises(SerenoError, match="row-level security"), other.begin() as tx:
            tx._connection.exec_driver_sql(
                "INSERT INTO reading_solar (asset_id, ts, revision, simulated) "
                f"VALUES ({which}, '2025-01-02', 1, false)"
            )
        with other.begin() as tx:
            changed = tx._connection.exec_driver_sql("UPDATE reading_solar SET revision = 9").rowcount
            changed += tx._connection.exec_driver_sql("DELETE FROM site WHERE name = 'Planta_10'").rowcount

        assert changed == 0
        assert len(stored(store)) == 1


def test_every_table_of_a_server_has_its_policy(plain: str) -> None:
    with open_store(plain) as store:
        append(store, a_batch([[1.0, 2.0]]))
    unlocked = query(
        plain,
        "SELECT tablename FROM pg_tables JOIN pg_class ON relname = tablename "
        "WHERE schemaname = 'public' AND NOT (relrowsecurity AND relforcerowsecurity)",
    )
    known = MetaData()
    engine = create_engine(make_url(plain).set(drivername="postgresql+psycopg"))
    known.reflect(engine)
    engine.dispose()

    assert [row["tablename"] for row in unlocked] == ["alembic_version"]
    assert set(metadata.tables) <= set(known.tables)


@pytest.mark.parametrize("rows", [3, 1_500, 25_000], ids=["arrays", "copied", "in chunks"])
def test_batches_of_every_size_are_stored_under_the_lock(plain: str, rows: int) -> None:
    values = [[float(row), float(-row)] for row in range(rows)]
    with open_store(plain) as store:
        assert append(store, a_batch(values)).n_new == 2 * rows
        changed = append(store, a_batch([[one + 1, two] for one, two in values]))

        assert changed.n_changed == rows
        assert stored(store).values[:, 1].tolist() == [two for _, two in values]
        with store.read() as tx:
            assert tx.n_rows() == rows
    superseded = query(plain, "SET LOCAL sereno.organization = '1'")
    assert superseded == []


def test_a_reading_of_one_asset_is_found_by_its_key_under_the_lock(plain: str) -> None:
    """The policy is one comparison per statement, and the index is used as without it."""
    with open_store(plain) as store:
        append(store, a_batch([[float(row), 0.0] for row in range(3_000)]))
        with store.begin() as tx:
            tx._connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = (
                tx._connection.exec_driver_sql(
                    "EXPLAIN SELECT * FROM reading_solar WHERE asset_id = 1 AND ts < '2025-01-02'"
                )
                .scalars()
                .all()
            )

    text_of = "\n".join(plan)
    assert "Index Cond: ((asset_id = 1)" in text_of
    assert "InitPlan" in text_of
    assert "SubPlan" not in text_of


def test_a_store_is_opened_by_whoever_owns_it(plain: str, tmp_path: Path) -> None:
    with open_store(plain) as first:
        fill(first)
    with open_store(plain) as again, again.read() as tx:
        assert [one.key for one in tx.assets()] == [ROOF]
        assert tx.measured(SOLAR.name) == ("generation", "consumption")
