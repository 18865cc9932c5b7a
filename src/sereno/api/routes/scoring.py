"""Judging records without storing them."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from sereno.api.bodies import JSON, NDJSON, read_body, records_in
from sereno.api.context import ViewerCall
from sereno.api.routes.readings import PROBLEMS
from sereno.api.verdicts import VerdictDocument, verdict_document
from sereno.domain.errors import InvalidRecord

__all__ = ["router"]

router = APIRouter(tags=["scoring"])

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One record, a list of records, or a record per line.",
        "content": {
            JSON: {
                "schema": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
                "example": {"Empresa": "PLANTA 1", "Fecha": "15.01.2025", "Generación total (kWh)": 120.5},
            },
            NDJSON: {"schema": {"type": "string"}},
        },
    }
}


class ScoreDocument(BaseModel):
    """What is thought of records, in their order."""

    rows: int
    abnormal: int = Field(description="How many are abnormal.")
    judged: list[VerdictDocument]


@router.post("/score", responses=PROBLEMS, openapi_extra=_BODY, summary="Judge records")
async def score_records(request: Request, call: ViewerCall) -> ScoreDocument:
    """Judge records as if they came next; nothing is stored."""
    records = records_in(await read_body(request, kinds=(JSON, NDJSON)))
    if records.broken:
        first = records.broken[0]
        raise InvalidRecord(detail=f"line {first.line} is no flat record: {first.text[:100]}")
    workspace = call.workspace
    rows = await run_in_threadpool(workspace.score_records, records.found)
    judged = [verdict_document(row, workspace) for row in rows]
    return ScoreDocument(rows=len(rows), abnormal=sum(one.is_abnormal for one in judged), judged=judged)
