"""Savings against a baseline."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sereno.api.answers import fresh_or
from sereno.api.context import ViewerCall
from sereno.api.documents import Time
from sereno.api.parameters import Instant, Name
from sereno.api.problems import problems
from sereno.flows.savings_view import report_json

__all__ = ["router"]

router = APIRouter(tags=["overview"])


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RefusalDocument(_Document):
    """Why nothing is claimed."""

    reason: str = Field(examples=["fit"])
    found: float
    limit: float
    sentence: str
    sentence_es: str


class LineDocument(_Document):
    """Daily values that a chart draws."""

    signal: Literal["actual", "expected", "cusum", "cusum_low", "cusum_high"]
    unit: str
    kind: str
    label: str
    label_es: str
    rows: int
    time: list[Time]
    value: list[float | None]


class MeterSavingsDocument(_Document):
    """One meter; figures are null where its baseline does not carry them."""

    site: str
    asset: str
    asset_id: int
    signal: str
    unit: str = Field(examples=["kWh"])
    zone: str
    carries: bool = Field(description="Whether the baseline carries a claim.")
    refusals: list[RefusalDocument]
    sentence: str
    sentence_es: str
    actual: float | None
    expected: float | None = Field(description="By the baseline, over the compared days.")
    saved: float | None = Field(description="Expected less actual.")
    uncertainty: float | None = Field(description="Half width of the interval of `saved`.")
    confidence: float | None
    share: float | None = Field(description="Saved of what was expected.")
    significant: bool | None = Field(description="Whether the interval leaves zero out.")
    cost_saved: float | None = Field(description="null without a price of the unit.")
    cost_uncertainty: float | None
    currency: str | None
    co2_saved_kg: float | None = Field(description="null without emissions of the unit.")
    co2_uncertainty_kg: float | None
    baseline: dict[str, Any] | None = Field(description="Period and model.")
    fit: dict[str, float] | None = Field(description="R², CV(RMSE), NMBE and what they rest on.")
    reporting: dict[str, Any] | None
    series: list[LineDocument]


class SavingsDocument(_Document):
    """As `sereno savings --json`."""

    meters: list[MeterSavingsDocument]


@router.get("/savings", responses=problems(404), response_model=SavingsDocument)
def show_savings(
    call: ViewerCall,
    request: Request,
    site: Annotated[Name, Query(description="A site, or one meter as Site/Asset.")],
    begin: Annotated[Instant, Query(alias="baseline_from", description="First day of the baseline.")],
    end: Annotated[Instant, Query(alias="baseline_to", description="Itself not in the baseline.")],
    since: Annotated[
        Instant | None, Query(description="First day compared; the end of the baseline without it.")
    ] = None,
    until: Annotated[
        Instant | None, Query(description="Itself not compared; the last reading without it.")
    ] = None,
    signal: Annotated[Name | None, Query(description="What is metered.")] = None,
) -> Response:
    """What the meters of a site have saved since their baseline, with uncertainty and lines for a chart."""

    def answer() -> dict[str, object]:
        found = call.workspace.savings(site, (begin, end), since=since, until=until, signal=signal)
        return report_json(found)

    return fresh_or(request, call, answer)
