"""Branch of `sereno.yaml` for reports that leave by themselves."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sereno.settings.branch import Branch

__all__ = ["ReportSettings"]

_WEEKDAYS = 7


class ReportSettings(Branch):
    """A report that is mailed on a schedule, about the day, week or month that has ended then."""

    about: Literal["fleet", "site"] = Field(default="fleet", description="All sites, or one of them.")
    site: str | None = Field(default=None, description="Name of that site.")
    every: Literal["day", "week", "month"] = Field(
        default="week", description="How often it leaves, and how long a time it is about: day, week, month."
    )
    day: int = Field(
        default=1,
        ge=1,
        le=28,
        description="Day on which it leaves: of the week 1 for Monday to 7 for Sunday, or of the month.",
    )
    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = Field(
        default="07:00", description="Local time at which it leaves."
    )
    to: list[str] = Field(min_length=1, description="Receivers of the kind smtp that get it.")
    formats: list[Literal["html", "pdf", "xlsx"]] = Field(
        default=["html"],
        min_length=1,
        description="Files that are attached: html, pdf, xlsx; html stands for pdf where nothing prints.",
    )

    @model_validator(mode="after")
    def _suited(self) -> Self:
        if self.about == "site" and not self.site:
            raise ValueError("a report about a site needs `site`")
        if self.every == "week" and self.day > _WEEKDAYS:
            raise ValueError("a week has the days 1 to 7")
        return self
