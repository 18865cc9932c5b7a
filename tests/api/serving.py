"""A real server on loopback, and a client that talks to it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI, Request

from sereno.api.app import create_app
from sereno.api.context import AdminCall, LocalViewerCall, LoopbackCall, WriterCall
from sereno.domain.access import DEFAULT_ORGANIZATION, Role
from sereno.domain.errors import NotFound
from sereno.flows.keys import add_key
from sereno.flows.service import Service
from tests.support.processes import wait_until

__all__ = ["key_for", "listening", "probed", "served"]


@contextmanager
def served(folder: Path, **headers: str) -> Iterator[httpx.Client]:
    """The service of a workspace, on a free port; the client is an administrator's by default."""
    with Service(folder) as service, listening(service) as address:
        given = headers or {"Authorization": f"Bearer {key_for(service)}"}
        with httpx.Client(base_url=address, headers=given, timeout=30) as client:
            yield client


@contextmanager
def listening(service: Service, extend: Callable[[FastAPI], None] | None = None) -> Iterator[str]:
    """The address of a server of a service.

    Args:
        extend: Adds routes of the test.
    """
    app = create_app(service)
    if extend is not None:
        extend(app)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, proxy_headers=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def probed(app: FastAPI) -> None:
    """Add routes that tell what reached them."""

    @app.post("/probe")
    async def probe(call: AdminCall, request: Request) -> dict[str, object]:
        return {"bytes": len(await request.body())}

    @app.post("/local")
    def local(call: LoopbackCall) -> dict[str, object]:
        return {"name": call.principal.name, "role": call.principal.role.name.lower()}

    @app.get("/figures")
    def figures(call: LocalViewerCall) -> dict[str, object]:
        return {"role": call.principal.role.name.lower()}

    @app.post("/write/{site}")
    def write(call: WriterCall, site: str) -> dict[str, object]:
        if not call.principal.may_write(site):
            raise NotFound(what="site", id=site, hint="")
        return {}


def key_for(
    service: Service,
    role: Role = Role.ADMIN,
    *,
    organization: str = DEFAULT_ORGANIZATION,
    sites: list[str] | None = None,
    sees_personal: bool = False,
) -> str:
    """A new key of an organization."""
    store = service.workspace(organization).store
    now = datetime.now(UTC)
    secret, _ = add_key(
        store,
        f"test-{role.name.lower()}{'-sees' if sees_personal else ''}",
        role=role,
        author="test",
        now=now,
        sites=sites,
        sees_personal=sees_personal,
    )
    return secret
