"""The application that uvicorn serves."""

from fastapi import APIRouter, FastAPI

from sereno.api.guards import add_guards
from sereno.api.problems import add_problem_handlers
from sereno.api.routes import access, login, sites
from sereno.domain.version import VERSION
from sereno.flows.service import Service

__all__ = ["create_app"]

_V1 = (sites.router, access.router)


def create_app(service: Service) -> FastAPI:
    """The routes over a service; the caller closes the service."""
    app = FastAPI(title="sereno", version=VERSION, description="Night watch for energy and process data.")
    app.state.service = service
    add_problem_handlers(app)
    add_guards(app, service)
    app.include_router(login.router)
    v1 = APIRouter(prefix="/api/v1")
    for router in _V1:
        v1.include_router(router)
    app.include_router(v1)
    return app
