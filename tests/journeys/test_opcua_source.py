"""Promise: what an OPC UA server measured is stored once, with its quality, also while we were away."""

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sereno.domain.readings import Quality
from sereno.flows.workspace import Workspace
from tests.support.opcua_server import OpcuaServer, running_server
from tests.support.processes import free_port, start_sereno, wait_until
from tests.support.sources import BEGIN, declare_sources, running_sources, stored_values

pytest.importorskip("asyncua", reason="OPC UA needs the extra `opcua`")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpcuaServer]:
    with running_server(tmp_path, free_port()) as found:
        yield found


def _declared(folder: Path, server: OpcuaServer, **more: Any) -> Path:
    nodes = [
        {"node": "ns=2;i=1", "asset": "Bomba 1", "signal": "current"},
        {"node": "ns=2;i=2", "asset": "Bomba 1", "signal": "voltage (kV)"},
        {"node": "ns=2;i=3", "asset": "Bomba 2", "signal": "current"},
    ]
    fast = {"interval": "0.1s", "sampling": "0s"}
    source = {"kind": "opcua", "url": server.url, "site": "norte", "profile": "motor", "nodes": nodes}
    return declare_sources(folder, {"scada": {**source, **fast, **more}})


def _at(number: int) -> datetime:
    return BEGIN + timedelta(seconds=number)


def _currents(workspace: Workspace) -> dict[tuple[str, datetime], float]:
    """The values that the test wrote, not those that the server began with."""
    found = stored_values(workspace, "current")
    return {key: value for key, value in found.items() if key[1] < BEGIN + timedelta(days=1)}


def test_values_are_stored_with_unit_and_quality_and_none_is_skipped(
    server: OpcuaServer, tmp_path: Path
) -> None:
    folder = _declared(tmp_path / "w", server)
    with running_sources(folder) as workspace:
        wait_until(lambda: len(stored_values(workspace, "current")) == 2)
        for number in range(50):
            server.write("Bomba1.Corriente", 20 + number, _at(number))
        server.write("Bomba1.Corriente", 99, _at(50), "BadSensorFailure")
        server.write("Bomba1.Corriente", 98, _at(51), "UncertainLastUsableValue")
        server.write("Bomba1.Tension", 0.4, _at(51))
        wait_until(lambda: len(_currents(workspace)) == 51)
        wait_until(lambda: ("norte/Bomba 1", _at(51)) in stored_values(workspace, "voltage"))
        with workspace.store.read() as tx:
            asset = next(one for one in tx.assets() if one.key.asset == "Bomba 1")
            rows = tx.rows(asset.id, asset.profile, end=BEGIN + timedelta(days=1))

    column = rows.signals.index("current")
    assert rows.values[:50, column].tolist() == [20.0 + n for n in range(50)]
    assert rows.quality[-2, column] == Quality.BAD | Quality.MISSING
    assert rows.quality[-1, column] & Quality.ESTIMATED
    assert rows.values[-1, rows.signals.index("voltage")] == 400.0


def test_what_the_server_measured_while_nobody_listened_is_read_from_its_history(
    server: OpcuaServer, tmp_path: Path
) -> None:
    folder = _declared(tmp_path / "w", server)
    with running_sources(folder) as workspace:
        server.write("Bomba1.Corriente", 20, _at(0))
        wait_until(lambda: len(_currents(workspace)) == 1)
    for number in range(1, 30):
        server.write("Bomba1.Corriente", 20 + number, _at(number))

    with running_sources(folder) as workspace:
        wait_until(lambda: len(_currents(workspace)) == 30)
        found = _currents(workspace)

    assert found == {("norte/Bomba 1", _at(n)): 20.0 + n for n in range(30)}


def test_server_and_sereno_are_killed_and_nothing_is_missing(server: OpcuaServer, tmp_path: Path) -> None:
    _kill_both(server, tmp_path / "w", n_kills=1)


@pytest.mark.slow
def test_server_and_sereno_are_killed_often_and_nothing_is_missing(
    server: OpcuaServer, tmp_path: Path
) -> None:
    _kill_both(server, tmp_path / "w", n_kills=8)


def _kill_both(server: OpcuaServer, folder: Path, *, n_kills: int) -> None:
    """Values go on coming while the server, then sereno is killed and comes back."""
    _declared(folder, server)
    written = 0

    def write(count: int) -> None:
        nonlocal written
        for number in range(written, written + count):
            server.write("Bomba1.Corriente", 20 + number, _at(number))
        written += count

    process = start_sereno("watch", workspace=folder)
    try:
        _wait_for(folder, 2, of_all=True)  # what the variables hold before the test writes
        for _ in range(n_kills):
            write(5)
            _wait_for(folder, written)
            server.kill()
            server.start()
            write(20)  # nobody is connected yet
            _wait_for(folder, written)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            write(20)
            process = start_sereno("watch", workspace=folder)
            _wait_for(folder, written)
        process.terminate()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 0, said
    with Workspace.open(folder) as workspace:
        assert _currents(workspace) == {("norte/Bomba 1", _at(n)): 20.0 + n for n in range(written)}


def _wait_for(folder: Path, count: int, *, of_all: bool = False) -> None:
    def is_there() -> bool:
        with Workspace.open(folder) as workspace:
            return len(stored_values(workspace, "current") if of_all else _currents(workspace)) == count

    wait_until(is_there, timeout=90)
