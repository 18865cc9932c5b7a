"""The door of the fifth system: the load at an instant, in its words, of every zone and with a band."""

import re
import time
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, NaiveDatetime

from sereno.api.context import LocalViewerCall
from sereno.api.documents import Time
from sereno.api.parameters import Name
from sereno.api.problems import problems
from sereno.api.routes.doors import PredictionFigures
from sereno.domain.time import isoformat
from sereno.flows.predicting import MAX_LOADS, LoadPrediction

__all__ = ["router"]

router = APIRouter(tags=["first systems"])

_YEARS = range(1900, 2200)
_ZONE_2 = re.compile(r"(?<!\d)0*2$")
_WEATHER: dict[str, JsonValue] = {
    "Temperature": 25.5,
    "Humidity": 65.3,
    "WindSpeed": 3.2,
    "GeneralDiffuseFlows": 180.5,
    "DiffuseFlows": 95.1,
}
_CALENDAR: dict[str, JsonValue] = {
    "Day": 29,
    "Month": 10,
    "Hour": 14,
    "Minute": 30,
    "DayWeek": 7,
    "QuarterYear": 4,
    "DayYear": 302,
}


def _in_reach(instant: datetime) -> datetime:
    if instant.year not in _YEARS:
        raise ValueError(f"years from {_YEARS[0]} to {_YEARS[-1]} are known")
    return instant


class Weather(BaseModel):
    """The weather, under the names of the fifth system."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")

    temperature: float = Field(alias="Temperature", ge=-60, le=60, description="Of the air [°C].")
    humidity: float = Field(alias="Humidity", ge=0, le=100, description="Relative [%].")
    wind_speed: float = Field(alias="WindSpeed", ge=0, le=120, description="[m/s].")
    general_diffuse_flows: float = Field(
        alias="GeneralDiffuseFlows", ge=0, le=1500, description="Global irradiance [W/m²]."
    )
    diffuse_flows: float = Field(alias="DiffuseFlows", ge=0, le=1500, description="Diffuse one [W/m²].")


class PredictRequest(Weather):
    """Weather at an instant."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_WEATHER, "Timestamp": "2023-10-29T14:30:00"}]}
    )

    timestamp: Annotated[
        AwareDatetime | NaiveDatetime,
        AfterValidator(_in_reach),
        Field(alias="Timestamp", description="ISO 8601; on the clock of the site without an offset."),
    ]


class InputFeatures(Weather):
    """What the fifth system made of its input: the weather, and what day and time it is."""

    day: int = Field(alias="Day")
    month: int = Field(alias="Month")
    hour: int = Field(alias="Hour")
    minute: int = Field(alias="Minute")
    day_of_week: int = Field(alias="DayWeek", description="1 is Monday.")
    quarter: int = Field(alias="QuarterYear")
    day_of_year: int = Field(alias="DayYear")


class ZoneDocument(BaseModel):
    """The load of one zone: the mean over the step that holds the instant."""

    site: str
    asset: str
    predicted_power_consumption: float = Field(description="Middle of the distribution [kW].")
    lower: float = Field(description="Lower end of the 90 % band [kW].")
    upper: float = Field(description="Upper end of the 90 % band [kW].")
    weather_effect: float = Field(
        description="How much of it is due to the given weather [kW]; 0 where the model, whose backtest "
        "decides, makes no use of the weather."
    )
    start: Time = Field(description="Of the step.")
    step_s: float
    cut_off: Time = Field(description="End of the last reading that was used.")
    tier: str = Field(description="What it rests on: hierarchical, pooled, seasonal_naive or constant.")


class PredictionDocument(BaseModel):
    """The loads at an instant."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "predicted_power_consumption_zone2": 21043.2,
                    "model_version": "ridge-5f0c9a1be77d",
                    "prediction_timestamp": "2023-10-29T13:52:08Z",
                    "input_features": {**_WEATHER, **_CALENDAR},
                    "zones": [
                        {
                            "site": "Tetuán",
                            "asset": "Zone 2",
                            "predicted_power_consumption": 21043.2,
                            "lower": 20110.7,
                            "upper": 21976.4,
                            "weather_effect": 0.0,
                            "start": "2023-10-29T13:30:00Z",
                            "step_s": 600.0,
                            "cut_off": "2023-10-29T13:30:00Z",
                            "tier": "hierarchical",
                        }
                    ],
                }
            ]
        },
    )

    predicted_power_consumption_zone2: float | None = Field(
        description="Of the zone whose name ends in 2 [kW]; null where there is none."
    )
    model_version: str = Field(description="Kind and digest of the forecaster.")
    prediction_timestamp: Time = Field(description="When this was answered.")
    input_features: InputFeatures
    zones: list[ZoneDocument] = Field(
        description=f"Every load of the site, by name, up to {MAX_LOADS}.", max_length=MAX_LOADS
    )


@router.post(
    "/predict",
    responses=problems(409),
    response_model=PredictionDocument,
    summary="Forecast the load",
)
def predict(
    request: Request,
    wanted: PredictRequest,
    call: LocalViewerCall,
    site: Annotated[Name | None, Query(description="Whose loads; the first that has any without it.")] = None,
) -> PredictionDocument:
    """The load of every zone at an instant, from all readings before it; nothing is stored.

    Instants that the forecaster does not reach, more than seven days after the last reading or before the
    first, get what is usual at that time of day, with a band of as much. An instant that is stored already
    is no test of the model: it may have learnt that day.
    """
    began = time.perf_counter()
    weather = Weather.model_validate(wanted.model_dump(exclude={"timestamp"}))
    made = call.workspace.predict(wanted.timestamp, weather.model_dump(), site=site)
    zones = [_zone(one) for one in made.loads]
    now = call.workspace.now()
    figures: PredictionFigures = request.app.state.predictions
    figures.add(time.perf_counter() - began, now)
    second = [one.predicted_power_consumption for one in zones if _ZONE_2.search(one.asset)]
    return PredictionDocument(
        predicted_power_consumption_zone2=second[0] if second else None,
        model_version=made.model_version,
        prediction_timestamp=isoformat(now),
        input_features=_features(weather, made.local),
        zones=zones,
    )


def _features(weather: Weather, local: datetime) -> InputFeatures:
    return InputFeatures(
        **weather.model_dump(),
        day=local.day,
        month=local.month,
        hour=local.hour,
        minute=local.minute,
        day_of_week=local.isoweekday(),
        quarter=(local.month + 2) // 3,
        day_of_year=local.timetuple().tm_yday,
    )


def _zone(one: LoadPrediction) -> ZoneDocument:
    return ZoneDocument(
        site=one.asset.site,
        asset=one.asset.asset,
        predicted_power_consumption=one.power_kw,
        lower=one.band_kw[0],
        upper=one.band_kw[1],
        weather_effect=one.weather_effect_kw,
        start=isoformat(one.start),
        step_s=one.forecast.step.total_seconds(),
        cut_off=isoformat(one.forecast.cut_off),
        tier=one.forecast.tier.value,
    )
