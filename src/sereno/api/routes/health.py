"""Whether the service is alive, whether it can work, and its figures."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from sereno.api.context import LocalViewerCall
from sereno.domain.version import VERSION
from sereno.flows.condition import readiness_of

__all__ = ["router"]

router = APIRouter(tags=["operation"])


class AliveDocument(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"
    version: str = VERSION


class PartDocument(BaseModel):
    """Something that goes on beside the requests."""

    name: str
    well: bool
    failures: int = Field(description="Since the service began.")


class ReadyDocument(BaseModel):
    """Whether requests can be served."""

    status: str = Field(
        description="ready; degraded where something beside the requests does not work; unavailable."
    )
    role: str
    checks: dict[str, bool] = Field(description="store, disk (2 GiB or more are free) and running.")
    parts: list[PartDocument]


@router.get("/healthz", summary="Is it alive")
async def alive() -> AliveDocument:
    """Answer as long as the process can; asks nothing of the store."""
    return AliveDocument()


@router.get("/readyz", responses={503: {"model": ReadyDocument}}, summary="Can it work")
def ready(request: Request, response: Response) -> ReadyDocument:
    """Ask the store, and say how every part is doing; what exactly is wrong stands in the log."""
    service = request.app.state.service
    found = readiness_of(service)
    response.status_code = 200 if found.is_ready else 503
    parts = [
        PartDocument(name=part.name, well=part.is_well, failures=part.n_failures) for part in found.parts
    ]
    return ReadyDocument(status=found.status, role=service.role.value, checks=found.checks, parts=parts)


@router.get("/metrics", response_class=Response, summary="Figures for Prometheus")
def metrics(_call: LocalViewerCall, request: Request) -> Response:
    """Figures in the text format of Prometheus; they name no site and no supply point."""
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)
