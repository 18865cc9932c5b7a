"""The doors of the first systems: their addresses, their fields, our scoring path."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isnan
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from sereno.api.bodies import JSON, read_body, records_in
from sereno.api.context import LoopbackCall
from sereno.api.problems import language_of
from sereno.api.routes.readings import PROBLEMS
from sereno.api.verdicts import why_lost
from sereno.api.waiting import turn_of
from sereno.domain.errors import InvalidRecord, ModelError
from sereno.domain.guide import guide_score
from sereno.domain.issues import QuarantinedRow
from sereno.domain.time import isoformat
from sereno.domain.version import VERSION
from sereno.flows.condition import resident_bytes
from sereno.flows.service import DEFAULT_ORGANIZATION, Service
from sereno.flows.taking import Submission
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence

__all__ = ["PredictionFigures", "router"]

router = APIRouter(tags=["first systems"])

_NAME = "POST /procesar"
_MS = 1000.0
_KEPT = 1_000


@dataclass(slots=True)
class PredictionFigures:
    """When these doors last judged or predicted, and how long it took."""

    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    last_at: datetime | None = None

    def add(self, seconds: float, at: datetime) -> None:
        """One more."""
        self.seconds.append(seconds)
        self.last_at = at


class ProcesarDocument(BaseModel):
    """What the first system's door answered."""

    es_anomalia: bool
    score: float | None = Field(
        description="Lower is stranger, below -0.05 abnormal; null where nothing could be judged."
    )
    alerta_generada: bool = Field(description="Whether the record is evidence of an incident.")


class HealthDocument(BaseModel):
    """How the service is doing, in the words of the first systems."""

    model_config = ConfigDict(protected_namespaces=())

    status: str = Field(description="healthy, or degraded without a model.")
    model_loaded: bool = Field(description="Whether a detector or a forecaster can be used.")
    model_path: str | None = Field(description="Of the detector, otherwise of the forecaster.")
    forecaster_path: str | None = Field(description="Of what `POST /predict` answers from.")
    version: str
    timestamp: str
    prediction_latency_ms: float | None = Field(description="Median of the last 1,000.")
    memory_mb: float | None
    last_prediction: str | None


@router.post(
    "/procesar",
    response_model=ProcesarDocument,
    responses=PROBLEMS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"type": "object"},
                    "example": {
                        "Empresa": "PLANTA 1",
                        "Fecha": "15.01.2025",
                        "Generación total": 120500,
                        "Consumo total": 80200,
                    },
                }
            },
        }
    },
    summary="Judge and store one record",
)
async def procesar(request: Request, call: LoopbackCall) -> Response:
    """Store one record, judge it, and say whether it is abnormal; energies without a unit are Wh.

    The incident that an abnormal record is evidence of opens a moment later.
    """
    began = time.perf_counter()
    body = await read_body(request, kinds=(JSON,))
    records = records_in(body)
    if len(records.found) != 1 or records.broken:
        raise InvalidRecord(detail="one flat record is expected")
    submission = Submission(
        records.found,
        energy_unit="Wh",
        digest=body.digest,
        name=_NAME,
        wants_verdicts=True,
        is_hurried=True,
        sites=call.principal.sites,
        bringer=call.bringer(_NAME),
    )
    receipt = await turn_of(call.service.intake(call.principal.organization).submit(submission))
    row = receipt.rows[0]
    if row is None:
        lost = receipt.quarantined[0] if receipt.quarantined else QuarantinedRow(1, "read.broken_row", "")
        raise InvalidRecord(
            detail=f"it has no usable time or value ({why_lost(lost, receipt.issues, language_of(request))})"
        )
    figures: PredictionFigures = request.app.state.predictions
    figures.add(time.perf_counter() - began, call.workspace.now())
    score = guide_score(row.score / row.threshold)
    document = ProcesarDocument(
        es_anomalia=row.is_abnormal, score=None if isnan(score) else score, alerta_generada=row.is_abnormal
    )
    # What is a response already the route does not look at again.
    return Response(document.model_dump_json(), media_type=JSON)


@router.get("/health", summary="How it is doing")
async def health(request: Request) -> HealthDocument:
    """How the service is doing, in the words of the first systems."""
    service: Service = request.app.state.service
    figures: PredictionFigures = request.app.state.predictions
    model, forecaster = await run_in_threadpool(_paths, service)
    path = model or forecaster
    memory = resident_bytes(service)
    latency = sorted(figures.seconds)
    return HealthDocument(
        status="healthy" if path else "degraded",
        model_loaded=path is not None,
        model_path=path,
        forecaster_path=forecaster,
        version=VERSION,
        timestamp=isoformat(service.workspace(DEFAULT_ORGANIZATION).now()),
        prediction_latency_ms=round(latency[len(latency) // 2] * _MS, 3) if latency else None,
        memory_mb=None if memory is None else round(memory / 1e6, 1),
        last_prediction=None if figures.last_at is None else isoformat(figures.last_at),
    )


@router.get("/", include_in_schema=True, response_model=None, summary="What is here")
async def root(request: Request) -> Response:
    """What is here: for programs as JSON, for people the console, or a page that says where to look."""
    if not _is_for_people(request):
        return JSONResponse(_INFO)
    paths = {getattr(route, "path", "") for route in request.app.routes}
    if any(path == "/console" or path.startswith("/console/") for path in paths):
        return RedirectResponse("/console")
    language = language_of(request)
    return HTMLResponse(
        sentence("api.page", language, version=VERSION),
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )


_INFO: Mapping[str, Any] = {
    "name": "sereno",
    "version": VERSION,
    "endpoints": {
        "GET /health": "condition",
        "POST /predict": "forecast",
        "POST /procesar": "judge and store one record",
        "POST /api/v1/readings": "add readings",
        "POST /api/v1/score": "judge records",
    },
    "docs": "/docs",
    "redoc": "/redoc",
    "openapi": "/openapi.json",
}


def _is_for_people(request: Request) -> bool:
    """Whether a page is preferred: browsers name it, programs ask for anything or JSON."""
    accepted = [one.partition(";")[0].strip() for one in request.headers.get("accept", "").split(",")]
    if "text/html" not in accepted:
        return False
    return JSON not in accepted or accepted.index("text/html") < accepted.index(JSON)


def _paths(service: Service) -> tuple[str | None, str | None]:
    """Where the models that judge and that forecast lie; None without one that can be used."""
    workspace = service.workspace(DEFAULT_ORGANIZATION)
    forecaster = workspace.forecaster_path()
    return _model_path(workspace), None if forecaster is None else f"models/{forecaster.name}"


def _model_path(workspace: Workspace) -> str | None:
    for profile in workspace.profiles:
        try:
            model = workspace.model(profile)
        except ModelError:
            continue
        if model is not None:
            return f"models/{model.card.digest}.sereno"
    return None
