"""An OPC UA server in a process of its own, which keeps its history on disk.

It is called with a port and a folder, writes the values that it is told on its input (`name value instant
status` a line) and answers `ok`.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

NAMES = ("Bomba1.Corriente", "Bomba1.Tension", "Bomba2.Corriente")


@dataclass
class OpcuaServer:
    """A server that can be killed."""

    folder: Path
    port: int
    process: "subprocess.Popen[str] | None" = None

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/sereno/"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(self.port), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self._expect()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def write(self, name: str, value: float, at: datetime, status: str = "Good") -> None:
        """Give a variable a value of an instant, and wait until it has it."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(f"{name} {value} {at.isoformat()} {status}\n")
        self.process.stdin.flush()
        self._expect()

    def _expect(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        answer = self.process.stdout.readline()
        assert answer.strip() == "ok", answer


@contextmanager
def running_server(folder: Path, port: int) -> Iterator[OpcuaServer]:
    """A server for as long as the context lasts."""
    server = OpcuaServer(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.kill()


async def _serve(port: int, folder: Path) -> None:
    from asyncua import Server, ua
    from asyncua.server.history_sql import HistorySQLite

    server = Server()
    server.iserver.history_manager.set_storage(HistorySQLite(str(folder / "history.db")))
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/sereno/")
    space = await server.register_namespace("sereno")
    variables = {}
    for number, name in enumerate(NAMES, start=1):
        variables[name] = await server.nodes.objects.add_variable(
            ua.NodeId(number, space), name, 0.0, ua.VariantType.Double
        )
    async with server:
        await server.historize_node_data_change(list(variables.values()), timedelta(days=3650))
        sys.stdout.write("ok\n")
        sys.stdout.flush()
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            name, value, at, status = line.split()
            instant = datetime.fromisoformat(at).astimezone(UTC).replace(tzinfo=None)
            await variables[name].write_value(
                ua.DataValue(
                    ua.Variant(float(value), ua.VariantType.Double),
                    ua.StatusCode(getattr(ua.StatusCodes, status)),
                    SourceTimestamp=instant,
                    ServerTimestamp=instant,
                )
            )
            sys.stdout.write("ok\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
