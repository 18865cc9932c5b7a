"""Readings that are pushed: stored and judged before they are acknowledged."""

import tempfile
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from sereno.api.bodies import CSV, JSON, NDJSON, Body, read_body, records_in
from sereno.api.context import Call, WriterCall
from sereno.api.problems import PROBLEM, Problem, language_of
from sereno.api.verdicts import VerdictDocument, verdict_document
from sereno.api.waiting import turn_of
from sereno.domain.errors import NoReadings
from sereno.domain.issues import DataIssue, QuarantinedRow
from sereno.flows.taking import Receipt, Submission
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import issue_sentence

__all__ = [
    "PROBLEMS",
    "IssueDocument",
    "QuarantinedDocument",
    "issue_document",
    "quarantined_document",
    "router",
]

router = APIRouter(tags=["readings"])

_NAME = "POST /api/v1/readings"
_EXAMPLE = {
    "Empresa": "PLANTA 1",
    "Fecha": "15.01.2025",
    "Generación total (kWh)": 120.5,
    "Consumo total (kWh)": 80.2,
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text, "content": {PROBLEM: {}}}
    for status, text in {
        408: "The body did not arrive in time.",
        413: "The body, or what it expands to, is too large.",
        415: "The body is of a kind that is not read.",
        422: "Nothing of the body can be used, or the key belongs to another content.",
        429: "More waits than can be held: try again after `Retry-After` seconds.",
        503: "The store does not answer, or the service is stopping: try again.",
        507: "The disk is full: nothing was stored.",
    }.items()
}
"""What may go wrong with a body."""

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One record, a list of records, a record per line, or a table as CSV.",
        "content": {
            JSON: {
                "schema": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
                "example": _EXAMPLE,
            },
            NDJSON: {"schema": {"type": "string"}},
            CSV: {"schema": {"type": "string"}},
        },
    }
}


class IssueDocument(BaseModel):
    """Something true about what was sent that somebody should know."""

    code: str
    where: str
    count: int
    message: str


class QuarantinedDocument(BaseModel):
    """A record that could not be used."""

    line: int = Field(description="Where it stood, 1 for the first.")
    reason: str = Field(description="Stable code.")
    text: str = Field(description="The record, shortened.")


class ReadingsDocument(BaseModel):
    """What was understood; all that is counted here is durable."""

    records: int = Field(description="Records that were sent.")
    new: int = Field(description="Of instants that were not there.")
    changed: int = Field(description="That gave a stored row other content; what it replaced is kept.")
    duplicates: int = Field(description="That were stored already.")
    quarantined: list[QuarantinedDocument]
    issues: list[IssueDocument]
    verdicts: list[VerdictDocument | None] | None = Field(
        None, description="With `verdicts=true`, of each record that was sent as JSON; null if unusable."
    )
    repeated: bool = Field(default=False, description="The answer to an earlier request with this key.")


@router.post(
    "/readings",
    status_code=HTTPStatus.ACCEPTED,
    responses=PROBLEMS,
    openapi_extra=_BODY,
    summary="Add readings",
)
async def add_readings(
    request: Request,
    call: WriterCall,
    *,
    idempotency_key: Annotated[
        str | None, Header(max_length=200, description="The same request again changes nothing.")
    ] = None,
    verdicts: Annotated[
        bool,
        Query(description="Say what is thought of each record (JSON only)."),
    ] = False,
    name: Annotated[
        str, Query(max_length=200, description="File name of a CSV, which may name the site.")
    ] = "readings.csv",
    energy_unit: Annotated[
        Literal["Wh", "kWh", "MWh"] | None,
        Query(description="Unit of energies whose column says none (JSON only)."),
    ] = None,
    timezone: Annotated[
        str | None, Query(max_length=60, description="IANA zone of the times of a CSV that say none.")
    ] = None,
) -> ReadingsDocument:
    """Store and judge readings; the answer comes once they are durable.

    Asset and instant are the natural key: a repeated reading changes nothing, a corrected one replaces the
    old one, which is kept.
    """
    body = await read_body(request, kinds=(JSON, NDJSON, CSV))
    language = language_of(request)
    submission = Submission(
        energy_unit=energy_unit,
        key=_own_key(call, idempotency_key),
        digest=body.digest,
        name=_NAME,
        wants_verdicts=verdicts,
        sites=call.principal.sites,
        bringer=call.bringer(_NAME),
    )
    if body.kind == CSV:
        tables = await _read_table(call, body, name, timezone)
        submission = replace(submission, tables=tables, wants_verdicts=False)
    else:
        records = records_in(body)
        submission = replace(submission, records=records.found, lines=records.lines, broken=records.broken)
    receipt = await turn_of(call.service.intake(call.principal.organization).submit(submission))
    _refuse_useless(receipt)
    return _document(receipt, call.workspace, language, with_verdicts=verdicts)


async def _read_table(call: Call, body: Body, name: str, timezone: str | None) -> list[Any]:
    """The readings of a table, by the reader of files, beside the event loop."""

    def read() -> list[Any]:
        with tempfile.TemporaryDirectory(prefix="sereno-") as folder:
            path = Path(folder, Path(name).name or "readings.csv")
            path.write_bytes(body.content)
            return call.workspace.read_table(path, timezone=timezone)

    return await run_in_threadpool(read)


def _own_key(call: Call, key: str | None) -> str | None:
    """A key is of whoever sends it: nobody meets the answers of others."""
    return None if key is None else f"{call.principal.name}:{key}"


def _refuse_useless(receipt: Receipt) -> None:
    if receipt.n_records and len(receipt.quarantined) == receipt.n_records:
        first = receipt.quarantined[0]
        raise NoReadings(file=_NAME, detail=f"line {first.line}: {first.reason}: {first.text[:100]}")


def _document(
    receipt: Receipt, workspace: Workspace, language: str, *, with_verdicts: bool
) -> ReadingsDocument:
    rows = [None if row is None else verdict_document(row, workspace) for row in receipt.rows]
    return ReadingsDocument(
        records=receipt.n_records,
        new=receipt.n_new,
        changed=receipt.n_changed,
        duplicates=receipt.n_known,
        quarantined=[quarantined_document(row) for row in receipt.quarantined],
        issues=[issue_document(one, language) for one in receipt.issues],
        verdicts=rows if with_verdicts and not receipt.is_repeat else None,
        repeated=receipt.is_repeat,
    )


def quarantined_document(row: QuarantinedRow) -> QuarantinedDocument:
    """The document of a record that could not be used."""
    return QuarantinedDocument(line=row.line, reason=row.reason, text=row.text)


def issue_document(one: DataIssue, language: str) -> IssueDocument:
    """The document of a data issue."""
    return IssueDocument(
        code=one.code, where=one.where, count=one.count, message=issue_sentence(one, language)
    )
