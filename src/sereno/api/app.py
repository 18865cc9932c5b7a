"""The application that uvicorn serves."""

from fastapi import APIRouter, FastAPI

from sereno.api.metrics import CountRequests, RequestFigures, registry_of
from sereno.api.problems import add_problem_handlers
from sereno.api.routes import doors, health, readings, scoring, sites
from sereno.api.routes.doors import PredictionFigures
from sereno.domain.version import VERSION
from sereno.flows.service import Service

__all__ = ["create_app"]

_V1 = (readings.router, scoring.router, sites.router)


def create_app(service: Service) -> FastAPI:
    """The routes over a service; the caller closes the service.

    A process that is only an engine or a notifier says how it is doing, and nothing else.
    """
    app = FastAPI(title="sereno", version=VERSION, description="Night watch for energy and process data.")
    app.state.service = service
    app.state.predictions = PredictionFigures()
    app.state.registry = registry_of(service)
    add_problem_handlers(app)
    app.add_middleware(CountRequests, figures=RequestFigures(app.state.registry))
    app.include_router(health.router)
    if service.role.answers:
        app.include_router(doors.router)
        v1 = APIRouter(prefix="/api/v1")
        for router in _V1:
            v1.include_router(router)
        app.include_router(v1)
    return app
