"""`sereno sources`: the list, and a test that stores nothing."""

import threading
from pathlib import Path

import pytest

from tests.support.broker import running_broker
from tests.support.processes import free_port, sereno
from tests.support.sources import declare_sources, execute, make_registros
from tests.support.stores import count, sqlite_address

TABLE = {"kind": "sql", "url": "sqlite:///p.db", "table": "registros"}


def test_test_shows_what_is_understood_and_stores_nothing(tmp_path: Path) -> None:
    folder = declare_sources(tmp_path / "w", {"planta": TABLE})
    make_registros(f"sqlite:///{folder / 'p.db'}", 30)

    tested = sereno("sources", "test", "planta", "--json", workspace=folder)
    told = sereno("sources", "test", "planta", "--lang", "es", workspace=folder)
    (listed,) = sereno("sources", "--json", workspace=folder).document

    assert tested.code == told.code == 0
    assert tested.document["records"] == 30
    assert tested.document["signals"]["motor"]["active_power"] == "kW"
    assert "estado" not in str(tested.document["signals"])
    assert tested.document["first_at"] == "2025-03-01T00:00:00Z"
    assert tested.document["clock_offset_s"] > 0
    assert "30 registros" in told.out
    assert "current [A]" in told.out
    assert (listed["condition"], listed["heard_at"]) == ("new", None)
    assert count(sqlite_address(folder), "asset") == count(sqlite_address(folder), "cursor") == 0


def test_list_shows_what_was_heard_and_set_aside(tmp_path: Path) -> None:
    folder = declare_sources(tmp_path / "w", {"planta": TABLE})
    url = f"sqlite:///{folder / 'p.db'}"
    make_registros(url, 5)
    execute(url, "UPDATE registros SET timestamp = 'ayer' WHERE id = 2")
    watched = sereno("watch", "--once", workspace=folder)

    (listed,) = sereno("sources", "list", "--json", workspace=folder).document
    table = sereno("sources", "--lang", "es", workspace=folder).out

    assert watched.code == 0, watched.err
    assert (listed["condition"], listed["waiting"], listed["quarantined"]) == ("ok", 0, 1)
    assert "apartados" in table


def test_trial_of_a_broker_leaves_its_session_alone(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker") as broker:
        source = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}
        source |= {"profile": "motor", "topics": ["p/{asset}/{signal}"]}
        folder = declare_sources(tmp_path / "w", {"planta": source})
        assert sereno("watch", "--once", workspace=folder).code == 0
        broker.publish([("p/B1/current", 20)])
        later = threading.Timer(2.0, broker.publish, [[("p/B1/current", 21), ("p/B1/humedad", 3)]])
        later.start()

        tested = sereno("sources", "test", "planta", "--within", 6, "--json", workspace=folder)
        later.join()
        sereno("watch", "--once", workspace=folder)

    assert tested.document["signals"] == {"motor": {"current": "A"}}
    assert tested.document["records"] == 2
    assert len(tested.document["refused"]) == 1
    assert count(sqlite_address(folder), "inbox") == 3


@pytest.mark.parametrize(
    ("name", "source", "code", "error"),
    [
        ("nada", {"kind": "mqtt", "host": "127.0.0.1", "topics": ["a"]}, 5, "store.not_found"),
        ("planta", {"kind": "mqtt", "host": "127.0.0.1", "topics": ["a"]}, 5, "source.unreachable"),
        ("planta", {"kind": "mqt"}, 4, "source.unknown"),
        ("planta", {"kind": "mqtt", "host": "h", "topics": ["{signal}"]}, 4, "source.misconfigured"),
        ("planta", {"kind": "folder", "path": "nothing"}, 5, "source.unreachable"),
    ],
    ids=["name", "nobody", "kind", "profile", "folder"],
)
def test_what_is_wrong_has_its_exit_code(
    tmp_path: Path, name: str, source: dict[str, object], code: int, error: str
) -> None:
    source = {**source, "port": free_port()} if source["kind"] == "mqtt" else source
    folder = declare_sources(tmp_path / "w", {"planta": source})

    done = sereno("sources", "test", name, "--json", workspace=folder)

    assert (done.code, done.error["code"]) == (code, error)


def test_workspace_without_sources_says_so(tmp_path: Path) -> None:
    told = sereno("sources", "--lang", "en", workspace=tmp_path / "w")

    assert (told.code, told.out[:10]) == (0, "No sources")


def test_folder_source_is_tested_too(tmp_path: Path) -> None:
    folder = declare_sources(tmp_path / "w", {"csv": {"path": "in", "profile": "motor"}})
    (folder / "in").mkdir()
    (folder / "in" / "a.csv").write_text("timestamp,corriente\n2025-03-01 00:00,20\n2025-03-01 00:01,21\n")

    done = sereno("sources", "test", "csv", "--json", workspace=folder)

    assert (done.code, done.document["records"]) == (0, 2)
    assert done.document["signals"] == {"motor": {"current": "A"}}
