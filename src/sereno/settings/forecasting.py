"""Settings of forecasts."""

from pydantic import Field, JsonValue, model_validator

from sereno.settings.branch import Branch

__all__ = ["ForecastSettings"]


class ForecastSettings(Branch):
    """How meters are forecast; a bare name stands for its kind."""

    kind: str = Field(
        default="ridge",
        description="Forecaster: ridge, seasonal_naive, or with the extra boost also boost and mixed.",
    )
    country: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$",
        description="Whose public holidays count, as ES or ES-CT; otherwise those of the time zone.",
    )
    options: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Further options of that forecaster by name, as its page lists them.",
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, said: object) -> object:
        return {"kind": said} if isinstance(said, str) else said
