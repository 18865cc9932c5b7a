"""Promise: what a broker was told is stored once, whoever is killed, and poison stops nobody."""

import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from sereno.domain.errors import SourceUnreachable
from sereno.flows.source_views import try_source
from sereno.flows.workspace import Workspace
from sereno.store import open_store
from tests.support.broker import Broker, running_broker
from tests.support.postgres import fresh_database
from tests.support.processes import environment, start_sereno, wait_until
from tests.support.sources import BEGIN, declare_sources, query, running_sources, stored_values
from tests.support.stores import sqlite_address

ASSETS = [f"Bomba {n}" for n in range(4)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as found:
        yield found


def _source(broker: Broker, *topics: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "mqtt",
        "host": "127.0.0.1",
        "port": broker.port,
        "topics": list(topics or ["plants/{site}/{asset}/{signal}"]),
        "profile": "motor",
        **more,
    }


def _messages(numbers: range) -> list[tuple[str, Any]]:
    """A minute's current of each asset, one message each."""
    return [
        (
            f"plants/norte/{asset}/current",
            {"time": (BEGIN + timedelta(minutes=n)).isoformat(), "value": 20 + n % 50 / 10},
        )
        for n in numbers
        for asset in ASSETS
    ]


def _counts(workspace: Path, source: str = "planta") -> dict[str, int]:
    with open_store(sqlite_address(workspace)) as store, store.read() as tx:
        return tx.count_items(source)


def _stored(folder: Path) -> dict[Any, float]:
    with Workspace.open(folder) as workspace:
        return stored_values(workspace, "current")


def _expected(numbers: range) -> dict[Any, float]:
    return {
        (f"norte/{asset}", BEGIN + timedelta(minutes=n)): 20 + n % 50 / 10
        for n in numbers
        for asset in ASSETS
    }


def test_payloads_of_every_shape_become_readings(broker: Broker, tmp_path: Path) -> None:
    topics = ["plants/{site}/{asset}/{signal}", "all/{site}/{asset}", "gateway/+/#"]
    folder = declare_sources(tmp_path / "w", {"planta": _source(broker, *topics)})
    at = [BEGIN + timedelta(minutes=n) for n in range(6)]
    with running_sources(folder) as workspace:
        wait_until(lambda: _is_listening(workspace))
        broker.publish(
            [
                ("plants/norte/B1/current", {"ts": at[0].timestamp(), "value": 20.5}),
                ("plants/norte/B1/corriente", {"timestamp": at[1].timestamp() * 1000, "valor": "20,6"}),
                ("all/norte/B1", {"fecha": "2025-03-01T01:02:00+01:00", "current": 20.7, "Voltaje (V)": 400}),
                ("all/norte/B1", [{"ts": at[3].timestamp() * 1e9, "values": {"current": 20.8}}]),
                ("gateway/x/y", {"time": at[4].isoformat(), "asset": "B1", "site": "norte", "current": 20.9}),
                ("plants/norte/B2/current", 21),
                ("plants/norte/B2/voltage", b"400,5"),
            ]
        )
        wait_until(lambda: len(stored_values(workspace, "current")) == 6)
        wait_until(lambda: len(stored_values(workspace, "voltage")) == 2)
        current, voltage = stored_values(workspace, "current"), stored_values(workspace, "voltage")

    assert {key: value for key, value in current.items() if key[0] == "norte/B1"} == {
        ("norte/B1", at[n]): 20.5 + n / 10 for n in range(5)
    }
    assert [value for (asset, _), value in current.items() if asset == "norte/B2"] == [21.0]
    assert sorted(voltage.values()) == [400.0, 400.5]


def _is_listening(workspace: Workspace) -> bool:
    """Whether the broker has accepted a subscription: then the source has been heard of."""
    with workspace.store.read() as tx:
        return tx.source_state("planta").heard_at is not None


def test_poison_is_set_aside_and_its_neighbours_are_stored(broker: Broker, tmp_path: Path) -> None:
    folder = declare_sources(tmp_path / "w", {"planta": _source(broker, max_payload_bytes=1_000)})
    poison = [
        ("plants/norte/Bomba 0/current", b"\xff\x00{"),
        ("plants/norte/Bomba 0/current", {"time": "yesterday", "value": 1}),
        ("plants/norte/Bomba 0/current", {"time": 1e40, "value": 1}),
        ("plants/norte/Bomba 0/current", {"time": BEGIN.isoformat(), "value": {"a": [1]}}),
        ("plants/norte/Bomba 0/current", b"[" * 900),
        ("plants/norte/Bomba 0/current", b"1" * 2_000),
        ("plants/norte/Bomba 0/humidity", {"time": BEGIN.isoformat(), "value": 1}),
    ]
    messages = _messages(range(20))
    for place, one in enumerate(poison):
        messages.insert(10 * place + 5, one)

    with running_sources(folder) as workspace:
        wait_until(lambda: _is_listening(workspace))
        broker.publish(messages)
        wait_until(lambda: sum(_counts(folder).values()) == len(messages) and "new" not in _counts(folder))

        with workspace.store.read() as tx:
            aside = tx.quarantined_items("planta", limit=100)

    assert _stored(folder) == _expected(range(20))
    assert len(aside) == len(poison), [one.error for one in aside]
    assert all(one.error for one in aside)
    assert any("2000 bytes" in one.error for one in aside)


def test_what_came_while_nobody_listened_is_stored(broker: Broker, tmp_path: Path) -> None:
    folder = declare_sources(tmp_path / "w", {"planta": _source(broker)})
    with running_sources(folder) as workspace:
        wait_until(lambda: _is_listening(workspace))
    broker.publish(_messages(range(30)))

    with running_sources(folder) as workspace:
        wait_until(lambda: len(stored_values(workspace, "current")) == 120)

    assert _stored(folder) == _expected(range(30))


@pytest.mark.parametrize("point", ["inbox.after_commit", "store.before_commit"])
def test_sereno_killed_between_keeping_and_acknowledging(broker: Broker, tmp_path: Path, point: str) -> None:
    folder = declare_sources(tmp_path / "w", {"planta": _source(broker, time=None)})
    with running_sources(folder) as workspace:
        wait_until(lambda: _is_listening(workspace))
    values = [("plants/norte/Bomba 0/current", 20 + n) for n in range(5)]
    broker.publish([*_messages(range(10)), *values])
    dies = environment(
        SERENO_FAILPOINT=f"{point}:kill@{4 if point.startswith('store') else 1}", SERENO_TESTING="1"
    )

    killed = start_sereno("watch", "--once", workspace=folder, env=dies)
    killed.communicate(timeout=60)
    ended = start_sereno("watch", "--once", workspace=folder)
    _, said = ended.communicate(timeout=60)

    assert (killed.returncode, ended.returncode) == (-signal.SIGKILL, 0), said
    stored = _stored(folder)
    dated = {key: value for key, value in stored.items() if key[1] < BEGIN + timedelta(days=1)}
    assert dated == _expected(range(10))
    # The last message of one arrival stands for its instant: none of them came twice, at another one.
    assert len(stored) - len(dated) <= len(values)
    assert _counts(folder) == {"done": 45}


def test_broker_and_sereno_killed_at_random_lose_and_repeat_nothing(broker: Broker, tmp_path: Path) -> None:
    _kill_both(broker, tmp_path, random.Random(1), n_kills=3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 105))
def test_broker_and_sereno_killed_often_lose_and_repeat_nothing(
    broker: Broker, tmp_path: Path, seed: int
) -> None:
    _kill_both(broker, tmp_path, random.Random(seed), n_kills=20)


def _kill_both(broker: Broker, tmp_path: Path, chance: random.Random, *, n_kills: int) -> None:
    """Messages go on coming; each time either the broker or sereno is killed in the middle of it."""
    folder = declare_sources(tmp_path / "w", {"planta": _source(broker)})
    with running_sources(folder) as workspace:
        wait_until(lambda: _is_listening(workspace))
    process = start_sereno("watch", workspace=folder)
    try:
        for number in range(n_kills):
            broker.publish(_messages(range(50 * number, 50 * number + 50)))
            signal.sigtimedwait([], chance.uniform(0, 0.4))
            if chance.random() < 0.5:
                broker.kill()
                broker.start()
            else:
                process.kill()
                process.communicate()
                process = start_sereno("watch", workspace=folder)
        wait_until(lambda: len(_stored(folder)) == 200 * n_kills, timeout=90)
        process.terminate()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 0, said
    assert _stored(folder) == _expected(range(50 * n_kills))
    assert _counts(folder) == {"done": 200 * n_kills}


@pytest.mark.filterwarnings(
    # paho leaves a socket to the garbage collector when a certificate is not trusted
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_broker_that_wants_a_certificate_and_a_password_gets_them(tmp_path: Path) -> None:
    authority = trustme.CA()
    folder = tmp_path / "broker"
    folder.mkdir()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = authority.issue_cert("localhost")
    server.cert_chain_pems[0].write_to_path(folder / "server.pem")
    server.private_key_pem.write_to_path(folder / "server.key")
    (folder / "users").write_text("sereno:s3cr3t\n")
    subprocess.run(["mosquitto_passwd", "-U", folder / "users"], check=True) if _has_passwd() else None
    more = (
        f"allow_anonymous false\npassword_file {folder}/users\n"
        f"cafile {folder}/ca.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\n"
    )
    with running_broker(folder, more) as broker:
        safe = {"host": "localhost", "tls": True, "ca_file": str(folder / "ca.pem"), "user": "sereno"}
        good = declare_sources(tmp_path / "good", {"planta": _source(broker, **safe, password="file:secret")})
        (good / "secret").write_text("s3cr3t\n")
        bad = declare_sources(tmp_path / "bad", {"planta": _source(broker, **safe, password="wrong")})
        strange = {**safe, "ca_file": str(tmp_path / "other.pem")}
        trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
        other = declare_sources(
            tmp_path / "other", {"planta": _source(broker, **strange, password="file:secret")}
        )
        (other / "secret").write_text("s3cr3t\n")

        told = {name.name: _tried(name) for name in (good, bad, other)}

    assert told["good"] == ""
    assert "refused" in told["bad"].lower()
    assert "certificate" in told["other"].lower()
    assert "s3cr3t" not in str(told)


def _has_passwd() -> bool:
    return shutil.which("mosquitto_passwd") is not None


def _tried(folder: Path) -> str:
    with Workspace.open(folder) as workspace:
        try:
            try_source(workspace, "planta", within=timedelta(seconds=1))
        except SourceUnreachable as error:
            return str(error)
    return ""


@pytest.mark.slow
def test_source_of_a_shared_store_runs_in_one_engine_and_another_takes_over(
    broker: Broker, tmp_path: Path, postgres_server: str, postgres_template: str
) -> None:
    with fresh_database(postgres_server, template=postgres_template) as url:
        folders = [
            declare_sources(tmp_path / name, {"planta": _source(broker)}, store={"url": url}) for name in "ab"
        ]
        engines = [start_sereno("watch", workspace=folder) for folder in folders]
        try:
            wait_until(lambda: query(url, "SELECT heard_at FROM cursor") != [], timeout=60)
            broker.publish(_messages(range(10)))
            with Workspace.open(folders[0]) as workspace:
                wait_until(lambda: len(stored_values(workspace, "current")) == 40, timeout=60)
                first = _holder(url)
                holds = next(engine for engine in engines if f":{engine.pid}:" in str(first))
                holds.kill()
                holds.communicate()
                broker.publish(_messages(range(10, 20)))
                wait_until(lambda: len(stored_values(workspace, "current")) == 80, timeout=90)
                second = _holder(url)
        finally:
            for engine in engines:
                engine.kill()
                engine.communicate()

        assert second not in {None, first}
        assert query(url, "SELECT COUNT(*) FROM inbox") == [(80,)]


def _holder(url: str) -> str | None:
    found = query(url, "SELECT owner FROM lease WHERE name = 'source/planta'")
    return str(found[0][0]) if found else None
