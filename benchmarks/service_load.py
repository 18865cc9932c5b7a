"""A load generator on plain sockets: what it costs itself must not be what is measured."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import urlsplit

__all__ = ["Load", "closed_loop", "open_loop", "request_of"]


_PATIENCE_S = 60.0


@dataclass(slots=True)
class Load:
    """What came back.

    Attributes:
        latencies: From when a request was due to the last byte of its answer [s].
        statuses: Of each answer.
    """

    latencies: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def per_s(self) -> float:
        """Answers per second that were a success."""
        return (len(self.latencies) - self.n_refused) / self.seconds if self.seconds else 0.0

    @property
    def n_refused(self) -> int:
        """Answers that were no success."""
        return sum(status >= 300 for status in self.statuses)


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_over = False
        """The server ends the connection with its answer."""

    async def ask(self, request: bytes) -> int:
        """Send a request and read its answer; returns the status."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            self.is_over |= line.startswith((b"connection: close", b"http/1.0"))
        if length:
            await self._reader.readexactly(length)
        return status

    def close(self) -> None:
        self._writer.close()


def request_of(url: str, path: str, body: bytes, content_type: str = "application/json") -> bytes:
    """A request as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def open_loop(url: str, requests: Sequence[bytes], *, per_s: float, n_connections: int = 32) -> Load:
    """Send requests when they are due, whatever became of those before: queues show in the latency."""
    return asyncio.run(_open_loop(url, requests, per_s, n_connections))


def closed_loop(url: str, requests: Sequence[bytes], *, n_connections: int, seconds: float) -> Load:
    """Send the next request on each connection as soon as the one before is answered."""
    return asyncio.run(_closed_loop(url, requests, n_connections, seconds))


async def _open_loop(url: str, requests: Sequence[bytes], per_s: float, n_connections: int) -> Load:
    free: asyncio.Queue[_Connection] = asyncio.Queue()
    for _ in range(n_connections):
        free.put_nowait(await _connected(url))
    load, began = Load(), perf_counter()

    async def send(number: int, request: bytes) -> None:
        due = began + number / per_s
        connection = await free.get()
        load.statuses.append(await asyncio.wait_for(connection.ask(request), _PATIENCE_S))
        load.latencies.append(perf_counter() - due)
        free.put_nowait(connection)

    tasks = []
    for number, request in enumerate(requests):
        wait = began + number / per_s - perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(send(number, request)))
    await asyncio.gather(*tasks)
    load.seconds = perf_counter() - began
    while not free.empty():
        free.get_nowait().close()
    return load


async def _closed_loop(url: str, requests: Sequence[bytes], n_connections: int, seconds: float) -> Load:
    load, began = Load(), perf_counter()
    left = iter(requests)

    async def work() -> None:
        connection = await _connected(url)
        while perf_counter() - began < seconds:
            request = next(left, None)
            if request is None:
                break
            sent = perf_counter()
            if connection.is_over:
                connection.close()
                connection = await _connected(url)
            load.statuses.append(await asyncio.wait_for(connection.ask(request), _PATIENCE_S))
            load.latencies.append(perf_counter() - sent)
        connection.close()

    await asyncio.gather(*(work() for _ in range(n_connections)))
    load.seconds = perf_counter() - began
    return load


async def _connected(url: str) -> _Connection:
    parts = urlsplit(url)
    return _Connection(*await asyncio.open_connection(parts.hostname, parts.port))
