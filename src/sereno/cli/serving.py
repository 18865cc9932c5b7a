"""`sereno serve`: the service until it is told to end."""

import sys
from typing import TYPE_CHECKING

from sereno.cli.access import welcome_link
from sereno.cli.output import Request, tell_progress
from sereno.domain.access import DEFAULT_ORGANIZATION

if TYPE_CHECKING:
    from sereno.flows.service import Service

__all__ = ["run_service"]


def run_service(request: Request, *, host: str, port: int, role: str) -> None:
    """Serve until SIGTERM or Ctrl+C; what was taken is finished first."""
    import uvicorn

    from sereno.api.app import create_app
    from sereno.flows.service import Service, ServiceRole

    with Service(request.workspace, role=ServiceRole(role), language=request.language) as service:
        said = service.workspaces[DEFAULT_ORGANIZATION].settings.service
        address = f"http{'s' if said.tls_certificate else ''}://{host}:{port}"
        tell_progress(request, address)
        _invite_first_admin(service, address)
        uvicorn.run(
            create_app(service),
            host=host,
            port=port,
            log_config=None,
            proxy_headers=False,  # the guards believe proxies that the settings name, and no others
            server_header=False,
            ssl_certfile=said.tls_certificate,
            ssl_keyfile=said.tls_key,
        )


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
