"""A way to a database server that can be cut and mended, as a network is; the server itself goes on."""

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

__all__ = ["Relay", "relayed"]

_SOCKET = ".s.PGSQL.5432"
_PIECE = 65_536


class Relay:
    """Passes on what comes to a socket of its own."""

    def __init__(self, folder: Path, target: str) -> None:
        self._path, self._target = folder / _SOCKET, target
        self._listener: socket.socket | None = None
        self._pairs: list[socket.socket] = []
        self._lock = threading.Lock()

    def mend(self) -> None:
        """Let connections through."""
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """End all connections, and let no new one through."""
        self._path.unlink(missing_ok=True)
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for one in pairs:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            with self._lock:
                self._pairs += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


@contextmanager
def relayed(url: str) -> Iterator[tuple[str, Relay]]:
    """The URL of a PostgreSQL database (on a socket of this machine) through a relay, and the relay."""
    parts = urlsplit(url)
    host = unquote(parse_qs(parts.query)["host"][0])
    folder = Path(tempfile.mkdtemp(prefix="sereno-relay-", dir="/tmp"))
    relay = Relay(folder, f"{host}/{_SOCKET}")
    relay.mend()
    try:
        yield parts._replace(query=f"host={quote(str(folder), safe='')}").geturl(), relay
    finally:
        relay.cut()
        shutil.rmtree(folder, ignore_errors=True)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
