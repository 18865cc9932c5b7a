"""Judging records without storing them."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from sereno.api.bodies import JSON, NDJSON, read_body, records_in
from sereno.api.context import ViewerCall
from sereno.api.problems import language_of
from sereno.api.routes.readings import (
    PROBLEMS,
    IssueDocument,
    QuarantinedDocument,
    issue_document,
    quarantined_document,
)
from sereno.api.verdicts import VerdictDocument, why_lost
from sereno.api.waiting import turn_of
from sereno.domain.errors import InvalidRecord
from sereno.domain.issues import QuarantinedRow
from sereno.flows.asking import LARGE, judge_alone
from sereno.flows.records_path import Question

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

    rows: int = Field(description="Records that were judged.")
    abnormal: int = Field(description="How many are abnormal.")
    judged: list[VerdictDocument]
    quarantined: list[QuarantinedDocument] = Field(
        description="Records that were not judged: without a usable time or value, or of the future."
    )
    issues: list[IssueDocument]


@router.post("/score", responses=PROBLEMS, openapi_extra=_BODY, summary="Judge records")
async def score_records(request: Request, call: ViewerCall) -> ScoreDocument:
    """Judge records as if they came next; nothing is stored."""
    records = records_in(await read_body(request, kinds=(JSON, NDJSON)))
    if records.broken:
        first = records.broken[0]
        raise InvalidRecord(detail=f"line {first.line} is no flat record: {first.text[:100]}")
    question = Question(records.found)
    if question.n_records > LARGE:
        opinion = await run_in_threadpool(judge_alone, call.workspace, question)
    else:
        opinion = await turn_of(call.service.asking(call.principal.organization).submit(question))
    judged = [VerdictDocument.model_validate(row) for row in opinion.rows if row is not None]
    lost = [QuarantinedRow(records.lines[row.line - 1], row.reason, row.text) for row in opinion.quarantine]
    lost.sort(key=lambda row: row.line)
    if not judged and lost:
        raise InvalidRecord(detail=why_lost(lost[0], opinion.issues, language_of(request)))
    return ScoreDocument(
        rows=len(judged),
        abnormal=sum(row.is_abnormal for row in judged),
        judged=judged,
        quarantined=[quarantined_document(row) for row in lost],
        issues=[issue_document(one, language_of(request)) for one in opinion.issues],
    )
