"""Promise: registers become readings in their units; what a device refuses is missing, with the reason."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sereno.domain.errors import SourceUnreachable
from sereno.domain.readings import Quality
from sereno.flows.sources import run_sources
from sereno.flows.workspace import Workspace
from tests.support.processes import free_port, wait_until
from tests.support.sources import declare_sources, running_sources, stored_values

pytest.importorskip("pymodbus", reason="Modbus needs the extra `modbus`")

CURRENT = 20.5
REGISTERS = [
    {"address": 0, "signal": "current", "type": "float32"},
    {"address": 2, "signal": "voltage", "type": "uint16", "scale": 0.1},
    {"address": 3, "signal": "active_power (W)", "type": "int32", "word_order": "little"},
    {"address": 5, "signal": "motor_temperature", "type": "int16", "byte_order": "little", "offset": -40},
]


@contextmanager
def running_gateway(port: int) -> Iterator[None]:
    """A gateway with the devices 1 and 2; the second knows no temperature."""
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    registers = [0x41A4, 0x0000, 4_000, 0x2AF8, 0x0000, 0x6400]
    devices = [
        SimDevice(id=1, simdata=[SimData(0, values=registers, datatype=DataType.REGISTERS)]),
        SimDevice(id=2, simdata=[SimData(0, values=registers[:5], datatype=DataType.REGISTERS)]),
    ]
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        server = ModbusTcpServer(devices, address=("127.0.0.1", port))
        servers.append(server)
        await server.serve_forever(background=True)
        ready.set()

    servers: list[Any] = []
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(serve(), loop).result(30)
        assert ready.wait(10)
        yield
        asyncio.run_coroutine_threadsafe(servers[0].shutdown(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _declared(folder: Path, port: int, **more: Any) -> Path:
    devices = [
        {"unit": 1, "asset": "Bomba 1", "registers": REGISTERS},
        {"unit": 2, "asset": "Bomba 2", "registers": REGISTERS},
    ]
    source = {"kind": "modbus", "host": "127.0.0.1", "port": port, "profile": "motor", "devices": devices}
    return declare_sources(folder, {"pasarela": {**source, "timeout": "1s", **more}})


def test_registers_become_readings_and_refusals_are_missing(tmp_path: Path) -> None:
    port = free_port()
    folder = _declared(tmp_path / "w", port)
    with running_gateway(port), Workspace.open(folder) as workspace:
        run_sources(workspace, threading.Event(), is_once=True)
        values = {name: stored_values(workspace, name) for name in workspace.profiles["motor"].signal_names}
        with workspace.store.read() as tx:
            second = next(one for one in tx.assets() if one.key.asset == "Bomba 2")
            rows = tx.rows(second.id, "motor")
            (issue,) = [one for one in tx.issues("source:pasarela") if one.code == "source.exception"]

    first = {name: value for name, found in values.items() for (a, _), value in found.items() if "1" in a}
    assert first == {
        "current": CURRENT,
        "voltage": pytest.approx(400.0),
        "active_power": 11.0,
        "motor_temperature": 60.0,
    }
    temperature = rows.signals.index("motor_temperature")
    assert rows.quality[0, temperature] == Quality.MISSING | Quality.BAD
    assert (issue.facts["code"], issue.where) == (2, "Bomba 2/motor_temperature (holding 5)")


def test_gateway_that_comes_back_is_read_again(tmp_path: Path) -> None:
    port = free_port()
    folder = _declared(tmp_path / "w", port, interval="0.1s")

    with running_sources(folder) as workspace:
        with running_gateway(port):
            wait_until(lambda: len(stored_values(workspace, "current")) > 0)
        wait_until(lambda: _is_refused(port))
        before = len(stored_values(workspace, "current"))
        with running_gateway(port):
            wait_until(lambda: len(stored_values(workspace, "current")) > before)


def _is_refused(port: int) -> bool:
    import socket

    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0


def test_gateway_that_is_not_there_is_told(tmp_path: Path) -> None:
    folder = _declared(tmp_path / "w", free_port())

    with Workspace.open(folder) as workspace, pytest.raises(SourceUnreachable, match="modbus://127"):
        run_sources(workspace, threading.Event(), is_once=True)
