"""Who is not told for a while: silences of people, maintenance of the settings."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from sereno.api.answers import fresh_or
from sereno.api.context import Call, OperatorCall, ViewerCall
from sereno.api.documents import SeverityName, SilenceDocument
from sereno.api.parameters import Instant
from sereno.api.problems import problems
from sereno.domain.incidents import EventKind
from sereno.domain.judgement import Severity
from sereno.domain.silences import DEFAULT_MUTES, Matcher, Silence
from sereno.flows.silencing import SilenceRequest

__all__ = ["router"]

router = APIRouter(tags=["silences"])

SilenceId = Annotated[
    str, Path(min_length=6, max_length=200, description="Its id, or the first six characters or more.")
]
_WHOLE_DAY = "00:00-24:00"


class MatcherBody(BaseModel):
    """Which incidents; what is not said fits all."""

    model_config = ConfigDict(extra="forbid")

    site: str = Field("", max_length=500, description="`*` and `?` stand for any text.")
    asset: str = Field("", max_length=500, description="`*` and `?` stand for any text.")
    profile: str = Field("", max_length=500)
    cause: str = Field("", max_length=500, examples=["quality.*"])
    problem: str = Field("", max_length=500)
    severity_at_most: SeverityName | None = Field(None, description="Worse ones are told all the same.")


class SilenceBody(BaseModel):
    """A silence: until an end, or in hours that come back."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    matcher: MatcherBody = Field(default_factory=MatcherBody)
    comment: str = Field(min_length=1, max_length=10_000, description="Why.", examples=["Works on the roof"])
    starts_at: Instant | None = Field(None, description="Now without it.")
    ends_at: Instant | None = Field(None, description="Needed where no hours come back.")
    hours: str = Field(
        "",
        max_length=11,
        pattern=r"^$|^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$",
        description="Local hours that come back.",
        examples=["22:00-06:00"],
    )
    days: list[Annotated[int, Field(ge=1, le=7)]] = Field(
        default_factory=list, max_length=7, description="On which they begin, 1 for Monday."
    )
    dates: list[date] = Field(default_factory=list, max_length=400, description="Further days.")
    timezone: str | None = Field(None, max_length=100, description="IANA zone; the workspace's without it.")
    mutes: list[EventKind] = Field(
        default_factory=list, max_length=30, description="Events nobody hears of; all but ends without any."
    )

    def asked_by(self, call: Call) -> SilenceRequest:
        """The same for the flow."""
        matcher = self.matcher.model_dump(exclude={"severity_at_most"})
        worst = self.matcher.severity_at_most
        return SilenceRequest(
            Matcher(**matcher, severity_at_most=None if worst is None else Severity[worst.upper()]),
            call.principal.name,
            self.comment,
            self.timezone or call.workspace.zone,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            hours=self.hours or (_WHOLE_DAY if self.days or self.dates else ""),
            days=self.days,
            dates=self.dates,
            mutes=[one.value for one in self.mutes] or DEFAULT_MUTES,
        )


@router.get("/silences", responses=problems(), response_model=list[SilenceDocument])
def list_silences(
    call: ViewerCall,
    request: Request,
    *,
    ended: Annotated[bool, Query(description="Those that are over, too.")] = False,
) -> Response:
    """Silences and declared maintenance, in force now or later."""
    minute = f"{call.workspace.now():%Y%m%d%H%M}"
    return fresh_or(request, call, lambda: _shown(call, call.workspace.silences(with_ended=ended)), by=minute)


@router.get("/maintenance", responses=problems(), response_model=list[SilenceDocument])
def list_maintenance(call: ViewerCall, request: Request) -> Response:
    """Maintenance that sereno.yaml declares."""
    minute = f"{call.workspace.now():%Y%m%d%H%M}"

    def declared() -> object:
        return _shown(call, [one for one in call.workspace.silences() if one.is_declared])

    return fresh_or(request, call, declared, by=minute)


@router.post("/silences", status_code=201, responses=problems(), response_model=SilenceDocument)
def add_silence(call: OperatorCall, body: SilenceBody) -> Response:
    """Let nobody be told of some incidents for a while; what happens is recorded and shown all the same."""
    silence = call.workspace.add_silence(body.asked_by(call))
    return JSONResponse(_shown(call, [silence])[0], 201)


@router.post("/silences/{silence_id}/end", responses=problems(404), response_model=SilenceDocument)
def end_silence(call: OperatorCall, silence_id: SilenceId) -> Response:
    """End a silence early; what goes on is then told."""
    silence = call.workspace.end_silence(silence_id, actor=call.principal.name)
    return JSONResponse(_shown(call, [silence])[0])


def _shown(call: Call, found: list[Silence]) -> list[dict[str, object]]:
    counts, now = call.workspace.silenced_counts(), call.workspace.now()
    return [one.to_json(now) | {"incidents": counts.get(one.id, 0)} for one in found]
