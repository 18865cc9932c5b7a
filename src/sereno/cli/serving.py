"""`sereno serve`: the service until it is told to end."""

from sereno.cli.output import Request, tell_progress

__all__ = ["run_service"]


def run_service(request: Request, *, host: str, port: int, role: str) -> None:
    """Serve until SIGTERM or Ctrl+C; what was taken is finished first."""
    import uvicorn

    from sereno.api.app import create_app
    from sereno.flows.service import Service, ServiceRole

    with Service(request.workspace, role=ServiceRole(role), language=request.language) as service:
        tell_progress(request, f"http://{host}:{port}")
        uvicorn.run(create_app(service), host=host, port=port, log_config=None)
