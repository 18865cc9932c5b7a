"""A real server on loopback, and a client that talks to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvicorn

from sereno.api.app import create_app
from sereno.domain.access import DEFAULT_ORGANIZATION, Role
from sereno.flows.keys import add_key
from sereno.flows.service import Service
from tests.support.processes import wait_until

__all__ = ["key_for", "listening", "served"]


@contextmanager
def served(folder: Path, **headers: str) -> Iterator[httpx.Client]:
    """The service of a workspace, on a free port; the client is an administrator's by default."""
    with Service(folder) as service, listening(service) as address:
        given = headers or {"Authorization": f"Bearer {key_for(service)}"}
        with httpx.Client(base_url=address, headers=given, timeout=30) as client:
            yield client


@contextmanager
def listening(service: Service) -> Iterator[str]:
    """The address of a server of a service."""
    config = uvicorn.Config(
        create_app(service), host="127.0.0.1", port=0, log_config=None, proxy_headers=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def key_for(
    service: Service,
    role: Role = Role.ADMIN,
    *,
    organization: str = DEFAULT_ORGANIZATION,
    sites: list[str] | None = None,
) -> str:
    """A new key of an organization."""
    store = service.workspace(organization).store
    now = datetime.now(UTC)
    secret, _ = add_key(store, f"test-{role.name.lower()}", role=role, author="test", now=now, sites=sites)
    return secret
