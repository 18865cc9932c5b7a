"""`sereno serve`: the service until it is told to end."""

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from sereno.cli.access import welcome_link
from sereno.cli.output import Request, show_json, tell_progress
from sereno.domain.access import DEFAULT_ORGANIZATION
from sereno.domain.errors import AddressTaken

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sereno.flows.service import Service
    from sereno.settings.access import ServiceSettings

__all__ = ["listening", "run_service"]

_EVERYWHERE = ("0.0.0.0", "::")
_INTERRUPTED = 130
_KILLED_BY = 128
_BACKLOG = 2048
_GARBAGE = 20_000
"""New objects after which garbage is looked for: the work of a few requests."""
_TURN_S = 0.0005
"""How long a thread computes while others wait [s]."""
_GRACE_S = 60
"""How long requests that were taken may go on after the signal [s]."""


def run_service(
    request: Request,
    *,
    host: str,
    port: int,
    role: str,
    on_ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or Ctrl+C; what was taken is finished first, a second signal ends at once.

    Args:
        on_ready: Told the address once it answers.

    Raises:
        AddressTaken: Nobody can listen there.
        EngineRunning: Another process works on the workspace.
        RoleNeedsServer: The store is embedded and the role is not `all`.
    """
    from sereno.api.app import create_app
    from sereno.console import mount_static
    from sereno.console import router as console
    from sereno.flows.service import Service, ServiceRole
    from sereno.i18n.catalogue import sentence

    with (
        listening(host, port) as listener,
        Service(
            request.workspace, role=ServiceRole(role), language=request.language, judges_apart=True
        ) as service,
    ):
        root = service.workspace(DEFAULT_ORGANIZATION)
        said, language = root.settings.service, root.language
        address = _url(host, listener.getsockname()[1], is_secure=said.tls_certificate is not None)

        def tell() -> None:
            tell_progress(request, sentence("cli.serving", language, url=address, role=role))
            if request.as_json:
                show_json({"url": address, "role": role, "process": os.getpid()})
            _invite_first_admin(service, address)
            on_ready(address)

        def stopping() -> None:
            service.stop.set()
            tell_progress(request, sentence("cli.service_stopping", language))

        app = create_app(service)
        if service.role.answers:
            app.include_router(console)
            mount_static(app)
        with root.logging():
            service.start()
            code = _serve(app, listener, said, on_ready=tell, on_stop=stopping)
    if code:
        raise SystemExit(code)


def _serve(
    app: "FastAPI",
    listener: socket.socket,
    said: "ServiceSettings",
    *,
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
) -> int:
    """Run uvicorn on a socket until a signal; returns the exit code."""
    import uvicorn

    class Server(uvicorn.Server):
        code = 0

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _settle_down()
            on_ready()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
            if self.should_exit:
                os._exit(_KILLED_BY + sig)
            self.code = _INTERRUPTED if sig == signal.SIGINT else 0
            self.should_exit = True
            on_stop()

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the guards believe proxies that the settings name, and no others
        ssl_certfile=said.tls_certificate,
        ssl_keyfile=said.tls_key,
        timeout_graceful_shutdown=_GRACE_S,
        backlog=_BACKLOG,
    )
    server = Server(config)
    server.run(sockets=[listener])
    return server.code


def _settle_down() -> None:
    """Let requests pay for themselves alone.

    What is there now stays until the end: nobody needs to look through it for garbage again and again. While
    a group is judged, a request that only has to be taken or answered soon gets its turn.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE, *gc.get_threshold()[1:])
    sys.setswitchinterval(_TURN_S)


def listening(host: str, port: int) -> socket.socket:
    """A socket of that address, before anything else is done.

    It says that it is TCP: otherwise asyncio would not know, and the kernel would hold back the end of an
    answer until the client has confirmed its beginning, which takes clients 40 ms.

    Raises:
        AddressTaken: There is none to be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise AddressTaken(host=host, port=port, detail=error.strerror or str(error)) from error
    listener.listen(_BACKLOG)
    return listener


def _url(host: str, port: int, *, is_secure: bool) -> str:
    """Where a browser of this machine finds it; nobody can open the address that stands for all."""
    shown = "localhost" if host in _EVERYWHERE else f"[{host}]" if ":" in host else host
    return f"http{'s' if is_secure else ''}://{shown}:{port}"


def _invite_first_admin(service: "Service", address: str) -> None:
    """Show a link by which somebody becomes administrator, as long as nobody is one."""
    from sereno.flows.users import first_link
    from sereno.i18n.catalogue import sentence

    workspace = service.workspaces[DEFAULT_ORGANIZATION]
    if not workspace.settings.service.auth:
        return
    token = first_link(workspace.store, now=workspace.now())
    if token is not None:
        link = welcome_link(address, token, DEFAULT_ORGANIZATION)
        sys.stderr.write(sentence("cli.access.first_link", workspace.language, link=link) + "\n")
