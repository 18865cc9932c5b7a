"""Long work that goes on behind a request, one piece at a time."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from sereno.api.answers import file_answer
from sereno.api.context import Call, EngineerCall, ViewerCall
from sereno.api.documents import JobDocument
from sereno.api.parameters import IdempotencyKey, Instant
from sereno.api.problems import problems
from sereno.domain.errors import NotFound
from sereno.domain.jobs import Job
from sereno.flows.jobs import job_report_path

__all__ = ["router"]

router = APIRouter(tags=["jobs"])

JobId = Annotated[str, Path(min_length=1, max_length=64, description="Of the job.")]
ProfileName = Annotated[str | None, Field(max_length=200, description="Only this profile.")]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TrainOptions(_Options):
    """Learn every asset's normal behaviour."""

    kind: Literal["train"]
    profile: ProfileName = None
    detector: str | None = Field(None, max_length=200, description="Instead of the one in sereno.yaml.")
    budget: float | None = Field(None, ge=0, le=1e6, description="False episodes per asset and week.")
    before: Instant | None = Field(None, description="Learn only from readings before this instant.")


class ScoreOptions(_Options):
    """Judge every stored row that the current model has not judged yet."""

    kind: Literal["score"]


class RetrainOptions(_Options):
    """The next step of learning anew for each model: nothing takes over that is not better."""

    kind: Literal["retrain"]
    asked: bool = Field(default=True, description="Whether or not it is time for it by `retrain.every`.")


class DriftOptions(_Options):
    """Look for drift: the last weeks of each asset against the same season before."""

    kind: Literal["drift"]
    profile: ProfileName = None


class RecalibrateOptions(_Options):
    """Find thresholds anew on the rows since training."""

    kind: Literal["recalibrate"]
    profile: ProfileName = None


class SegmentOptions(_Options):
    """Find the assets that behave alike."""

    kind: Literal["segment"]
    profile: ProfileName = None
    assign: bool = Field(
        default=False, description="Keep the known segments; only assign assets without one."
    )


class ReportOptions(_Options):
    """Write the report of an asset, to be fetched from `/jobs/{id}/file`."""

    kind: Literal["report"]
    asset: str = Field(
        min_length=1, max_length=500, description="Site, or Site/Asset.", examples=["Planta 1"]
    )


JobBody = Annotated[
    TrainOptions
    | ScoreOptions
    | RetrainOptions
    | DriftOptions
    | RecalibrateOptions
    | SegmentOptions
    | ReportOptions,
    Body(
        discriminator="kind",
        openapi_examples={"train": {"value": {"kind": "train"}}, "score": {"value": {"kind": "score"}}},
    ),
]


@router.post("/jobs", status_code=202, responses=problems(), response_model=JobDocument)
def submit_job(call: EngineerCall, request: Request, body: JobBody, key: IdempotencyKey = None) -> Response:
    """Ask for a job; it waits until those before it have ended. `Location` says where to look."""
    options = body.model_dump(mode="json", exclude={"kind"}, exclude_none=True)
    job = call.workspace.jobs.submit(body.kind, options, author=call.principal.name, request_key=key)
    where = str(request.url_for("show_job", job_id=job.id).path)
    return JSONResponse(job.to_json(), 202, {"Location": where})


@router.get("/jobs", responses=problems(), response_model=list[JobDocument])
def list_jobs(call: ViewerCall) -> Response:
    """Jobs, newest first: those that wait or run, and the last 200 that ended."""
    return JSONResponse([one.to_json() for one in call.workspace.jobs.jobs()])


@router.get("/jobs/{job_id}", responses=problems(404), response_model=JobDocument)
def show_job(call: ViewerCall, job_id: JobId) -> Response:
    """How far a job has come, and what came of it."""
    return JSONResponse(call.workspace.jobs.job(job_id).to_json())


@router.post("/jobs/{job_id}/cancel", responses=problems(404, 409), response_model=JobDocument)
def cancel_job(call: EngineerCall, job_id: JobId) -> Response:
    """End a job; what it had not committed does not happen."""
    return JSONResponse(call.workspace.jobs.cancel(job_id).to_json())


@router.get(
    "/jobs/{job_id}/file",
    responses={200: {"content": {"text/html": {}}, "description": "The report."}, **problems(404)},
    response_class=Response,
)
def fetch_file(call: ViewerCall, job_id: JobId) -> Response:
    """The file that a job has made."""
    path = job_report_path(call.workspace.folder, _done(call, job_id).id)
    if not path.is_file():
        raise NotFound(what="file", id=job_id, hint="")
    return file_answer(path, path.name, "text/html; charset=utf-8", done=lambda: None)


def _done(call: Call, job_id: str) -> Job:
    """A job that has made a file."""
    job = call.workspace.jobs.job(job_id)
    if job.result is None or "file" not in job.result:
        raise NotFound(what="file", id=job_id, hint="")
    return job
