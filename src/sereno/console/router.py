"""All screens under `/console`, and the files that they load."""

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from sereno.console import assets
from sereno.console.screens import (
    asset_list,
    cost,
    drift,
    fleet,
    health,
    incident,
    incidents,
    jobs,
    live,
    models,
    patterns,
    preferences,
    quality,
    reports,
    series,
    settings,
    site,
    timeline,
    wizard,
)

__all__ = ["mount_static", "router"]

router = APIRouter(prefix="/console", include_in_schema=False)
_BAD_NIGHT = (fleet, incidents, incident, asset_list, site, patterns, series)
_MONDAY = (timeline, quality, models, drift, jobs, health, cost, reports, wizard, settings)
for screen in (*_BAD_NIGHT, *_MONDAY, live, preferences):
    router.include_router(screen.router)


def mount_static(app: FastAPI) -> None:
    """Serve the style, the scripts and the icons; their addresses change with their content."""

    @app.get("/console/static/{name:path}", include_in_schema=False)
    def static_file(name: str, request: Request) -> Response:
        return assets.answer(name, request)

    @app.get("/console", include_in_schema=False)
    def without_slash() -> Response:
        return RedirectResponse("/console/", status_code=308)
