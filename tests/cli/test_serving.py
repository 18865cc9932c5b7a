"""`sereno serve`: what it tells whoever started it."""

import asyncio
import json
import socket
from itertools import takewhile
from pathlib import Path

import httpx

from sereno.cli.serving import listening
from tests.support.processes import start_sereno


def test_service_on_every_address_tells_one_that_can_be_opened(tmp_path: Path) -> None:
    process = start_sereno("serve", "--host", "0.0.0.0", "--port", 0, "--json", workspace=tmp_path / "w")
    assert process.stdout is not None

    try:
        # Its output goes on while it runs: the lines of the document, or all of it where it has ended.
        lines = list(takewhile(lambda line: line != "}\n", process.stdout))
        url = json.loads("".join(lines) + "}")["url"]
        port = url.rpartition(":")[2]
        answer = httpx.get(f"{url}/healthz", trust_env=False)
    finally:
        process.terminate()
        _, told = process.communicate(timeout=60)

    assert url == f"http://localhost:{port}"
    assert answer.json()["status"] == "alive"
    assert f"http://localhost:{port}/welcome?token=" in told


def test_answers_leave_at_once_however_many_packets_they_are() -> None:
    """Head and body are two packets: the second must not wait until the client has confirmed the first."""

    async def asked() -> int:
        told = asyncio.get_running_loop().create_future()

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ours: socket.socket = writer.get_extra_info("socket")
            told.set_result(ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listener = listening("127.0.0.1", 0)
        async with await asyncio.start_server(answer, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.close()
            return await told

    assert asyncio.run(asked())
