"""Tables and reports to take away: written to a file of its own first, then sent in portions."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from sereno.api.answers import file_answer
from sereno.api.context import Call, ViewerCall
from sereno.api.parameters import Name, Since, Until
from sereno.api.problems import problems
from sereno.flows.exports import ExportPlan
from sereno.flows.incident_lists import write_incidents

__all__ = ["router"]

router = APIRouter(tags=["reports"])

MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
}
_CSV_OR_XLSX: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The table.",
        "content": {"text/csv": {}, MEDIA["xlsx"]: {}},
    }
}

FormatName = Annotated[Literal["csv", "xlsx"], Query(alias="format", description="Kind of table.")]
Assets = Annotated[list[Name] | None, Query(max_length=200, description="Only these; may be repeated.")]
ProfileName = Annotated[Name | None, Query(description="Of the assets, where there are several.")]
DecimalComma = Annotated[
    bool | None, Query(description="Decimal comma and semicolons, as Excel in Spanish expects.")
]
Bom = Annotated[bool | None, Query(description="Begin with the mark by which Excel knows UTF-8.")]


@router.get("/exports/incidents", responses={**_CSV_OR_XLSX, **problems()}, response_class=Response)
def export_incidents(
    call: ViewerCall, kind: FormatName = "csv", bom: Bom = None, decimal_comma: DecimalComma = None
) -> Response:
    """All incidents; text cannot become a formula."""
    written = _plan(call, bom=bom, decimal_comma=decimal_comma).table_format
    workspace = call.workspace
    return _sent(
        "incidents",
        kind,
        lambda path: write_incidents(workspace.incidents(), path, written, workspace.now()),
    )


@router.get("/exports/preprocessed", responses={**_CSV_OR_XLSX, **problems(404)}, response_class=Response)
def export_preprocessed(
    call: ViewerCall,
    asset: Assets = None,
    profile: ProfileName = None,
    corrected: Annotated[bool | None, Query(description="Corrected values, or those that came.")] = None,
    kind: FormatName = "csv",
    bom: Bom = None,
    decimal_comma: DecimalComma = None,
) -> Response:
    """Stored values on their grid with calendar features, cleaned as `exports:` in sereno.yaml says."""
    plan = _plan(call, asset, profile, bom=bom, decimal_comma=decimal_comma)
    if corrected is not None:
        plan = replace(plan, with_corrections=corrected)
    return _sent("preprocessed", kind, lambda path: call.workspace.export_preprocessed(path, plan))


@router.get("/exports/results", responses={**_CSV_OR_XLSX, **problems(404)}, response_class=Response)
def export_results(
    call: ViewerCall,
    asset: Assets = None,
    profile: ProfileName = None,
    since: Since = None,
    kind: FormatName = "csv",
    bom: Bom = None,
    decimal_comma: DecimalComma = None,
) -> Response:
    """The score of every judged row, whether it is abnormal, and the error of each variable."""
    plan = _plan(call, asset, profile, bom=bom, decimal_comma=decimal_comma)
    return _sent("results", kind, lambda path: call.workspace.export_results(path, plan, since=since))


@router.get("/exports/anomalies", responses={**_CSV_OR_XLSX, **problems(404)}, response_class=Response)
def export_anomalies(
    call: ViewerCall,
    asset: Assets = None,
    profile: ProfileName = None,
    since: Since = None,
    until: Until = None,
    kind: FormatName = "csv",
) -> Response:
    """A row per abnormal hour, with its criticality."""
    return _sent(
        "anomalies",
        kind,
        lambda path: call.workspace.export_anomalies(
            path, profile=profile, assets=tuple(asset or ()), since=since, until=until
        ),
    )


@router.get("/exports/clusters", responses={**_CSV_OR_XLSX, **problems(404)}, response_class=Response)
def export_clusters(call: ViewerCall, profile: ProfileName = None, kind: FormatName = "csv") -> Response:
    """Which segment each asset is in."""
    return _sent("clusters", kind, lambda path: call.workspace.export_clusters(path, profile=profile))


@router.get(
    "/reports/asset",
    responses={200: {"description": "One file.", "content": {"text/html": {}}}, **problems(404, 409)},
    response_class=Response,
)
def report_asset(
    call: ViewerCall,
    asset: Annotated[Name, Query(description="Site, or Site/Asset.")],
    since: Annotated[
        Since, Query(description="Begin of the current rows; the end of training without it.")
    ] = None,
) -> Response:
    """The report of an asset as one HTML file that can be mailed."""
    return _sent("report", "html", lambda path: call.workspace.report(asset, path, since=since))


def _plan(
    call: Call,
    assets: list[str] | None = None,
    profile: str | None = None,
    *,
    bom: bool | None,
    decimal_comma: bool | None,
) -> ExportPlan:
    plan = call.workspace.export_plan
    written = plan.table_format
    if bom is not None:
        written = replace(written, has_bom=bom)
    if decimal_comma is not None:
        written = replace(written, has_decimal_comma=decimal_comma)
    return replace(plan, assets=tuple(assets or ()), profile=profile, table_format=written)


def _sent(name: str, kind: str, write: Callable[[Path], object]) -> Response:
    """What is written into a file, in portions; the file goes when it was sent."""
    folder = tempfile.TemporaryDirectory(prefix="sereno-")
    path = Path(folder.name, f"{name}.{kind}")
    try:
        write(path)
        return file_answer(path, path.name, MEDIA[kind], done=folder.cleanup)
    except BaseException:
        folder.cleanup()
        raise
