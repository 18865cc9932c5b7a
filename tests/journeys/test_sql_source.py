"""Promise: tables of PostgreSQL and SQLite are read unaided, each row once, whatever happens in between."""

import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import SourceUnreachable
from sereno.flows.engines import leased
from sereno.flows.sources import run_sources
from sereno.flows.workspace import Workspace
from tests.support.postgres import fresh_database
from tests.support.processes import environment, start_sereno, wait_until
from tests.support.sources import (
    BEGIN,
    add_registros,
    declare_sources,
    execute,
    make_energia,
    make_registros,
    query,
    running_sources,
    stored_values,
)
from tests.support.stores import differences, dump, sqlite_address


def _once(folder: Path) -> None:
    with Workspace.open(folder) as workspace:
        run_sources(workspace, threading.Event(), is_once=True)


def _values(folder: Path, signal: str) -> dict[tuple[str, datetime], float]:
    with Workspace.open(folder) as workspace:
        return stored_values(workspace, signal)


def test_motor_table_is_read_unaided(empty_database_url: str, tmp_path: Path) -> None:
    make_registros(empty_database_url, 50)
    folder = declare_sources(
        tmp_path / "w", {"planta": {"kind": "sql", "url": empty_database_url, "table": "registros"}}
    )

    _once(folder)

    with Workspace.open(folder) as workspace:
        current = stored_values(workspace, "current")
        with workspace.store.read() as tx:
            (asset,) = tx.assets()
            signals = tx.measured(asset.profile)
    assert (str(asset.key), asset.profile) == ("planta", "motor")
    assert sorted(signals) == ["active_power", "current", "motor_temperature", "voltage"]
    assert len(current) == 50
    assert current["planta", BEGIN + timedelta(minutes=3)] == 20.3


def test_rows_that_come_later_are_read_as_they_come(empty_database_url: str, tmp_path: Path) -> None:
    make_registros(empty_database_url, 10)
    source = {"kind": "sql", "url": empty_database_url, "table": "registros", "interval": "0.1s"}
    folder = declare_sources(tmp_path / "w", {"planta": source})

    with running_sources(folder) as workspace:
        wait_until(lambda: len(stored_values(workspace, "current")) == 10)
        add_registros(empty_database_url, range(10, 15))
        wait_until(lambda: len(stored_values(workspace, "current")) == 15)


def test_late_row_within_the_overlap_is_read_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'planta.db'}"
    make_registros(url, 0)
    add_registros(url, range(100, 110))
    folder = declare_sources(tmp_path / "w", {"planta": {"kind": "sql", "url": url, "table": "registros"}})
    _once(folder)
    add_registros(url, range(95, 96))
    add_registros(url, range(10, 11))

    _once(folder)

    minutes = {(at - BEGIN) // timedelta(minutes=1) for _, at in _values(folder, "current")}
    assert minutes == {95, *range(100, 110)}


def test_large_table_is_read_in_batches_that_each_commit(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'planta.db'}"
    make_registros(url, 95)
    execute(url, "UPDATE registros SET timestamp = '2025-03-01 00:40:00' WHERE id BETWEEN 30 AND 60")
    source = {"kind": "sql", "url": url, "table": "registros", "batch": 10}
    folder = declare_sources(tmp_path / "w", {"planta": source})

    _once(folder)

    assert len(_values(folder, "current")) == 95 - 30


def test_query_renamed_columns_and_one_value_per_row(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'planta.db'}"
    execute(url, "CREATE TABLE medidas (cuando TEXT, que TEXT, cuanto REAL, donde TEXT)")
    rows = [
        {"at": f"2025-03-01T00:{n:02d}:00Z", "what": what, "value": value, "where": "Bomba 1"}
        for n in range(5)
        for what, value in (("I", 20.0 + n), ("P_TOT", 11_000.0), ("ruido", 3.0))
    ]
    execute(url, "INSERT INTO medidas VALUES (:at, :what, :value, :where)", *rows)
    source = {
        "kind": "sql",
        "url": url,
        "query": "SELECT cuando AS timestamp, que, cuanto, donde AS motor FROM medidas;",
        "signal_column": "que",
        "value_column": "cuanto",
        "profile": "motor",
        "columns": {"I": "current", "P_TOT": "active_power (W)", "ruido": "ignore"},
    }
    folder = declare_sources(tmp_path / "w", {"planta": source})

    _once(folder)

    assert _values(folder, "current")["planta/Bomba 1", BEGIN + timedelta(minutes=4)] == 24.0
    assert set(_values(folder, "active_power").values()) == {11.0}


def test_flag_is_set_after_the_rows_are_stored_in_batches_of_a_hundred(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'energia.db'}"
    make_energia(url, 250)
    source = {"kind": "sql", "url": url, "table": "energia", "processed_flag": "procesado"}
    folder = declare_sources(tmp_path / "w", {"guia": source})
    dies = environment(SERENO_FAILPOINT="source.before_settle:kill@2", SERENO_TESTING="1")

    with pytest.raises(AssertionError, match="-9"):
        _watched_once(folder, dies)
    flagged, stored = (
        query(url, "SELECT id FROM energia WHERE procesado = 1 ORDER BY id"),
        _values(folder, "generation"),
    )
    before = dump(sqlite_address(folder))
    _once(folder)

    assert [one for (one,) in flagged] == list(range(100))
    assert len(stored) == 200
    assert query(url, "SELECT COUNT(*) FROM energia WHERE procesado = 0") == [(0,)]
    assert len(_values(folder, "generation")) == 250
    assert before["superseded_reading"] == dump(sqlite_address(folder))["superseded_reading"] == []
    assert _values(folder, "generation")["NEUROCIENCIAS", BEGIN] == 5_000.0


def _watched_once(folder: Path, env: dict[str, str]) -> None:
    ran = start_sereno("watch", "--once", workspace=folder, env=env)
    _, said = ran.communicate(timeout=120)
    assert ran.returncode == 0, f"{ran.returncode} {said}"


def test_source_is_only_read(tmp_path: Path, postgres_server: str) -> None:
    with fresh_database(postgres_server) as url:
        make_registros(url, 3)
        execute(url, "CREATE FUNCTION burn() RETURNS int LANGUAGE sql AS 'DELETE FROM registros RETURNING 1'")
        source = {"kind": "sql", "url": url, "query": "SELECT *, burn() AS n FROM registros"}
        folder = declare_sources(tmp_path / "w", {"planta": source})

        with pytest.raises(SourceUnreachable, match="read-only"):
            _once(folder)

        assert query(url, "SELECT COUNT(*) FROM registros") == [(3,)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"table": "nada"}, "nada"),
        ({"table": "registros", "time_column": "hora"}, "there is no column 'hora'"),
        ({"url": "sqlite:////nowhere/x.db", "table": "t"}, "no such file"),
    ],
    ids=["table", "column", "file"],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, change: dict[str, str], told: str) -> None:
    url = f"sqlite:///{tmp_path / 'planta.db'}"
    make_registros(url, 1)
    folder = declare_sources(tmp_path / "w", {"planta": {"kind": "sql", "url": url, **change}})

    with pytest.raises(SourceUnreachable) as caught:
        _once(folder)

    assert told in str(caught.value)


def test_row_that_cannot_be_read_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'planta.db'}"
    make_registros(url, 5)
    execute(url, "UPDATE registros SET timestamp = '2025-99-99' WHERE id = 3")
    folder = declare_sources(tmp_path / "w", {"planta": {"kind": "sql", "url": url, "table": "registros"}})

    _once(folder)
    _once(folder)

    with Workspace.open(folder) as workspace, workspace.store.read() as tx:
        (item,) = tx.quarantined_items("planta", limit=10)
    assert item.error == "read.broken_row"
    assert b"2025-99-99" in item.payload
    assert len(_values(folder, "current")) == 4


def test_kill_at_any_commit_loses_and_repeats_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'planta.db'}"
    make_registros(url, 60)
    source = {"kind": "sql", "url": url, "table": "registros", "batch": 10}
    whole = declare_sources(tmp_path / "whole", {"planta": source})
    _once(whole)
    folder = declare_sources(tmp_path / "w", {"planta": source})

    dies = environment(SERENO_FAILPOINT="store.before_commit:kill@3", SERENO_TESTING="1")
    with pytest.raises(AssertionError, match="-9"):
        _watched_once(folder, dies)
    _once(folder)

    both = [dump(sqlite_address(one), with_history=False) for one in (folder, whole)]
    for one in both:
        one.pop("cursor")
    assert differences(*both) == {}


def test_zone_that_nobody_declared_is_kept_in_the_settings(tmp_path: Path) -> None:
    make_registros(f"sqlite:///{tmp_path / 'p.db'}", 3)
    source = {"kind": "sql", "url": f"sqlite:///{tmp_path / 'p.db'}", "table": "registros"}
    folder = declare_sources(tmp_path / "w", {"planta": source}, timezone=None)

    _once(folder)

    with Workspace.open(folder) as workspace:
        assert workspace.settings.timezone == workspace.zone


def test_folder_beside_a_table_is_watched_as_before(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    make_registros(url, 3)
    table = {"kind": "sql", "url": url, "table": "registros"}
    folder = declare_sources(tmp_path / "w", {"planta": table, "csv": {"path": "in", "profile": "motor"}})
    (folder / "in").mkdir()
    (folder / "in" / "Sur.csv").write_text("timestamp,corriente\n2025-03-01 00:00,20\n2025-03-01 00:01,21\n")

    _once(folder)

    assert {asset for asset, _ in _values(folder, "current")} == {"planta", "Sur"}
    with Workspace.open(folder) as workspace, workspace.store.read() as tx:
        assert tx.source_state("csv").heard_at is not None


def test_table_that_another_engine_of_a_shared_store_reads_is_left_to_it(
    tmp_path: Path, postgres_server: str, postgres_template: str
) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    make_registros(url, 3)
    source = {"kind": "sql", "url": url, "table": "registros"}
    with fresh_database(postgres_server, template=postgres_template) as store:
        folder = declare_sources(tmp_path / "w", {"planta": source}, store={"url": store})
        with Workspace.open(folder) as other, leased(other.store, "source/planta"):
            _once(folder)
            while_taken = len(stored_values(other, "current"))
        _once(folder)

        assert (while_taken, len(_values(folder, "current"))) == (0, 3)


def test_table_that_gives_nothing_new_becomes_an_incident_that_ends_by_itself(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    make_registros(url, 3)
    source = {"kind": "sql", "url": url, "table": "registros", "interval": "0.1s", "silent_after": "1s"}
    folder = declare_sources(tmp_path / "w", {"planta": source})

    with running_sources(folder) as workspace:
        wait_until(lambda: _conditions(workspace) == ["active"], timeout=60)
        add_registros(url, range(3, 4))
        wait_until(lambda: "cleared" in _conditions(workspace), timeout=60)


def _conditions(workspace: Workspace) -> list[str]:
    found = [view.incident for view in workspace.incidents() if view.incident.worst.cause == "source.silent"]
    return [one.condition.value for one in found]
