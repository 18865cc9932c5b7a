"""A real server of API and console on loopback, under the content security policy that the product has."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from sereno.api.app import create_app
from sereno.console import mount_static, router
from sereno.domain.time import Clock, system_clock
from sereno.flows.service import Service
from tests.support.processes import wait_until

__all__ = ["POLICY", "console_server"]

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


@contextmanager
def console_server(folder: Path, *, clock: Clock = system_clock) -> Iterator[tuple[str, Service]]:
    """The address of the console of a workspace, and the service behind it."""
    with Service(folder, clock=clock, language="es") as service:
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
    if not any(getattr(route, "path", "").startswith("/console") for route in app.routes):
        app.include_router(router)
        mount_static(app)

    @app.middleware("http")
    async def guarded(request: Request, call_next: RequestResponseEndpoint) -> Response:
        answer = await call_next(request)
        answer.headers["Content-Security-Policy"] = POLICY
        return answer

    return app


def copied(folder: Path, into: Path) -> Path:
    """A workspace of its own for a test that changes it."""
    shutil.copytree(folder, into)
    return into
