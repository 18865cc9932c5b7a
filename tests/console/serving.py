"""A real server of API and console on loopback, with the guards that the product has."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from sereno.api.app import create_app
from sereno.console import mount_static, router
from sereno.domain.time import Clock, system_clock
from sereno.flows.service import Service
from tests.support.processes import wait_until

__all__ = ["console_server"]


@contextmanager
def console_server(folder: Path, *, clock: Clock = system_clock) -> Iterator[tuple[str, Service]]:
    """The address of the console of a workspace where everybody is let in, and the service behind it."""
    with pytest.MonkeyPatch.context() as while_it_opens:
        while_it_opens.setenv("SERENO__SERVICE__AUTH", "false")
        service = Service(folder, clock=clock, language="es")
    with service:
        server = uvicorn.Server(
            uvicorn.Config(_application(service), host="127.0.0.1", port=0, log_config=None, lifespan="off")
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}", service
        finally:
            service.stop.set()
            server.should_exit = True
            thread.join()


def _application(service: Service) -> FastAPI:
    app = create_app(service)
    app.include_router(router)
    mount_static(app)
    return app


def copied(folder: Path, into: Path) -> Path:
    """A workspace of its own for a test that changes it."""
    shutil.copytree(folder, into)
    return into
