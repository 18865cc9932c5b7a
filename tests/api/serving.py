"""A real server on loopback, and a client that talks to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from sereno.api.app import create_app
from sereno.flows.service import Service
from tests.support.processes import wait_until

__all__ = ["served"]


@contextmanager
def served(folder: Path, **headers: str) -> Iterator[httpx.Client]:
    """The service of a workspace, on a free port."""
    with Service(folder) as service:
        server = uvicorn.Server(
            uvicorn.Config(create_app(service), host="127.0.0.1", port=0, log_config=None)
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
