"""The application that uvicorn serves."""

from fastapi import APIRouter, FastAPI

from sereno.api import description
from sereno.api.guards import add_guards
from sereno.api.masking import MaskNames
from sereno.api.metrics import CountRequests, RequestFigures, registry_of
from sereno.api.parameters import KnownParameters
from sereno.api.problems import add_problem_handlers
from sereno.api.routes import (
    access,
    corrections,
    detections,
    doors,
    drift,
    events,
    exports,
    health,
    incident_actions,
    incidents,
    jobs,
    login,
    models,
    overview,
    predict,
    readings,
    receivers,
    savings,
    scoring,
    series,
    silences,
    sites,
)
from sereno.api.routes.doors import PredictionFigures
from sereno.domain.version import VERSION
from sereno.flows.service import Service

__all__ = ["create_app"]

_V1 = (
    readings.router,
    scoring.router,
    access.router,
    sites.router,
    series.router,
    detections.router,
    incidents.router,
    incident_actions.router,
    silences.router,
    receivers.router,
    models.router,
    drift.router,
    corrections.router,
    overview.router,
    savings.router,
    exports.router,
    jobs.router,
    events.router,
)


def create_app(service: Service) -> FastAPI:
    """The routes over a service; the caller closes the service.

    A process that is only an engine or a notifier says how it is doing, and nothing else.
    """
    app = FastAPI(title="sereno", version=VERSION, docs_url=None, redoc_url=None)
    app.state.service = service
    app.state.predictions = PredictionFigures()
    app.state.registry = registry_of(service)
    add_problem_handlers(app)
    app.add_middleware(MaskNames, service=service)
    add_guards(app, service)
    app.add_middleware(CountRequests, figures=RequestFigures(app.state.registry))
    app.include_router(health.router)
    if service.role.answers:
        app.include_router(doors.router)
        app.include_router(predict.router)
        app.include_router(login.router)
        v1 = APIRouter(prefix="/api/v1", dependencies=[KnownParameters])
        for router in _V1:
            v1.include_router(router)
        app.include_router(v1)
        app.include_router(description.router)
        description.describe(app)
    return app
